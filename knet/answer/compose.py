"""Composition of the answer from the evidence of a query: merged passages, written sentences and all proofs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ..config import Deployment
from ..index.lexical import Statistics, tokens
from ..records import Answer, NodeStatus, Passage, Provenance, Sentence
from ..routing.node_view import NodeView
from ..routing.router import pooled_statistics
from ..search.merge import RankedPassage, merge
from ..search.session import QuerySession
from .writer import EXTRACTIVE, UNKNOWN, Writer, extract, generate, is_found, numbered


def compose(
    inquiry: QuerySession,
    deployment: Deployment,
    started: float,
    *,
    writer: Writer | None = None,
    writer_name: str = EXTRACTIVE,
    further: Sequence[NodeStatus] = (),
) -> Answer:
    """Return the answer from the evidence of a query session.

    ``started`` is the `time.perf_counter` at its start; ``further`` are the statuses of nodes that were unavailable.
    """
    statistics = inquiry.statistics or pooled_statistics(inquiry.views.values(), tokens(inquiry.question))
    passages = _passages(inquiry, statistics)
    sentences: list[Sentence] = []
    problem = ""
    if is_found(inquiry.question, passages, statistics):
        try:
            sentences = generate(inquiry.question, passages, writer) if writer else []
        except Exception as error:  # models raise errors of any kind, which must not lose the passages
            writer, writer_name = None, EXTRACTIVE
            problem = f"the chat model failed ({type(error).__name__}: {error}), so the answer quotes instead."
        if writer is None:
            sentences = extract(inquiry.question, passages, statistics)
    return Answer(
        question=inquiry.question,
        found=bool(sentences),
        text=numbered(sentences) if sentences else UNKNOWN,
        sentences=sentences,
        passages=passages,
        nodes=[*inquiry.statuses.values(), *further],
        receipts=list(inquiry.receipts.values()),
        requests=list(inquiry.requests.values()),
        spaces=list({view.card.space: view.space for view in inquiry.asked}.values()),
        chain_id=deployment.chain_id,
        contract=deployment.reliability,
        time=int(time.time()),
        milliseconds=round((time.perf_counter() - started) * 1000, 2),
        private=inquiry.options.private,
        writer=writer_name,
        problem=problem,
    )


def _passages(inquiry: QuerySession, statistics: Statistics) -> list[Passage]:
    ranked = merge(
        inquiry.question,
        inquiry.hits,
        {view.entry.node: view.card.space for view in inquiry.asked},
        statistics,
        {view.entry.node: inquiry.beliefs.get(view.entry.node, view.reputation) for view in inquiry.asked},
        k=inquiry.options.k,
        retrievers=inquiry.options.retrievers,
        collapse=inquiry.options.collapse,
        verdicts=inquiry.verdicts,
        known=inquiry.known,
        further=inquiry.further,
        closer=inquiry.closer,
    )
    receipts = {node: index for index, node in enumerate(inquiry.receipts)}
    return [_passage(item, inquiry.views, receipts) for item in ranked]


def _passage(item: RankedPassage, views: Mapping[int, NodeView], receipts: Mapping[int, int]) -> Passage:
    checked = item.checked
    hit, document = checked.hit, checked.document
    return Passage(
        text=hit.text,
        start=hit.start,
        end=hit.end,
        title=document.title,
        uri=document.uri,
        licence=document.licence,
        score=round(item.score, 6),
        scores=item.scores,
        shares=item.shares,
        reliability=views[checked.node].reputation,
        sources=item.sources,
        provenance=Provenance(
            node=checked.node,
            manifest=checked.manifest,
            document=checked.document_cid,
            shard=hit.shard,
            chunk=hit.chunk,
            path=hit.path,
            vector=hit.vector,
            receipt=receipts.get(checked.node),
        ),
    )
