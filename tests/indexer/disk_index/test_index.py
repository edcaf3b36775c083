"""The disk index of a large node: equal to the memory index, updated by every version, rebuilt when damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from knet.codec import Cid
from knet.content.base import get_record, put_record
from knet.content.dag import reachable
from knet.content.store import FileStore
from knet.errors import BlockNotFound, BlockTampered, StoreError
from knet.index.card import Batch, make_card
from knet.index.collection import Collection
from knet.index.dense import ExactIndex, Rows
from knet.index.shard import Chunk, Vectors, encode_vector, write_shards
from knet.merkle import included
from knet.records import Document, Manifest, Shard, ShardRef, Tombstone
from knet_indexer.disk_index import ivf, update
from knet_indexer.disk_index.index import DiskIndex
from knet_indexer.node import quiet
from tests.index.test_collection import SPACE

QUESTIONS = [f"Word{n}, word{n + 9} and word{2 * n}?" for n in (0, 7, 19, 25)] + ["unheard", "word3"]


@pytest.fixture(params=["exact", "inverted"])
def vector_search(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Vector search by exact comparison, or by the inverted file with every list probed."""
    if request.param == "inverted":
        monkeypatch.setattr(update, "MAX_UNINDEXED", 5)
        monkeypatch.setattr(ivf, "MIN_RECALL", 2)
        monkeypatch.setattr(ivf, "MAX_PROBED_SHARE", 1)
    return str(request.param)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "blocks")


@pytest.fixture
def index(tmp_path: Path, store: FileStore) -> DiskIndex:
    return DiskIndex(tmp_path, store)


def open_collection(index: DiskIndex, cid: Cid) -> Collection:
    return index.open(cid, set(), frozenset(), quiet)[0]


def assert_same(on_disk: Collection, memory: Collection, vectors: np.ndarray) -> None:
    """Compare hits, scores, proofs and leaves."""
    assert len(on_disk) == len(memory)
    for question in QUESTIONS:
        for row in range(0, len(vectors), 17):
            found, expected = (each.search(question, vectors[row], 6) for each in (on_disk, memory))
            scores = {(f.shard, f.chunk): f.scores for f in found}
            assert scores == {(f.shard, f.chunk): pytest.approx(f.scores, rel=1e-5) for f in expected}
            order = sorted(found, key=lambda f: (f.shard, f.chunk))
            assert on_disk.prove(order) == memory.prove(order)


def parts(store: FileStore) -> tuple[Manifest, list[ShardRef], np.ndarray]:
    """Return a manifest without shards, four shards of thirty chunks, and all vectors."""
    rng = np.random.default_rng(3)
    words = [f"word{n}" for n in range(60)]
    chunks, vectors = [], []
    for number in range(40):
        texts = [" ".join(rng.choice(words, rng.integers(4, 40))) for _ in range(3)]
        whole = "\n".join(texts)
        document = Document(uri=f"doc:{number}", text=store.put(whole.encode()), title=f"Document {number}")
        for text in texts:
            vector = rng.normal(size=SPACE.dimension).astype(np.float32)
            vectors.append(vector / np.linalg.norm(vector))
            start = whole.index(text)
            chunk = Chunk(
                document=document, start=start, end=start + len(text), text=text, vector=encode_vector(vectors[-1])
            )
            chunks.append(chunk)
    refs = [ref for first in range(0, 120, 30) for ref in write_shards(store, SPACE, chunks[first : first + 30])]
    card = make_card(SPACE, [Batch(np.array(vectors), [chunk.text for chunk in chunks])], title="Test", documents=40)
    manifest = Manifest(
        node=1, sequence=1, previous=None, space=put_record(store, SPACE), shards=[], card=put_record(store, card),
        documents=40, chunks=120, time=1,
    )  # fmt: skip
    return manifest, refs, np.array(vectors)


def version(store: FileStore, manifest: Manifest, refs: Sequence[ShardRef]) -> Cid:
    return put_record(store, replace(manifest, shards=list(refs)))


def with_tombstones(ref: ShardRef, *runs: tuple[int, int]) -> ShardRef:
    return replace(ref, removed=[Tombstone(start=start, stop=stop) for start, stop in runs])


def test_disk_index_over_versions_equals_memory_index(vector_search: str, store: FileStore, index: DiskIndex) -> None:
    manifest, (one, two, three, four), vectors = parts(store)
    versions = [
        [one, two],
        [one, with_tombstones(two, (3, 9))],
        [one, with_tombstones(two, (3, 12), (20, 21)), three],
        [with_tombstones(two, (3, 12), (20, 21)), three, four],  # the first is removed, the others have new positions
        [two, three, four],  # a rollback: removed chunks are live again
        [two, three, four, with_tombstones(one, (0, 29))],
    ]
    for refs in versions:
        cid = version(store, manifest, refs)
        assert_same(open_collection(index, cid), Collection.load(store, cid), vectors)


