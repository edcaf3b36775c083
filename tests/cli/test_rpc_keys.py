"""Keys in the URL of an RPC: hidden in all that commands print and log, whatever the server behind the URL does."""

from __future__ import annotations

import base64
import json
import logging
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from typer.main import get_command
from typer.testing import CliRunner

from knet.chain.evm import open_chain
from knet.chain.rpc import Rpc
from knet.codec import Cid, to_json
from knet.config import Deployment, Profile, load_profile, save_profile
from knet.content.pinning import PinningService
from knet.errors import ChainError, ConfigError, KnetError
from knet.http import HttpClient
from knet.redaction import HIDDEN, public_url, redacted
from knet_indexer.cli import main as node_commands
from knet_indexer.node import Node
from knet_indexer.server import run
from tests.answer.test_rendered import FOUND
from tests.network.support import open_node
from tests.small_network import QUESTION

from .test_bad_inputs import ADDRESS, CONTRACTS, WHOLE, commands

# a key at every place of the URL where a provider puts one
SECRETS = ("canaryuser", "canary-pass!9", "CanaryPathKey42", "CanaryQueryKey42", "canaryhost0123456789abcdef")
CID = str(Cid.of(b"a block that is not stored"))
LOCAL = {"network up", "network down", "demo"}  # start and stop a chain of this machine, whose URL has no key

# Every other command with its arguments; {} is the data folder, {url} the RPC.
LINES = [
    f"ask|{QUESTION}",
    "verify|{}/answer.json",
    "rate|up|--answer|{}/answer.json",
    "nodes",
    "export|{}/answer.json",
    f"fetch|{CID}",
    "import|{}/missing.car",
    "mcp",
    "|".join(("network join|other", "--rpc", "{url}", *CONTRACTS)),
    "network allow|some/model",
    "network list",
    "trust status",
    "trust bond|1",
    "trust unbond|1",
    "trust claim",
    "trust reveal",
    "trust audit",
    "trust why|1",
    "trust accounts",
    "trust history",
    "trust probe|{}/probes.jsonl",
    "dsi train|{}/pairs.jsonl",
    "dsi eval|{}/missing|{}/pairs.jsonl",
    "dsi show|{}/missing",
    "dsi update|{}/missing",
    "node init|second",
    "node add|folder:{}/docs|--node|mine",
    "node remove|folder:{}/other|--node|mine",
    "node set|mine|--description|D",
    "node model|{}/missing|--node|mine",
    "node sync|mine",
    "node documents|mine",
    "node show|folder:docs/a.md|--node|mine",
    "node forget|folder:docs/a.md|--node|mine",
    "node forget|folder:docs/a.md|--undo|--node|mine",
    "node publish|mine",
    "node serve|mine",
    "node up|mine",
    "node status|mine",
    "node skipped|mine",
    "node gc|mine",
]
SERVERS = ("dead", "401", "500", "html", "echo", "result")
BRIEF = ("ask", "nodes", "trust claim", "trust audit", "node serve", "node publish")  # with servers that fail alike


class Handler(BaseHTTPRequestHandler):
    """RPC that fails in the way its server names, and repeats the request's path, host and credentials."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.server.kind  # type: ignore[attr-defined]
        header = self.headers.get("Authorization", " ")
        credentials = base64.b64decode(header.split()[-1] if header.strip() else "").decode()
        said = f"no project for {self.path} of {credentials} at {self.headers['Host']} with {header}"
        status = int(kind) if kind.isdecimal() else 200
        number = json.loads(body)["id"]
        reply = {"jsonrpc": "2.0", "id": number, "error": {"code": -32000, "message": said, "data": said}}
        if kind == "result":
            reply = {"jsonrpc": "2.0", "id": number, "result": said}
        text = f"<html>{said}</html>" if kind == "html" or status != 200 else json.dumps(reply)
        self.send_response(status, said if status != 200 else None)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@pytest.fixture(params=SERVERS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an RPC that fails, with keys in it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.kind = request.param  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    port = server.server_port if request.param != "dead" else 9
    yield f"http://canaryuser:canary-pass%219@127.0.0.1:{port}/v3/CanaryPathKey42/rpc?apikey=CanaryQueryKey42"
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Path:
    """A data folder whose default network has this RPC, with a node, an answer and other files for the commands."""
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    monkeypatch.delenv("KNET_PROFILE", raising=False)
    deployment = Deployment(chain_id=1, identity=ADDRESS, manifests=ADDRESS, reliability=ADDRESS)
    save_profile(Profile(name="away", rpc=url, deployment=deployment, addresses="private"), default=True)
    (tmp_path / "answer.json").write_text(to_json(FOUND))
    (tmp_path / "probes.jsonl").write_text('{"question": "How?", "answers": ["so"]}\n')
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("A beaver builds a dam.")
    CliRunner().invoke(WHOLE, ["node", "init", "mine"])
    CliRunner().invoke(WHOLE, ["node", "add", f"folder:{tmp_path}/docs", "--node", "mine"])
    monkeypatch.setattr(node_commands, "open_node", lambda name, _: open_node(tmp_path / "nodes" / name))
    monkeypatch.setattr(run, "serve", serve_once)
    return tmp_path


def serve_once(node: Node, _: object) -> None:
    """Print what a node's routes reply to the first requests, in place of serving for ever."""
    with run.serving(node) as endpoint:
        for route in ("", "/metrics", "/readyz", "/healthz", "/openapi.json", "/.well-known/agent-card.json"):
            print(requests.get(endpoint + route, timeout=30).text)


