"""Sync of a node's state with its sources: read changed items, embed new chunks, delete what the sources no longer
list, and account for every file.

Work is committed in batches. After an interruption the next run continues at the last batch. A text is embedded once:
vectors are stored by space and text.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from knet.codec import Cid, cid_of, decode, encode, to_json
from knet.embed.base import Embedder, Vectors
from knet.embed.load import is_bulk
from knet.errors import SecretsFound, TransportError
from knet.index.shard import encode_vector
from knet.records import Record, Space

from ..node import Node, Progress, quiet
from ..state import ItemRow, State
from .account import UNFINISHED, Account, make_account, store_account
from .executor import LOCAL, Executor, check_executor, open_executor
from .listing import ListedItem, Lister, is_file
from .prepare import Outcome, PreparedItem, ReadJob
from .secret_scan import RULES, SecretScan, refuse_secrets
from .sites import SiteMemory

BATCH_CHUNKS = 512  # read, embedded and committed together
EMBED_BATCH = 256  # some seconds of embedding on a CPU, the work that a crash may lose
BATCH_ITEMS = 64  # one fsync for many small items


class SyncReport(Record, frozen=True):
    """The result of a sync. Counts are items, except ``chunks`` (all there are now) and ``embedded`` (texts, this
    time).
    """

    added: int
    changed: int
    removed: int
    unchanged: int
    skipped: list[tuple[str, str]]  # uri or source, and the reason
    chunks: int
    embedded: int
    seconds: float
    account: Account


class SyncPlan(Record, frozen=True):
    """The effect that a sync would have, without a reading of the items: their uris.

    ``left_out`` has kinds, places and rules with their numbers of files, ``failures`` sources and parts that cannot be
    listed.
    """

    added: list[str]
    changed: list[str]
    removed: list[str]
    unchanged: int
    left_out: list[tuple[str, int]]
    failures: list[tuple[str, str]]


def never(source: str, documents: int) -> bool:
    """Refuse to empty a source."""
    return False


def sync(
    node: Node,
    *,
    progress: Progress = quiet,
    retry: bool = False,
    executor: str = LOCAL,
    may_empty: Callable[[str, int], bool] = never,
) -> SyncReport:
    """Index what changed. ``retry`` also reads skipped items that did not change.

    ``executor`` names the executor of the heavy work: ``local``, or ``ray`` and ``ray://HOST:PORT`` for a Ray cluster.
    The cluster is contacted only when something changed. A source that cannot be listed, and an item that cannot be
    read, are skipped with the reason. ``may_empty`` decides about a source, given with its number of documents, that
    lists none of them any more: a disk that is not mounted looks like that. Documents that seem to hold secrets are
    withheld. With any of them, the sync ends in SecretsFound, and the node publishes nothing. Raises NodeBusy,
    ModelNotFound and StoreError, and what `open_executor` raises.
    """
    check_executor(executor)
    with node.lock("sync"), node.open_state() as state:
        return _Sync(node, state, progress, may_empty).run(retry, executor)


def plan_sync(node: Node, *, progress: Progress = quiet) -> SyncPlan:
    """Return the effect that a sync would have, and change nothing. Raises StoreError."""
    with node.open_state() as state:
        return _Sync(node, state, progress, never).plan()


class _Batch(NamedTuple):
    """Items ready for the state, and the missing vectors of their texts, in parts."""

    items: list[PreparedItem]
    parts: list[tuple[list[bytes], Callable[[], Vectors]]]
    space: Cid


class _Sync:
    def __init__(self, node: Node, state: State, progress: Progress, may_empty: Callable[[str, int], bool]) -> None:
        self.node = node
        self.state = state
        self.progress = progress
        self.known = state.items()
        self.incomplete = {
            item for item, text in state.texts() if not node.store.has(text)
        }  # their blocks were deleted
        self.skipped: dict[str, str] = {}
        self.secrets: dict[str, tuple[str, str]] = {}  # uri -> name and findings
        self.sites = SiteMemory(state)
        self.lister = Lister(node.config, self.known, may_empty, progress, self.sites)
        self.kept: set[str] = set()  # uris that could not be fetched now
        self.bulk_embedder: Embedder | None = None
        self.pending: deque[_Batch] = deque()
        self.added = self.changed = self.embedded = self.to_embed = 0

    def run(self, retry: bool, executor: str) -> SyncReport:
        started = time.monotonic()
        self.state.put_meta(UNFINISHED, b"1")
        listed = self._list()
        self.sites.save()
        space = self._stored_space()
        todo = self._todo(listed, space, retry)
        if todo:
            self.progress("model", 0, 0)
            embedder = self.node.embedder_for(len(todo))
            self.bulk_embedder = embedder if is_bulk(len(todo)) else None
            if embedder.space != space:
                todo = self._todo(listed, self._store_space(embedder.space), retry)
            with open_executor(executor, self.node.config.model) as opened:
                try:
                    self._read(todo, embedder, opened)
                finally:
                    self.sites.save()
        vanished = self.lister.vanished()
        with self.state.transaction():
            self.state.remove(vanished)
        scan = SecretScan(rules=RULES, documents=[found for _, found in sorted(self.secrets.items())])
        account = self._account()
        with self.state.transaction():
            self.state.put_meta("secrets", to_json(scan).encode())
            store_account(self.state, account)
            self.state.drop_meta(UNFINISHED)
        refuse_secrets(scan)
        return SyncReport(
            removed=len(vanished),
            added=self.added,
            changed=self.changed,
            unchanged=len(listed.keys() - self.skipped.keys()) - self.added - self.changed,
            skipped=sorted(self.skipped.items()),
            chunks=self.state.counts()[1],
            embedded=self.embedded,
            seconds=time.monotonic() - started,
            account=account,
        )

    def plan(self) -> SyncPlan:
        listed = self._list()
        todo = {entry.item.uri for entry in self._todo(listed, self._stored_space(), retry=False)}
        left_out = Counter(item.left_out for item in self.lister.seen if item.left_out)
        for listing in self.lister.listings:
            left_out.update(listing.left_out)
        return SyncPlan(
            added=sorted(todo - self.known.keys()),
            changed=sorted(todo & self.known.keys()),
            removed=sorted(self.lister.vanished()),
            unchanged=len(listed.keys() - todo),
            left_out=left_out.most_common(),
            failures=sorted(self.lister.failures),
        )

    def _account(self) -> Account:
        return make_account(
            int(time.time()),
            self.lister.seen,
            self.state.items(),
            self.state.notes(),
            self.lister.listings,
            withheld=self.secrets,
            kept=self.kept,
            failures=self.lister.failures,
        )

    # --- listing ---------------------------------------------------------------------------------------------------

    def _list(self) -> dict[str, ListedItem]:
        listed = self.lister.run()
        self.skipped.update(self.lister.conflicts | dict(self.lister.failures))
        return listed

    def _stored_space(self) -> Space | None:
        """Return the space of the configured model at the last sync, without loading the model."""
        if self.state.meta("model") != self.node.config.model.encode():
            return None
        return decode(self.state.meta("space"), Space)

    def _store_space(self, space: Space) -> Space:
        with self.state.transaction():
            self.state.put_meta("model", self.node.config.model.encode())
            self.state.put_meta("space", encode(space))
        return space

    def _todo(self, listed: dict[str, ListedItem], space: Space | None, retry: bool) -> list[ListedItem]:
        name = cid_of(space).raw if space else b""
        todo = []
        for entry in listed.values():
            known = self.known.get(entry.item.uri)
            same = known is not None and (known.fingerprint, known.space) == (entry.fingerprint, name)
            if known is None or not same or known.uri in self.incomplete or (known.reason and retry):
                todo.append(entry)
            elif known.reason:
                self.skipped[entry.item.uri] = known.reason
        return todo

    # --- reading and embedding -------------------------------------------------------------------------------------

    def _read(self, todo: list[ListedItem], embedder: Embedder, executor: Executor) -> None:
        cut = self.node.chunker(embedder.space)
        jobs = (self._job(entry, embedder.space) for entry in todo)
        batch: list[PreparedItem] = []
        for done, (job, outcome) in enumerate(executor.prepare(jobs, embedder, cut)):
            self.progress("read", done, len(todo))
            if ready := self._prepared(job, outcome):
                batch.append(ready)
            if len(batch) >= BATCH_ITEMS or sum(len(ready.passages) for ready in batch) >= BATCH_CHUNKS:
                self._begin(batch, embedder, executor)
                batch = []
        self._begin(batch, embedder, executor)
        self._commit(all_but=0)
        self.progress("read", len(todo), len(todo))

    def _job(self, entry: ListedItem, space: Space) -> ReadJob:
        uri, name = entry.item.uri, cid_of(space).raw
        known = self.known.get(uri)
        return ReadJob(
            item=entry.item,
            row=ItemRow(uri=uri, source=entry.source, fingerprint=entry.fingerprint, space=name),
            licence=self.node.config.licence,
            known=list(self.state.documents(uri)) if known else [],
            recut=known is None or known.space != name,
            path=entry.item.title if is_file(entry.item) else "",
            allowed=self.lister.is_allowed(entry.item),
        )

    def _prepared(self, job: ReadJob, outcome: Outcome) -> PreparedItem | None:
        """Count the item, or record why it was skipped. Return its new state, None when the old one stays."""
        if isinstance(outcome, PreparedItem):
            self.added += not job.known
            self.changed += bool(job.known) and [old.cid for old in job.known] != [new.cid for new in outcome.documents]
            return outcome
        row, reason = job.row, str(outcome)
        self.skipped[row.uri] = reason
        if isinstance(outcome, SecretsFound):
            self.secrets[row.uri] = outcome.documents[0]
            return PreparedItem(row=replace(row, reason=reason, fingerprint=""))  # the next sync scans it again
        if not isinstance(outcome, TransportError):
            return PreparedItem(row=replace(row, reason=reason))
        if job.known and not job.recut:
            self.kept.add(row.uri)
            return None  # the item exists but cannot be fetched now: the documents read before stay
        return PreparedItem(row=replace(row, reason=reason, fingerprint=""))  # the next sync tries again

    def _begin(self, items: list[PreparedItem], embedder: Embedder, executor: Executor) -> None:
        """Start to embed a batch's texts, and commit earlier batches beyond the executor's `max_pending`."""
        if not items:
            return
        space = cid_of(embedder.space)
        passages = {digest: text for ready in items for digest, text in ready.passages.items()}
        pending = {digest for batch in self.pending for digests, _ in batch.parts for digest in digests}
        known = self.state.vectors(space, list(passages)).keys() | pending
        missing = [digest for digest in passages if digest not in known]
        self.to_embed += len(missing)
        if is_bulk(len(missing)) and not self.bulk_embedder:  # a single item may be a whole book
            self.bulk_embedder = self.node.embedder_for(len(missing))
        parts = []
        for first in range(0, len(missing), EMBED_BATCH):
            some = missing[first : first + EMBED_BATCH]
            texts = [passages[digest] for digest in some]
            parts.append((some, executor.embed(self.bulk_embedder or embedder, texts, self._embedded)))
        self.pending.append(_Batch(items, parts, space))
        self._commit(all_but=executor.max_pending)

    def _commit(self, *, all_but: int) -> None:
        """Wait for the oldest batches and commit them, in order."""
        while len(self.pending) > all_but:
            batch = self.pending.popleft()
            for digests, wait in batch.parts:
                self.state.add_vectors(batch.space, zip(digests, map(encode_vector, wait()), strict=True))
            with self.node.store.batch():
                for block in (block for ready in batch.items for block in ready.blocks):
                    self.node.store.put(block)
            with self.state.transaction():
                for ready in batch.items:
                    self.state.replace(ready.row, ready.documents, ready.notes)

    def _embedded(self, texts: int) -> None:
        self.embedded += texts
        self.progress("embed", self.embedded, self.to_embed)
