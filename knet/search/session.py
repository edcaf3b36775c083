"""Session of one query: collects verified hits from nodes that are asked, or from shards that are fetched."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from hashlib import sha256

from ..codec import Cid, encode
from ..config import Deployment
from ..content.base import BlockSource
from ..dsi.model import Model
from ..errors import Cancelled, KnetError
from ..http import HttpClient
from ..index.collection import Collection
from ..limits import cut
from ..records import Evidence, NodeStatus, SearchRequest
from ..routing.node_view import NodeView
from ..routing.options import OnSelected, OnStatus
from ..routing.origins import Admission, OriginBudget
from ..routing.query import Query, Selection
from .copies import prepare
from .merge import NO_FEATURES, NO_FEEDBACK, Features, Feedback
from .private import FutureCache, search_fetched
from .transport import Reply, ask_nodes, elapsed_ms
from .verify_reply import Question, ReplayGuard, VerifiedHit, request_salt, verify_reply

MAX_FETCHED_SHARDS = 512  # about half a gigabyte of vectors a node: what a stranger may put on this disk and memory
FETCH_SECONDS = 60.0  # private mode waits no longer for a node's collection: 100 MB at 13 Mbit/s
CANCEL_SECONDS = 0.05  # between checks whether the query was cancelled


@dataclass
class QuerySession:
    """One query, the nodes selected for it, and what has been collected so far.

    ``models`` are the De-DSI models in memory, by node. ``on_selected`` is called with the nodes about to be asked,
    ``on_status`` with each node's outcome; setting ``cancel`` ends the session.
    """

    query: Query
    selection: Selection
    feedback: Feedback = NO_FEEDBACK
    features: Features = NO_FEATURES
    models: Mapping[int, Sequence[Model]] = field(default_factory=dict)
    on_status: OnStatus | None = None
    on_selected: OnSelected | None = None
    cancel: threading.Event | None = None
    statuses: dict[int, NodeStatus] = field(default_factory=dict)
    hits: list[VerifiedHit] = field(default_factory=list)
    contested: frozenset[int] = frozenset()  # indices of hits that depend on the block of their first publication
    receipts: dict[int, Evidence] = field(default_factory=dict)
    requests: dict[Cid, SearchRequest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._route = {route.node: route for route in self.selection.routes}
        for route in self.selection.routes:
            self._set(route.node, "skipped")
        self.nonce = secrets.token_bytes(16)
        nodes = [view.entry.node for view in self.asked]
        for space in {view.card.space for view in self.asked}:
            self.requests[space] = SearchRequest(
                question=self.query.question,
                client=self.query.client,
                salt=request_salt(self.nonce, space, nodes),
                k=self.query.options.k,
                space=space,
                vector=self.query.vectors[space].astype("<f4").tobytes(),
            )

    @property
    def asked(self) -> list[NodeView]:
        """The nodes to ask, best first."""
        return [self.selection.views[route.node] for route in self.selection.routes[: self.selection.asked]]

    def begin(self) -> None:
        """Announce the nodes that are about to be asked. Raises Cancelled."""
        self.check()
        if self.on_selected is not None:
            self.on_selected([self.statuses[view.entry.node] for view in self.asked])

    def check(self) -> None:
        """Raise Cancelled if the query was cancelled."""
        if self.cancel is not None and self.cancel.is_set():
            raise Cancelled("The question was withdrawn.")

    def _set(self, node: int, status: str, *, hits: int = 0, milliseconds: float = 0.0, detail: str = "") -> None:
        self.statuses[node] = NodeStatus(
            node=node,
            title=self.selection.views[node].card.title,
            status=status,
            hits=hits,
            milliseconds=milliseconds,
            detail=cut(detail),
            why=self._route[node].why,
            evidence=self._route[node].evidence,
        )

    def note(self, node: int, status: str, milliseconds: float, *, hits: int = 0, detail: str = "") -> None:
        """Record the outcome of one node, and announce it."""
        self._set(node, status, hits=hits, milliseconds=milliseconds, detail=detail)
        if self.on_status is not None:
            self.on_status(self.statuses[node])


class Collector:
    """Collector of replies and fetched collections, one for the life of a client.

    It remembers receipts, so that none is accepted twice, and keeps fetched collections in memory.
    """

    def __init__(self, http: HttpClient, deployment: Deployment, budget: OriginBudget | None = None) -> None:
        self._http = http
        self._budget = budget or OriginBudget(None)
        self._deployment = deployment
        self._replay_guard = ReplayGuard()
        self._collections = FutureCache(Collection.load)

    def ask(self, session: QuerySession) -> None:
        """Ask every selected node at once, and keep only what verifies. A node's failures never raise.

        Raises Cancelled.
        """
        session.begin()
        self._http.run(_unless_cancelled(session, self._ask(session)))

    async def _ask(self, session: QuerySession) -> None:
        questions = {space: self._question(request) for space, request in session.requests.items()}
        targets: list[tuple[NodeView, SearchRequest]] = []
        for view in session.asked:
            if self._budget.admit(view.entry) is Admission.ADMITTED:
                targets.append((view, session.requests[view.card.space]))
            else:
                session.note(view.entry.node, "error", 0.0, detail=self._budget.refusal(view.entry))
        try:
            async for reply in ask_nodes(self._http, targets, session.query.options.node_timeout):
                view = session.selection.views[reply.node]
                self._take(session, reply, view, questions[view.card.space])
        finally:
            for view, _ in targets:
                self._budget.settle(view.entry)

    def _take(self, session: QuerySession, reply: Reply, view: NodeView, question: Question) -> None:
        if reply.reply is None:
            self._budget.failed(view.entry, reason=reply.detail, reached=reply.reached, strike=False)
            session.note(reply.node, reply.status, reply.milliseconds, detail=reply.detail)
            return
        try:
            vector = session.query.vectors[view.card.space]
            checked, evidence = verify_reply(reply.reply, view, question, vector, self._replay_guard)
        except KnetError as error:
            self._budget.failed(view.entry, strike=False)
            detail = f"{type(error).__name__}: {error}"
            session.note(reply.node, "unverified", reply.milliseconds, detail=detail)
            return
        self._budget.served(view.entry)
        session.hits += checked
        prepare(checked)
        session.receipts[reply.node] = evidence
        session.note(reply.node, "success", reply.milliseconds, hits=len(checked))

    def _question(self, request: SearchRequest) -> Question:
        return Question(
            digest=sha256(encode(request)).digest(),
            salt=request.salt,
            client=request.client,
            k=request.k,
            chain_id=self._deployment.chain_id,
            contract=self._deployment.reliability,
        )

    def fetch(self, session: QuerySession, source_for: Callable[[NodeView], BlockSource]) -> None:
        """Fetch the selected nodes' published shards, all at once, and search them here: no node learns the question.

        A collection that takes longer than `FETCH_SECONDS` is left out of this answer, and goes on being fetched.
        Raises Cancelled.
        """
        session.begin()
        started = time.perf_counter()
        views: dict[Future[Collection], NodeView] = {}
        for view in session.asked:
            assert view.entry.head is not None  # only nodes with a head have a view
            if len(view.manifest.shards) > MAX_FETCHED_SHARDS:
                detail = f"{len(view.manifest.shards)} shards are more than private search fetches"
                session.note(view.entry.node, "error", elapsed_ms(started), detail=detail)
                continue
            views[self._collections.load(view.entry.head.manifest, source_for(view))] = view
        waiting = dict(views)
        for future in _arriving(session, views):
            self._search(session, waiting.pop(future), future, started)
        for view in waiting.values():
            detail = f"its collection did not arrive within {FETCH_SECONDS:g} s; it is still being fetched"
            session.note(view.entry.node, "timeout", elapsed_ms(started), detail=detail)

    def _search(self, session: QuerySession, view: NodeView, fetched: Future[Collection], started: float) -> None:
        try:
            models = session.models.get(view.entry.node, ())
            found = search_fetched(fetched.result(), view, session.query, models)
        except KnetError as error:
            session.note(view.entry.node, "error", elapsed_ms(started), detail=f"{type(error).__name__}: {error}")
            return
        session.hits += found
        session.note(view.entry.node, "success", elapsed_ms(started), hits=len(found), detail="searched here")


async def _unless_cancelled(session: QuerySession, work: Coroutine[None, None, None]) -> None:
    task = asyncio.create_task(work)
    try:
        while not task.done():
            session.check()
            await asyncio.wait([task], timeout=None if session.cancel is None else CANCEL_SECONDS)
        await task
    finally:
        task.cancel()


def _arriving(session: QuerySession, futures: Mapping[Future[Collection], NodeView]) -> Iterator[Future[Collection]]:
    """Yield fetched collections as they arrive, for `FETCH_SECONDS` at most."""
    waiting, deadline = set(futures), time.monotonic() + FETCH_SECONDS
    while waiting and (left := deadline - time.monotonic()) > 0:
        session.check()
        pause = left if session.cancel is None else min(left, CANCEL_SECONDS)
        arrived, waiting = wait(waiting, timeout=pause, return_when=FIRST_COMPLETED)
        yield from arrived
