"""Sources of passages and questions: a node's published collection, or files of JSON lines."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from ..codec import DAG_CBOR, Cid, decode, from_json, read_json
from ..content.store import FileStore
from ..errors import CodecError, ConfigError
from ..index.collection import read_head, require_space
from ..index.shard import live_mask, read_shards
from ..records import Manifest, Space
from .corpus import Passages
from .pairs import SignedPair, WeightedPair

MAX_LINE = 16 << 20  # characters: a book has a megabyte
MAX_SPAN = 40  # characters of two offsets


class QuestionFile(NamedTuple):
    """Content of a file of questions: the owner's pairs, and the signed pairs of contributors."""

    own: list[WeightedPair]
    signed: list[SignedPair]


def passage_id(document: Cid, start: int, end: int) -> str:
    """Return the docid of a node's passage: its document, and its span in the canonical text."""
    return f"{document}#{start}-{end}"


def parse_passage_id(docid: str) -> tuple[Cid, int, int]:
    """Parse an id of `passage_id`. Raises CodecError for an id of another kind."""
    document, _, span = docid.partition("#")
    start, _, end = span.partition("-")
    if not (start.isdecimal() and end.isdecimal() and len(span) <= MAX_SPAN):
        raise CodecError(f"{docid[:80]!r} is not the id of a passage.")
    return Cid.parse(document), int(start), int(end)


def read_node(folder: Path) -> tuple[Passages, Space]:
    """Return the passages of the newest manifest in a node's block store, with the published vectors.

    Raises ConfigError when there is no manifest, and as `read_head`, `read_shards` and `require_space`.
    """
    store = FileStore(folder / "blocks")
    found = [(manifest.time, manifest.sequence, cid) for cid, manifest in _manifests(store)]
    if not found:
        raise ConfigError(f"{folder} has published nothing.", hint="Run `knet node publish` first.")
    manifest, space, _ = read_head(store, max(found)[2])
    ids, texts = [], []
    rows = [np.zeros((0, space.dimension), np.float16)]
    for shard in read_shards(store, manifest.shards):
        require_space(shard, space)
        live = np.flatnonzero(live_mask(shard.ref))
        for chunk in live.tolist():
            document, start, end = shard.spans[chunk].tolist()
            ids.append(passage_id(shard.document_blocks[document][0], start, end))
            texts.append(shard.texts[chunk])
        rows.append(shard.vectors[live])
    return Passages(ids, texts, np.concatenate(rows).astype(np.float32)), space


def read_documents(path: Path) -> tuple[list[str], list[str]]:
    """Return ids and texts of a file of ``{"id", "text"}`` lines, optionally with ``"title"``. Raises ConfigError."""
    ids, texts = [], []
    for where, line in _lines(path):
        if not isinstance(line.get("id"), str) or not isinstance(line.get("text"), str):
            raise ConfigError(f'{where} is not a document: {{"id", "text"}} are needed, as strings.')
        ids.append(line["id"])
        texts.append(line["text"])
    return ids, texts


def read_questions(path: Path) -> QuestionFile:
    """Return the questions of a file, one per line. Raises ConfigError.

    ``{"text", "relevant": {docid: grade}}`` and ``{"question", "docid"}`` are the owner's, foreign without a docid.
    ``{"pair": {"question", "docid", "given_at"}, "signature"}`` is a contributor's (`sign_pair`).
    """
    own, signed = [], []
    for where, line in _lines(path):
        if "signature" in line:
            try:
                signed.append(from_json(msgspec.json.encode(line), SignedPair))
            except CodecError as error:
                raise ConfigError(f"{where} is not a signed pair: {error}") from error
            continue
        own += _own_pairs(where, line)
    return QuestionFile(own, signed)


def _own_pairs(where: str, line: dict[str, Any]) -> list[WeightedPair]:
    question, docid = line.get("question", line.get("text")), line.get("docid", "")
    relevant = line.get("relevant", {})
    typed = isinstance(question, str) and isinstance(docid, str) and isinstance(relevant, dict)
    if not typed or not all(isinstance(grade, int | float) for grade in relevant.values()):
        raise ConfigError(f'{where} is not a question: {{"text", "relevant"}} or {{"question", "docid"}} are needed.')
    answers = [name for name, grade in relevant.items() if grade > 0] or [docid]
    return [WeightedPair(str(question), name) for name in answers]


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the location of each line, and its JSON object."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(MAX_LINE), ""), 1):
                where = f"{path}, line {number}"
                if len(line) == MAX_LINE:
                    raise ConfigError(f"{where} has {MAX_LINE} characters or more.")
                if line.strip():
                    found = read_json(line)
                    if not isinstance(found, dict):
                        raise ConfigError(f"{where} is not a JSON object.")
                    yield where, found
    except CodecError as error:
        raise ConfigError(f"{where}: {error}.") from error
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error


def _manifests(store: FileStore) -> Iterator[tuple[Cid, Manifest]]:
    for cid in store:
        if cid.codec == DAG_CBOR:
            try:
                yield cid, decode(store.get(cid), Manifest)
            except CodecError:
                continue  # a record of another kind