def assert_hidden(text: str, where: str) -> None:
    found = [secret for secret in (*SECRETS, "canary-pass%219", "Y2FuYXJ5dXNlcj") if secret in text]
    assert not found, f"{where} shows {found}: {text}"


def test_every_command_that_may_touch_the_chain_has_a_line() -> None:
    assert {line.split("|")[0] for line in LINES} == set(commands(get_command(WHOLE))) - LOCAL


def test_no_command_shows_the_keys_of_the_rpc(home: Path, url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Threat model: reader of a shared log, terminal or answer; the key in an RPC's URL."""
    caplog.set_level(logging.DEBUG)
    is_brief = not url.startswith("http://canaryuser:canary-pass%219@127.0.0.1:9/")
    for line in [line for line in LINES if line.startswith(BRIEF)] if is_brief else LINES:
        name, *arguments = (part.replace("{}", str(home)).replace("{url}", url) for part in line.split("|"))
        for options in ([], ["--json"]) if name != "mcp" else ([],):
            result = CliRunner().invoke(WHOLE, [*name.split(), *arguments, *options], input="")
            trace = "".join(traceback.format_exception(result.exception)) if result.exception else ""
            assert_hidden(result.stdout + result.stderr, line)
            assert_hidden(trace, f"the traceback of {line}")
            assert_hidden(caplog.text, f"the log of {line}")
            caplog.clear()
    kept = (path for path in home.rglob("*") if path.is_file() and path.parent.name != "profiles")
    for path in kept:
        assert_hidden(path.read_bytes().decode("latin-1"), str(path))
    assert load_profile("away").rpc == url, "the profile itself keeps the key"


def test_library_shows_no_key_in_errors_and_what_notebooks_display(home: Path) -> None:
    """Threat model: reader of a published notebook; the key in an RPC's URL."""
    profile = load_profile()
    assert_hidden(repr(profile), "the profile")
    with pytest.raises(ChainError) as caught:
        open_chain(profile).registry_snapshot()
    assert_hidden("".join(traceback.format_exception(caught.value)), "the traceback")
    assert_hidden(str(open_chain(profile).rpc.web3.provider), "the provider")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("http://127.0.0.1:8545/", "http://127.0.0.1:8545"),
        ("https://mainnet.infura.io/v3/CanaryPathKey42", "https://mainnet.infura.io/…"),
        ("https://rpc.example.org?key=CanaryQueryKey42", "https://rpc.example.org/…"),
        ("https://canaryuser@rpc.example.org:8443", "https://rpc.example.org:8443/…"),
        ("https://canaryhost0123456789abcdef.eth.example.org", "https://….eth.example.org"),
        ("http://canaryuser:canary-pass!9@[::1]:8545/", "http://[::1]:8545/…"),
        ("https://rpc.example.org/#CanaryQueryKey42", "https://rpc.example.org/…"),
        ("http://rpc.example.org:CanaryPathKey42", HIDDEN),
        ("http://[CanaryPathKey42", HIDDEN),
        ("CanaryPathKey42", HIDDEN),
        ("", HIDDEN),
    ],
)
def test_url_without_its_key(url: str, shown: str) -> None:
    assert public_url(url) == shown
    with pytest.raises(KnetError) as caught:
        Rpc(url.replace("http", "ftp", 1)).block_number()
    assert isinstance(caught.value, ConfigError)
    assert_hidden("".join(traceback.format_exception(caught.value)), url)


def test_short_and_ordinary_parts_of_a_url_stay_in_messages() -> None:
    Profile(
        name="plain",
        rpc="https://user@rpc.example.org/ethereum/v3/1a2b3c4d5e",
        deployment=Deployment(chain_id=1, identity="", manifests="", reliability=""),
        gateways=["https://example.org/ipfs/"],
    )
    text = "an ethereum chain at v3, key {}, /ipfs/ used"
    assert redacted(text.format("1a2b3c4d5e")) == text.format(HIDDEN)


def test_token_that_a_service_repeats_is_hidden() -> None:
    """Threat model: reader of a log; the token of a pinning service."""
    with HttpClient() as http:
        PinningService(http, "https://pins.example.org/psa", "CanaryToken-42")
    assert str(KnetError("answered: Bearer CanaryToken-42 is not valid.")) == f"answered: Bearer {HIDDEN} is not valid."
