"""Gathering evidence for one question: verified hits from nodes that were asked, or from shards that were fetched."""

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
from ..errors import Cancelled, ConfigError, KnetError
from ..http import HttpClient
from ..index.collection import Collection
from ..index.lexical import Statistics
from ..index.shard import Vectors
from ..records import Evidence, NodeStatus, Record, Reputation, SearchRequest
from ..routing.node_view import NodeView
from ..routing.router import Route, cutoff
from .limits import DEADLINE_SECONDS, MAX_K, MAX_QUESTION, PASSAGES, OnAsking, OnStatus
from .merge import RETRIEVERS, FeatureColumn
from .private import FutureCache, search_fetched
from .transport import Reply, ask_nodes
from .verify_reply import Question, ReplayGuard, VerifiedHit, verify_reply

MAX_FETCHED_SHARDS = 512  # about half a gigabyte of vectors a node: what a stranger may put on this disk and memory
FETCH_SECONDS = 60.0  # private mode: 100 MB at 13 Mbit/s; nobody waits longer for a node's collection

STOP_SECONDS = 0.05  # how often those who wait look whether they still should; nobody notices a longer stop


class Options(Record, frozen=True):
    """How to ask. ``ask`` is how many nodes (None: as many as matter, 0: all); ``nodes`` restricts them by id."""

    k: int = PASSAGES
    ask: int | None = None
    nodes: list[int] = []
    private: bool = False
    deadline: float = DEADLINE_SECONDS  # seconds a node
    retrievers: tuple[str, ...] = RETRIEVERS
    collapse: bool = True
    min_reliability: float = 0.0


def check_question(question: str, options: Options) -> None:
    """Raises ConfigError for a question that no node would take, and for options that mean nothing."""
    if not question.strip():
        raise ConfigError("The question is empty.")
    if len(question) > MAX_QUESTION:
        raise ConfigError(f"The question has {len(question)} characters; {MAX_QUESTION} is the limit.")
    if not 1 <= options.k <= MAX_K:
        raise ConfigError(f"k lies between 1 and {MAX_K}: {options.k}.")
    if options.ask is not None and options.ask < 0:
        raise ConfigError(f"A question goes to some nodes, or with 0 to all: {options.ask}.")
    if not options.deadline > 0:
        raise ConfigError(f"A deadline is seconds above 0: {options.deadline}.")
    if not 0 <= options.min_reliability <= 1:
        raise ConfigError(f"Reliability lies between 0 and 1: {options.min_reliability}.")


