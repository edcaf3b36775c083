"""Everything a block leads to: manifest -> card, space, shards -> documents -> texts, vectors, lexical statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..codec import RAW, Cid, decode_plain
from ..errors import CodecError, TooLarge
from ..records import Manifest
from .base import BlockSource, BlockStore
from .layered import LayeredStore

MAX_DAG_BLOCKS = 10_000_000  # a million documents take 2 million; keeps a hostile DAG from growing for ever
PARALLEL = 8  # blocks asked for at once: hides the round trip, stays polite to a gateway
_MANIFEST = Manifest.__struct_config__.tag


def walk(
    source: BlockSource, root: Cid, *, history: bool = False, max_blocks: int = MAX_DAG_BLOCKS
) -> Iterator[tuple[Cid, bytes]]:
    """Every block under ``root``, itself first, each once, depth first in the order of the links.

    ``history`` also follows a manifest to its predecessors. Raises as `BlockSource.get`, CodecError for a block that
    is not dag-cbor though its CID says so, TooLarge above ``max_blocks``.
    """
    return _walk(root, lambda cids: map(source.get, cids), 1, history, max_blocks)


def reachable(
    source: BlockSource, root: Cid, *, history: bool = False, max_blocks: int = MAX_DAG_BLOCKS
) -> Iterator[Cid]:
    """The CIDs of `walk`, without reading raw blocks, which lead nowhere."""
    found = _walk(root, lambda cids: (_inner(source, cid) for cid in cids), 1, history, max_blocks)
    return (cid for cid, _ in found)


def fetch_dag(
    source: BlockSource, root: Cid, store: BlockStore, *, history: bool = False, max_blocks: int = MAX_DAG_BLOCKS
) -> int:
    """Bring everything under ``root`` into ``store``: how many blocks it leads to. Raises as `walk`, and StoreError.

    What the store has is not fetched again, so following a node from manifest to manifest costs the difference.
    """
    both = LayeredStore(store, source)

    def bring(cid: Cid) -> bytes:
        return b"" if cid.codec == RAW and store.has(cid) else both.get(cid)

    with ThreadPoolExecutor(PARALLEL, "knet-fetch") as pool:
        return sum(1 for _ in _walk(root, lambda cids: pool.map(bring, cids), PARALLEL, history, max_blocks))


def links(cid: Cid, block: bytes, *, history: bool = False) -> list[Cid]:
    """The CIDs in a block, in order; without ``history``, not a manifest's predecessor. Raises CodecError.

    The decoder hands links out as bytes, so 36 bytes that spell a CID count as one too: at worst a block too many.
    """
    if cid.codec == RAW:
        return []
    plain = decode_plain(block)
    if isinstance(plain, dict) and plain.get("type") == _MANIFEST and not history:
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


def _inner(source: BlockSource, cid: Cid) -> bytes:
    return b"" if cid.codec == RAW else source.get(cid)


def _walk(
    root: Cid, get_all: Callable[[list[Cid]], Iterable[bytes]], width: int, history: bool, max_blocks: int
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
            todo += [link for link in reversed(links(cid, block, history=history)) if link not in seen]
        if len(seen) + len(todo) > max_blocks:
            raise TooLarge(f"{root} leads to more than {max_blocks} blocks.")
