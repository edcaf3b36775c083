"""Verification of a stored answer from its own bytes, IPFS and the chain, without trust in the client or the nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..chain.receipts import recover
from ..codec import Cid, cid_of, encode
from ..content.base import BlockSource, get_record
from ..embed.base import Embedder
from ..errors import (
    AuthorsWord,
    BlockTampered,
    ChainError,
    ContentError,
    KnetError,
    NotRegistered,
    SpaceError,
    SpaceMismatch,
    TransportError,
    VerificationError,
)
from ..index.collection import results_root
from ..index.shard import decode_vector
from ..merkle import included
from ..records import Answer, Citation, Document, Evidence, Manifest, Passage, SearchRequest, Space, chunk_leaf
from ..search.first_published import FirstPublished
from ..search.verify_reply import VerifiedHit, cosine_of, query_digest
from .derivation import check_complete, check_judged, check_order, check_sources, check_written, is_not_found
from .report import Check, CheckKind, VerificationReport
from .writer import EXTRACTIVE, numbered, quoted_text

if TYPE_CHECKING:
    from ..chain.evm import EvmChain

TEXT_COSINE = 0.995  # backends of one space agree to 0.9995; other text falls far below
SCORE_TOLERANCE = 2e-3


def verify_answer(
    answer: Answer,
    chain: EvmChain,
    source_for: Callable[[int], BlockSource],
    embedder_for: Callable[[Space], Embedder] | None = None,
    first_published: FirstPublished | None = None,
) -> VerificationReport:
    """Check every claim of an answer again.

    ``source_for(node)`` reads blocks. ``embedder_for(space)`` computes embeddings again to compare vectors with texts;
    without it those claims are left out. ``first_published`` remembers publications that the chain showed.
    """
    known = first_published or FirstPublished(chain.manifests.published_in)
    return VerificationReport(checks=list(_checks(answer, chain, source_for, embedder_for, known)))


def _checks(
    answer: Answer,
    chain: EvmChain,
    source_for: Callable[[int], BlockSource],
    embedder_for: Callable[[Space], Embedder] | None,
    first_published: FirstPublished,
) -> Iterator[Check]:
    yield _check(CheckKind.QUESTION, "answer", partial(_question, answer))
    if embedder_for is not None:
        for request in answer.requests:
            matches = partial(_question_vector, answer, request, embedder_for)
            yield _check(CheckKind.QUESTION_VECTOR, f"space {request.space}", matches)
    for number, evidence in enumerate(answer.receipts, 1):
        node = evidence.signed.receipt.node
        subject = f"receipt {number} of node {node}"
        signed = partial(_receipt, answer, evidence, chain)
        yield _check(CheckKind.RECEIPT, subject, signed, receipt=number, node=node)
    for number, passage in enumerate(answer.passages, 1):
        node = passage.provenance.node
        subject = f"passage {number} of node {node}"
        for kind, holds in _passage_claims(answer, passage, chain, source_for(node), embedder_for):
            yield _check(kind, subject, holds, passage=number, node=node)
    yield _check(CheckKind.ANSWER_TEXT, "answer", partial(_answer_text, answer))
    block_of = partial(_first_block, answer, chain, source_for, first_published)
    for kind, holds in _derivation_claims(answer, block_of):
        yield _check(kind, "answer", holds)
    if answer.writer != EXTRACTIVE and not _is_not_found(answer):
        detail = f"{answer.writer!r} wrote it: only a reader can tell whether its sentences say what the spans do."
        yield Check(kind=CheckKind.WORDING, claim=CheckKind.WORDING.claim, subject="answer", ok=None, detail=detail)
    for number, sentence in enumerate(answer.sentences, 1):
        for citation in sentence.citations:
            quotes = partial(_citation, answer, citation)
            yield _check(
                CheckKind.CITATION, f"sentence {number}", quotes, sentence=number, passage=citation.passage + 1
            )


def _derivation_claims(
    answer: Answer, block_of: Callable[[VerifiedHit], int]
) -> Iterator[tuple[CheckKind, Callable[[], None]]]:
    if answer.writer == EXTRACTIVE:
        yield CheckKind.DERIVED, partial(check_written, answer)
    yield CheckKind.ORDER, partial(check_order, answer, block_of)
    yield CheckKind.SOURCES, partial(check_sources, answer)
    yield CheckKind.COMPLETE, partial(check_complete, answer)


def _is_not_found(answer: Answer) -> bool:
    try:
        return not answer.found and is_not_found(answer)
    except (VerificationError, ValueError, ArithmeticError):
        return False


def _passage_claims(
    answer: Answer,
    passage: Passage,
    chain: EvmChain,
    source: BlockSource,
    embedder_for: Callable[[Space], Embedder] | None,
) -> Iterator[tuple[CheckKind, Callable[[], None]]]:
    yield CheckKind.COVERED, partial(_covered, answer, passage)
    yield CheckKind.ON_CHAIN, partial(_on_chain, answer, passage, chain)
    yield CheckKind.IN_MANIFEST, partial(_in_manifest, passage, source)
    yield CheckKind.EXACT_TEXT, partial(_exact_text, passage, source)
    yield CheckKind.SIMILARITY, partial(_similarity, answer, passage, source)
    if embedder_for is not None:
        yield CheckKind.TEXT_VECTOR, partial(_text_vector, passage, source, embedder_for)


def _check(kind: CheckKind, subject: str, require: Callable[[], None], **numbers: int) -> Check:
    """Run ``require``, which raises for a claim that does not hold; ``numbers`` are those of the check."""
    ok, detail = _outcome(require)
    return Check(kind=kind, claim=kind.claim, subject=subject, ok=ok, detail=detail, **numbers)


def _outcome(require: Callable[[], None]) -> tuple[bool | None, str]:
    try:
        require()
    except (BlockTampered, NotRegistered, SpaceMismatch) as error:
        return False, str(error)
    except AuthorsWord as error:
        return None, str(error)
    except (ContentError, TransportError, ChainError, SpaceError) as error:  # a source that cannot be reached now
        return None, str(error)
    except KnetError as error:
        return False, str(error)
    except (ValueError, ArithmeticError) as error:  # vectors of impossible sizes: the answer is untrusted input
        return False, f"malformed: {error}."
    return True, ""


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise VerificationError(problem)


def _question(answer: Answer) -> None:
    others = [request.question for request in answer.requests if request.question != answer.question]
    _require(not others, f"the nodes were asked something else: {others[:1]}.")
    if not answer.receipts:
        raise AuthorsWord("the author's word: no node signed a receipt for the question.")


def _question_vector(answer: Answer, request: SearchRequest, embedder_for: Callable[[Space], Embedder]) -> None:
    space = next((space for space in answer.spaces if cid_of(space) == request.space), None)
    _require(space is not None, "the answer does not hold the space.")
    assert space is not None
    again = embedder_for(space).encode([request.question], query=True)[0]
    cosine = float(again @ np.frombuffer(request.vector, "<f4"))
    _require(
        abs(1 - cosine) <= 1 - TEXT_COSINE, f"the question's vector is not that of its text (cosine {cosine:.4f})."
    )


def _receipt(answer: Answer, evidence: Evidence, chain: EvmChain) -> None:
    receipt = evidence.signed.receipt
    signer = recover(evidence.signed, answer.chain_id, answer.contract)
    request = next((r for r in answer.requests if query_digest(encode(r)) == receipt.query), None)
    _require(request is not None, "for another question.")
    assert request is not None
    _require(results_root(evidence.leaves, request.salt) == receipt.results, "its leaves do not give the signed root.")
    _same_network(answer, chain)
    _require(
        signer == chain.identity.signer_of(receipt.node),
        f"signed by {signer}, which does not sign for node {receipt.node}.",
    )


def _same_network(answer: Answer, chain: EvmChain) -> None:
    """Raise ChainError for an answer of another network, about which this chain holds no evidence."""
    here = (chain.deployment.chain_id, chain.deployment.reliability.lower())
    if (answer.chain_id, answer.contract.lower()) != here:
        raise ChainError(f"of another network: chain {answer.chain_id}, contract {answer.contract}.")


def _leaf(passage: Passage) -> bytes:
    where = passage.provenance
    return chunk_leaf(where.document, passage.start, passage.end, passage.text, where.vector)


def _covered(answer: Answer, passage: Passage) -> None:
    where = passage.provenance
    if where.receipt is None:
        _require(answer.private, "no receipt, though the node was asked.")
        raise AuthorsWord("no node signed this passage: the author searched published collections in private.")
    _require(0 <= where.receipt < len(answer.receipts), "names a receipt that is not there.")
    evidence = answer.receipts[where.receipt]
    _require(evidence.signed.receipt.node == where.node, "the receipt is of another node.")
    _require(evidence.signed.receipt.manifest == where.manifest.digest, "the receipt is for another manifest.")
    _require(_leaf(passage) in evidence.leaves, "the signed receipt does not cover this passage.")


def _on_chain(answer: Answer, passage: Passage, chain: EvmChain) -> None:
    _same_network(answer, chain)
    where = passage.provenance
    published = {head.manifest for head in chain.manifests.heads(where.node)}
    _require(where.manifest in published, f"node {where.node} never published manifest {where.manifest}.")


def _in_manifest(passage: Passage, source: BlockSource) -> None:
    where = passage.provenance
    manifest = get_record(source, where.manifest, Manifest)
    _require(manifest.node == where.node, f"the manifest is of node {manifest.node}.")
    _require(0 <= where.shard < len(manifest.shards), "names a shard that is not there.")
    ref = manifest.shards[where.shard]
    proven = included(_leaf(passage), where.chunk, ref.count, where.path, ref.root)
    _require(proven, "the manifest does not contain this passage.")
    _require(not any(cut.start <= where.chunk < cut.stop for cut in ref.removed), "its owner had removed it.")


def _first_block(
    answer: Answer,
    chain: EvmChain,
    source_for: Callable[[int], BlockSource],
    first_published: FirstPublished,
    found: VerifiedHit,
) -> int:
    """Return the block of the chain in which a hit is known to be first published."""
    _same_network(answer, chain)
    hit, source = found.hit, source_for(found.node)
    manifest = get_record(source, found.manifest, Manifest)
    head = next((head for head in chain.manifests.heads(found.node) if head.manifest == found.manifest), None)
    ref = manifest.shards[hit.shard] if 0 <= hit.shard < len(manifest.shards) else None
    leaf = chunk_leaf(found.document_cid, hit.start, hit.end, hit.text, hit.vector)
    if head is None or ref is None or not included(leaf, hit.chunk, ref.count, hit.path, ref.root):
        raise VerificationError(f"a passage of node {found.node} is not proven to be in its manifest.")
    return first_published.block_of(found.node, ref, hit.text, head.block, source)


def _exact_text(passage: Passage, source: BlockSource) -> None:
    document = get_record(source, passage.provenance.document, Document)
    same = (passage.uri, passage.title, passage.licence) == (document.uri, document.title, document.licence)
    _require(same, "the document has another uri, title or licence.")
    text = source.get(document.text).decode(errors="replace")
    _require(text[passage.start : passage.end] == passage.text, "the document says something else at this span.")


def _similarity(answer: Answer, passage: Passage, source: BlockSource) -> None:
    space = _space_of(passage, source)
    vectors = [r.vector for r in answer.requests if r.space == space and r.vector]
    if not vectors:
        _require("dense" not in passage.scores, "claims a similarity, but the question has no vector in its space.")
        return
    query = np.frombuffer(vectors[0], "<f4")
    cosine = cosine_of(passage.provenance.vector, query)
    claimed = passage.scores.get("dense", cosine)
    _require(abs(cosine - claimed) <= SCORE_TOLERANCE, f"claims {claimed:.4f}; its vector gives {cosine:.4f}.")


def _text_vector(passage: Passage, source: BlockSource, embedder_for: Callable[[Space], Embedder]) -> None:
    space = get_record(source, get_record(source, passage.provenance.manifest, Manifest).space, Space)
    again = embedder_for(space).encode([passage.text])[0]
    cosine = float(again @ decode_vector(passage.provenance.vector))
    _require(cosine >= TEXT_COSINE, f"its vector is not that of its text (cosine {cosine:.4f}).")


def _space_of(passage: Passage, source: BlockSource) -> Cid:
    return cid_of(get_record(source, get_record(source, passage.provenance.manifest, Manifest).space, Space))


def _answer_text(answer: Answer) -> None:
    _require(answer.found == bool(answer.sentences), "whether it found something contradicts its sentences.")
    _require(answer.text == numbered(answer.sentences, answer.conflicts), "the text is not that of its sentences.")
    if answer.writer != EXTRACTIVE:
        check_judged(answer)
        return
    for sentence in answer.sentences:
        quoted = [" ".join(citation.exact.split()) for citation in sentence.citations]  # as earlier versions wrote
        inside = all(0 <= citation.passage < len(answer.passages) for citation in sentence.citations)
        _require(
            quoted == [sentence.text] or (inside and sentence.text == quoted_text(answer.passages, sentence.citations)),
            "a sentence differs from the spans it quotes.",
        )


def _citation(answer: Answer, citation: Citation) -> None:
    _require(0 <= citation.passage < len(answer.passages), "cites a passage that is not there.")
    passage = answer.passages[citation.passage]
    inside = passage.start <= citation.start < citation.end <= passage.end
    _require(inside, "cites a span outside its passage.")
    cited = passage.text[citation.start - passage.start : citation.end - passage.start]
    _require(cited == citation.exact, "quotes something the passage does not say.")
