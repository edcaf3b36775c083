"""Reading blocks from wherever they are: this machine, gateways, the nodes of a network, a Kubo daemon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from .chain.evm import open_chain
from .codec import RAW, Cid, decode, decode_plain, to_json
from .config import Profile, home
from .content.base import BlockSource
from .content.bundle import Bundle
from .content.gateway import GatewaySource
from .content.kubo import KuboStore
from .content.layered import Layered
from .content.store import FileStore
from .errors import ChainError, CodecError
from .http import HttpClient
from .records import Card, Document, Lexical, Manifest, Shard, Space

AT_ONCE = 16  # nodes: who has the block is not known, and of many nodes some are always away
KINDS = (Space, Document, Shard, Lexical, Card, Manifest, Bundle)


@contextmanager
def sources(profile: Profile | None, gateways: Sequence[str] = (), nodes: Sequence[int] = ()) -> Iterator[Layered]:
    """The blocks kept here, then ``gateways``, then the profile's gateways, nodes (or only ``nodes``) and daemon.

    What is fetched is checked and kept here. Without a profile, only ``gateways`` are asked.
    """
    with ExitStack() as stack:
        found: list[BlockSource] = []
        if gateways:  # named by the user, not read from the chain: they may be on this machine
            found.append(GatewaySource(stack.enter_context(HttpClient(addresses="private")), gateways))
        if profile is not None:
            http = stack.enter_context(HttpClient(addresses=profile.addresses))
            found.append(GatewaySource(http, [*profile.gateways, *_endpoints(profile, nodes)], at_once=AT_ONCE))
            if profile.kubo:
                daemon = KuboStore(profile.kubo)
                stack.callback(daemon.close)
                found.append(daemon)
        yield Layered(FileStore(profile.path("blocks") if profile else home() / "blocks"), *found)


def _endpoints(profile: Profile, nodes: Sequence[int]) -> list[str]:
    """Where nodes with a publication answer, as far as the chain can be asked."""
    try:
        known = open_chain(profile).directory().nodes
    except ChainError:  # a gateway may have the block all the same
        return []
    return [entry.endpoint for entry in known.values() if entry.head and (not nodes or entry.node in nodes)]


def record_json(cid: Cid, block: bytes) -> str:
    """A record's block as JSON. Raises CodecError for a block that is no record of knet."""
    plain = decode_plain(block) if cid.codec != RAW else None
    tag = plain.get("type") if isinstance(plain, dict) else None
    for kind in KINDS:
        if kind.__struct_config__.tag == tag:
            return to_json(decode(block, kind))
    raise CodecError(f"{cid} is no record of knet.", hint="Leave out --json to get its bytes.")
