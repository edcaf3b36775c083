"""Documents that are taken back: no byte of their text stays in a node's home, in what it serves, or in its pins."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from knet.chain.manifest_registry import ManifestRegistry
from knet.codec import DAG_CBOR, RAW, Cid
from knet.config import Profile
from knet.content.base import get_record
from knet.content.bundle import put_bundle
from knet.content.car import read_car
from knet.content.dag import links
from knet.content.store import MemoryStore
from knet.errors import BadReply, ChainUnreachable, ConfigError, StoreError
from knet.http import HttpClient
from knet.records import Manifest
from knet_indexer import disk_index
from knet_indexer.ingest.sync import sync
from knet_indexer.node import Node
from knet_indexer.publication import pinning, withdrawal
from knet_indexer.publication.forget import forget, remember
from knet_indexer.publication.pinning import export_car, pin_kubo, pin_service
from knet_indexer.publication.publish import PublishReport, publish, publish_due
from knet_indexer.server import app as server_app
from knet_indexer.server.run import listen, serving
from tests.content.keepers import Account
from tests.content.support import gateway
from tests.indexer.publication.test_dsi_models import train_models
from tests.network.clients import open_client, own_network, wait_for
from tests.network.support import make_node, open_node

SECRET = "The combination of the vault is zanzibar forty-seven quagga."
WORDS = (b"zanzibar", b"quagga")
KEPT = "Hawkmoths sleep under leaves by day, and fly at night."
URI = "folder:node-documents/vault.md"


@pytest.fixture
def profile(devnet: Profile, request: pytest.FixtureRequest) -> Profile:
    return own_network(devnet, request.node.name.removeprefix("test_")[:30])


@pytest.fixture
def node(tmp_path: Path, profile: Profile) -> Node:
    texts = {"vault.md": f"# Vault\n\n{SECRET}", "moths.md": f"# Moths\n\n{KEPT}", "bees.md": "Bees sleep in a hive."}
    texts |= {f"{name}.md": f"{name.title()} sleep in their own way." for name in ("flies", "wasps", "ticks")}
    return make_node(tmp_path / "node", texts, profile)


def documents_of(node: Node) -> Path:
    return Path(node.config.sources[0].spec.partition(":")[2])


def update(node: Node) -> PublishReport:
    sync(node)
    return publish(node)


def mentions(data: bytes) -> list[bytes]:
    """Return the secret words in some bytes: as they are, and as the terms of an index."""
    return [word for word in WORDS if word in data.lower()]


def files_with_secret(folder: Path) -> list[str]:
    """Search every byte of every file under a folder."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and mentions(path.read_bytes())]


@contextmanager
def running(node: Node) -> Iterator[str]:
    bound = listen(node)
    node.configure(port=bound.getsockname()[1])
    with serving(node, bound) as endpoint:
        yield endpoint


@contextmanager
def later(monkeypatch: pytest.MonkeyPatch, hours: float) -> Iterator[None]:
    now = withdrawal.time.time
    with monkeypatch.context() as patch:
        patch.setattr(withdrawal.time, "time", lambda: now() + hours * 3600)
        yield


def served(http: HttpClient, endpoint: str, cid: Cid, kind: str = "raw") -> bytes:
    """Fetch a block or a CAR as any IPFS client does; no bytes where the node does not serve it."""
    try:
        return http.get(f"{endpoint}/ipfs/{cid}?format={kind}", deadline=10, max_bytes=64 << 20)
    except BadReply:
        return b""


def test_forgotten_document_leaves_no_byte_in_the_node_its_gateway_and_its_car(
    node: Node, profile: Profile, tmp_path: Path
) -> None:
    with running(node) as endpoint, HttpClient(addresses="loopback") as http:
        first = update(node)
        export_car(node, tmp_path / "node.car")
        (documents_of(node) / "ants.md").write_text("Ants nap in their nest.")
        second = update(node)
        known = list(node.store)
        assert files_with_secret(node.folder / "blocks")
        assert mentions((tmp_path / "node.car").read_bytes())
        wait_for(lambda: served(http, endpoint, second.manifest) != b"", "the node serves its head")
        assert any(mentions(served(http, endpoint, cid)) for cid in known)
        report = forget(node, [URI])
        assert [uri for uri, _ in report.documents] == [URI]
        assert report.published is not None
        assert (report.pending, report.published.removed, report.published.withdrawn) == ("", 1, 1)
        assert report.published.pins == [str(tmp_path / "node.car")]
        assert any("fetched an earlier version" in line for line in report.unreachable)
        head = report.published.manifest
        wait_for(lambda: served(http, endpoint, head) != b"", "the node serves the new manifest")
        for cid in {*known, *node.store, put_bundle(node.store, head)}:
            assert not mentions(served(http, endpoint, cid))
            assert not mentions(served(http, endpoint, cid, "car"))
        with open_client(profile, tmp_path / "client") as net:
            answer = net.ask("What is the combination of the vault?")
            assert all("zanzibar" not in passage.text for passage in answer.passages)
            assert net.ask("Where do hawkmoths sleep by day?").passages[0].text.endswith(KEPT)
    assert files_with_secret(node.folder) == []
    car = (tmp_path / "node.car").read_bytes()
    assert not mentions(car)
    assert head in read_car(io.BytesIO(car))[0]
    manifest = get_record(node.store, head, Manifest)
    assert (manifest.previous, manifest.sequence) == (second.manifest, 3), "the history of the manifests is kept"
    assert first.manifest != second.manifest