def test_update_reads_only_new_shards(store: FileStore, index: DiskIndex) -> None:
    _, (one, two, three, _), _ = parts(store)
    reported: list[tuple[str, int, int]] = []
    index.update([one, two], set(), quiet)
    index.update([one, two, three], set(), lambda *step: reported.append(step))
    assert reported == [("index", 0, 30)]
    reported.clear()
    index.update([one, two, three], set(), lambda *step: reported.append(step))
    assert reported == []


def test_interrupted_update_continues(
    vector_search: str, store: FileStore, index: DiskIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update, "SHARDS_PER_COMMIT", 1)
    manifest, refs, vectors = parts(store)

    def stop(phase: str, done: int, total: int) -> None:
        if done >= 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.update(refs, set(), stop)
    totals: list[int] = []
    index.update(refs, set(), lambda phase, done, total: totals.append(total) if phase == "index" else None)
    assert totals == [60, 60], "two of four shards were indexed before"
    cid = version(store, manifest, refs)
    assert_same(open_collection(index, cid), Collection.load(store, cid), vectors)


def test_index_of_mostly_removed_chunks_is_rebuilt(store: FileStore, index: DiskIndex, tmp_path: Path) -> None:
    manifest, (one, two, three, four), vectors = parts(store)
    before = open_collection(index, version(store, manifest, [one, two, three]))
    cid = version(store, manifest, [four])
    after = open_collection(index, cid)
    assert [path.name for path in (tmp_path / "index").iterdir() if path.is_dir()] == ["2"]
    assert_same(after, Collection.load(store, cid), vectors)
    assert before.prove(before.search("word3", vectors[9], 4))[1], (
        "a process that serves the version before is not disturbed"
    )


def test_open_index_reads_no_texts(vector_search: str, tmp_path: Path, store: FileStore) -> None:
    manifest, refs, vectors = parts(store)
    cid = version(store, manifest, refs)
    DiskIndex(tmp_path, store).update(refs, set(), quiet)
    read: list[Cid] = []

    class Watched(FileStore):
        def get(self, cid: Cid) -> bytes:
            read.append(cid)
            return super().get(cid)

    collection = open_collection(DiskIndex(tmp_path, Watched(store.path)), cid)
    assert set(read) == {cid, manifest.space, manifest.card}
    read.clear()
    collection.prove(collection.search("word7", vectors[20], 3))
    assert len(set(read)) <= 2 * 11, "a document and its text for each candidate"


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil_catalog(folder: Path) -> None:
    (folder / "catalog.db").write_bytes(b"no database" * 1000)


def age_catalog(folder: Path) -> None:
    with sqlite3.connect(folder / "catalog.db") as db:
        db.execute("PRAGMA user_version = 99")


def spoil_proofs(folder: Path) -> None:
    with sqlite3.connect(folder / "catalog.db") as db:
        db.execute("UPDATE shards SET levels = zeroblob(length(levels))")


def delete_words(folder: Path) -> None:
    for path in (folder / "words").iterdir():
        path.unlink()


def spoil_words(folder: Path) -> None:
    for path in (folder / "words").glob("*.term"):
        truncate(path)


def spoil_vectors(folder: Path) -> None:
    for path in folder.glob("*.faiss"):
        truncate(path)


def lose_vectors(folder: Path) -> None:
    for path in folder.glob("*.faiss"):
        path.unlink()


@pytest.mark.parametrize(
    "damage",
    [spoil_catalog, age_catalog, spoil_proofs, delete_words, spoil_words, spoil_vectors, lose_vectors],
    ids=lambda damage: damage.__name__,
)
def test_damaged_index_is_rebuilt(
    damage: Callable[[Path], None], vector_search: str, store: FileStore, index: DiskIndex, tmp_path: Path
) -> None:
    manifest, refs, vectors = parts(store)
    cid = version(store, manifest, refs)
    index.update(refs, set(), quiet)
    damage(tmp_path / "index" / "1")
    collection = open_collection(index, cid)
    assert_same(collection, Collection.load(store, cid), vectors)
    for hit in collection.prove(collection.search("word7", vectors[21], 8))[1]:
        leaf = collection.shards[hit.shard].proof(hit.chunk)[0]
        assert included(leaf, hit.chunk, refs[hit.shard].count, hit.path, refs[hit.shard].root)


def test_damaged_block_is_refused(store: FileStore, index: DiskIndex) -> None:
    manifest, refs, vectors = parts(store)
    collection = open_collection(index, version(store, manifest, refs))
    found = collection.search("unheard", vectors[0], 1)
    block = get_record(store, refs[0].shard, Shard).vectors
    path = next(store.path.glob(f"??/{block}"))
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(BlockTampered, match="damaged"):
        collection.prove(found)


