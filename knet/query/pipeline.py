"""One question through the network: route -> ask -> verify -> merge -> answer; what happened at each node is told."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256

from ..chain.base import Deployment
from ..codec import Cid, encode
from ..content.base import BlockSource
from ..errors import KnetError
from ..http import HttpClient
from ..index.lexical import Statistics, tokens
from ..index.shard import Vectors
from ..records import (
    Answer,
    Evidence,
    NodeStatus,
    Passage,
    Provenance,
    Record,
    SearchRequest,
    Sentence,
    Space,
)
from .answer import UNKNOWN, Writer, extract, generate, is_found, numbered
from .ask import DEADLINE_SECONDS, Reply, ask_nodes
from .merge import RETRIEVERS, Ranked, merge
from .private import Shelf, search_fetched
from .route import pooled_statistics, route
from .verify import Checked, Nonces, Question, verify_reply
from .view import NodeView

ASKED = 5  # nodes a question goes to; keeps about 98 % of central recall at 100 nodes (docs/papers.md)
PASSAGES = 8
MAX_K = 64

OnStatus = Callable[[NodeStatus], None]


class Options(Record, frozen=True):
    """How to ask. ``ask`` bounds the nodes asked (0: all); ``nodes`` restricts them by id."""

    k: int = PASSAGES
    ask: int = ASKED
    nodes: list[int] = []
    private: bool = False
    deadline: float = DEADLINE_SECONDS
    retrievers: list[str] = list(RETRIEVERS)
    collapse: bool = True
    min_reliability: float = 0.0


class Found(Record, frozen=True):
    """What the nodes gave, merged: the evidence an answer is written from."""

    passages: list[Passage]
    statuses: list[NodeStatus]
    receipts: list[Evidence]
    requests: list[SearchRequest]


class Asker:
    """Runs questions against a view of the network."""

    def __init__(self, http: HttpClient, deployment: Deployment, client: bytes) -> None:
        self._http = http
        self._deployment = deployment
        self._client = client
        self._nonces = Nonces()
        self._shelf = Shelf()

    def find(
        self,
        question: str,
        views: Mapping[int, NodeView],
        vectors: Mapping[Cid, Vectors],
        options: Options,
        source_for: Callable[[NodeView], BlockSource],
        on_status: OnStatus | None = None,
    ) -> tuple[Found, Statistics]:
        """The merged passages, and the term statistics they were scored with. A node's failings never raise."""
        routes = route(question, vectors, _eligible(views.values(), options))
        chosen = routes[: options.ask or None]
        statuses = {r.node: _status(views[r.node], "skipped", why=r.why) for r in routes}
        why = {r.node: r.why for r in chosen}

        def note(status: NodeStatus) -> None:
            statuses[status.node] = status
            if on_status is not None:
                on_status(status)

        asked = [views[r.node] for r in chosen]
        if options.private:
            hits = self._fetch(question, asked, vectors, options, source_for, why, note)
            receipts: dict[int, Evidence] = {}
            requests = _requests(question, asked, vectors, options.k, self._client)
        else:
            requests = _requests(question, asked, vectors, options.k, self._client)
            hits, receipts = self._ask(asked, requests, vectors, options, why, note)
        statistics = pooled_statistics(views.values(), tokens(question))
        ranked = merge(
            question,
            hits,
            {view.entry.node: view.card.space for view in asked},
            statistics,
            {view.entry.node: view.reputation for view in asked},
            k=options.k,
            retrievers=options.retrievers,
            collapse=options.collapse,
        )
        return _found(ranked, views, list(statuses.values()), receipts, list(requests.values())), statistics

    def _ask(
        self,
        asked: Sequence[NodeView],
        requests: Mapping[Cid, SearchRequest],
        vectors: Mapping[Cid, Vectors],
        options: Options,
        why: Mapping[int, str],
        note: OnStatus,
    ) -> tuple[list[Checked], dict[int, Evidence]]:
        by_node = {view.entry.node: view for view in asked}
        questions = {space: self._question(request, options.k) for space, request in requests.items()}
        hits: list[Checked] = []
        receipts: dict[int, Evidence] = {}

        def take(reply: Reply) -> None:
            view = by_node[reply.node]
            if reply.reply is None:
                note(_status(view, reply.status, reply=reply, detail=reply.detail, why=why[reply.node]))
                return
            space = view.card.space
            try:
                checked, evidence = verify_reply(reply.reply, view, questions[space], vectors.get(space), self._nonces)
            except KnetError as error:
                detail = f"{type(error).__name__}: {error}"
                note(_status(view, "unverified", reply=reply, detail=detail, why=why[reply.node]))
                return
            hits.extend(checked)
            receipts[reply.node] = evidence
            note(_status(view, "success", reply=reply, hits=len(checked), why=why[reply.node]))

        async def collect() -> None:
            targets = [(view, requests[view.card.space]) for view in asked]
            async for reply in ask_nodes(self._http, targets, options.deadline):
                take(reply)

        self._http.run(collect())
        return hits, receipts

    def _question(self, request: SearchRequest, k: int) -> Question:
        return Question(
            digest=sha256(encode(request)).digest(),
            client=self._client,
            k=k,
            chain_id=self._deployment.chain_id,
            contract=self._deployment.reliability,
        )

    def _fetch(
        self,
        question: str,
        asked: Sequence[NodeView],
        vectors: Mapping[Cid, Vectors],
        options: Options,
        source_for: Callable[[NodeView], BlockSource],
        why: Mapping[int, str],
        note: OnStatus,
    ) -> list[Checked]:
        hits: list[Checked] = []
        for view in asked:
            started = time.perf_counter()
            vector = vectors.get(view.card.space)
            node = view.entry.node
            try:
                if vector is None or view.entry.head is None:
                    raise KnetError("its space has no embedder here.")
                collection = self._shelf.load(view.entry.head.manifest, source_for(view))
                found = search_fetched(collection, view, question, vector, options.k)
            except KnetError as error:
                note(_status(view, "error", detail=str(error), why=why[node]))
                continue
            hits += found
            reply = Reply(node=node, milliseconds=round((time.perf_counter() - started) * 1000, 2))
            note(_status(view, "success", reply=reply, hits=len(found), detail="searched here", why=why[node]))
        return hits


