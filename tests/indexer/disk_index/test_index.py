"""A large node's index on disk: it answers as memory does, follows every version, and survives damaged files."""

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
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How vectors are found: all compared, or by the file, which then looks into every list to be comparable."""
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


def opened_now(index: DiskIndex, cid: Cid) -> Collection:
    return index.open(cid, set(), frozenset(), quiet)[0]


def assert_same(stored: Collection, memory: Collection, vectors: np.ndarray) -> None:
    """Hits, scores, proofs and leaves."""
    assert len(stored) == len(memory)
    for question in QUESTIONS:
        for row in range(0, len(vectors), 17):
            found, expected = (each.search(question, vectors[row], 6) for each in (stored, memory))
            scores = {(f.shard, f.chunk): f.scores for f in found}
            assert scores == {(f.shard, f.chunk): pytest.approx(f.scores, rel=1e-5) for f in expected}
            order = sorted(found, key=lambda f: (f.shard, f.chunk))
            assert stored.prove(order) == memory.prove(order)


def parts(store: FileStore) -> tuple[Manifest, list[ShardRef], np.ndarray]:
    """A collection of four shards of thirty chunks: its manifest, but for its shards, then these, then all vectors."""
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


def buried(ref: ShardRef, *runs: tuple[int, int]) -> ShardRef:
    return replace(ref, removed=[Tombstone(start=start, stop=stop) for start, stop in runs])


def test_it_answers_as_memory_does_over_every_version(way: str, store: FileStore, index: DiskIndex) -> None:
    manifest, (one, two, three, four), vectors = parts(store)
    versions = [
        [one, two],
        [one, buried(two, (3, 9))],
        [one, buried(two, (3, 12), (20, 21)), three],
        [buried(two, (3, 12), (20, 21)), three, four],  # the first is gone, places have moved
        [two, three, four],  # a rollback: what was removed stands again
        [two, three, four, buried(one, (0, 29))],
    ]
    for refs in versions:
        cid = version(store, manifest, refs)
        assert_same(opened_now(index, cid), Collection.load(store, cid), vectors)


def test_an_update_reads_only_what_is_new(store: FileStore, index: DiskIndex) -> None:
    _, (one, two, three, _), _ = parts(store)
    told: list[tuple[str, int, int]] = []
    index.update([one, two], set(), quiet)
    index.update([one, two, three], set(), lambda *what: told.append(what))
    assert told == [("index", 0, 30)]
    told.clear()
    index.update([one, two, three], set(), lambda *what: told.append(what))
    assert told == []


def test_an_update_that_was_cut_off_goes_on(
    way: str, store: FileStore, index: DiskIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update, "SHARDS_PER_COMMIT", 1)
    manifest, refs, vectors = parts(store)

    def stop(phase: str, done: int, total: int) -> None:
        if done >= 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.update(refs, set(), stop)
    told: list[int] = []
    index.update(refs, set(), lambda phase, done, total: told.append(total) if phase == "index" else None)
    assert told == [60, 60], "two of four shards were there"
    cid = version(store, manifest, refs)
    assert_same(opened_now(index, cid), Collection.load(store, cid), vectors)


def test_when_most_is_removed_it_begins_anew(store: FileStore, index: DiskIndex, tmp_path: Path) -> None:
    manifest, (one, two, three, four), vectors = parts(store)
    before = opened_now(index, version(store, manifest, [one, two, three]))
    cid = version(store, manifest, [four])
    after = opened_now(index, cid)
    assert [path.name for path in (tmp_path / "index").iterdir() if path.is_dir()] == ["2"]
    assert_same(after, Collection.load(store, cid), vectors)
    assert before.prove(before.search("word3", vectors[9], 4))[1], "whoever still serves the version before can go on"


def test_a_start_reads_no_texts(way: str, tmp_path: Path, store: FileStore) -> None:
    manifest, refs, vectors = parts(store)
    cid = version(store, manifest, refs)
    DiskIndex(tmp_path, store).update(refs, set(), quiet)
    read: list[Cid] = []

    class Watched(FileStore):
        def get(self, cid: Cid) -> bytes:
            read.append(cid)
            return super().get(cid)

    collection = opened_now(DiskIndex(tmp_path, Watched(store.path)), cid)
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


def forget_words(folder: Path) -> None:
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
    [spoil_catalog, age_catalog, spoil_proofs, forget_words, spoil_words, spoil_vectors, lose_vectors],
    ids=lambda damage: damage.__name__,
)
def test_what_is_damaged_is_made_again(
    damage: Callable[[Path], None], way: str, store: FileStore, index: DiskIndex, tmp_path: Path
) -> None:
    manifest, refs, vectors = parts(store)
    cid = version(store, manifest, refs)
    index.update(refs, set(), quiet)
    damage(tmp_path / "index" / "1")
    collection = opened_now(index, cid)
    assert_same(collection, Collection.load(store, cid), vectors)
    for hit in collection.prove(collection.search("word7", vectors[21], 8))[1]:
        leaf = collection.shards[hit.shard].proof(hit.chunk)[0]
        assert included(leaf, hit.chunk, refs[hit.shard].count, hit.path, refs[hit.shard].root)


def test_a_damaged_block_is_never_answered_with(store: FileStore, index: DiskIndex) -> None:
    manifest, refs, vectors = parts(store)
    collection = opened_now(index, version(store, manifest, refs))
    found = collection.search("unheard", vectors[0], 1)
    block = get_record(store, refs[0].shard, Shard).vectors
    path = next(store.path.glob(f"??/{block}"))
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(BlockTampered, match="damaged"):
        collection.prove(found)


def test_the_gateway_hands_out_what_it_was_told_to_and_nothing_else(store: FileStore, index: DiskIndex) -> None:
    manifest, (one, two, three, four), _ = parts(store)
    index.update([one, two, three], set(), quiet)
    cid = version(store, manifest, [two, three])
    _, served = index.open(cid, {one.shard, two.shard, three.shard}, frozenset({cid}), quiet)
    every = {block for ref in (one, two, three) for block in reachable(store, ref.shard)}
    assert {block for block in store if block in served} == {*every, cid}
    _, served = index.open(cid, {four.shard}, frozenset(), quiet)  # as after an index that was lost
    assert {block for block in store if block in served} == set(reachable(store, four.shard))


def test_passages_are_found_by_name(store: FileStore, index: DiskIndex) -> None:
    manifest, (one, two, *_), _ = parts(store)
    cid = version(store, manifest, [one, buried(two, (3, 6))])
    stored, memory = opened_now(index, cid), Collection.load(store, cid)
    for shard in memory.shards:
        for chunk, (_, start, end) in enumerate(shard.spans.tolist()):
            document = shard.document(chunk)[0]
            assert stored.find(document, start, end) == memory.find(document, start, end)
            assert stored.find(document, start, end + 1) is None
    assert stored.find(cid, 0, 1) is None


def test_another_engine_takes_the_place_of_the_file(store: FileStore, tmp_path: Path) -> None:
    manifest, refs, vectors = parts(store)
    given: list[bytes] = []

    def engine(vectors: Vectors, keys: Sequence[bytes]) -> ExactIndex:
        given.extend(keys)
        return ExactIndex(vectors)

    cid = version(store, manifest, refs)
    memory = Collection.load(store, cid, index=engine)
    expected, given[:] = list(given), []
    assert_same(opened_now(DiskIndex(tmp_path, store, engine), cid), memory, vectors)
    assert given == expected


def test_an_engine_that_is_away_costs_no_room(store: FileStore, tmp_path: Path) -> None:
    manifest, refs, _ = parts(store)
    cid = version(store, manifest, refs)
    opened_now(DiskIndex(tmp_path, store, lambda vectors, keys: ExactIndex(vectors)), cid)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "index" / "1").rglob("*")}

    def away(vectors: Vectors, keys: Sequence[bytes]) -> ExactIndex:
        raise StoreError("the vector store did not answer")

    for _ in range(3):
        with pytest.raises(StoreError, match="did not answer"):
            opened_now(DiskIndex(tmp_path, store, away), cid)
    assert {path.name for path in (tmp_path / "index").iterdir()} == {"1", "lock"}
    assert before.items() <= {path: path.stat().st_mtime_ns for path in (tmp_path / "index" / "1").rglob("*")}.items()


def test_what_cannot_be_built_anew_either_leaves_nothing(store: FileStore, index: DiskIndex, tmp_path: Path) -> None:
    manifest, refs, _ = parts(store)
    cid = version(store, manifest, refs)
    index.update(refs[:1], set(), quiet)
    store.delete(get_record(store, refs[1].shard, Shard).vectors)
    for _ in range(3):
        with pytest.raises(BlockNotFound):
            opened_now(index, cid)
    assert {path.name for path in (tmp_path / "index").iterdir()} == {"1", "lock"}


def test_the_file_is_written_again_when_much_came_after_it(
    store: FileStore, index: DiskIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update, "MAX_UNINDEXED", 35)
    _, (one, two, three, four), _ = parts(store)
    written = []
    for refs in ([one], [one, two], [one, two, three], [one, two, three, four]):
        index.update(refs, set(), quiet)
        written.append([path.name for path in (tmp_path / "index" / "1").glob("*.faiss")])
    assert written == [[], ["vectors-1.faiss"], ["vectors-1.faiss"], ["vectors-2.faiss"]]


def test_enough_lists_are_read_to_find_what_is_near(tmp_path: Path) -> None:
    """On clustered vectors with the settings that nodes have."""
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
    row_of[5000:] = -1  # removed since
    dense = ivf.DiskVectorIndex(tmp_path / "v.faiss", row_of, none)
    exact = ExactIndex(vectors[:5000])
    questions = vectors[:200] + 0.1 * rng.standard_normal((200, 32)).astype(np.float32)

    def shared(question: Vectors) -> float:
        found: tuple[Rows, Rows] = (dense.nearest(question, 10), exact.nearest(question, 10))
        return len(set(found[0].tolist()) & set(found[1].tolist())) / 10

    assert np.mean([shared(question) for question in questions]) >= 0.95


# --- in a node -----------------------------------------------------------------------------------------------------
