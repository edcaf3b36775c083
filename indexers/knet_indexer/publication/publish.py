"""Publication: write a new manifest for the indexed documents, and make it the node's head on chain.

Shards are immutable: a publication writes shards for new documents and tombstones for removed ones. It compacts all
shards when so much is removed that rewriting costs followers less, and rewrites those that list documents whose grace
time is over (see `withdrawal`). The manifest is logged before its transaction is sent. After a crash in between, the
next publication asks the chain and continues from there.
"""

from __future__ import annotations

import time

from msgspec import UNSET
from msgspec.structs import replace

from knet.codec import Cid, cid_of, from_json
from knet.content.base import get_record, put_record
from knet.errors import BlockNotFound, IndexerError
from knet.records import Head, Manifest, Record

from ..disk_index import uses_disk_index
from ..disk_index.index import disk_index_of
from ..ingest.account import UNFINISHED, last_account
from ..ingest.secret_scan import SecretScan, refuse_secrets
from ..node import Node, Progress, quiet
from ..state import State
from . import manifest_log, withdrawal
from .dsi_models import publish_models
from .identity import Identity, ensure_registered, funded
from .manifest import ManifestDraft, draft_manifest
from .pinning import renew_pins


class PublishReport(Record, frozen=True):
    """The result of a publication. ``added``, ``removed`` and ``withdrawn`` count documents; of the latter the node
    deleted the text. ``transaction`` is empty when nothing changed. ``pins`` names the pins that were renewed without
    withdrawn text, ``unreachable`` those that may still hold it, with the reason. ``incomplete`` names the parts of
    the sources that the last sync did not read.
    """

    node: int
    sequence: int
    manifest: Cid
    documents: int
    chunks: int
    shards: int
    added: int = 0
    removed: int = 0
    compacted: bool = False
    withdrawn: int = 0
    pins: list[str] = []
    unreachable: list[str] = []
    incomplete: list[str] = []
    transaction: str = ""
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        return bool(self.transaction)


def publish(node: Node, *, progress: Progress = quiet, compact: bool = False) -> PublishReport:
    """Publish the changes since the last manifest, if there are any. ``compact`` rewrites every shard.

    The first publication registers the node's identity. Raises NodeBusy, IndexerError when a sync has not finished,
    SecretsFound when it withheld documents, StoreError, TransactionFailed and ChainUnreachable.
    """
    started = time.monotonic()
    with node.lock("publish"), node.open_state() as state:
        _check_secrets(node, state)
        report = publish_indexed(node, state, compact=compact, progress=progress)
    return finish_report(node, report, started, progress)


def publish_due(node: Node, *, progress: Progress = quiet) -> PublishReport | None:
    """Publish without the text of documents whose grace time is over. Return None when there are none.

    Also returns None while other changes wait for their publication, which withdraws these documents too. Raises as
    `publish`.
    """
    started = time.monotonic()
    with node.open_state() as state:
        if not withdrawal.due_documents(node, state).documents:
            return None
    with node.lock("publish"), node.open_state() as state:
        base, due = _base(node, state), withdrawal.due_documents(node, state).documents
        if base is None:
            return None
        if withdrawal.published_documents(node.store, base) - due != withdrawal.indexed_documents(state):
            return None
        report = publish_indexed(node, state, progress=progress)
    return finish_report(node, report, started, progress)


def finish_report(node: Node, report: PublishReport, started: float, progress: Progress) -> PublishReport:
    """Renew the pins that hold withdrawn text, and add them and the time since ``started`` to the report."""
    pins, unreachable = renew_pins(node, progress=progress)
    return replace(report, pins=pins, unreachable=unreachable, seconds=time.monotonic() - started)


def publish_indexed(node: Node, state: State, *, compact: bool = False, progress: Progress = quiet) -> PublishReport:
    """Publish under the node's lock, without a check for secrets; see `publish`."""
    progress("chain", 0, 0)
    identity = ensure_registered(node, state)
    head = identity.head
    if head is not None:
        manifest_log.confirm(state, head.manifest)
    base = _base(node, state)
    due = withdrawal.find_due(node, state, base)
    shards = base.shards if base else []
    stale = withdrawal.shards_listing(node.store, shards, due.documents)
    draft = draft_manifest(node, state, base, compact=compact, stale=stale, progress=progress, head=head)
    if uses_disk_index(draft.card.chunks):  # before the head moves: a serving process can answer from it at once
        kept = {ref.shard for number, ref in enumerate(shards) if number not in stale}
        disk_index_of(node).update(draft.shards, kept, progress, afresh=due.forgotten)
    else:
        disk_index_of(node).remove()
    models = publish_models(node, state, draft.space)
    is_head = base is not None and head is not None and cid_of(base) == head.manifest
    same = base is not None and not draft.changed and base.dsi_models == models
    if base is not None and head is not None and is_head and same:
        manifest, cid, transaction = base, head.manifest, ""
    else:
        progress("chain", 0, 0)
        if not is_head:  # another chain, or a lost state: followers there begin with every document
            draft = draft._replace(added=draft.documents, removed=[])
        manifest, cid, transaction = _send(node, state, identity, head, draft, models)
    if due.documents or (base is None and head is not None):  # a lost state may have left blocks of any document
        withdrawal.withdraw(node, state, due.documents)
    return PublishReport(
        node=identity.node,
        sequence=manifest.sequence,
        manifest=cid,
        documents=manifest.documents,
        chunks=manifest.chunks,
        shards=len(manifest.shards),
        added=len(draft.added),
        removed=len(draft.removed),
        compacted=draft.compacted,
        withdrawn=len(due.documents),
        incomplete=_incomplete(state),
        transaction=transaction,
    )


def _check_secrets(node: Node, state: State) -> None:
    """Refuse to publish what no sync has searched for secrets, or while a document with secrets is in a source."""
    stored = state.meta("secrets")
    if not stored and state.counts()[0]:
        raise IndexerError(
            f"node {node.name}: its documents were not searched for secrets.", hint="Run `knet node sync` first."
        )
    if stored:
        refuse_secrets(from_json(stored, SecretScan))


def _incomplete(state: State) -> list[str]:
    """Return the reasons why the index may lack documents of the sources."""
    account = last_account(state)
    reasons = ["the last sync did not finish: run `knet node sync` again"] if state.meta(UNFINISHED) else []
    return [*reasons, *(f"{part}: {reason}" for part, reason in (account.failures if account else []))]


def _base(node: Node, state: State) -> Manifest | None:
    """Return the last manifest of this node on any chain; its shards are valid on every chain."""
    entry = manifest_log.head(state)
    try:
        return get_record(node.store, entry.manifest, Manifest) if entry else None
    except BlockNotFound:
        return None


def _send(
    node: Node, state: State, identity: Identity, head: Head | None, draft: ManifestDraft, models: list[Cid]
) -> tuple[Manifest, Cid, str]:
    manifest = Manifest(
        node=identity.node,
        sequence=head.sequence + 1 if head else 1,
        previous=head.manifest if head else None,
        space=cid_of(draft.space),
        shards=draft.shards,
        card=cid_of(draft.card),
        documents=draft.card.documents,
        chunks=draft.card.chunks,
        time=int(time.time()),
        licence=draft.card.licence,
        access=draft.card.access,
        models=models or UNSET,
    )
    cid = put_record(node.store, manifest)
    number = manifest_log.begin(state, identity.network, manifest, draft.added, draft.removed)
    with funded(node):
        transaction = node.chain.manifests.publish(node.signer, identity.node, manifest.sequence, cid)
    manifest_log.finish(state, number)
    return manifest, cid, transaction