def test_forgotten_document_of_a_large_node_leaves_no_byte_in_its_search_index(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_index, "DISK_INDEX_CHUNKS", 1)
    update(node)
    assert files_with_secret(node.folder / "index")
    forget(node, [URI])
    assert files_with_secret(node.folder) == []
    with running(node) as endpoint, HttpClient(addresses="loopback") as http:
        assert http.get(f"{endpoint}/readyz", deadline=10, max_bytes=1000)


def test_forgotten_document_leaves_no_byte_in_trained_models(node: Node) -> None:
    update(node)
    train_models(node)
    before = update(node)
    assert get_record(node.store, before.manifest, Manifest).dsi_models
    report = forget(node, [URI])
    assert report.published is not None
    assert files_with_secret(node.folder) == []
    assert get_record(node.store, report.published.manifest, Manifest).dsi_models


def test_deleted_document_is_withdrawn_by_itself_after_the_grace_time(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    update(node)
    (documents_of(node) / "vault.md").unlink()
    removed = update(node)
    assert (removed.removed, removed.withdrawn) == (1, 0)
    assert files_with_secret(node.folder / "blocks"), "readers of the version before may still need it"
    assert publish_due(node) is None
    assert not publish(node).changed
    with later(monkeypatch, 23):
        assert publish_due(node) is None
    with later(monkeypatch, 25):
        report = publish_due(node)
        assert report is not None
        assert (report.withdrawn, report.removed, report.sequence) == (1, 0, removed.sequence + 1)
        assert files_with_secret(node.folder) == []
        assert publish_due(node) is None
    manifest = get_record(node.store, report.manifest, Manifest)
    assert manifest.previous == removed.manifest
    assert manifest.documents == 5


def test_running_node_withdraws_a_deleted_document(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_app, "WITHDRAWAL_SECONDS", 0.2)
    node.configure(grace=3 / withdrawal.HOUR)
    with running(node):
        update(node)
        (documents_of(node) / "vault.md").unlink()
        assert update(node).withdrawn == 0
        assert files_with_secret(node.folder / "blocks")
        wait_for(lambda: files_with_secret(node.folder) == [], "the node deletes the text by itself")


def test_old_version_of_a_changed_document_is_withdrawn_too(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    update(node)
    (documents_of(node) / "vault.md").write_text("# Vault\n\nThe combination was changed.")
    update(node)
    with later(monkeypatch, 25):
        assert publish(node).withdrawn == 1
    assert files_with_secret(node.folder) == []
    with node.open_state() as state:
        assert {row.document.uri for row in state.documents()} >= {URI}


def test_compacted_document_is_withdrawn_without_a_new_manifest(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    update(node)
    (documents_of(node) / "vault.md").unlink()
    sync(node)
    head = publish(node, compact=True)
    assert files_with_secret(node.folder / "blocks")
    with later(monkeypatch, 25):
        report = publish_due(node)
    assert report is not None
    assert (report.manifest, report.withdrawn) == (head.manifest, 1)
    assert files_with_secret(node.folder) == []


def test_waiting_changes_are_not_published_by_a_withdrawal(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    update(node)
    (documents_of(node) / "vault.md").unlink()
    update(node)
    (documents_of(node) / "draft.md").write_text("A draft that its owner has not published yet.")
    sync(node)
    with later(monkeypatch, 25):
        assert publish_due(node) is None
        assert publish(node).withdrawn == 1


def test_text_of_a_restored_document_stays(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    update(node)
    path = documents_of(node) / "vault.md"
    text = path.read_text()
    path.unlink()
    update(node)
    path.write_text(text)
    update(node)
    with later(monkeypatch, 25):
        assert publish(node).withdrawn <= 1, "at most the record with the former time of the file"
    assert files_with_secret(node.folder / "blocks")


def test_text_of_two_documents_stays_for_the_other(node: Node) -> None:
    (documents_of(node) / "copy.md").write_bytes((documents_of(node) / "vault.md").read_bytes())
    update(node)
    report = forget(node, [URI])
    assert any("another document of the node has the same text" in line for line in report.unreachable)
    forget(node, ["folder:node-documents/copy.md"])
    assert files_with_secret(node.folder) == []


def test_forgotten_document_stays_out_of_later_syncs_until_it_is_remembered(node: Node) -> None:
    update(node)
    forget(node, [URI])
    assert sync(node).added == 0
    assert files_with_secret(node.folder) == []
    with pytest.raises(ConfigError, match="knet node documents"):
        forget(node, ["folder:node-documents/nothing.md"])
    with pytest.raises(ConfigError, match="did not forget"):
        remember(node, ["folder:node-documents/moths.md"])
    remember(node, [URI])
    assert sync(node).added == 1


def test_document_deleted_before_is_forgotten_within_its_grace_time(node: Node) -> None:
    update(node)
    (documents_of(node) / "vault.md").unlink()
    update(node)
    report = forget(node, [URI])
    assert [uri for uri, _ in report.documents] == [URI]
    assert files_with_secret(node.folder) == []


def test_unpublished_document_is_forgotten(node: Node) -> None:
    sync(node)
    report = forget(node, [URI])
    assert (report.published, report.pending, report.unreachable) == (None, "", [])
    assert files_with_secret(node.folder) == []


def test_forgotten_document_is_withheld_while_the_chain_is_down(
    node: Node, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:

    def refuse(*arguments: object) -> str:
        raise ChainUnreachable("the RPC does not answer.")

    with running(node) as endpoint, HttpClient(addresses="loopback") as http:
        update(node)
        (text,) = [cid for cid in node.store if cid.codec == RAW and mentions(node.store.get(cid))]
        wait_for(lambda: served(http, endpoint, text) != b"", "the node serves its documents")
        with monkeypatch.context() as patch:
            patch.setattr(ManifestRegistry, "publish", refuse)
            report = forget(node, [URI])
        assert report.published is None
        assert "does not answer" in report.pending
        wait_for(lambda: served(http, endpoint, text) == b"", "the node withholds the text")
        with open_client(profile, node.folder.with_name("client")) as net:
            answer = net.ask("What is the combination of the vault?")
            assert all("zanzibar" not in passage.text for passage in answer.passages)
        assert publish_due(node) is not None, "the next publication takes it back"
    assert files_with_secret(node.folder) == []


class Daemon:
    """A Kubo daemon in memory: pinned blocks cannot be deleted."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.pins: set[Cid] = set()
        self.get, self.has, self.put = self.store.get, self.store.has, self.store.put

    def pin(self, root: Cid) -> None:
        self.pins.add(root)

    def unpin(self, root: Cid) -> None:
        self.pins.discard(root)

    def delete(self, cid: Cid) -> None:
        if cid in {block for root in self.pins for block in self.under(root)}:
            raise StoreError(f"{cid} is pinned.")
        self.store.delete(cid)

    def under(self, root: Cid) -> Iterator[Cid]:
        yield root
        if root.codec == DAG_CBOR:
            for link in links(root, self.store.get(root)):
                yield from self.under(link)

    def close(self) -> None:
        """Do nothing."""


def test_forgotten_document_is_unpinned_and_deleted_from_a_kubo_daemon(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = Daemon()
    monkeypatch.setattr(pinning, "KuboStore", lambda address: daemon)
    foreign = daemon.put(b"another program's block")
    update(node)
    pin_kubo(node, "/ip4/127.0.0.1/tcp/5001")
    assert any(mentions(daemon.get(cid)) for cid in daemon.store)
    report = forget(node, [URI])
    assert report.published is not None
    assert report.published.pins == ["/ip4/127.0.0.1/tcp/5001"]
    assert not any(mentions(daemon.get(cid)) for cid in daemon.store)
    assert daemon.pins == {put_bundle(node.store, report.published.manifest)}
    assert daemon.has(foreign)


def test_forgotten_document_leaves_a_pinning_service_or_the_report_names_it(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account()
    monkeypatch.setenv(pinning.TOKEN, account.token)
    monkeypatch.setattr(pinning, "RENEWAL_SECONDS", 5.0)
    with gateway(account.store, account.app()) as url, running(node) as endpoint:
        root = put_bundle(node.store, update(node).manifest)
        with HttpClient(addresses="loopback") as http:
            wait_for(lambda: served(http, endpoint, root) != b"", "the node serves its head")
            pin_service(node, pinning.PinningService(http, url, account.token), url)
            (before,) = account.pins.values()
            monkeypatch.delenv(pinning.TOKEN)
            report = forget(node, [URI])
            assert any(line.startswith(url) and pinning.TOKEN in line for line in report.unreachable)
            monkeypatch.setenv(pinning.TOKEN, account.token)
            assert publish(node).pins == [url], "each publication tries again"
            (after,) = account.pins.values()
            assert before["pin"]["cid"] != after["pin"]["cid"]
            assert publish(node).pins == []


def test_moved_car_file_and_serving_gateway_are_reported(node: Node, tmp_path: Path) -> None:
    update(node)
    export_car(node, tmp_path / "old.car")
    (tmp_path / "old.car").rename(tmp_path / "moved.car")
    copies = MemoryStore()
    for cid in node.store:
        copies.put(node.store.get(cid), cid.codec)
    with gateway(copies) as url:
        network = replace(node.profile, gateways=[url, "http://127.0.0.1:9"])
        report = forget(open_node(node.folder, network), [URI])
    assert any("old.car is not there any more" in line for line in report.unreachable)
    assert any(line.startswith(url) and "still serves" in line for line in report.unreachable)
    assert any("127.0.0.1:9 could not be asked" in line for line in report.unreachable)
