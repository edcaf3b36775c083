"""Derivation of an answer again from its own record: written sentences, ranking, and completeness.

Proofs show that each passage is published. They do not show that the sentences, the order of the passages and the nodes
beside them follow from the replies. So a reader writes and ranks again from `Derivation` and compares. A claim that
depends on knowledge of the author alone raises AuthorsWord.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from ..codec import Cid, encode
from ..derivation import Candidate, Derivation, NodeBelief, Place
from ..errors import AuthorsWord, VerificationError
from ..index.analyser import tokens
from ..index.lexical import Statistics
from ..index.sentences import sentences
from ..records import (
    Answer,
    Document,
    Evidence,
    Hit,
    Reputation,
    SearchRequest,
    chunk_leaf,
)
from ..routing.options import Options
from ..routing.query import Query, Reliabilities, Selection
from ..search.copies import contested
from ..search.merge import RANKING, RankedPassage, merge
from ..search.session import QuerySession
from ..search.verify_reply import VerifiedHit, cosines_of, query_digest, request_salt, words_of
from ..trust.reliability import passage_key
from .writer import WRITING, Written, is_found, write

MAX_CANDIDATES = 128  # hits held beside the passages, 2 kB each: ten nodes give fewer
MAX_RERANKED = 2048  # hits that a reader ranks again; more take minutes
LARGEST = 1e12  # of counts, so that no arithmetic of a reader overflows
TOLERANCE = 2e-3  # of scores and shares: recorded with 4 decimals, from vectors of another machine
SAME_PROBABILITY = 2e-3  # recorded with 3 decimals
BLANK = Document(uri="", text=Cid.of(b""))  # ranking does not read the document
UNRATED = Reputation()
NO_PLACE = Place(shard=-1, chunk=-1, path=[])


# --- the author's side -------------------------------------------------------------------------------------------


def derivation_of(session: QuerySession, ranked: Sequence[RankedPassage], receipts: Mapping[int, int]) -> Derivation:
    """Return the inputs of an answer beside its passages; ``receipts`` holds the index of each node's receipt."""
    query, selection = session.query, session.selection
    believed = {hit.node: selection.reliability.get(hit.node, UNRATED) for hit in session.hits}
    beliefs = [
        NodeBelief(node=node, positive=known.positive, negative=known.negative, count=known.count)
        for node, known in sorted(believed.items())
        if known != UNRATED
    ]
    return Derivation(
        writer=WRITING,
        ranking=RANKING,
        statistics=selection.statistics.record(tokens(query.question)),
        asked=sorted(view.entry.node for view in session.asked),
        nonce=session.nonce,
        candidates=_candidates(session, ranked, receipts),
        beliefs=beliefs,
        published=[[hit.block or 0 for hit in session.hits if hit.node == node] for node in receipts],
        personal=_personal(session),
    )


def _candidates(
    session: QuerySession, ranked: Sequence[RankedPassage], receipts: Mapping[int, int]
) -> list[Candidate] | None:
    shown = {id(item.checked) for item in ranked}
    others = [(hit, index in session.contested) for index, hit in enumerate(session.hits) if id(hit) not in shown]
    if len(others) > MAX_CANDIDATES or any(hit.node not in receipts for hit in session.hits):
        return None
    return [
        Candidate(
            receipt=receipts[each.node],
            document=each.document_cid,
            start=each.hit.start,
            end=each.hit.end,
            text=each.hit.text,
            vector=each.hit.vector,
            place=Place(shard=each.hit.shard, chunk=each.hit.chunk, path=each.hit.path) if is_contested else None,
        )
        for each, is_contested in others
    ]


def _personal(session: QuerySession) -> list[str]:
    options, feedback = session.query.options, session.feedback
    names = [*session.features.extra, *session.features.rerank]
    if options.retrievers is not None or not options.collapse:
        names.append("options")
    if feedback.ratings or feedback.answered:
        keys = (passage_key(hit.words) for hit in session.hits)
        if any(key in feedback.ratings or key in feedback.answered for key in keys):
            names.append("feedback")
    return names


