"""Status of a node, read from its own files, without chain or model."""

from __future__ import annotations

from knet.codec import Cid
from knet.records import Record

from ..ingest.account import UNFINISHED, Account, last_account
from ..node import Node
from ..publication import manifest_log


class NodeStatus(Record, frozen=True):
    """Summary of a node. ``node`` and ``sequence`` are 0 and ``manifest`` is None before the first publication."""

    name: str
    home: str
    address: str
    endpoint: str
    model: str
    documents: int
    chunks: int
    node: int
    sequence: int
    manifest: Cid | None
    sources: list[str]
    skipped: list[tuple[str, str]]  # uri and reason
    account: Account | None  # of the last sync
    unfinished: bool  # a sync was interrupted, or runs now


def read_status(node: Node) -> NodeStatus:
    """Return a node's status. Another process may work on the node meanwhile."""
    with node.open_state() as state:
        documents, chunks = state.counts()
        head = manifest_log.head(state)
        account, unfinished = last_account(state), bool(state.meta(UNFINISHED))
        skipped = sorted((row.uri, row.reason) for row in state.items().values() if row.reason)
    return NodeStatus(
        name=node.name,
        home=str(node.folder),
        address=node.signer.address,
        endpoint=node.config.public_endpoint,
        model=node.config.model,
        documents=documents,
        chunks=chunks,
        node=head.node if head else 0,
        sequence=head.sequence if head else 0,
        manifest=head.manifest if head else None,
        sources=[source.spec for source in node.config.sources],
        skipped=skipped,
        account=account,
        unfinished=unfinished,
    )