def test_servable_blocks_are_those_of_the_kept_shards(store: FileStore, index: DiskIndex) -> None:
    manifest, (one, two, three, four), _ = parts(store)
    index.update([one, two, three], set(), quiet)
    cid = version(store, manifest, [two, three])
    _, servable = index.open(cid, {one.shard, two.shard, three.shard}, frozenset({cid}), quiet)
    every = {block for ref in (one, two, three) for block in reachable(store, ref.shard)}
    assert {block for block in store if block in servable} == {*every, cid}
    _, servable = index.open(cid, {four.shard}, frozenset(), quiet)  # as after the loss of the index
    assert {block for block in store if block in servable} == set(reachable(store, four.shard))


def test_passage_is_found_by_document_and_offsets(store: FileStore, index: DiskIndex) -> None:
    manifest, (one, two, *_), _ = parts(store)
    cid = version(store, manifest, [one, with_tombstones(two, (3, 6))])
    on_disk, memory = open_collection(index, cid), Collection.load(store, cid)
    for shard in memory.shards:
        for chunk, (_, start, end) in enumerate(shard.spans.tolist()):
            document = shard.document(chunk)[0]
            assert on_disk.find(document, start, end) == memory.find(document, start, end)
            assert on_disk.find(document, start, end + 1) is None
    assert on_disk.find(cid, 0, 1) is None


def test_external_vector_index_replaces_the_file(store: FileStore, tmp_path: Path) -> None:
    manifest, refs, vectors = parts(store)
    received: list[bytes] = []

    def make_index(vectors: Vectors, keys: Sequence[bytes]) -> ExactIndex:
        received.extend(keys)
        return ExactIndex(vectors)

    cid = version(store, manifest, refs)
    memory = Collection.load(store, cid, index=make_index)
    expected, received[:] = list(received), []
    assert_same(open_collection(DiskIndex(tmp_path, store, make_index), cid), memory, vectors)
    assert received == expected


def test_external_vector_index_that_is_down_leaves_no_files(store: FileStore, tmp_path: Path) -> None:
    manifest, refs, _ = parts(store)
    cid = version(store, manifest, refs)
    open_collection(DiskIndex(tmp_path, store, lambda vectors, keys: ExactIndex(vectors)), cid)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "index" / "1").rglob("*")}

    def unreachable(vectors: Vectors, keys: Sequence[bytes]) -> ExactIndex:
        raise StoreError("the vector store did not answer")

    for _ in range(3):
        with pytest.raises(StoreError, match="did not answer"):
            open_collection(DiskIndex(tmp_path, store, unreachable), cid)
    assert {path.name for path in (tmp_path / "index").iterdir()} == {"1", "lock"}
    assert before.items() <= {path: path.stat().st_mtime_ns for path in (tmp_path / "index" / "1").rglob("*")}.items()


def test_failed_rebuild_leaves_no_files(store: FileStore, index: DiskIndex, tmp_path: Path) -> None:
    manifest, refs, _ = parts(store)
    cid = version(store, manifest, refs)
    index.update(refs[:1], set(), quiet)
    store.delete(get_record(store, refs[1].shard, Shard).vectors)
    for _ in range(3):
        with pytest.raises(BlockNotFound):
            open_collection(index, cid)
    assert {path.name for path in (tmp_path / "index").iterdir()} == {"1", "lock"}


def test_inverted_file_is_rewritten_after_many_additions(
    store: FileStore, index: DiskIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update, "MAX_UNINDEXED", 35)
    _, (one, two, three, four), _ = parts(store)
    written = []
    for refs in ([one], [one, two], [one, two, three], [one, two, three, four]):
        index.update(refs, set(), quiet)
        written.append([path.name for path in (tmp_path / "index" / "1").glob("*.faiss")])
    assert written == [[], ["vectors-1.faiss"], ["vectors-1.faiss"], ["vectors-2.faiss"]]


def test_inverted_file_on_clustered_vectors_keeps_recall(tmp_path: Path) -> None:
    """On clustered vectors with the default settings of nodes."""
    rng = np.random.default_rng(2)
    centres = rng.standard_normal((60, 32))
    vectors = (centres[rng.integers(60, size=6000)] + rng.standard_normal((6000, 32))).astype(np.float32)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16).astype(np.float32)
    numbers = np.arange(6000)
    ivf.build_ivf(
        tmp_path / "v.faiss",
        32,
        6000,
        lambda: [(numbers[:3000], vectors[:3000]), (numbers[3000:], vectors[3000:])],
        lambda *_: None,
    )
    none = ivf.Tail(np.zeros(0, np.int64), np.zeros((0, 32), np.float32))
    row_of = numbers.astype(np.int32)
    row_of[5000:] = -1  # removed later
    dense = ivf.DiskVectorIndex(tmp_path / "v.faiss", row_of, none)
    exact = ExactIndex(vectors[:5000])
    questions = vectors[:200] + 0.1 * rng.standard_normal((200, 32)).astype(np.float32)

    def shared(question: Vectors) -> float:
        found: tuple[Rows, Rows] = (dense.nearest(question, 10), exact.nearest(question, 10))
        return len(set(found[0].tolist()) & set(found[1].tolist())) / 10

    assert np.mean([shared(question) for question in questions]) >= 0.95
