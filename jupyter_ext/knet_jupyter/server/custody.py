"""The chain of custody of one passage: from the quoted span to the transaction that published it."""

from __future__ import annotations

from knet.chain.receipts import recover
from knet.client.network import Network
from knet.codec import Cid
from knet.content.base import get_record
from knet.errors import ConfigError, KnetError
from knet.records import Answer, Document, Head, Passage, Record

CONTEXT = 400  # characters of the document shown on each side of a span: about a paragraph


class CustodySpan(Record, frozen=True):
    """The passage in the document's canonical text, with its context."""

    start: int
    end: int
    exact: str
    before: str = ""
    after: str = ""
    problem: str = ""  # the reason for a missing context


class CustodyDocument(Record, frozen=True):
    """The document, and its place in the node's manifest."""

    document: Cid
    uri: str
    title: str
    licence: str
    manifest: Cid
    shard: int
    chunk: int
    proof: int  # hashes from the passage to the shard's root


class CustodyPublication(Record, frozen=True):
    """The transaction that made the manifest its node's head; empty if the chain holds none."""

    transaction: str = ""
    block: int = 0
    time: int = 0
    sequence: int = 0
    newest: bool = False
    problem: str = ""


class CustodyReceipt(Record, frozen=True):
    """The receipt with which the node signed for the passage; without one, only ``problem`` is set."""

    signer: str = ""
    issued_at: int = 0
    results: str = ""
    signature: str = ""
    problem: str = ""


class Custody(Record, frozen=True):
    """The provenance of one passage of an answer, step by step."""

    passage: int
    node: int
    title: str
    owner: str
    endpoint: str
    chain_id: int
    registry: str
    span: CustodySpan
    held: CustodyDocument
    published: CustodyPublication
    signed: CustodyReceipt


def custody(network: Network, answer: Answer, number: int) -> Custody:
    """Return the chain of custody of passage ``number`` (from 1). A step that cannot be read now gives its ``problem``.

    Raises ConfigError for a number without a passage.
    """
    if not 1 <= number <= len(answer.passages):
        raise ConfigError(f"The answer has no passage {number}.")
    passage = answer.passages[number - 1]
    where = passage.provenance
    try:
        view = network.view(where.node)
    except KnetError:
        view = None
    held = CustodyDocument(
        document=where.document,
        uri=passage.uri,
        title=passage.title,
        licence=passage.licence,
        manifest=where.manifest,
        shard=where.shard,
        chunk=where.chunk,
        proof=len(where.path),
    )
    return Custody(
        passage=number,
        node=where.node,
        title=view.card.title if view else "",
        owner=view.entry.owner if view else "",
        endpoint=view.entry.endpoint if view else "",
        chain_id=network.chain.deployment.chain_id,
        registry=network.chain.deployment.manifests,
        span=_span(network, passage),
        held=held,
        published=_published(network, passage),
        signed=_signed(network, answer, passage),
    )


def _span(network: Network, passage: Passage) -> CustodySpan:
    span = CustodySpan(start=passage.start, end=passage.end, exact=passage.text)
    try:
        source = network.source_of(passage.provenance.node)
        document = get_record(source, passage.provenance.document, Document)
        text = source.get(document.text).decode(errors="replace")
    except KnetError as error:
        return CustodySpan(start=span.start, end=span.end, exact=span.exact, problem=str(error))
    if text[passage.start : passage.end] != passage.text:
        problem = "The document has another text at this span."
        return CustodySpan(start=span.start, end=span.end, exact=span.exact, problem=problem)
    return CustodySpan(
        start=span.start,
        end=span.end,
        exact=span.exact,
        before=text[max(0, passage.start - CONTEXT) : passage.start],
        after=text[passage.end : passage.end + CONTEXT],
    )


def _published(network: Network, passage: Passage) -> CustodyPublication:
    try:
        heads = network.chain.manifests.heads(passage.provenance.node)
    except KnetError as error:
        return CustodyPublication(problem=str(error))
    found: Head | None = next((head for head in heads if head.manifest == passage.provenance.manifest), None)
    if found is None:
        return CustodyPublication(problem="The chain does not know this manifest.")
    return CustodyPublication(
        transaction=found.transaction,
        block=found.block,
        time=found.time,
        sequence=found.sequence,
        newest=found == heads[-1],
    )


def _signed(network: Network, answer: Answer, passage: Passage) -> CustodyReceipt:
    number, node = passage.provenance.receipt, passage.provenance.node
    if number is None:
        return CustodyReceipt(
            problem="Searched on this machine in fetched shards: no node was asked, so no node signed."
        )
    if not 0 <= number < len(answer.receipts):
        return CustodyReceipt(problem="The answer names a receipt that it does not hold.")
    signed, deployment = answer.receipts[number].signed, network.chain.deployment
    try:
        signer = recover(signed, deployment.chain_id, deployment.reliability)
        wallet = network.chain.identity.signer_of(node)
    except KnetError as error:
        return CustodyReceipt(problem=str(error))
    if signer != wallet:  # every signature gives some address, and another one on another network
        return CustodyReceipt(problem=f"Not signed for node {node} on this network: the signature gives {signer}.")
    return CustodyReceipt(
        signer=signer,
        issued_at=signed.receipt.issued_at,
        results="0x" + signed.receipt.results.hex(),
        signature="0x" + signed.signature.hex(),
    )
