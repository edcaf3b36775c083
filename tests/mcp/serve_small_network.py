"""Run `knet mcp` with the tests' embedder instead of a model; takes the command's own options."""

from __future__ import annotations

from knet.cli.main import app
from knet.client import network
from knet.client.network import Network
from knet.config import home, load_profile
from tests.network.clients import open_client


def connect(name: str | None = None) -> Network:
    return open_client(load_profile(name), home())


if __name__ == "__main__":
    network.connect = connect  # type: ignore[assignment]
    app(prog_name="knet")
