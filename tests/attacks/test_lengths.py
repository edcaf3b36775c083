"""Texts that a node stands in every answer are bounded where they are decoded.

Threat model: node, a megabyte of title, address or chunk.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from knet.codec import MAX_CHUNK, MAX_LICENCE, MAX_TITLE, MAX_URI, Cid, decode, encode, from_json, to_json
from knet.content.store import FileStore
from knet.errors import CodecError, NotIncluded, SourceError
from knet.index.shard import Chunk, encode_vector, read_shard, write_shards
from knet.merkle import Tree
from knet.records import Card, Document, Hit, Manifest, NodeStatus, ShardRef, Space, chunk_leaf
from knet.search.verify_reply import check_hit
from knet_indexer.ingest.prepare import ReadJob, prepare
from knet_indexer.sources.base import Item, Text, text_reader
from knet_indexer.state import ItemRow

CID = Cid.of(b"")
LONG = "x" * 10_000
RECORDS: list[tuple[Any, dict[str, Any]]] = [
    (Document(uri="a", text=CID), dict.fromkeys(("uri", "title", "licence", "media_type"), LONG)),
    (
        Card(
            title="",
            space=CID,
            documents=0,
            chunks=0,
            centroids=b"",
            weights=b"",
            terms=b"",
            df=b"",
            average_length=0.0,
        ),
        {**dict.fromkeys(("title", "description", "licence", "access"), LONG), "languages": [LONG]},
    ),
    (
        Manifest(node=1, sequence=1, previous=None, space=CID, shards=[], card=CID, documents=0, chunks=0, time=0),
        dict.fromkeys(("licence", "access"), LONG),
    ),
    (Space(model="m", weights=b"", dimension=1), dict.fromkeys(("model", "pooling", "query_prefix"), LONG)),
    (
        Hit(document=0, shard=0, chunk=0, start=0, end=1, text="a", vector=b"", path=[], scores={}),
        {"text": LONG, "scores": {LONG: 1.0}},
    ),
    (NodeStatus(node=1, title="", status="success"), {"title": LONG, "status": LONG}),
]
CASES = [(record, name, value) for record, values in RECORDS for name, value in values.items()]


@pytest.mark.parametrize(("record", "name", "value"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_record_with_a_long_text_is_refused(record: Any, name: str, value: Any) -> None:
    assert decode(encode(record), type(record)) == record
    longer = msgspec.structs.replace(record, **{name: value})
    with pytest.raises(CodecError, match="length"):
        decode(encode(longer), type(record))
    with pytest.raises(CodecError, match="length"):
        from_json(to_json(longer), type(record))


def test_many_languages_or_scores_are_refused() -> None:
    card, hit = RECORDS[1][0], RECORDS[4][0]
    for record, changes in ((card, {"languages": ["en"] * 1000}), (hit, {"scores": {str(n): 1.0 for n in range(99)}})):
        with pytest.raises(CodecError, match="length"):
            decode(encode(msgspec.structs.replace(record, **changes)), type(record))


def vector_of(dimension: int = 4) -> bytes:
    return encode_vector(np.eye(1, dimension, dtype=np.float32)[0])


def test_hit_with_more_bytes_than_a_chunk_has_is_refused() -> None:
    """The limit counts bytes; decoding counts code points."""
    text = "語" * (MAX_CHUNK // 3 + 1)
    leaf = chunk_leaf(CID, 0, len(text), text, b"")
    tree = Tree([leaf])
    ref = ShardRef(shard=CID, root=tree.root, count=1)
    hit = Hit(document=0, shard=0, chunk=0, start=0, end=len(text), text=text, vector=b"", path=tree.path(0), scores={})
    manifest = msgspec.structs.replace(RECORDS[2][0], shards=[ref])
    with pytest.raises(NotIncluded, match="more than 8192 bytes"):
        check_hit(decode(encode(hit), Hit), [(CID, RECORDS[0][0])], manifest)


@pytest.mark.parametrize("text", ["x" * (MAX_CHUNK + 1), "語" * (MAX_CHUNK // 3 + 1)])
def test_shard_with_a_long_chunk_is_refused(text: str, tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    document = Document(uri="a", text=store.put(text.encode()))
    chunk = Chunk(document=document, start=0, end=len(text), text=text, vector=vector_of())
    (ref,) = write_shards(store, Space(model="m", weights=b"", dimension=4), [chunk])
    with pytest.raises(CodecError, match="a chunk has more than 8192 bytes"):
        read_shard(store, ref)


def prepared(uri: str, text: Text) -> Document:
    item = Item(uri=uri, fingerprint="1", title="t", reader=text_reader(text))
    row = ItemRow(source="s", uri=uri, fingerprint="1", space=b"")
    job = ReadJob(item, row, LONG, [], recut=False)
    return prepare(job, lambda whole: []).documents[0].document


def test_node_cuts_what_clients_would_refuse() -> None:
    document = prepared("a", Text("some text", LONG, LONG))
    assert (len(document.title), len(document.licence)) == (MAX_TITLE, MAX_LICENCE)
    assert decode(encode(document), Document) == document


def test_node_names_an_address_that_clients_would_refuse() -> None:
    with pytest.raises(SourceError, match="more than 4096 characters"):
        prepared("a" * (MAX_URI + 1), Text("some text"))
