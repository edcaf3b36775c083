"""Events of the identity and manifest registries, applied to a snapshot of all nodes.

Only logs of the two registries are read. The registries emit only changes that the owner may make, so an account
cannot list another's node. Keys are compared by hash and values read as bytes: the values of any registration may be
malformed, and must never stop a reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from msgspec.structs import replace

from ..codec import Cid
from ..errors import ChainError
from ..records import Head, NodeEntry, Record

if TYPE_CHECKING:
    from .rpc import Rpc

ENDPOINT_KEY = "knet.endpoint"  # ERC-8004 metadata: the node's base URL in UTF-8
MAX_ENDPOINT = 2048  # bytes of a URL; longer ones are refused by common software
_ENDPOINT_URL = re.compile(
    r"https?://(?:[a-z0-9._-]++|\[[0-9a-f:.]++\])(?::[0-9]{1,5})?+(?:/(?!\.{1,2}(?:/|\Z))[a-z0-9._~-]++)*+/?+",
    re.IGNORECASE | re.ASCII,
)
MAX_UNPUBLISHED = 10_000  # identities without a publication that are kept: some megabytes
PAGE_BLOCKS = 10_000  # blocks of one eth_getLogs that public RPCs commonly grant

TRANSFER = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
METADATA_SET = "0x" + keccak(text="MetadataSet(uint256,string,string,bytes)").hex()
MANIFEST_PUBLISHED = "0x" + keccak(text="ManifestPublished(uint256,uint64,bytes32)").hex()
_ENDPOINT = "0x" + keccak(text=ENDPOINT_KEY).hex()
_WALLET = "0x" + keccak(text="agentWallet").hex()

Log = dict[str, Any]
BlockTime = Callable[[Log], int]


class RegistrySnapshot(Record, frozen=True):
    """Every node that the registries' events name, as of ``block``. Rebuildable from nothing; extended by pages."""

    block: int
    nodes: dict[int, NodeEntry]
    hash: str = ""  # of the block: a chain with another block there invalidates the snapshot


OnPage = Callable[[RegistrySnapshot], None]


def ignore_page(snapshot: RegistrySnapshot) -> None:
    """Do nothing: the callback of a caller that waits for the last page."""


def fetch_logs(rpc: Rpc, addresses: list[str], topics: list[Any], start: int, stop: int) -> Iterator[Log]:
    """Yield the logs of blocks ``start`` to ``stop`` by pages; a page that the RPC refuses as too large is halved."""
    for _, logs in fetch_pages(rpc, addresses, topics, start, stop):
        yield from logs


def fetch_pages(
    rpc: Rpc, addresses: list[str], topics: list[Any], start: int, stop: int
) -> Iterator[tuple[int, list[Log]]]:
    """Yield pages of logs as `fetch_logs`, each with the last of its blocks."""
    size = PAGE_BLOCKS
    while start <= stop:
        end = min(start + size - 1, stop)
        query = {"address": addresses, "topics": topics, "fromBlock": hex(start), "toBlock": hex(end)}
        try:
            logs = rpc.request("eth_getLogs", [query])
        except ChainError as error:
            if end == start or type(error) is not ChainError:
                raise
            size = (end - start + 1) // 2
            continue
        yield end, [log for log in logs if not log.get("removed")]
        start, size = end + 1, min(size * 2, PAGE_BLOCKS)


def block_times(rpc: Rpc) -> BlockTime:
    """Return a function that gives the time of a log's block (unix seconds): from the log, else the block, once."""
    known: dict[str, int] = {}

    def of(log: Log) -> int:
        if log.get("blockTimestamp"):
            return int(log["blockTimestamp"], 16)
        number = log["blockNumber"]
        if number not in known:
            known[number] = int(rpc.request("eth_getBlockByNumber", [number, False])["timestamp"], 16)
        return known[number]

    return of


def decode_head(log: Log, time_of: BlockTime) -> Head:
    """Return the head of a ``ManifestPublished`` log."""
    data = bytes.fromhex(log["data"][2:])
    return Head(
        manifest=Cid.from_digest(data[32:64]),
        sequence=int.from_bytes(data[:32], "big"),
        block=int(log["blockNumber"], 16),
        time=time_of(log),
        transaction=log["transactionHash"],
    )


def topic_address(topic: str) -> str:
    """Return the address in a log's topic."""
    return to_checksum_address("0x" + topic[-40:])


def apply_logs(
    nodes: dict[int, NodeEntry], logs: Iterable[Log], time_of: BlockTime, look_up: Callable[[int], NodeEntry]
) -> None:
    """Update ``nodes`` by logs in chain order, except nodes that `drop_unpublished` removed.

    ``look_up`` reads such a node from the chain when it publishes later.
    """
    for log in logs:
        kind, topics = log["topics"][0], log["topics"]
        node = int(topics[3 if kind == TRANSFER else 1], 16)
        if kind == TRANSFER and int(topics[1], 16) == 0:
            nodes[node] = NodeEntry(node=node, owner="", wallet="", endpoint="")
        entry = nodes.get(node)
        if entry is None and kind == MANIFEST_PUBLISHED:
            entry = look_up(node)
        if entry is None:
            continue
        if kind == TRANSFER:
            entry = replace(entry, owner=topic_address(topics[2]))
        elif kind == MANIFEST_PUBLISHED:
            entry = replace(entry, head=decode_head(log, time_of))
        elif topics[2] == _ENDPOINT:
            entry = replace(entry, endpoint=decode_endpoint(_value(log)))
        elif topics[2] == _WALLET:
            entry = replace(entry, wallet=_wallet(_value(log)))
        nodes[node] = entry


def drop_unpublished(nodes: dict[int, NodeEntry]) -> None:
    """Remove identities that have published nothing, except the newest `MAX_UNPUBLISHED`.

    All ERC-8004 agents share the registry, and any account may register any number of them. Only a publication makes an
    identity a node; then it is looked up again.
    """
    unpublished = [node for node, entry in nodes.items() if entry.head is None]
    for node in sorted(unpublished)[:-MAX_UNPUBLISHED]:
        del nodes[node]


def _value(log: Log) -> bytes:
    try:
        _, value = abi_decode(["bytes", "bytes"], bytes.fromhex(log["data"][2:]))
        return bytes(value)
    except (DecodingError, OverflowError):
        return b""


def decode_endpoint(value: bytes) -> str:
    """Return the URL in a node's metadata; empty for a value that is not a valid endpoint."""
    try:
        url = value.decode("ascii")
    except UnicodeDecodeError:
        return ""
    return url if is_endpoint(url) else ""


def is_endpoint(url: str) -> bool:
    """Return True for an http(s) URL of a host, an optional port and a plain path, `MAX_ENDPOINT` bytes at most.

    Clients append routes to it. With a query, a fragment, user information or dot segments, a node could make each
    client send requests of the node's choice to another server.
    """
    return len(url) <= MAX_ENDPOINT and _ENDPOINT_URL.fullmatch(url) is not None


def _wallet(value: bytes) -> str:
    return to_checksum_address(value) if len(value) == 20 else ""
