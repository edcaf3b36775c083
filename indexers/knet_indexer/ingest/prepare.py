"""From one item of a source to documents and chunks, ready to be embedded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from knet.codec import MAX_BLOCK, Cid, cid_of
from knet.errors import SourceError
from knet.records import Document, Record

from ..chunking import Chunker, canonical
from ..sources.base import Item, Text
from ..state import ChunkRow, DocumentRow, ItemRow


class PreparedItem(Record, frozen=True):
    """An item on its way into the state: its documents, the blocks of their texts, the chunks' texts by digest."""

    row: ItemRow
    documents: list[DocumentRow] = []
    blocks: list[bytes] = []
    passages: dict[bytes, str] = {}


def prepare(
    item: Item, row: ItemRow, licence: str, known: Sequence[DocumentRow], cut: Chunker, *, recut: bool
) -> PreparedItem:
    """Read an item and cut it. Raises what reading raises, and SourceError when it holds no text.

    ``known`` are the item's documents as of the last time. One whose text and description are the same is kept as
    it was: a touched file is no new version. ``recut`` is for another model: the documents stay, their chunks do not.
    """
    read = item.read()
    text = canonical(read.text)
    if not text.strip():
        raise SourceError(f"{item.uri} holds no text.")
    before = {_unmodified(entry.document): entry for entry in known}
    documents, blocks, passages = [], [], {}
    for part, uri in _parts(text, item.uri):
        block = part.encode()
        document = _document(uri, Cid.of(block), item, read, licence)
        entry = before.get(_unmodified(document))
        if entry is None or recut:
            entry = _cut(entry.document if entry else document, part, cut)
        documents.append(entry)
        blocks.append(block)
        passages.update({chunk.digest: part[chunk.start : chunk.end] for chunk in entry.chunks})
    return PreparedItem(row=row, documents=documents, blocks=blocks, passages=passages)


def _document(uri: str, text: Cid, item: Item, read: Text, licence: str) -> Document:
    return Document(
        uri=uri,
        text=text,
        title=read.title or item.title,
        media_type=read.media_type or "text/plain",
        licence=read.licence or licence,
        modified=read.modified,
    )


def _unmodified(document: Document) -> tuple[str, Cid, str, str, str]:
    return document.uri, document.text, document.title, document.media_type, document.licence


def _cut(document: Document, text: str, cut: Chunker) -> DocumentRow:
    chunks = [
        ChunkRow(start=start, end=end, digest=hashlib.sha256(text[start:end].encode()).digest())
        for start, end in cut(text)
    ]
    return DocumentRow(cid=cid_of(document), document=document, chunks=chunks)


def _parts(text: str, uri: str) -> Iterator[tuple[str, str]]:
    parts = split(text)
    if len(parts) == 1:
        yield text, uri
    else:
        for number, part in enumerate(parts, 1):
            yield part, f"{uri}#part={number}"


def split(text: str, limit: int = MAX_BLOCK) -> list[str]:
    """A text in pieces of at most ``limit`` bytes of UTF-8, cut after a paragraph, a line or a word where possible."""
    data = text.encode()
    pieces = []
    start = 0
    while len(data) - start > limit:
        window = data[start : start + limit].decode(errors="ignore")  # the last code point may be cut in two
        ends = (window.rfind(mark) + len(mark) for mark in ("\n\n", "\n", " "))
        piece = window[: next((end for end in ends if end > len(window) // 2), len(window))]
        pieces.append(piece)
        start += len(piece.encode())
    return [*pieces, data[start:].decode()]