# --- the reader's side: sentences --------------------------------------------------------------------------------


def check_written(answer: Answer) -> None:
    """Raise VerificationError unless the extractive writer makes these sentences of the recorded passages."""
    for number, sentence in enumerate(answer.sentences, 1):
        for citation in sentence.citations:
            if not 0 <= citation.passage < len(answer.passages):
                raise VerificationError("cites a passage that is not there.")
            passage = answer.passages[citation.passage]
            at, to = citation.start - passage.start, citation.end - passage.start
            if (at, to) not in sentences(passage.text):
                raise VerificationError(f"sentence {number} is not a whole sentence of its passage.")
    known = answer.derivation
    if known is None or known.writer != WRITING:
        version = "an earlier version" if known is None else f"version {known.writer}"
        raise AuthorsWord(f"the author's word: {version} of the writer wrote it, and version {WRITING} is here.")
    statistics = _statistics(answer, known)
    again = write(answer.question, answer.passages, statistics)
    if answer.sentences != again.sentences:
        raise VerificationError("the writer makes other sentences of these passages.")
    _check_judged(answer, again)
    unrated = [replace(passage, reliability=UNRATED) for passage in answer.passages]
    if answer.sentences != write(answer.question, unrated, statistics).sentences:
        raise AuthorsWord("the author's word: it quotes no passage of the nodes that the author distrusts.")


def check_judged(answer: Answer) -> None:
    """Raise VerificationError unless confidence and conflicts are those of the recorded passages."""
    known = answer.derivation
    if known is not None and known.writer == WRITING:
        _check_judged(answer, write(answer.question, answer.passages, _statistics(answer, known)))


def _check_judged(answer: Answer, again: Written) -> None:
    given = answer.confidence
    if given is None or abs(given.probability - again.confidence.probability) > SAME_PROBABILITY:
        raise VerificationError("the passages answer the question with another probability.")
    if given.grade != again.confidence.grade:
        raise VerificationError("the answer's grade is not that of its probability.")
    if answer.conflicts != (again.conflicts if answer.sentences else []):
        raise VerificationError("its sources disagree otherwise than it says.")


def is_not_found(answer: Answer) -> bool:
    """Return True if no passage is relevant enough to answer from, by the recorded statistics."""
    known = answer.derivation
    if known is None or known.writer != WRITING:
        return False
    return not is_found(answer.question, answer.passages, _statistics(answer, known))


def _statistics(answer: Answer, known: Derivation) -> Statistics:
    """Return the recorded statistics of the question's terms. Raises VerificationError for impossible ones."""
    given = known.statistics
    if given.df.keys() != set(tokens(answer.question)):
        raise VerificationError("the statistics are of other terms than the question's.")
    numbers = (given.chunks, given.average_length, *given.df.values())
    if not all(0 <= number <= LARGEST for number in numbers):
        raise VerificationError("the statistics are impossible numbers.")
    return Statistics.of(given)


# --- the reader's side: ranking ----------------------------------------------------------------------------------


def check_order(answer: Answer, block_of: Callable[[VerifiedHit], int]) -> None:
    """Raise VerificationError unless the recorded hits rank in this order, with these scores.

    ``block_of`` returns the block in which a hit was first published.
    """
    known, hits = _ranked_inputs(answer)
    ranked = _rank(answer, hits, known, _beliefs(known))
    if [item.checked.hit.document for item in ranked] != list(range(len(answer.passages))):
        raise VerificationError("its hits rank in another order, or others rank before them.")
    for number, (item, passage) in enumerate(zip(ranked, answer.passages, strict=True), 1):
        pairs = ((item.scores, passage.scores), (item.shares, passage.shares))
        if not (_close({"": item.score}, {"": passage.score}) and all(_close(*pair) for pair in pairs)):
            raise VerificationError(f"passage {number} has other scores.")
    _check_published(answer, hits, known, ranked, block_of)
    if known.beliefs:
        again = _rank(answer, hits, known, {})
        if [item.checked for item in again] != [item.checked for item in ranked]:
            raise AuthorsWord("the author's word: it is ranked by what the author believes about its nodes.")


