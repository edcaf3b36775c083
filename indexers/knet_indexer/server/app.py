"""A node's HTTP service: search with proofs and receipts, publications, status and metrics."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from math import ceil
from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Request, Response

from knet import __version__
from knet.codec import Cid
from knet.content.layered import FallbackSource
from knet.errors import CodecError, KnetError, NodeBusy, SpaceMismatch, TooLarge
from knet.records import SearchReply, SearchRequest
from knet.routing.service_status import ServiceStatus

from ..node import Node
from ..publication.publish import publish_due
from . import audits, negotiation, openapi
from .agent_card import registration
from .audits import NodeAuditor
from .bandwidth import BandwidthLimiter
from .changes import changes_since
from .gateway import gateway_router
from .head import MAX_INTEGER, HeadWatcher, PublishedSnapshot, check_request
from .metrics import MEDIA_TYPE as METRICS_TYPE
from .metrics import Metrics
from .problems import add_problem_handlers
from .rate_limit import TokenBuckets, client_key
from .ratings import RatingKeeper, ratings_router
from .responses import ManifestReply

WITHDRAWAL_SECONDS = 60.0  # between two searches for removed documents whose grace time is over
POLL_SECONDS = 1.0  # until a publication is served; the check reads one row of SQLite
SEARCH_THREADS = 2  # numpy and FAISS share the cores among themselves
INLINE_SEARCH_CHUNKS = 2000  # a search of fewer takes less time than a hand-over to a thread
BURST_SECONDS = 6  # of a client's rate at once: a notebook that runs from its top asks every question in a burst
PACED_PATHS = ("/ipfs/", "/v1/card", "/v1/manifest", "/v1/changes")  # searches have their own limit
MAX_QUEUED = 64  # a longer queue would exceed its clients' deadlines

log = logging.getLogger("knet.node")

Skipped = Annotated[int, Query(ge=0, le=MAX_INTEGER, description="Number of changes on earlier pages.")]
Sequence = Annotated[int, Query(ge=0, le=MAX_INTEGER, description="Sequence number of the follower; 0: none.")]


class Service:
    """The state that the routes of one node share."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.metrics = Metrics()
        self.ratings = RatingKeeper(node)
        self.watcher = HeadWatcher(node, self._on_change)
        self.pool = ThreadPoolExecutor(SEARCH_THREADS, "knet-search")
        self.waiting = 0
        self.metrics.waiting.set_function(lambda: self.waiting)
        rate = node.config.rate
        self.buckets = TokenBuckets(rate, BURST_SECONDS * rate) if rate else None

    def _on_change(self, snapshot: PublishedSnapshot) -> None:
        manifest = snapshot.collection.manifest
        self.metrics.sequence.set(manifest.sequence)
        self.metrics.documents.set(manifest.documents)
        self.metrics.chunks.set(manifest.chunks)

    @property
    def snapshot(self) -> PublishedSnapshot:
        """The published head. Answers 503 while there is none."""
        if self.watcher.current is None:
            raise HTTPException(503, "This node has published nothing yet.", {"Retry-After": "5"})
        return self.watcher.current

    @property
    def public_snapshot(self) -> PublishedSnapshot:
        """The published head of a public collection. Answers 403 for others."""
        snapshot = self.snapshot
        if snapshot.collection.manifest.access != "public":
            raise HTTPException(403, "This node's collection is open only under an agreement with its owner.")
        return snapshot

    def serves(self, cid: Cid) -> bool:
        """Return whether the gateway may serve a block."""
        head = self.watcher.current
        published = head is not None and cid in head.blocks and cid not in self.watcher.withheld
        return published or self.ratings.has(cid)

    def check_rate(self, request: Request) -> None:
        """Answer 429 to a client address above its rate. Programs on this machine have no limit."""
        client = client_key(request.client.host if request.client else "")
        if self.buckets is not None and client and (wait := self.buckets.take(client)):
            detail = f"This node answers {self.node.config.rate:g} searches a second for each client."
            raise HTTPException(429, detail, {"Retry-After": str(ceil(wait))})

    @property
    def status(self) -> ServiceStatus:
        """The state of the node for clients."""
        head = self.watcher.current
        manifest = head.collection.manifest if head else None
        return ServiceStatus(
            ready=head is not None,
            manifest=head.entry.manifest if head else None,
            sequence=manifest.sequence if manifest else 0,
            documents=manifest.documents if manifest else 0,
            chunks=manifest.chunks if manifest else 0,
            searches=self.metrics.answered,
            sync=self.watcher.account.counts if self.watcher.account else None,
        )

    async def search(self, request: SearchRequest) -> SearchReply:
        """Answer one search, in a thread unless it is quick. Raises NodeBusy beyond `MAX_QUEUED`."""
        check_request(request)
        snapshot = self.public_snapshot
        if self.waiting >= MAX_QUEUED:
            raise NodeBusy("this node has too many searches waiting.", hint="Ask again in a second.")
        if request.vector and len(snapshot.collection) < INLINE_SEARCH_CHUNKS and not self.node.config.index:
            return snapshot.answer(request, self.watcher.withheld)
        self.waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.pool, snapshot.answer, request, self.watcher.withheld)
        finally:
            self.waiting -= 1

    async def audit(self) -> None:
        """Audit ratings, and publish leaves for raters that are offline."""
        await asyncio.sleep(audits.FIRST_SECONDS)
        auditor = NodeAuditor(self.node, self.ratings)
        try:
            while True:
                await asyncio.to_thread(auditor.run)
                await asyncio.sleep(audits.AUDIT_SECONDS)
        finally:
            auditor.close()

    async def withdraw(self) -> None:
        """Publish without the text of removed documents when their grace time is over."""
        while True:
            await asyncio.sleep(WITHDRAWAL_SECONDS)
            try:
                await asyncio.to_thread(publish_due, self.node)
            except KnetError as error:
                log.warning("node %s: removed documents could not be withdrawn: %s", self.node.name, error)

    async def watch(self) -> None:
        """Serve every later publication."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await asyncio.to_thread(self.watcher.refresh)
            self.metrics.set_account(self.watcher.account)


def search_outcome(error: Exception) -> str:
    """Return the metric label of a search that failed."""
    if isinstance(error, NodeBusy):
        return "busy"
    if isinstance(error, HTTPException) and error.status_code == 429:
        return "limited"
    return "refused" if isinstance(error, CodecError | SpaceMismatch | TooLarge | HTTPException) else "failed"


def create_app(node: Node) -> FastAPI:
    """Return the node's web application. It serves the published head, and a newer one within `POLL_SECONDS`."""
    service = Service(node)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.watcher.refresh)
        service.metrics.set_account(service.watcher.account)
        tasks = [asyncio.create_task(work) for work in (service.watch(), service.audit(), service.withdraw())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        service.pool.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(
        title=f"knet node: {node.name}",
        description=node.config.description,
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # its page would load scripts from other sites
        redoc_url=None,
    )
    add_problem_handlers(app)
    _add_search(app, service)
    _add_publication(app, service)
    _add_operations(app, service)
    app.include_router(ratings_router(service.ratings, service.check_rate))
    app.include_router(gateway_router(FallbackSource(node.store, service.ratings), service.serves))
    if node.config.bandwidth:
        app.add_middleware(BandwidthLimiter, mebibytes=node.config.bandwidth, paths=PACED_PATHS)
    openapi.describe(app)
    return app


def _add_search(app: FastAPI, service: Service) -> None:
    @app.post("/v1/search", **openapi.SEARCH)
    async def search(request: Request) -> Response:
        started = time.perf_counter()
        outcome = "failed"
        try:
            service.check_rate(request)
            encoding = negotiation.request_encoding(request)
            question = negotiation.parse(await negotiation.read_body(request), SearchRequest, encoding)
            response = negotiation.reply(request, await service.search(question), encoding)
            outcome = "ok"
            return response
        except (KnetError, HTTPException) as error:
            outcome = search_outcome(error)
            raise
        finally:
            service.metrics.count(outcome)
            service.metrics.seconds.observe(time.perf_counter() - started)


def _add_publication(app: FastAPI, service: Service) -> None:
    @app.get("/v1/card", **openapi.CARD)
    async def card(request: Request) -> Response:
        return negotiation.reply(request, service.snapshot.collection.card)

    @app.get("/v1/manifest", **openapi.MANIFEST)
    async def manifest(request: Request) -> Response:
        head = service.snapshot
        tag = f'"{head.entry.manifest}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        view = ManifestReply(cid=head.entry.manifest, manifest=head.collection.manifest)
        response = negotiation.reply(request, view)
        response.headers["ETag"] = tag
        return response

    @app.get("/v1/changes", **openapi.CHANGES)
    async def changes(request: Request, since: Sequence = 0, skip: Skipped = 0) -> Response:
        snapshot = service.public_snapshot
        return await asyncio.to_thread(
            lambda: negotiation.reply(request, changes_since(service.node, snapshot, since, skip))
        )

    @app.get("/.well-known/agent-registration.json", **openapi.REGISTRATION)
    async def agent_registration() -> Response:
        return Response(registration(service.node, service.snapshot.entry.node), media_type=negotiation.JSON)


def _add_operations(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", **openapi.HEALTH)
    async def healthz() -> Response:
        return Response("ok\n", media_type="text/plain")

    @app.get("/readyz", **openapi.HEALTH)
    async def readyz() -> Response:
        return Response(f"serving {service.snapshot.entry.manifest}\n", media_type="text/plain")

    @app.get("/v1/status", **openapi.STATUS)
    async def status(request: Request) -> Response:
        return negotiation.reply(request, service.status)

    @app.get("/metrics", **openapi.METRICS)
    async def metrics() -> Response:
        return Response(service.metrics.render(), media_type=METRICS_TYPE)