@dataclass
class QuerySession:
    """One question on its way: whom to ask, and what has come of it so far."""

    question: str
    routes: list[Route]
    views: Mapping[int, NodeView]
    vectors: Mapping[Cid, Vectors]
    options: Options
    client: bytes
    verdicts: Mapping[bytes, Reputation] = field(default_factory=dict)  # the user's own, see `knet.trust.feedback`
    beliefs: Mapping[int, Reputation] = field(default_factory=dict)  # see `knet.client.trust_model`
    known: Mapping[bytes, Sequence[str]] = field(default_factory=dict)  # questions the user found passages to answer
    models: Mapping[int, Sequence[Model]] = field(default_factory=dict)  # De-DSI models that are at hand, by node
    statistics: Statistics | None = None  # over the whole network, where ``views`` are not all of it
    further: Mapping[str, FeatureColumn] = field(default_factory=dict)  # see `knet.search.merge.merge`
    closer: Mapping[str, FeatureColumn] = field(default_factory=dict)
    on_status: OnStatus | None = None
    on_asking: OnAsking | None = None
    stop: threading.Event | None = None  # set by whoever wants no answer any more
    statuses: dict[int, NodeStatus] = field(default_factory=dict)
    hits: list[VerifiedHit] = field(default_factory=list)
    receipts: dict[int, Evidence] = field(default_factory=dict)
    requests: dict[Cid, SearchRequest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._route = {route.node: route for route in self.routes}
        for route in self.routes:
            self._set(route.node, "skipped")
        for space in {view.card.space for view in self.asked}:
            self.requests[space] = SearchRequest(
                question=self.question,
                client=self.client,
                salt=secrets.token_bytes(16),
                k=self.options.k,
                space=space,
                vector=self.vectors[space].astype("<f4").tobytes(),
            )

    @property
    def asked(self) -> list[NodeView]:
        """The nodes worth asking, best first."""
        count = cutoff(self.routes) if self.options.ask is None else self.options.ask or None
        return [self.views[route.node] for route in self.routes[:count]]

    def begin(self) -> None:
        """Tell whoever watches which nodes are about to be asked. Raises Cancelled."""
        self.check()
        if self.on_asking is not None:
            self.on_asking([self.statuses[view.entry.node] for view in self.asked])

    def check(self) -> None:
        """Raises Cancelled once nobody waits for the answer any more."""
        if self.stop is not None and self.stop.is_set():
            raise Cancelled("The question was withdrawn.")

    def _set(self, node: int, status: str, *, hits: int = 0, milliseconds: float = 0.0, detail: str = "") -> None:
        self.statuses[node] = NodeStatus(
            node=node,
            title=self.views[node].card.title,
            status=status,
            hits=hits,
            milliseconds=milliseconds,
            detail=detail,
            why=self._route[node].why,
            evidence=self._route[node].evidence,
        )

    def note(self, node: int, status: str, milliseconds: float, *, hits: int = 0, detail: str = "") -> None:
        """Record what became of one node, and tell whoever watches."""
        self._set(node, status, hits=hits, milliseconds=milliseconds, detail=detail)
        if self.on_status is not None:
            self.on_status(self.statuses[node])


class Collector:
    """Runs inquiries. One for the life of a client: it remembers receipts and keeps fetched collections."""

    def __init__(self, http: HttpClient, deployment: Deployment) -> None:
        self._http = http
        self._deployment = deployment
        self._nonces = ReplayGuard()
        self._shelf = FutureCache(Collection.load)

    def ask(self, inquiry: QuerySession) -> None:
        """Ask every chosen node at once; only what verifies is kept. A node's failings never raise.

        Raises Cancelled.
        """
        inquiry.begin()
        self._http.run(_unless_stopped(inquiry, self._ask(inquiry)))

    async def _ask(self, inquiry: QuerySession) -> None:
        questions = {space: self._question(request) for space, request in inquiry.requests.items()}
        targets = [(view, inquiry.requests[view.card.space]) for view in inquiry.asked]
        async for reply in ask_nodes(self._http, targets, inquiry.options.deadline):
            view = inquiry.views[reply.node]
            self._take(inquiry, reply, view, questions[view.card.space])

    def _take(self, inquiry: QuerySession, reply: Reply, view: NodeView, question: Question) -> None:
        if reply.reply is None:
            inquiry.note(reply.node, reply.status, reply.milliseconds, detail=reply.detail)
            return
        try:
            vector = inquiry.vectors[view.card.space]
            checked, evidence = verify_reply(reply.reply, view, question, vector, self._nonces)
        except KnetError as error:
            detail = f"{type(error).__name__}: {error}"
            inquiry.note(reply.node, "unverified", reply.milliseconds, detail=detail)
            return
        inquiry.hits += checked
        inquiry.receipts[reply.node] = evidence
        inquiry.note(reply.node, "success", reply.milliseconds, hits=len(checked))

    def _question(self, request: SearchRequest) -> Question:
        return Question(
            digest=sha256(encode(request)).digest(),
            salt=request.salt,
            client=request.client,
            k=request.k,
            chain_id=self._deployment.chain_id,
            contract=self._deployment.reliability,
        )

    def fetch(self, inquiry: QuerySession, source_for: Callable[[NodeView], BlockSource]) -> None:
        """Fetch the chosen nodes' published shards, all at once, and search them here: no node learns the question.

        A collection that takes longer than `FETCH_SECONDS` is left out of this answer, and goes on being fetched.
        Raises Cancelled.
        """
        inquiry.begin()
        started = time.perf_counter()
        views: dict[Future[Collection], NodeView] = {}
        for view in inquiry.asked:
            assert view.entry.head is not None  # only nodes with a head have a view
            if len(view.manifest.shards) > MAX_FETCHED_SHARDS:
                detail = f"{len(view.manifest.shards)} shards are more than private search fetches"
                inquiry.note(view.entry.node, "error", _since(started), detail=detail)
                continue
            views[self._shelf.load(view.entry.head.manifest, source_for(view))] = view
        waiting = dict(views)
        for future in _arriving(inquiry, views):
            self._search(inquiry, waiting.pop(future), future, started)
        for view in waiting.values():
            detail = f"its collection did not arrive within {FETCH_SECONDS:g} s; it is still being fetched"
            inquiry.note(view.entry.node, "timeout", _since(started), detail=detail)

    def _search(self, inquiry: QuerySession, view: NodeView, fetched: Future[Collection], started: float) -> None:
        try:
            vector, models = inquiry.vectors[view.card.space], inquiry.models.get(view.entry.node, ())
            found = search_fetched(fetched.result(), view, inquiry.question, vector, inquiry.options.k, models)
        except KnetError as error:
            inquiry.note(view.entry.node, "error", _since(started), detail=f"{type(error).__name__}: {error}")
            return
        inquiry.hits += found
        inquiry.note(view.entry.node, "success", _since(started), hits=len(found), detail="searched here")


async def _unless_stopped(inquiry: QuerySession, work: Coroutine[None, None, None]) -> None:
    task = asyncio.create_task(work)
    try:
        while not task.done():
            inquiry.check()
            await asyncio.wait([task], timeout=None if inquiry.stop is None else STOP_SECONDS)
        await task
    finally:
        task.cancel()


def _arriving(inquiry: QuerySession, futures: Mapping[Future[Collection], NodeView]) -> Iterator[Future[Collection]]:
    """Fetched collections as they arrive, for `FETCH_SECONDS` at most."""
    waiting, deadline = set(futures), time.monotonic() + FETCH_SECONDS
    while waiting and (left := deadline - time.monotonic()) > 0:
        inquiry.check()
        pause = left if inquiry.stop is None else min(left, STOP_SECONDS)
        arrived, waiting = wait(waiting, timeout=pause, return_when=FIRST_COMPLETED)
        yield from arrived


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
