"""Shards: chunks written as blocks, and read back with checks against the manifest's Merkle roots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..codec import MAX_BLOCK, MAX_CHUNK, Cid, block_of, encode, is_chunk
from ..content.base import BlockSource, BlockStore, get_record, put_record
from ..errors import CodecError, NotIncluded
from ..merkle import Tree
from ..records import VECTOR_DTYPE, Document, Record, Shard, ShardRef, Space, chunk_leaf
from .expansion import ExpansionMeter
from .lexical import term_statistics

Vectors = npt.NDArray[np.float32]
Spans = npt.NDArray[np.uint32]


class Chunk(Record, frozen=True):
    """Chunk to be written into a shard. ``vector`` is in the stored encoding (float16)."""

    document: Document
    start: int
    end: int
    text: str
    vector: bytes


def encode_vector(vector: npt.NDArray[np.float32]) -> bytes:
    """Return a vector in the encoding of shards (little-endian float16)."""
    return vector.astype(VECTOR_DTYPE).tobytes()


def decode_vector(data: bytes) -> Vectors:
    """Return ``(dimension,)`` float32 from its stored encoding."""
    return np.frombuffer(data, VECTOR_DTYPE).astype(np.float32)


def write_shards(store: BlockStore, space: Space, chunks: Iterable[Chunk]) -> list[ShardRef]:
    """Write chunks, in order, into as few shards as blocks of 1 MiB allow. Raises StoreError.

    Chunks of one document must be consecutive. Memory holds one shard's chunks at a time.
    """
    per_shard = MAX_BLOCK // (space.dimension * np.dtype(VECTOR_DTYPE).itemsize)
    remaining = iter(chunks)
    refs = []
    while run := list(islice(remaining, per_shard)):
        refs += _write_run(store, space, run)
    return refs


def _write_run(store: BlockStore, space: Space, chunks: Sequence[Chunk]) -> list[ShardRef]:
    lexical = term_statistics([chunk.text for chunk in chunks])
    if len(chunks) > 1 and len(encode(lexical)) > MAX_BLOCK:
        half = len(chunks) // 2
        return _write_run(store, space, chunks[:half]) + _write_run(store, space, chunks[half:])
    documents: dict[Document, tuple[int, Cid]] = {}
    for chunk in chunks:
        if chunk.document not in documents:
            documents[chunk.document] = (len(documents), put_record(store, chunk.document))
    spans = np.array([(documents[c.document][0], c.start, c.end) for c in chunks], "<u4")
    leaves = [chunk_leaf(documents[c.document][1], c.start, c.end, c.text, c.vector) for c in chunks]
    shard = Shard(
        space=block_of(space)[0],
        count=len(chunks),
        dimension=space.dimension,
        documents=[cid for _, cid in documents.values()],
        chunks=store.put(spans.tobytes()),
        vectors=store.put(b"".join(c.vector for c in chunks)),
        lexical=put_record(store, lexical),
    )
    return [ShardRef(shard=put_record(store, shard), root=Tree(leaves).root, count=len(chunks))]


class ShardView(Protocol):
    """One shard of a collection, in memory or on disk. Rows of ``spans`` are (document index, start, end)."""

    @property
    def ref(self) -> ShardRef: ...

    @property
    def spans(self) -> Spans:
        """``(count, 3)`` uint32."""
        ...

    @property
    def vectors(self) -> npt.NDArray[np.float16]:
        """``(count, dimension)``, as committed."""
        ...

    def text(self, chunk: int) -> str: ...

    def document(self, chunk: int) -> tuple[Cid, bytes]:
        """Return the CID and bytes of a chunk's Document block."""
        ...

    def proof(self, chunk: int) -> tuple[bytes, list[bytes]]:
        """Return a chunk's leaf hash and its inclusion proof."""
        ...

    def find(self, document: Cid, start: int, end: int) -> int | None:
        """Return the chunk with these offsets, live or removed; None if there is none."""
        ...


