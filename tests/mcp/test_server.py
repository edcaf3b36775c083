"""The MCP server, driven by the SDK's own client over both transports."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

pytest.importorskip("mcp", reason="the MCP SDK is not installed: pip install 'knetwork[mcp]'")

from knet.answer.writer import UNKNOWN
from knet.cli.main import app
from knet.client.network import Network
from knet.config import Profile, save_profile
from knet.errors import BlockTampered, ConfigError
from knet.mcp.answer_store import KeptAnswers
from knet.mcp.replies import framed
from knet.mcp.sdk import MAJOR
from knet.mcp.server import MAX_TEXT, Tools, _window
from tests.network.support import RunningNode
from tests.small_network import QUESTION

from .clients import Client, over_http, over_stdio

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tests.mcp.serve_small_network", "mcp"]
TOKEN = "a-secret-of-twenty-two"


def test_installed_sdk_major_is_the_requested_one() -> None:
    assert str(MAJOR) == os.environ.get("MCP_MAJOR", "2")


@pytest.fixture
def environment(profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return an environment whose data folder has the network's profile, for a child process."""
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    save_profile(profile, default=True)
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "KNET_HOME": str(tmp_path), "PYTHONPATH": path}


@contextmanager
def serving(environment: dict[str, str], *options: str) -> Iterator[str]:
    """Run `knet mcp --http` in a child process; its URL."""
    command = [*COMMAND, "--http", "--port", "0", *options]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("MCP server at http://127.0.0.1:"), line
        yield line.split()[3].rstrip(";")
    finally:
        process.terminate()
        process.communicate(timeout=60)


@asynccontextmanager
async def started(transport: str, environment: dict[str, str], *options: str) -> AsyncIterator[Client]:
    if transport == "stdio":
        async with over_stdio([*COMMAND, *options], environment) as client:
            yield client
    else:
        with serving(environment, *options) as url:
            async with over_http(url) as client:
                yield client


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_assistant_searches_fetches_asks_verifies_and_rates(
    transport: str, environment: dict[str, str], nodes: list[RunningNode]
) -> None:
    async with started(transport, environment, "--allow-rating") as client:
        found = await client.call("search", query=QUESTION, k=3)
        assert json.loads(found.text) == found.data, "one JSON text item, for clients that know no structured content"
        assert len(found.progress) == len(nodes)
        assert all("success" in line for line in found.progress)
        assert len(found.data["results"]) == 3
        best = next(result for result in found.data["results"] if "builds a dam of branches" in result["text"])
        assert best["url"].startswith("ipfs://")

        read = (await client.call("fetch", id=best["id"])).data
        assert {key: read[key] for key in ("id", "title", "url")} == {key: best[key] for key in ("id", "title", "url")}
        assert quoted(read["text"]) == (nodes[0].documents / "beaver.md").read_text()
        assert read["metadata"]["node"] == str(nodes[0].identity)
        elsewhere = f"{nodes[1].identity}/{best['id'].partition('/')[2]}"
        refused = await client.call("fetch", id=elsewhere)
        assert refused.is_error, "there is no proof that this node published it"
        assert "does not have the passage" in refused.text

        asked = (await client.call("ask", question=QUESTION, nodes=[nodes[0].identity])).data
        assert asked["found"]
        assert (
            "A beaver builds a dam of branches, mud and stones across a stream to raise its water. [1]" in asked["text"]
        )
        assert asked["sources"][0]["id"] == best["id"]

        checked = (await client.call("verify", answer=asked["answer"])).data
        assert checked["ok"]
        assert {claim["holds"] for claim in checked["claims"]} == {True}

        rated = (await client.call("rate", answer=asked["answer"], helpful=True, passage=1)).data
        assert rated["rated"] == [nodes[0].identity]
        assert "transactions" not in rated, "the rating is queued, and the user sends it"


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_tool_failure_is_a_tool_error_with_a_hint(transport: str, environment: dict[str, str]) -> None:
    async with started(transport, environment, "--allow-rating") as client:
        for call, message in (
            (client.call("verify", answer="bafy"), "Ask the question again"),
            (client.call("rate", answer="bafy", helpful=True), "Ask the question again"),
            (client.call("fetch", id="../../etc/passwd"), "is not a passage id"),
            (client.call("fetch", id="1/bafyzzz#0-4"), "fetch"),
            (client.call("ask", question="  "), "The question is empty"),
            (client.call("search", query=QUESTION, k=1000), "less than or equal to 64"),
            (client.call("forget", everything=True), "forget"),
        ):
            called = await call
            assert called.is_error
            assert message in called.text
        assert (await client.call("search", query=QUESTION)).data["results"], "and it still serves"


async def test_tools_describe_parameters_results_and_effects(environment: dict[str, str]) -> None:
    async with over_stdio([*COMMAND, "--allow-rating"], environment) as client:
        tools = await client.tools()
    assert list(tools) == ["search", "fetch", "ask", "verify", "rate"]
    for tool in tools.values():
        assert tool["description"]
        assert tool["outputSchema"]["type"] == "object"
        assert tool["annotations"]["readOnlyHint"] == (tool["name"] != "rate")
        assert "context" not in tool["inputSchema"]["properties"]
    assert tools["search"]["inputSchema"]["required"] == ["query"]
    assert tools["fetch"]["inputSchema"]["required"] == ["id"]
    assert set(tools["fetch"]["outputSchema"]["required"]) == {"id", "title", "text", "url", "metadata"}


