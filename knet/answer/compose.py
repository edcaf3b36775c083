"""Composition of the answer from the evidence of a query: ranked passages, written sentences and all proofs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from ..config import Deployment
from ..limits import cut
from ..records import Answer, Passage, Provenance, Sentence
from ..routing.node_view import NodeView
from ..search.merge import RankedPassage
from ..search.session import QuerySession
from .derivation import derivation_of
from .writer import EXTRACTIVE, NOT_FOUND, Writer, generate, numbered, write


def compose(
    session: QuerySession,
    ranked: Sequence[RankedPassage],
    deployment: Deployment,
    started: float,
    *,
    writer: Writer | None = None,
    writer_name: str = EXTRACTIVE,
) -> Answer:
    """Return the answer over a session's ranked passages. ``started`` is the session's `time.perf_counter`."""
    question, selection = session.query.question, session.selection
    receipts = {node: index for index, node in enumerate(session.receipts)}
    passages = [_passage(item, selection.views, receipts) for item in ranked]
    written = write(question, passages, selection.statistics)
    sentences: list[Sentence] = []
    problem = ""
    if written.confidence.grade != NOT_FOUND:
        try:
            sentences = generate(question, passages, writer, written.confidence, written.conflicts) if writer else []
        except Exception as error:  # models raise errors of any kind, which must not lose the passages
            writer, writer_name = None, EXTRACTIVE
            problem = f"the chat model failed ({type(error).__name__}: {error}), so the answer quotes instead."
        if writer is None:
            sentences = written.sentences
    conflicts = written.conflicts if sentences else []
    return Answer(
        question=question,
        found=bool(sentences),
        text=numbered(sentences, conflicts),
        sentences=sentences,
        passages=passages,
        nodes=[*session.statuses.values(), *selection.unavailable],
        receipts=list(session.receipts.values()),
        requests=list(session.requests.values()),
        spaces=list({view.card.space: view.space for view in session.asked}.values()),
        chain_id=deployment.chain_id,
        contract=deployment.reliability,
        time=int(time.time()),
        milliseconds=round((time.perf_counter() - started) * 1000, 2),
        private=session.query.options.private,
        writer=writer_name[:128],
        problem=cut(problem),
        derivation=derivation_of(session, ranked, receipts),
        confidence=written.confidence,
        conflicts=conflicts,
    )


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