def _check_published(
    answer: Answer,
    hits: Sequence[VerifiedHit],
    known: Derivation,
    ranked: Sequence[RankedPassage],
    block_of: Callable[[VerifiedHit], int],
) -> None:
    """Check the recorded blocks of first publication of texts that several nodes hold, and what follows from them."""
    blocks = {index: block_of(hits[index]) for index in sorted(contested(hits))}
    if any((hits[index].block or 0) < block for index, block in blocks.items()):
        raise VerificationError("it dates a passage before the chain shows its publication.")
    dated = [replace(hit, block=blocks.get(index)) for index, hit in enumerate(hits)]
    again = _rank(answer, dated, known, _beliefs(known))
    results = [[(item.checked.hit.document, item.sources, item.shares) for item in each] for each in (ranked, again)]
    if results[0] != results[1]:
        raise AuthorsWord("the author's word: a passage that it cites was published before by another node.")


def check_sources(answer: Answer) -> None:
    """Raise VerificationError unless the nodes that also hold each passage are those whose hits say the same."""
    known, hits = _ranked_inputs(answer)
    found = [item.sources for item in _rank(answer, hits, known, _beliefs(known))]
    for number, passage in enumerate(answer.passages, 1):
        if passage.sources != (found[number - 1] if number <= len(found) else []):
            raise VerificationError(f"other nodes hold passage {number}.")


def check_complete(answer: Answer) -> None:
    """Raise VerificationError if a signed hit or the reply of a node that was asked is left out."""
    known, hits = _ranked_inputs(answer)
    for request in answer.requests:
        if request.space is None or request.salt != request_salt(known.nonce, request.space, known.asked):
            raise VerificationError("its requests were sent to other nodes than it names.")
    replied = [evidence.signed.receipt.node for evidence in answer.receipts]
    if len(set(replied)) != len(replied) or not set(replied) <= set(known.asked):
        raise VerificationError("it holds a receipt of a node that was not asked, or two of one node.")
    if len(hits) != sum(len(evidence.leaves) for evidence in answer.receipts):
        raise VerificationError("a receipt covers passages that are left out.")
    outcomes = {status.node: status.status for status in answer.nodes}
    if {node for node in replied if outcomes.get(node) != "success"}:
        raise VerificationError("it denies that a node replied, and holds that node's receipt.")
    silent = sorted(set(known.asked) - set(replied))
    if any(outcomes.get(node) in (None, "success", "skipped") for node in silent):
        raise VerificationError(f"node {silent[0]} was asked, and its reply is left out.")
    if silent:
        raise AuthorsWord(f"the author's word: node {silent[0]} was asked and gave no valid reply.")


def _ranked_inputs(answer: Answer) -> tuple[Derivation, list[VerifiedHit]]:
    """Return the derivation and every hit, in its receipt's order. Raises AuthorsWord if they cannot be ranked."""
    known = answer.derivation
    if known is None or known.ranking != RANKING:
        version = "an earlier version" if known is None else f"version {known.ranking}"
        raise AuthorsWord(f"the author's word: {version} of the ranking made it, and version {RANKING} is here.")
    if not answer.receipts:
        raise AuthorsWord("the author's word: no node signed a reply.")
    if known.candidates is None:
        raise AuthorsWord("the author's word: it does not hold the hits that it does not show.")
    if len(known.candidates) + len(answer.passages) > MAX_RERANKED:
        raise AuthorsWord(f"the author's word: more than {MAX_RERANKED} hits are not ranked again.")
    return known, _hits(answer, known.candidates, known.published)