async def test_server_without_rating_has_no_writing_tool(environment: dict[str, str]) -> None:
    """Threat model: document, a passage that has the assistant rate in the user's name."""
    async with over_stdio(COMMAND, environment) as client:
        assert "rate" not in await client.tools()
        asked = (await client.call("ask", question="zygomorphic quasars xylophone", k=1)).data
    assert not asked["found"], "which is not an error"
    assert quoted(asked["text"]) == UNKNOWN


async def test_request_without_the_token_is_refused(environment: dict[str, str]) -> None:
    with serving({**environment, "KNET_MCP_TOKEN": TOKEN}) as url:
        async with over_http(url, TOKEN) as client:
            assert "ask" in await client.tools()
        assert _status(url) == 401
        assert _status(url, authorization="Bearer wrong-secret-of-twenty") == 401
        assert _status(url, authorization=f"Bearer {TOKEN}", host="evil.example") in (403, 421), (
            "a browser's request from another site whose name was rebound to this address (DNS rebinding)"
        )


def _status(url: str, **headers: str) -> int:
    there = urlsplit(url)
    connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
    body = '{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}'
    connection.request("POST", there.path, body, {"Content-Type": "application/json", **headers})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--host", "0.0.0.0"), "without a token every machine there can ask and rate in your name"),
        (("--host", "0.0.0.0", "--token", "short"), "The token has only 5 characters. Use at least 16"),
        (("--host", "203.0.113.1", "--token", TOKEN), "203.0.113.1:8765 cannot be served on"),
    ],
)
def test_serving_a_public_address_requires_a_token(
    options: tuple[str, ...], message: str, environment: dict[str, str]
) -> None:
    done = CliRunner().invoke(app, ["mcp", "--http", *options])
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stdout == ""


class _Quiet:
    async def report_progress(self, done: float, total: float | None, message: str) -> None: ...


class _Asking:
    """Context of a client that asks its user, who replies with this action and answer."""

    def __init__(self, action: str, confirm: bool) -> None:
        self.client_capabilities = SimpleNamespace(elicitation=object())
        self.session = SimpleNamespace(client_params=SimpleNamespace(capabilities=self.client_capabilities))
        self._reply = SimpleNamespace(action=action, data=SimpleNamespace(confirm=confirm))

    async def elicit(self, message: str, schema: object) -> object:
        assert QUESTION in message
        return self._reply


async def test_answer_of_an_earlier_session_is_verified_and_rated(net: Network) -> None:
    name = (await Tools(net).search(QUESTION, _Quiet(), k=1)).answer  # type: ignore[arg-type]
    later = Tools(net)
    assert (await later.verify(name)).ok
    assert (await later.rate(name, _Asking("accept", True), helpful=True)).rated  # type: ignore[arg-type]


@pytest.mark.parametrize(("action", "answer"), [("decline", True), ("cancel", True), ("accept", False)])
async def test_rating_that_the_user_does_not_confirm_is_not_queued(net: Network, action: str, answer: bool) -> None:
    """Threat model: document, a passage that has the assistant rate in the user's name."""
    tools, before = Tools(net), net.ratings.pending()
    name = (await tools.search(QUESTION, _Quiet(), k=1)).answer  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="did not confirm"):
        await tools.rate(name, _Asking(action, answer), helpful=True)  # type: ignore[arg-type]
    assert net.ratings.pending() == before


def test_passage_cannot_close_its_own_frame() -> None:
    """Threat model: document, instructions to the assistant."""
    first, second = framed("text"), framed("text")
    assert first.splitlines()[0] != second.splitlines()[0]
    assert quoted(first) == quoted(second) == "text"


def quoted(text: str) -> str:
    """Return the text between the tags of a frame."""
    first, *lines, last = text.split("\n")
    assert re.fullmatch(r"<quoted-[0-9a-f]{16}>", first)
    assert last == first.replace("<", "</")
    return "\n".join(lines)


async def test_answer_store_keeps_the_latest_and_refuses_changed_files(net: Network, tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path / "answers", most=2)
    records = [net.ask(QUESTION, k=1).record for _ in range(3)]
    names = [kept.add(record) for record in records]
    assert len(set(names)) == 3, "each answer has its own receipts"
    assert [kept.get(name) for name in names[1:]] == records[1:]
    for unknown in (names[0], "../answers", "", "bafkqaaa"):
        with pytest.raises(ConfigError, match="Ask the question again"):
            kept.get(unknown)
    path = tmp_path / "answers" / names[2]
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(BlockTampered, match="ask again"):
        kept.get(names[2])


@pytest.mark.parametrize(
    ("start", "end", "length"), [(0, 5, 10), (0, 9, 10**6), (500_000, 500_900, 10**6), (10**6 - 4, 10**6, 10**6)]
)
def test_long_document_is_cut_around_the_passage(start: int, end: int, length: int) -> None:
    first, last = _window(start, end, length)
    assert 0 <= first <= start < end <= last <= length
    assert last - first == min(length, MAX_TEXT)
