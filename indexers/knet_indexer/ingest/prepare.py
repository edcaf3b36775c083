"""Preparation of one item: its documents and chunks, ready to be embedded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from knet.codec import MAX_BLOCK, MAX_LICENCE, MAX_MEDIA_TYPE, MAX_TITLE, MAX_URI, Cid, cid_of
from knet.errors import KnetError, SourceError
from knet.records import Document, Record

from ..chunking import Chunker, canonical
from ..sources.base import Item, Text
from ..sources.embedded import without_data
from ..sources.notes import Note
from ..state import ChunkRow, DocumentRow, ItemRow
from .secret_scan import check_secrets


class ReadJob(NamedTuple):
    """An item to read, its row without a reason, and its documents as of the last sync.

    ``licence`` is the node's own. ``recut`` is for another model: documents stay, their chunks do not. ``path`` is the
    file's path in its source, else empty. Documents that are not ``allowed`` are searched for secrets.
    """

    item: Item
    row: ItemRow
    licence: str
    known: Sequence[DocumentRow]
    recut: bool
    path: str = ""
    allowed: bool = False


class PreparedItem(Record, frozen=True):
    """An item ready for the state: its documents, the blocks of their texts, the chunks' texts by digest.

    ``notes`` are about the parts of the item that its documents do not hold.
    """

    row: ItemRow
    documents: list[DocumentRow] = []
    blocks: list[bytes] = []
    passages: dict[bytes, str] = {}
    notes: tuple[Note, ...] = ()


Outcome = PreparedItem | KnetError


def try_prepare(job: ReadJob, cut: Chunker) -> Outcome:
    """Return the prepared item, or the error that it raised."""
    try:
        return prepare(job, cut)
    except KnetError as error:
        return error


def prepare(job: ReadJob, cut: Chunker) -> PreparedItem:
    """Read an item and cut it into chunks. Raises the errors of `Item.read`, SourceError when it holds no text, and
    SecretsFound.

    One of the ``known`` documents with the same text and description is kept: a touched file is not a new
    version.
    """
    read = job.item.read()
    text, data = without_data(read.text)
    text = canonical(text)
    if not text.strip():
        raise SourceError(f"{job.item.uri} holds no text.")
    if not job.allowed:
        published = (unquote(job.item.uri), read.title, read.licence)
        check_secrets(job.path or job.item.uri, text, read.media_type, is_file=bool(job.path), labels=published)
    before = {_unmodified(entry.document): entry for entry in job.known}
    documents, blocks, passages = [], [], {}
    for part, uri in _parts(text, job.item.uri):
        block = part.encode()
        document = _document(uri, Cid.of(block), job.item, read, job.licence)
        entry = before.get(_unmodified(document))
        if entry is None or job.recut:
            entry = _cut(entry.document if entry else document, part, cut)
        documents.append(entry)
        blocks.append(block)
        passages.update({chunk.digest: part[chunk.start : chunk.end] for chunk in entry.chunks})
    return PreparedItem(row=job.row, documents=documents, blocks=blocks, passages=passages, notes=(*read.notes, *data))


def _document(uri: str, text: Cid, item: Item, read: Text, licence: str) -> Document:
    if len(uri) > MAX_URI:
        raise SourceError(f"{uri[:80]}...: its address has more than {MAX_URI} characters.", hint="Shorten its path.")
    return Document(
        uri=uri,
        text=text,
        title=(read.title or item.title)[:MAX_TITLE],
        media_type=(read.media_type or "text/plain")[:MAX_MEDIA_TYPE],
        licence=(read.licence or licence)[:MAX_LICENCE],
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
    """Return a text in pieces of at most ``limit`` bytes of UTF-8, cut after a paragraph, a line or a word where
    possible.
    """
    data = text.encode()
    pieces = []
    start = 0
    while len(data) - start > limit:
        window = data[start : start + limit].decode(errors="ignore")  # the last code point may be incomplete
        ends = (window.rfind(mark) + len(mark) for mark in ("\n\n", "\n", " "))
        piece = window[: next((end for end in ends if end > len(window) // 2), len(window))]
        pieces.append(piece)
        start += len(piece.encode())
    return [*pieces, data[start:].decode()]