def _hits(answer: Answer, candidates: Sequence[Candidate], published: Sequence[Sequence[int]]) -> list[VerifiedHit]:
    """Return all hits. ``hit.document`` is the index of the passage that shows it, -1 for the others."""
    members: list[dict[bytes, tuple[int, Candidate]]] = [{} for _ in answer.receipts]
    shown = [
        Candidate(
            receipt=-1 if passage.provenance.receipt is None else passage.provenance.receipt,
            document=passage.provenance.document,
            start=passage.start,
            end=passage.end,
            text=passage.text,
            vector=passage.provenance.vector,
            place=Place(shard=passage.provenance.shard, chunk=passage.provenance.chunk, path=passage.provenance.path),
        )
        for passage in answer.passages
    ]
    for index, each in [*enumerate(shown), *((-1, each) for each in candidates)]:
        if not 0 <= each.receipt < len(members):
            raise VerificationError("a hit names a receipt that is not there.")
        leaf = chunk_leaf(each.document, each.start, each.end, each.text, each.vector)
        if leaf in members[each.receipt] or leaf not in answer.receipts[each.receipt].leaves:
            raise VerificationError("a hit is there twice, or its receipt does not cover it.")
        members[each.receipt][leaf] = index, each
    requests = {query_digest(encode(request)): request for request in answer.requests}
    if [len(blocks) for blocks in published] != [len(evidence.leaves) for evidence in answer.receipts]:
        raise VerificationError("it does not hold the blocks in which its passages were published.")
    return [
        hit
        for evidence, found, blocks in zip(answer.receipts, members, published, strict=True)
        for hit in _hits_of(
            evidence,
            [(*found[leaf], block) for leaf, block in zip(evidence.leaves, blocks, strict=True) if leaf in found],
            requests,
        )
    ]


def _hits_of(
    evidence: Evidence, found: Sequence[tuple[int, Candidate, int]], requests: Mapping[bytes, SearchRequest]
) -> list[VerifiedHit]:
    request = requests.get(evidence.signed.receipt.query)
    if request is None or request.space is None or not request.vector:
        raise VerificationError("a receipt is for a request that is not there, or has no vector.")
    cosines = cosines_of([each.vector for _, each, _ in found], np.frombuffer(request.vector, "<f4"))
    manifest = Cid.from_digest(evidence.signed.receipt.manifest)
    return [
        VerifiedHit(
            node=evidence.signed.receipt.node,
            space=request.space,
            manifest=manifest,
            document=BLANK,
            document_cid=each.document,
            hit=Hit(
                document=index, shard=place.shard, chunk=place.chunk, start=each.start, end=each.end, text=each.text,
                vector=each.vector, path=place.path, scores={},
            ),
            cosine=cosine,
            words=words_of(each.text),
            block=block,
        )
        for (index, each, block), cosine in zip(found, cosines, strict=True)
        for place in [each.place or NO_PLACE]
    ]  # fmt: skip


def _rank(
    answer: Answer, hits: Sequence[VerifiedHit], known: Derivation, beliefs: Reliabilities
) -> list[RankedPassage]:
    """Rank all hits again. Raises AuthorsWord where the author ranked by more than the record holds."""
    if known.personal:
        named = ", ".join(known.personal)
        raise AuthorsWord(f"the author's word: it is ranked by what the record does not hold ({named[:200]}).")
    limits = {request.k for request in answer.requests}
    if len(limits) != 1:
        raise VerificationError("its requests are for different numbers of passages.")
    query = Query(answer.question, {}, Options(k=limits.pop()))
    selection = Selection(routes=(), asked=0, views={}, reliability=beliefs, statistics=_statistics(answer, known))
    return merge(query, hits, selection)


def _beliefs(known: Derivation) -> Reliabilities:
    if not all(0 <= weight <= LARGEST for belief in known.beliefs for weight in (belief.positive, belief.negative)):
        raise VerificationError("a belief has impossible numbers.")
    return {
        each.node: Reputation(positive=each.positive, negative=each.negative, count=each.count)
        for each in known.beliefs
    }


def _close(numbers: Mapping[str, float], recorded: Mapping[str, float]) -> bool:
    return numbers.keys() == recorded.keys() and all(
        math.isclose(number, recorded[name], abs_tol=TOLERANCE) for name, number in numbers.items()
    )