def _eligible(views: Iterable[NodeView], options: Options) -> list[NodeView]:
    return [
        view
        for view in views
        if (not options.nodes or view.entry.node in options.nodes)
        and view.reputation.mean >= options.min_reliability
        and view.card.chunks > 0
    ]


def _requests(
    question: str, asked: Sequence[NodeView], vectors: Mapping[Cid, Vectors], k: int, client: bytes
) -> dict[Cid, SearchRequest]:
    """One request a space, so that the same bytes go to every node of it."""
    requests = {}
    for space in {view.card.space for view in asked}:
        vector = vectors.get(space)
        requests[space] = SearchRequest(
            question=question,
            client=client,
            salt=secrets.token_bytes(16),
            k=k,
            space=space,
            vector=b"" if vector is None else vector.astype("<f4").tobytes(),
        )
    return requests


def _status(
    view: NodeView, status: str, *, reply: Reply | None = None, hits: int = 0, detail: str = "", why: str = ""
) -> NodeStatus:
    return NodeStatus(
        node=view.entry.node,
        title=view.card.title,
        status=status,
        hits=hits,
        milliseconds=reply.milliseconds if reply else 0.0,
        detail=detail,
        why=why,
    )


def _found(
    ranked: Sequence[Ranked],
    views: Mapping[int, NodeView],
    statuses: list[NodeStatus],
    receipts: Mapping[int, Evidence],
    requests: list[SearchRequest],
) -> Found:
    order = {node: index for index, node in enumerate(receipts)}
    return Found(
        passages=[_passage(item, views[item.checked.node], order.get(item.checked.node)) for item in ranked],
        statuses=statuses,
        receipts=list(receipts.values()),
        requests=requests,
    )


def _passage(item: Ranked, view: NodeView, receipt: int | None) -> Passage:
    hit, document = item.checked.hit, item.checked.document
    assert view.entry.head is not None
    return Passage(
        text=hit.text,
        start=hit.start,
        end=hit.end,
        title=document.title,
        uri=document.uri,
        licence=document.licence,
        score=round(item.score, 6),
        scores=item.scores,
        reliability=view.reputation,
        sources=item.sources,
        provenance=Provenance(
            node=item.checked.node,
            manifest=item.checked.manifest,
            document=item.checked.document_cid,
            shard=hit.shard,
            chunk=hit.chunk,
            path=hit.path,
            vector=hit.vector,
            receipt=receipt,
        ),
    )


def write_answer(
    question: str,
    found: Found,
    statistics: Statistics,
    *,
    writer: Writer | None,
    writer_name: str,
    spaces: list[Space],
    deployment: Deployment,
    started: float,
    private: bool,
) -> Answer:
    """The answer over the merged passages: extractive, or by a chat model when there is one."""
    sentences: list[Sentence] = []
    if is_found(question, found.passages, statistics):
        sentences = (
            generate(question, found.passages, writer)
            if writer is not None
            else extract(question, found.passages, statistics)
        )
    return Answer(
        question=question,
        found=bool(sentences),
        text=numbered(sentences) if sentences else UNKNOWN,
        sentences=sentences,
        passages=found.passages,
        nodes=found.statuses,
        receipts=found.receipts,
        requests=found.requests,
        spaces=spaces,
        chain_id=deployment.chain_id,
        contract=deployment.reliability,
        time=int(time.time()),
        milliseconds=round((time.perf_counter() - started) * 1000, 2),
        private=private,
        writer=writer_name,
    )
