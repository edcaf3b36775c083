"""Bound on what the blocks of a collection expand to in memory.

Chunks may overlap and shards may name the same documents, so a megabyte of published blocks could become gigabytes.
"""

from __future__ import annotations

from ..codec import Cid
from ..content.base import BlockSource
from ..errors import CodecError

MAX_TEXT = 1 << 30  # characters of a collection in memory: half a million chunks have a quarter of it
MAX_EXPANSION = 4  # times the published bytes: our chunks repeat each sentence once at most, so our nodes need 3
FREE_EXPANSION = 16 << 20  # beyond that: small collections may hold many documents with the same text


class ExpansionMeter:
    """Source of a collection's blocks that counts the bytes read, and the characters of chunks cut from them."""

    def __init__(self, source: BlockSource) -> None:
        self._source = source
        self._seen: set[Cid] = set()
        self._published = 0  # bytes of the blocks, each counted once
        self._read = 0
        self._text = 0

    def get(self, cid: Cid) -> bytes:
        """Return a block. Raises as `BlockSource.get`, and CodecError for blocks that are read too often."""
        data = self._source.get(cid)
        if cid not in self._seen:
            self._seen.add(cid)
            self._published += len(data)
        self._read += len(data)
        self._check()
        return data

    def has(self, cid: Cid) -> bool:
        return self._source.has(cid)

    def cut(self, characters: int) -> None:
        """Count a chunk before it is cut from its document's text. Raises CodecError for too many."""
        self._text += characters
        self._check()

    def _check(self) -> None:
        if self._text > MAX_TEXT:
            raise CodecError(f"The collection expands to more than {MAX_TEXT} characters.")
        if self._read + self._text > FREE_EXPANSION + MAX_EXPANSION * self._published:
            raise CodecError(
                f"The collection expands to more than {MAX_EXPANSION} times its {self._published} published bytes: "
                "its shards or chunks repeat their content."
            )
