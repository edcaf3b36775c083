"""Search of an offline node's collection: from a CAR file, a pinning service, or a Kubo daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from libipld import decode_cid
from msgspec.structs import replace
from typer.testing import CliRunner

from knet.cli.main import app
from knet.client.network import Network
from knet.codec import RAW, Cid
from knet.config import Profile, save_profile
from knet.content import kubo
from knet.content.bundle import put_bundle
from knet.content.gateway import GatewaySource
from knet.content.kubo import KuboStore
from knet.content.store import FileStore
from knet.errors import BlockNotFound
from knet.http import HttpClient
from knet_indexer.cli.main import app as node_app
from knet_indexer.ingest.sync import sync
from knet_indexer.publication.gc import collect_garbage
from tests.content.keepers import Account
from tests.content.support import gateway
from tests.indexer.publication.test_dsi_models import train_models

from .clients import open_client, own_network, wait_for
from .support import RunningNode, start_nodes

QUESTION = "Where do hawkmoths sleep?"
DOCUMENTS = {"moths.md": "Hawkmoths sleep under leaves by day.", "bees.md": "Bees sleep in their hive."}


@pytest.fixture
def profile(devnet: Profile, request: pytest.FixtureRequest) -> Profile:
    return own_network(devnet, request.node.name.removeprefix("test_")[:40])


@pytest.fixture
def home(tmp_path: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KNET_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    save_profile(profile, default=True)
    return tmp_path / "home"


@pytest.fixture
def online(home: Path, tmp_path: Path, profile: Profile) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def node(online: ExitStack, tmp_path: Path, profile: Profile) -> RunningNode:
    """A node with models and four publications, of which two are deleted; it answers until ``online`` is closed."""
    (started,) = online.enter_context(start_nodes(tmp_path, profile, [DOCUMENTS]))
    (started.documents / "bees.md").write_text("Bees sleep in their hive, or in a flower.")
    started.update()
    (started.documents / "wasps.md").write_text("Wasps sleep in their nest.")
    started.update()
    (started.documents / "ants.md").write_text("Ants nap in their nest.")
    sync(started.node)
    train_models(started.node)
    started.update()
    collect_garbage(started.node)
    wait_for_the_head(started)
    return started


def publish(node: RunningNode, *options: str) -> dict[str, object]:
    """Publish as `knet node publish` does while `knet node serve` runs in another terminal."""
    command = ["publish", "--home", str(node.node.folder), "--json", *options]
    done = CliRunner().invoke(node_app, command)
    assert done.exit_code == 0, done.output
    (pin,) = json.loads(done.stdout)["pins"]
    return dict(pin)


def ask_privately(profile: Profile, folder: Path, node: RunningNode) -> None:
    """Ask with a client that never contacted the node; the answer comes from copies and verifies in each mode."""
    with open_client(profile, folder) as net:
        answer = net.ask(QUESTION, k=2, private=True)
        assert [status.status for status in answer.nodes] == ["success"], answer.nodes
        assert answer.passages[0].text == DOCUMENTS["moths.md"]
        report = answer.verify()
        assert report.failed == []
        assert all("no node signed" in check.detail for check in report.unchecked), report.unchecked
        for retriever in ("dense", "bm25"):
            (first,) = net.ask(QUESTION, k=1, private=True, retrievers=(retriever,)).passages
            assert first.text == DOCUMENTS["moths.md"]
            assert set(first.shares) - {"trust"} == {retriever}
        wait_for(lambda: named_by_models(net), "De-DSI models of the node have a say")
        assert [s.status for s in net.ask(QUESTION).nodes] == ["error"], "the node does not answer"


def named_by_models(net: Network) -> bool:
    answer = net.ask(QUESTION, private=True)
    return any(passage.shares.get("dsi") for passage in answer.passages)


def test_offline_node_is_searched_from_a_car_file(
    node: RunningNode, online: ExitStack, profile: Profile, home: Path, tmp_path: Path
) -> None:
    pin = publish(node, "--pin", "car", "--car", "moths.car")
    assert pin["where"] == "moths.car"
    online.close()
    done = CliRunner().invoke(app, ["import", str(tmp_path / "moths.car"), "--json"])
    assert json.loads(done.stdout)["roots"] == [pin["manifest"], pin["root"]]
    ask_privately(profile, home, node)


def test_offline_node_is_searched_from_a_pinning_service(
    node: RunningNode, online: ExitStack, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account()
    with gateway(account.store, account.app()) as service, gateway(account.store) as url:
        monkeypatch.setenv("KNET_PINNING_TOKEN", account.token)
        assert publish(node, "--pin", "service", "--pinning-service", service)["status"] == "pinned"
        online.close()
        ask_privately(replace(profile, gateways=[url]), tmp_path / "client", node)


@pytest.mark.ipfs
@pytest.mark.timeout(900)
def test_offline_node_is_searched_from_a_kubo_daemon(
    node: RunningNode,
    online: ExitStack,
    profile: Profile,
    tmp_path: Path,
    kubo_rpc: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    puts: list[Cid] = []
    put = KuboStore.put

    def counted(store: KuboStore, data: bytes, codec: int = RAW) -> Cid:
        puts.append(put(store, data, codec))
        return puts[-1]

    monkeypatch.setattr(KuboStore, "put", counted)
    with monkeypatch.context() as hasty:  # js-ipfs searches for missing blocks until it is stopped
        hasty.setattr(kubo, "_LOCAL_DEADLINE", 0.3)
        first = publish(node, "--pin", "kubo", "--kubo", kubo_rpc)
    assert len(puts) == int(str(first["blocks"])) - 1, "the manifest is sent once, though it has two identifiers"
    assert publish(node, "--pin", "kubo", "--kubo", kubo_rpc)["root"] == first["root"]
    assert len(puts) == int(str(first["blocks"])) - 1, "blocks that the service has are not sent again"
    for sleeper in ("Flies", "Ticks"):
        (node.documents / f"{sleeper}.md").write_text(f"{sleeper} sleep on ceilings.")
        node.update()
    with monkeypatch.context() as hasty:
        hasty.setattr(kubo, "_LOCAL_DEADLINE", 0.3)
        last = publish(node, "--pin", "kubo", "--kubo", kubo_rpc)
    wait_for_the_head(node)
    online.close()
    ask_privately(replace(profile, kubo=kubo_rpc), tmp_path / "client", node)
    daemon = KuboStore(kubo_rpc)
    kept = {decode_cid(text)["hash"]["digest"] for text in daemon._daemon.pin.ls(type="recursive")["Keys"]}
    assert Cid.parse(str(last["root"])).digest in kept
    assert Cid.parse(str(first["root"])).digest not in kept, (
        "the earlier pin is removed, although two publications lie between"
    )
    daemon.unpin(Cid.parse(str(last["root"])))
    daemon.close()


def wait_for_the_head(node: RunningNode) -> None:
    """Wait until the service serves the head, within a second after the publication."""
    root = put_bundle(node.node.store, node.node.chain.manifests.heads(node.identity)[-1].manifest)
    with HttpClient(addresses="loopback") as http:
        source = GatewaySource(http, [node.endpoint])

        def served() -> bool:
            try:
                return bool(source.get(root))
            except BlockNotFound:
                return False

        wait_for(served, "the node serves its head")


def test_failed_pinning_is_reported_before_publication(node: RunningNode) -> None:
    for options, said in (
        (["--pin", "kubo"], "No Kubo daemon is configured"),
        (["--pin", "service", "--pinning-token", "t"], "has no URL or no token"),
        (["--pin", "elsewhere"], "elsewhere"),
        (["--pin", "car", "--car", "/nowhere/x.car"], "cannot be written"),
        (["--pin", "kubo", "--kubo", "/ip4/127.0.0.1/tcp/9"], "Start it with `ipfs daemon`"),
    ):
        done = CliRunner().invoke(node_app, ["publish", "--home", str(node.node.folder), *options])
        assert done.exit_code != 0
        assert said in done.stderr


def test_content_is_fetched_by_its_cid(
    node: RunningNode, online: ExitStack, profile: Profile, home: Path, tmp_path: Path
) -> None:
    def fetch(*arguments: object, fails: int = 0) -> bytes:
        done = CliRunner().invoke(app, ["fetch", *map(str, arguments)])
        assert done.exit_code == fails, done.output
        return done.stdout_bytes if not fails else done.stderr_bytes

    head = node.node.chain.manifests.heads(node.identity)[-1].manifest
    assert json.loads(fetch(head, "--json"))["node"] == node.identity
    assert fetch(head) == node.node.store.get(head)
    assert json.loads(fetch(head, "--car", "-o", "all.car", "--json"))["path"] == "all.car"
    online.close()
    assert fetch(head) == node.node.store.get(head), "the content was kept"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KNET_HOME", str(tmp_path / "fresh"))
        assert b"No network is configured" in fetch(head, fails=1)
        with gateway(node.node.store) as url:
            assert fetch(head, "--gateway", url) == node.node.store.get(head), "a gateway needs no network"
        assert CliRunner().invoke(app, ["import", "all.car"]).exit_code == 0
        store = FileStore(tmp_path / "fresh" / "blocks")
        assert set(store) == set(FileStore(home / "blocks"))
    assert b"nonsense" in fetch("nonsense", fails=1)
    raw = store.put(b"no record")
    node.node.store.put(b"no record")
    FileStore(home / "blocks").put(b"no record")
    assert b"is not a record of knet" in fetch(raw, "--json", fails=1)
