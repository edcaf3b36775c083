"""Age of texts on chain: what a node publishes again stays as old as it is, and no node can make its texts older.

Threat model: node, a copy of another node's text with a few words added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from knet.answer.report import CheckKind
from knet.client.network import Network
from knet.codec import RAW, Cid
from knet.config import Profile
from knet.content.base import BlockSource, get_record, put_record
from knet.first_published import EarlierLeaves, EarlierRoot
from knet.index.shard import read_shard
from knet.records import Answer, Manifest, ShardRef, leaf_block
from knet.routing.node_view import NodeView
from knet.search.first_published import FirstPublished
from knet.search.verify_reply import VerifiedHit
from knet_indexer.publication import publish as publication
from knet_indexer.publication.gc import collect_garbage
from knet_indexer.publication.manifest import ManifestDraft
from knet_indexer.publication.publish import publish
from tests.network.clients import PATIENT, open_client, own_network, wait_for
from tests.network.support import RunningNode, start_nodes, write_documents

from .test_plagiarists import ADDED, FIRST, QUESTION, SECOND

LATER = "Storks walk through wet meadows and look for frogs, and nest on roofs and chimneys of villages."
COPY = f"{FIRST} {ADDED}"


class Stage:
    """An original that was published first, and a plagiarist that published a copy later."""

    def __init__(self, profile: Profile, root: Path, original: RunningNode, rival: RunningNode) -> None:
        self.profile, self.root, self.original, self.rival = profile, root, original, rival
        self._clients = 0

    def client(self) -> Network:
        self._clients += 1
        return open_client(self.profile, self.root / f"client-{self._clients}")


@pytest.fixture
def stage(devnet: Profile, tmp_path: Path) -> Iterator[Stage]:
    profile = own_network(devnet, "ages")
    with (
        start_nodes(tmp_path / "rival", profile, [{"frogs.md": LATER}]) as (rival,),  # it registers first
        start_nodes(tmp_path / "original", profile, [{"heron.md": FIRST, "nest.md": SECOND}]) as (original,),
    ):
        write_documents(rival.documents, {"copy.md": COPY})
        rival.update()
        yield Stage(profile, tmp_path, original, rival)


def ask(net: Network, *, private: bool = False) -> Answer:
    def answered() -> bool:
        nonlocal answer
        answer = net.ask(QUESTION, max_nodes="all", node_timeout=PATIENT, private=private).record
        return all(status.status == "success" for status in answer.nodes)

    answer: Answer
    wait_for(answered, "both nodes serve what they published")
    return answer


def cited(answer: Answer) -> set[int]:
    return {answer.passages[c.passage].provenance.node for sentence in answer.sentences for c in sentence.citations}


def published_again(stage: Stage) -> None:
    write_documents(stage.original.documents, {"later.md": LATER})
    stage.original.update()


def published_twice_more(stage: Stage) -> None:
    published_again(stage)
    write_documents(stage.original.documents, {"later.md": SECOND + LATER})
    stage.original.update()


def compacted(stage: Stage) -> None:
    publish(stage.original.node, compact=True)


def compacted_twice_and_published_again(stage: Stage) -> None:
    compacted(stage)
    published_again(stage)
    compacted(stage)


def edited_elsewhere(stage: Stage) -> None:
    """The document gets another address and title, so that all of its chunks are new."""
    (stage.original.documents / "heron.md").rename(stage.original.documents / "moved.md")
    stage.original.update()


def garbage_collected(stage: Stage) -> None:
    """The document is published under another address, and all that it left is deleted."""
    stage.original.node.configure(grace=0.0)
    edited_elsewhere(stage)
    published_again(stage)
    compacted(stage)
    collect_garbage(stage.original.node)


REPUBLICATIONS: list[Callable[[Stage], None]] = [
    published_again, published_twice_more, compacted, compacted_twice_and_published_again, edited_elsewhere,
    garbage_collected,
]  # fmt: skip


@pytest.mark.parametrize("republish", REPUBLICATIONS, ids=lambda each: each.__name__)
def test_text_that_is_published_again_stays_as_old_as_it_is(stage: Stage, republish: Callable[[Stage], None]) -> None:
    republish(stage)
    with stage.client() as net:
        answer = ask(net)
        assert answer.passages[0].provenance.node == stage.original.identity
        assert answer.passages[0].text == FIRST
        assert answer.passages[0].sources == [stage.rival.identity]
        assert cited(answer) == {stage.original.identity}
        report = net.verify(answer, embed=False)
        assert report.ok, [check for check in report.checks if not check.ok]
        assert cited(ask(net, private=True)) == {stage.original.identity}


# --- claims that do not hold --------------------------------------------------------------------------------------


def first_manifest(node: RunningNode) -> tuple[Cid, int, Manifest]:
    """Return the first manifest of a node under its raw CID, its block on chain, and the record."""
    head = node.node.chain.manifests.heads(node.identity)[0]
    manifest = get_record(node.node.store, head.manifest, Manifest)
    return node.node.store.put(node.node.store.get(head.manifest), RAW), head.block, manifest


def own_root(stage: Stage, ref: ShardRef, block: int) -> list[EarlierRoot]:
    """Claim that the first manifest held the root of the copy."""
    return [EarlierRoot(manifest=first_manifest(stage.rival)[0], block=block, root=ref.root)]


def earlier_block(stage: Stage, ref: ShardRef) -> list[EarlierRoot]:
    """Claim that the manifest with the copy was the head in a block before it was published."""
    head = stage.rival.node.chain.manifests.heads(stage.rival.identity)[-1]
    raw = stage.rival.node.store.put(stage.rival.node.store.get(head.manifest), RAW)
    return [EarlierRoot(manifest=raw, block=first_manifest(stage.rival)[1], root=ref.root)]


def first_of_all_blocks(stage: Stage, ref: ShardRef) -> list[EarlierRoot]:
    return own_root(stage, ref, 0)


def manifest_without_the_copy(stage: Stage, ref: ShardRef) -> list[EarlierRoot]:
    return own_root(stage, ref, first_manifest(stage.rival)[1])


def manifest_of_the_original(stage: Stage, ref: ShardRef) -> list[EarlierRoot]:
    raw, block, manifest = first_manifest(stage.original)
    stage.rival.node.store.put(stage.original.node.store.get(raw), RAW)
    return [EarlierRoot(manifest=raw, block=block, root=manifest.shards[0].root, leaves=leaves(stage, ref, manifest))]


def leaves(stage: Stage, ref: ShardRef, manifest: Manifest, *, insert: bool = False) -> Cid:
    """Return leaves that hold the copy beside the hashes of another root, or among them."""
    node = stage.original if manifest.node == stage.original.identity else stage.rival
    shard, held = read_shard(stage.rival.node.store, ref), read_shard(node.node.store, manifest.shards[0])
    blocks = [
        leaf_block(shard.document(chunk)[0], start, end, text, shard.vectors[chunk].tobytes())
        for chunk, ((_, start, end), text) in enumerate(zip(shard.spans.tolist(), shard.texts, strict=True))
    ]
    hashes = b"".join([*held.leaves, *(shard.leaves if insert else [])])
    return put_record(stage.rival.node.store, EarlierLeaves(hashes=hashes, leaves=blocks))


def leaf_that_was_not_there(stage: Stage, ref: ShardRef) -> list[EarlierRoot]:
    raw, block, manifest = first_manifest(stage.rival)
    return [EarlierRoot(manifest=raw, block=block, root=manifest.shards[0].root, leaves=leaves(stage, ref, manifest))]


def hashes_of_another_root(stage: Stage, ref: ShardRef) -> list[EarlierRoot]:
    raw, block, manifest = first_manifest(stage.rival)
    held = leaves(stage, ref, manifest, insert=True)
    return [EarlierRoot(manifest=raw, block=block, root=manifest.shards[0].root, leaves=held)]


def malformed(stage: Stage, ref: ShardRef) -> list[EarlierRoot]:
    raw, block, manifest = first_manifest(stage.rival)
    junk = put_record(stage.rival.node.store, EarlierLeaves(hashes=b"short", leaves=[b"no record"]))
    root = manifest.shards[0].root
    return [
        EarlierRoot(manifest=Cid.of(b"missing"), block=block, root=ref.root),
        EarlierRoot(manifest=raw, block=-1, root=ref.root),
        EarlierRoot(manifest=raw, block=block, root=root, leaves=junk),
        EarlierRoot(manifest=raw, block=block, root=root, leaves=Cid.of(b"missing")),
        EarlierRoot(manifest=raw, block=block, root=root, leaves=raw),
    ]


Claim = Callable[[Stage, ShardRef], list[EarlierRoot]]
CLAIMS: list[Claim] = [
    earlier_block, first_of_all_blocks, manifest_without_the_copy, manifest_of_the_original, leaf_that_was_not_there,
    hashes_of_another_root, malformed,
]  # fmt: skip


def test_no_claim_makes_a_copy_older_than_the_chain_shows(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    published_again(stage)
    draft = publication.draft_manifest
    for number, claim in enumerate(CLAIMS):

        def claiming(*arguments: object, claim: Claim = claim, **named: object) -> ManifestDraft:
            found = draft(*arguments, **named)  # type: ignore[arg-type]
            return found._replace(shards=[replace(ref, earlier=claim(stage, ref)) for ref in found.shards])

        monkeypatch.setattr(publication, "draft_manifest", claiming)
        write_documents(stage.rival.documents, {"more.md": f"Frogs live in pond number {number} of the village."})
        stage.rival.update()
        with stage.client() as net:
            answer = ask(net)
            assert cited(answer) == {stage.original.identity}, claim.__name__
            assert net.verify(answer, embed=False).ok


# --- authors of answers -------------------------------------------------------------------------------------------


def lying_author(stage: Stage, monkeypatch: pytest.MonkeyPatch, blocks: Mapping[int, int]) -> Answer:
    """Return an answer whose author gives the passages of these nodes other blocks."""
    honest = FirstPublished.dated

    def dated(
        self: FirstPublished,
        hits: Sequence[VerifiedHit],
        views: Mapping[int, NodeView],
        source_for: Callable[[NodeView], BlockSource],
    ) -> tuple[list[VerifiedHit], frozenset[int]]:
        found, contested = honest(self, hits, views, source_for)
        return [replace(hit, block=blocks.get(hit.node, hit.block)) for hit in found], contested

    with monkeypatch.context() as patch, stage.client() as net:
        patch.setattr(FirstPublished, "dated", dated)
        answer = ask(net)
        assert cited(answer) == {stage.rival.identity}
        return answer


def test_author_that_dates_a_copy_before_its_publication_fails(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = lying_author(stage, monkeypatch, {stage.rival.identity: 1})
    with stage.client() as net:
        assert CheckKind.ORDER in {check.kind for check in net.verify(answer, embed=False).failed}


def test_author_that_dates_an_original_later_is_not_green(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = lying_author(stage, monkeypatch, {stage.original.identity: 10**9})
    with stage.client() as net:
        report = net.verify(answer, embed=False)
        assert not report.ok
        assert CheckKind.ORDER in {check.kind for check in report.unchecked}
