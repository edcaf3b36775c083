"""Publication: new documents append shards, removals tombstone them, and a crash at any step is repaired."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from knet.chain.evm import EvmChain
from knet.chain.manifest_registry import ManifestRegistry
from knet.codec import Cid
from knet.config import Profile
from knet.content.base import get_record
from knet.errors import IndexerError, TransactionFailed
from knet.index.card_format import read_df
from knet.index.collection import Collection
from knet.index.lexical import term_hash
from knet.index.shard import live_mask
from knet.records import Card, Manifest
from knet_indexer import disk_index
from knet_indexer.ingest.sync import sync
from knet_indexer.node import Node, network_of
from knet_indexer.publication import manifest as manifest_module
from knet_indexer.publication import manifest_log
from knet_indexer.publication.gc import collect_garbage
from knet_indexer.publication.publish import PublishReport, publish
from tests.network.clients import own_network
from tests.network.support import WORD_SPACE, WordEmbedder, make_node, open_node

TEXTS = {
    f"{number}.md": f"# Topic {number}\n\n" + " ".join(f"Fact {n} of topic {number}." for n in range(30))
    for number in range(6)
}


@pytest.fixture
def node(tmp_path: Path, devnet: Profile) -> Node:
    return make_node(tmp_path / "node", TEXTS, devnet)


def documents_of(node: Node) -> Path:
    return Path(node.config.sources[0].spec.partition(":")[2])


def published(node: Node, cid: Cid) -> tuple[Manifest, Counter[str]]:
    """Return the manifest, verified as a reader would, and its live texts."""
    collection = Collection.load(node.store, cid)
    texts: Counter[str] = Counter()
    for shard in collection.shards:
        texts.update(text for text, alive in zip(shard.texts, live_mask(shard.ref), strict=True) if alive)
    assert len(collection) == collection.manifest.chunks == collection.card.chunks == texts.total()
    return collection.manifest, texts


def indexed(node: Node) -> Counter[str]:
    with node.open_state() as state:
        return Counter(
            node.store.get(row.document.text).decode()[chunk.start : chunk.end]
            for row in state.documents()
            for chunk in row.chunks
        )


def sync_and_publish(node: Node) -> PublishReport:
    sync(node)
    return publish(node)


def test_first_publication_registers_the_node(node: Node, chain: EvmChain) -> None:
    report = sync_and_publish(node)
    assert (report.sequence, report.documents, report.added, report.removed) == (1, 6, 6, 0)
    assert chain.identity.signer_of(report.node) == node.signer.address
    (head,) = chain.manifests.heads(report.node)
    assert head.manifest == report.manifest
    assert chain.registry_snapshot().nodes[report.node].endpoint == node.config.public_endpoint
    manifest, texts = published(node, report.manifest)
    assert (manifest.node, manifest.previous) == (report.node, None)
    assert texts == indexed(node)


def test_unchanged_node_publishes_nothing(node: Node, chain: EvmChain) -> None:
    first = sync_and_publish(node)
    again = sync_and_publish(node)
    assert first.changed
    assert not again.changed
    assert again.manifest == first.manifest
    assert len(chain.manifests.heads(first.node)) == 1


def test_changes_append_shards_and_tombstones(node: Node) -> None:
    first = sync_and_publish(node)
    (documents_of(node) / "0.md").unlink()
    (documents_of(node) / "new.md").write_text("# New\n\nSomething that was not there before.")
    second = sync_and_publish(node)
    assert (second.sequence, second.added, second.removed, second.compacted) == (2, 1, 1, False)
    old, _ = published(node, first.manifest)
    manifest, texts = published(node, second.manifest)
    assert manifest.previous == first.manifest
    assert [ref.shard for ref in manifest.shards][: len(old.shards)] == [ref.shard for ref in old.shards]
    assert [len(ref.removed) for ref in manifest.shards] == [1, 0]
    assert texts == indexed(node)


def test_restored_document_is_published_again(node: Node) -> None:
    sync_and_publish(node)
    path = documents_of(node) / "0.md"
    text = path.read_text()
    path.unlink()
    sync_and_publish(node)
    path.write_text(text)
    _, texts = published(node, sync_and_publish(node).manifest)
    assert texts == indexed(node)


def test_many_removals_compact_the_shards(node: Node) -> None:
    sync_and_publish(node)
    for number in range(3):
        (documents_of(node) / f"{number}.md").unlink()
    report = sync_and_publish(node)
    manifest, texts = published(node, report.manifest)
    assert report.compacted
    assert all(not ref.removed for ref in manifest.shards)
    assert texts == indexed(node)


def test_many_small_publications_are_compacted(node: Node) -> None:
    for number in range(14):
        (documents_of(node) / f"late-{number}.md").write_text(f"# Late {number}\n\nAddition number {number}.")
        report = sync_and_publish(node)
        assert report.shards <= 11
    assert published(node, report.manifest)[1] == indexed(node)


def test_card_of_a_large_node_is_revised_then_rebuilt(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_index, "DISK_INDEX_CHUNKS", 1)
    monkeypatch.setattr(manifest_module, "MAX_REVISED_SHARE", 0.6)
    cards = [card_of(node, sync_and_publish(node))]
    for number in range(3):  # each round changes a sixth
        (documents_of(node) / f"{number}.md").write_text(TEXTS[f"{number}.md"].replace("Fact", "Claim"))
        cards.append(card_of(node, sync_and_publish(node)))
        assert np.frombuffer(cards[-1].weights, "<u4").sum() == cards[-1].chunks
        assert read_df(cards[-1])[term_hash("topic")] == cards[-1].chunks
    assert [card.centroids == cards[0].centroids for card in cards] == [True, True, False, False]


def card_of(node: Node, report: PublishReport) -> Card:
    return get_record(node.store, published(node, report.manifest)[0].card, Card)


def test_emptied_node_publishes_an_empty_manifest(node: Node) -> None:
    sync_and_publish(node)
    node.configure(sources=[])
    report = sync_and_publish(node)
    assert (report.documents, report.chunks, report.shards, report.removed) == (0, 0, 0, 6)
    assert published(node, report.manifest)[1] == Counter()


def test_changed_description_publishes_another_card(node: Node) -> None:
    first = sync_and_publish(node)
    node.configure(description="All about topics.")
    report = publish(node)
    manifest, _ = published(node, report.manifest)
    assert report.changed
    assert [ref.shard for ref in manifest.shards] == [ref.shard for ref in published(node, first.manifest)[0].shards]
    assert Collection.load(node.store, report.manifest).card.description == "All about topics."


def test_unfinished_change_of_model_is_not_published(node: Node, devnet: Profile) -> None:
    sync_and_publish(node)
    node.configure(model="test/other")
    with pytest.raises(IndexerError, match="knet node sync"):
        publish(node)
    other = open_node(node.folder, devnet, embedder=WordEmbedder(replace(WORD_SPACE, model="test/other")))
    report = sync_and_publish(other)
    manifest, texts = published(other, report.manifest)
    assert texts == indexed(other)
    assert (report.added, report.removed) == (0, 0), "only the vectors changed, not the documents"
    assert len(manifest.shards) == 1


def test_publication_without_documents_is_refused(tmp_path: Path, devnet: Profile) -> None:
    with pytest.raises(IndexerError, match="indexed nothing"):
        publish(make_node(tmp_path / "node", {}, devnet))


class DyingChain(EvmChain):
    """A chain that dies around the transaction of a publication: before it is sent, or after it was mined."""

    def __init__(self, profile: Profile, *, sends: bool) -> None:
        super().__init__(profile.rpc, profile.deployment)
        self.manifests = DyingRegistry(self.rpc, profile.deployment, self.identity)
        self.manifests.sends = sends


class DyingRegistry(ManifestRegistry):
    sends = False

    def publish(self, *arguments: object) -> str:
        if self.sends:
            super().publish(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt


@pytest.mark.parametrize("sends", [False, True])
def test_crash_around_the_transaction_is_repaired_by_the_next_publication(
    node: Node, devnet: Profile, chain: EvmChain, sends: bool
) -> None:
    first = sync_and_publish(node)
    (documents_of(node) / "new.md").write_text("# New\n\nSomething that was not there before.")
    sync(node)
    dying = Node(node.folder, connect=lambda profile: DyingChain(devnet, sends=sends), profile=devnet)
    with pytest.raises(KeyboardInterrupt):
        publish(dying)
    report = publish(node)
    heads = chain.manifests.heads(first.node)
    assert report.changed is not sends, "a mined transaction is found and not sent again"
    assert [head.sequence for head in heads] == [1, 2]
    assert heads[-1].manifest == report.manifest
    assert published(node, report.manifest)[1] == indexed(node)
    with node.open_state() as state:
        head = manifest_log.head(state)
        assert head is not None
        found = manifest_log.changes(state, head, head.sequence - 1, 0, 1000)
        assert [change.uri for change in found] == ["folder:node-documents/new.md"]


def test_crash_after_registration_registers_once(node: Node, devnet: Profile, chain: EvmChain) -> None:
    number = sync_and_publish(node).node
    (node.folder / "state.db").unlink()
    fresh = open_node(node.folder, devnet)
    report = sync_and_publish(fresh)
    assert (report.node, report.sequence) == (number, 2)
    assert published(fresh, report.manifest)[1] == indexed(fresh)


def test_lost_blocks_are_written_again(node: Node) -> None:
    first = sync_and_publish(node)
    for cid in list(node.store):
        if cid.codec == 0x71:
            node.store.delete(cid)
    report = publish(node)
    assert report.sequence == first.sequence + 1
    assert published(node, report.manifest)[1] == indexed(node)


def test_damaged_text_is_read_again_by_the_next_sync(node: Node) -> None:
    sync(node)
    with node.open_state() as state:
        text = next(row.document.text for row in state.documents())
    (path,) = node.folder.glob(f"blocks/*/{text}")
    path.write_bytes(b"torn")
    with pytest.raises(IndexerError, match="knet node sync"):
        publish(node)
    assert published(node, sync_and_publish(node).manifest)[1] == indexed(node)


def test_publication_on_another_network_lists_all_documents(node: Node, devnet: Profile) -> None:
    first = sync_and_publish(node)
    elsewhere = own_network(devnet, "elsewhere")
    moved = open_node(node.folder, elsewhere)
    report = publish(moved)
    assert (report.sequence, report.added) == (1, 6)
    manifest, _ = published(moved, report.manifest)
    assert manifest.shards == published(node, first.manifest)[0].shards, "shards are valid on any chain"
    with node.open_state() as state:
        heads = {manifest_log.head(state, network_of(each)) for each in (node, moved)}
    assert {head.manifest for head in heads if head} == {first.manifest, report.manifest}


def test_garbage_collection_keeps_blocks_of_two_manifests(node: Node) -> None:
    first = sync_and_publish(node)
    reports = [first]
    for number in range(2):
        (documents_of(node) / f"{number}.md").write_text(f"# Rewritten\n\nFact number {number} was wrong.")
        reports.append(sync_and_publish(node))
    report = collect_garbage(node)
    assert report.blocks > 0
    for kept in reports[1:]:
        published(node, kept.manifest)
    assert not node.store.has(first.manifest)
    assert collect_garbage(node).blocks == 0
    (documents_of(node) / "after.md").write_text("# After\n\nThe node continues.")
    assert published(node, sync_and_publish(node).manifest)[1] == indexed(node)


def test_unfunded_node_error_names_its_address(node: Node, devnet: Profile) -> None:
    poor = Node(node.folder, profile=replace(devnet, addresses="public"))
    sync(node)
    with pytest.raises(TransactionFailed, match=node.signer.address):
        publish(poor)
