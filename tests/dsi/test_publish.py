"""Tests of published models: round trips, and refusal of invalid ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from knet.codec import MAX_BLOCK, Cid, cid_of, encode
from knet.content.base import get_record, put_record
from knet.content.dag import fetch_dag
from knet.content.layered import LayeredStore
from knet.content.store import FileStore, MemoryStore
from knet.dsi.ensemble import DsiRetriever
from knet.dsi.features import features
from knet.dsi.model import Model
from knet.dsi.publish import fetch_model, publish_model
from knet.dsi.search import beam_search
from knet.dsi.serialization import read_tensors, write_tensors
from knet.errors import BlockTampered, CodecError, SpaceMismatch
from knet.records import DsiModel, Manifest, Space
from tests.network.support import WORD_SPACE

from .support import EMBEDDER, random_model, starts

QUESTION = "Why is the volcano feared?"
LARGE = Space(model="test/large", weights=b"l" * 32, dimension=256)


@pytest.fixture(scope="module")
def model() -> Model:
    return starts()[0].model


def large_model() -> Model:
    """Return a model of several blocks."""
    codes = np.stack([np.arange(3000) // 60, np.arange(3000) % 60], axis=1).astype(np.uint16)
    return random_model(codes, dimension=256)


def test_fetched_model_equals_published_model(model: Model, tmp_path: Path) -> None:
    origin, cache = MemoryStore(), FileStore(tmp_path)
    cid = publish_model(origin, model, WORD_SPACE)
    fetched = fetch_model(LayeredStore(cache, origin), cid, cid_of(WORD_SPACE))
    assert fetched.ids == model.ids
    vector = EMBEDDER.encode([QUESTION])[0]
    one, other = (beam_search(each, vector, features(QUESTION)) for each in (model, fetched))
    assert one.places[:3].tolist() == other.places[:3].tolist()
    np.testing.assert_allclose(one.scores, other.scores, atol=0.05)  # float16
    again = fetch_model(cache, cid)  # the source is offline now
    assert DsiRetriever([again]).search(QUESTION, vector) == DsiRetriever([fetched]).search(QUESTION, vector)


def test_model_blocks_are_safetensors_within_the_limit(model: Model) -> None:
    store = MemoryStore()
    record = get_record(store, publish_model(store, large_model(), LARGE), DsiModel)
    assert len(record.weights) > 1
    for cid in record.weights:
        assert len(store.get(cid)) <= MAX_BLOCK
        assert read_tensors(store.get(cid), "a block")


def test_model_of_several_blocks_is_restored() -> None:
    store, model = MemoryStore(), large_model()
    fetched = fetch_model(store, publish_model(store, model, LARGE))
    np.testing.assert_array_equal(fetched.trie.codes, model.trie.codes)
    np.testing.assert_allclose(fetched.rows, model.rows, atol=2e-3)
    np.testing.assert_array_equal(fetched.lexical.edges, model.lexical.edges)


class Tampering:
    """Block source that changes one byte of every block of weights."""

    def __init__(self, source: MemoryStore) -> None:
        self._source = source

    def get(self, cid: Cid) -> bytes:
        data = self._source.get(cid)
        return data if cid.codec != 0x55 else data[:-1] + bytes([data[-1] ^ 1])

    def has(self, cid: Cid) -> bool:
        return self._source.has(cid)


def test_tampered_block_is_refused(model: Model, tmp_path: Path) -> None:
    origin, cache = MemoryStore(), FileStore(tmp_path)
    cid = publish_model(origin, model, WORD_SPACE)
    with pytest.raises(BlockTampered):
        fetch_model(LayeredStore(cache, Tampering(origin)), cid)
    assert [each for each in cache if each.codec == 0x55] == []


Change = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]


def put(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    return lambda tensors: {**tensors, name: change(tensors[name])}


def set_last(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        changed = array.copy()
        changed.reshape(-1)[-1] = value
        return changed

    return change


LIES: dict[str, Change] = {
    "no rows": lambda tensors: {name: array for name, array in tensors.items() if name != "rows"},
    "fewer rows": put("rows", lambda rows: rows[:-1]),
    "not a number": put("bias", set_last(np.nan)),
    "rows of integers": put("rows", lambda rows: rows.astype(np.int32)),
    "an edge that is none": put("edges", set_last(65535)),
    "counts that do not add up": put("counts", set_last(60000)),
    "terms out of order": put("terms", set_last(0)),
    "a docid twice": put("codes", lambda codes: np.concatenate([codes[:1], codes[:-1]])),
    "an id twice": put("ids", lambda ids: np.frombuffer(b"\n".join([b"x"] * 60), np.uint8)),
    "an empty id": put("ids", lambda ids: np.frombuffer(b"\n" * 59, np.uint8)),
    "an id too few": put("ids", lambda ids: ids[: bytes(ids).rindex(b"\n")]),
    "ids that are not text": put("ids", set_last(255)),
    "no documents": put("codes", lambda codes: codes[:0]),
    "parts out of order": lambda tensors: {**tensors, "rows/7": tensors["rows"]},
    "parts of two shapes": lambda tensors: {**tensors, "rows/1": tensors["rows"][:, :5]},
}


@pytest.mark.parametrize("lie", LIES)
def test_invalid_model_is_refused(model: Model, lie: str) -> None:
    store = MemoryStore()
    record = get_record(store, publish_model(store, model, WORD_SPACE), DsiModel)
    tensors = read_tensors(store.get(record.weights[0]), "a block")
    forged = replace(record, weights=[store.put(write_tensors(LIES[lie](tensors)))])
    with pytest.raises(CodecError):
        fetch_model(store, put_record(store, forged))


def test_invalid_safetensors_are_refused(model: Model) -> None:
    store = MemoryStore()
    record = get_record(store, publish_model(store, model, WORD_SPACE), DsiModel)
    for garbage in (b"", b"\xff" * 100, b"\x08" + b"\0" * 7 + b'{"a": 1}'):
        with pytest.raises(CodecError):
            fetch_model(store, put_record(store, replace(record, weights=[store.put(garbage)])))


@pytest.mark.parametrize("change", [{"documents": 61}, {"levels": 1}, {"dimension": 65}, {"weights": []}])
def test_record_that_differs_from_model_is_refused(model: Model, change: dict[str, object]) -> None:
    store = MemoryStore()
    record = get_record(store, publish_model(store, model, WORD_SPACE), DsiModel)
    with pytest.raises(CodecError):
        fetch_model(store, put_record(store, replace(record, **change)))


def test_model_of_another_space_is_refused(model: Model) -> None:
    store = MemoryStore()
    cid = publish_model(store, model, WORD_SPACE)
    with pytest.raises(SpaceMismatch):
        fetch_model(store, cid, cid_of(LARGE))
    with pytest.raises(SpaceMismatch):
        publish_model(store, model, LARGE)


def manifest(**further: object) -> Manifest:
    nothing = Cid.of(b"")
    fields = {"node": 1, "sequence": 1, "previous": None, "space": nothing, "shards": [], "card": nothing}
    return Manifest(**fields, documents=0, chunks=0, time=0, **further)  # type: ignore[arg-type]


def test_manifest_without_models_keeps_its_cid() -> None:
    assert b"models" not in encode(manifest())


def test_fetch_of_manifest_includes_models(model: Model) -> None:
    origin, mine = MemoryStore(), MemoryStore()
    origin.put(b"")
    cid = put_record(origin, manifest(models=[publish_model(origin, model, WORD_SPACE)]))
    put_record(origin, WORD_SPACE)
    fetch_dag(origin, cid, mine)
    (named,) = get_record(mine, cid, Manifest).dsi_models
    assert fetch_model(mine, named).ids == model.ids