class LoadedShard:
    """One shard in memory; ``texts``, ``spans`` (document index, start, end) and ``vectors`` have one row per chunk."""

    def __init__(
        self,
        ref: ShardRef,
        documents: list[Document],
        texts: list[str],
        spans: Spans,
        vectors: npt.NDArray[np.float16],
    ) -> None:
        self.ref = ref
        self.documents = documents
        self.document_blocks = [block_of(document) for document in documents]
        self.texts = texts
        self.spans = spans
        self.vectors = vectors

    @cached_property
    def leaves(self) -> list[bytes]:
        """Leaf hash of each chunk."""
        return [
            chunk_leaf(self.document_blocks[document][0], start, end, text, vector.tobytes())
            for (document, start, end), text, vector in zip(self.spans.tolist(), self.texts, self.vectors, strict=True)
        ]

    @cached_property
    def tree(self) -> Tree:
        return Tree(self.leaves)

    def text(self, chunk: int) -> str:
        return self.texts[chunk]

    def document(self, chunk: int) -> tuple[Cid, bytes]:
        return self.document_blocks[int(self.spans[chunk, 0])]

    def proof(self, chunk: int) -> tuple[bytes, list[bytes]]:
        return self.leaves[chunk], self.tree.path(chunk)

    def find(self, document: Cid, start: int, end: int) -> int | None:
        return self._places.get((document, start, end))

    @cached_property
    def _places(self) -> dict[tuple[Cid, int, int], int]:
        return {
            (self.document_blocks[index][0], start, end): chunk
            for chunk, (index, start, end) in enumerate(self.spans.tolist())
        }


def live_mask(ref: ShardRef) -> npt.NDArray[np.bool_]:
    """Return ``(count,)`` bool: True for each chunk of a shard without a tombstone."""
    mask = np.ones(ref.count, np.bool_)
    for removed in ref.removed:
        mask[removed.start : removed.stop] = False
    return mask


def read_shards(source: BlockSource, refs: Sequence[ShardRef]) -> Iterator[LoadedShard]:
    """Fetch the shards of a manifest one by one and check each: blocks against CIDs, chunks against the Merkle root.

    Raises NotIncluded when the chunks do not give that root, CodecError on impossible shapes, for a shard or document
    that is named twice, and for content that expands too far (`knet.index.expansion`), and as `BlockSource.get`.
    """
    if has_repeats(refs):
        raise CodecError("The manifest names a shard twice.")
    meter = ExpansionMeter(source)
    return (_read_shard(meter, ref) for ref in refs)


def read_shard(source: BlockSource, ref: ShardRef) -> LoadedShard:
    """Fetch and check one shard. Raises as `read_shards`."""
    return next(read_shards(source, [ref]))


def has_repeats(refs: Sequence[ShardRef]) -> bool:
    """Return True if a manifest names a shard twice, which no change of a collection does."""
    return len({ref.shard for ref in refs}) < len(refs)


def _read_shard(source: ExpansionMeter, ref: ShardRef) -> LoadedShard:
    shard = get_record(source, ref.shard, Shard)
    if shard.count != ref.count or shard.encoding != "f2" or not 0 < shard.dimension <= MAX_BLOCK:
        raise CodecError(f"Shard {ref.shard} differs from its manifest in count, encoding or dimension.")
    if len(set(shard.documents)) < len(shard.documents):
        raise CodecError(f"Shard {ref.shard} names a document twice.")
    blocks = [source.get(shard.chunks), source.get(shard.vectors)]
    try:
        spans = np.frombuffer(blocks[0], "<u4").reshape(shard.count, 3)
        vectors = np.frombuffer(blocks[1], VECTOR_DTYPE).reshape(shard.count, shard.dimension)
    except ValueError as error:
        raise CodecError(f"Shard {ref.shard}: its blocks do not hold {shard.count} chunks.") from error
    documents = [get_record(source, cid, Document) for cid in shard.documents]
    texts = list(_texts(source, ref, documents, spans))
    loaded = LoadedShard(ref, documents, texts, spans, vectors)
    if loaded.tree.root != ref.root:
        raise NotIncluded(f"Shard {ref.shard}: its chunks do not give the Merkle root in the manifest.")
    return loaded


def _texts(source: ExpansionMeter, ref: ShardRef, documents: list[Document], spans: Spans) -> Iterator[str]:
    current, text = -1, ""
    for index, start, end in spans.tolist():
        if index >= len(documents):
            raise CodecError(f"Shard {ref.shard}: a chunk names document {index} of {len(documents)}.")
        if index != current:
            block = source.get(documents[index].text)
            try:
                current, text = index, block.decode()
            except UnicodeDecodeError as error:
                document = documents[index]
                raise CodecError(f"The text {document.text} of {document.uri} is not UTF-8.") from error
        if not start < end <= len(text):
            raise CodecError(f"Shard {ref.shard}: a chunk lies outside its document ({start}:{end}).")
        source.cut(end - start)
        chunk = text[start:end]
        if not is_chunk(chunk):
            raise CodecError(f"Shard {ref.shard}: a chunk has more than {MAX_CHUNK} bytes ({start}:{end}).")
        yield chunk
