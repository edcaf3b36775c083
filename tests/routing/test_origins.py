"""Requests to servers that strangers name. Threat model: node, many registrations that name a third party's address."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from msgspec.structs import replace

from knet.codec import Cid
from knet.config import Deployment, Profile
from knet.content.base import BlockSource
from knet.content.store import MemoryStore
from knet.errors import KnetError
from knet.http import HttpClient
from knet.records import Head, NodeEntry
from knet.routing import origins
from knet.routing.block_sources import NodeBlockSources
from knet.routing.card_directory import CardDirectory
from knet.routing.directory import NodeDirectory
from knet.routing.large.large_directory import SummaryDirectory
from knet.routing.origins import Admission, OriginBudget, servers_of
from tests.search.support import CHAIN, CONTRACT, Owner

JUNK = 600
PROFILE = Profile(
    name="t", rpc="", deployment=Deployment(chain_id=CHAIN, identity=CONTRACT, manifests=CONTRACT, reliability=CONTRACT)
)


class Victim:
    """A web server that counts requests, and serves the blocks of ``owners``."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.url = ""
        self.blocks: list[BlockSource] = []

    def body(self, path: str) -> bytes | None:
        self.seen.append(path)
        cid = Cid.parse(path.rpartition("/")[2].partition("?")[0])
        for source in self.blocks:
            try:
                return source.get(cid)
            except KnetError:
                continue
        return None


@contextmanager
def listening() -> Iterator[Victim]:
    victim = Victim()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = victim.body(self.path)
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Length", str(len(found or b"")))
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        victim.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield victim
        server.shutdown()


@pytest.fixture
def victim() -> Iterator[Victim]:
    with listening() as found:
        yield found


def entry(node: int, endpoint: str) -> NodeEntry:
    manifest = Cid.of(b"junk %d" % node)
    head = Head(manifest=manifest, sequence=1, block=1, time=1, transaction="0x")
    return NodeEntry(node=node, owner=f"owner {node}", wallet="", endpoint=endpoint, head=head)


@pytest.fixture(params=["cards", "summaries"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def connected(kind: str, folder: Path, entries: Sequence[NodeEntry]) -> Iterator[NodeDirectory]:
    """A client that has read these entries once."""
    with HttpClient("loopback") as http, ThreadPoolExecutor(16) as pool:
        sources = NodeBlockSources(
            PROFILE, http, MemoryStore(), folder / "cards", OriginBudget(folder / "origins.json")
        )
        found: NodeDirectory
        if kind == "cards":
            found = CardDirectory(pool, sources.of, sources.budget)
        else:
            found = SummaryDirectory(folder / "nodes", pool, sources, lambda known: [], {}, sources.budget)
        found.follow(entries)
        until = time.monotonic() + 30
        while kind == "summaries" and (found._reader is None or found._reader.is_alive()):  # type: ignore[attr-defined]
            assert time.monotonic() < until
            time.sleep(0.01)
        yield found
        found.close()
        sources.close()


def test_junk_nodes_cost_their_victim_one_request(kind: str, victim: Victim, tmp_path: Path) -> None:
    junk = [entry(node, f"{victim.url}/{node}") for node in range(1, JUNK + 1)]
    for _ in range(3):
        with connected(kind, tmp_path, junk) as directory:
            directory.follow(junk)
    assert len(victim.seen) == 1, "at three connections of one client, which remembers"


def test_junk_nodes_at_the_address_of_an_honest_node_cost_it_few_requests(
    kind: str, victim: Victim, tmp_path: Path
) -> None:
    owner = Owner(1, ["Herons stand still."])
    victim.blocks.append(owner.store)
    honest = replace(owner.view.entry, endpoint=victim.url)
    junk = [entry(node, f"{victim.url}/{node}") for node in range(2, JUNK)]
    for _ in range(2):
        with connected(kind, tmp_path, [honest, *junk]) as directory:
            assert directory.coverage.known == 1
    assert len([path for path in victim.seen if str(owner.head) not in path]) < 16


def test_many_honest_nodes_of_one_server_are_all_read(kind: str, victim: Victim, tmp_path: Path) -> None:
    owners = [Owner(node, [f"Fact {node}."]) for node in range(1, 41)]
    victim.blocks += [owner.store for owner in owners]
    entries = [replace(owner.view.entry, endpoint=f"{victim.url}/{owner.node}") for owner in owners]
    with connected(kind, tmp_path, entries) as directory:
        assert directory.coverage.known == len(owners)


def test_a_server_rests_longer_after_each_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000.0]
    monkeypatch.setattr(origins.time, "time", lambda: now[0])
    budget, tries = OriginBudget(None), []
    for _ in range(24 * 3600):
        now[0] += 1
        stranger = entry(len(tries), "http://victim.example")
        if budget.admit(stranger) is Admission.ADMITTED:
            tries.append(now[0])
            budget.failed(stranger)
    assert tries[1] - tries[0] < 15
    assert len(tries) < 40, "in a day"


def test_ports_of_one_host_share_a_budget() -> None:
    budget = OriginBudget(None)
    admitted = [budget.admit(entry(node, f"http://victim.example:{node}")) for node in range(1, JUNK)]
    assert admitted.count(Admission.ADMITTED) == origins.HOST_TRIALS


def test_a_client_that_was_offline_tries_again_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000.0]
    monkeypatch.setattr(origins.time, "time", lambda: now[0])
    budget, node = OriginBudget(None), entry(1, "http://honest.example")
    for _ in range(20):
        now[0] += 61
        assert budget.admit(node) is Admission.ADMITTED
        budget.failed(node, reached=False)


def test_a_node_that_served_a_block_is_admitted_at_the_next_start(tmp_path: Path) -> None:
    budget, node = OriginBudget(tmp_path / "origins.json"), entry(1, "http://honest.example")
    assert budget.admit(node) is Admission.ADMITTED
    budget.served(node)
    budget.close()
    again = OriginBudget(tmp_path / "origins.json")
    assert again.admit(node) is Admission.ADMITTED
    again.failed(node, strike=False)
    assert again.admit(node) is Admission.ADMITTED
    moved = entry(1, "http://victim.example")
    assert again.admit(moved) is Admission.ADMITTED
    again.failed(moved)
    assert again.admit(moved) is Admission.RESTING, "the proof is of one address"


def test_a_known_node_whose_name_leads_elsewhere_is_on_trial_again() -> None:
    budget, node = OriginBudget(None), entry(1, "http://turncoat.example")
    budget.admit(node)
    budget.served(node)
    asked = 0
    while budget.admit(node) is Admission.ADMITTED:
        budget.failed(node)
        asked += 1
    assert asked <= origins.STRIKES + origins.GAIN


@pytest.mark.parametrize(
    "same", ["http://127.0.0.1:80/a", "http://127.1/b", "http://2130706433", "http://0x7f.1/", "http://127.0.0.1./c"]
)
def test_spellings_of_an_address_are_one_server(same: str) -> None:
    assert servers_of(same) == servers_of("http://127.0.0.1")
