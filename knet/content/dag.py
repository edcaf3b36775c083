"""Traversal of block links: manifest -> card, space, shards -> documents -> texts, vectors, lexical statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..codec import RAW, Cid, decode_plain
from ..errors import CodecError, TooLarge
from ..records import Manifest
from .base import BlockSource, BlockStore
from .layered import LayeredStore

MAX_DAG_BLOCKS = 10_000_000  # a million documents take 2 million; bounds the work that a hostile DAG can cause
PARALLEL = 8  # requests at once: hides the round trip without overloading a gateway
_MANIFEST = Manifest.__struct_config__.tag


def walk(source: BlockSource, root: Cid, *, max_blocks: int = MAX_DAG_BLOCKS) -> Iterator[tuple[Cid, bytes]]:
    """Yield every block under ``root``, the root first, each once, depth first in the order of the links.

    A manifest's predecessors do not count. Raises as `BlockSource.get`, CodecError for a block that is not dag-cbor
    though its CID says so, and TooLarge above ``max_blocks``.
    """
    return _walk(root, lambda cids: map(source.get, cids), 1, max_blocks)


def reachable(source: BlockSource, root: Cid) -> Iterator[Cid]:
    """Yield the CIDs of `walk` without reading raw blocks, which hold no links."""
    blocks = _walk(root, lambda cids: (b"" if cid.codec == RAW else source.get(cid) for cid in cids), 1, MAX_DAG_BLOCKS)
    return (cid for cid, _ in blocks)


def fetch_dag(source: BlockSource, root: Cid, store: BlockStore) -> int:
    """Copy everything under ``root`` into ``store``; return the number of blocks. Raises as `walk`, and StoreError.

    Blocks that the store has are not fetched again, so an update to a newer manifest fetches the difference alone.
    """
    both = LayeredStore(store, source)

    def fetch(cid: Cid) -> bytes:
        return b"" if cid.codec == RAW and store.has(cid) else both.get(cid)

    with ThreadPoolExecutor(PARALLEL, "knet-fetch") as pool:
        return sum(1 for _ in _walk(root, lambda cids: pool.map(fetch, cids), PARALLEL, MAX_DAG_BLOCKS))


def links(cid: Cid, block: bytes) -> list[Cid]:
    """Return the CIDs in a block, in order, without a manifest's predecessor. Raises CodecError.

    The decoder returns links as bytes, so a byte string of 36 bytes that is a valid CID counts as a link too.
    """
    if cid.codec == RAW:
        return []
    plain = decode_plain(block)
    if isinstance(plain, dict) and plain.get("type") == _MANIFEST:
        plain.pop("previous", None)
    return list(_links(plain))


def _links(value: Any) -> Iterator[Cid]:
    if isinstance(value, bytes):
        try:
            yield Cid(value)
        except CodecError:
            return
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _links(item)


def _walk(
    root: Cid, get_all: Callable[[list[Cid]], Iterable[bytes]], width: int, max_blocks: int
) -> Iterator[tuple[Cid, bytes]]:
    seen: set[Cid] = set()
    todo = [root]
    while todo:
        batch: list[Cid] = []
        while todo and len(batch) < width:
            if (cid := todo.pop()) not in seen:
                seen.add(cid)
                batch.append(cid)
        for cid, block in zip(batch, get_all(batch), strict=True):
            yield cid, block
            todo += [link for link in reversed(links(cid, block)) if link not in seen]
        if len(seen) + len(todo) > max_blocks:
            raise TooLarge(f"The DAG under {root} has more than {max_blocks} blocks.")
