"""The chain of custody of one passage: from the span that is quoted to the transaction that vouches for it."""

from __future__ import annotations

from knet.chain.receipts import recover
from knet.client.network import Network
from knet.codec import Cid
from knet.content.base import get_record
from knet.errors import ConfigError, KnetError
from knet.records import Answer, Document, Head, Passage, Record

CONTEXT = 400  # characters of the document shown around a span: a paragraph on either side


class Span(Record, frozen=True):
    """The passage in the document's canonical text, with what stands around it."""

    start: int
    end: int
    exact: str
    before: str = ""
    after: str = ""
    problem: str = ""  # why there is nothing around it


class Held(Record, frozen=True):
    """The document, and where the node's manifest holds it."""

    document: Cid
    uri: str
    title: str
    licence: str
    manifest: Cid
    shard: int
    chunk: int
    proof: int  # hashes from the passage up to the shard's root


class Published(Record, frozen=True):
    """The transaction that made the manifest its node's head; empty where the chain knows of none."""

    transaction: str = ""
    block: int = 0
    time: int = 0
    sequence: int = 0
    newest: bool = False
    problem: str = ""


class Signed(Record, frozen=True):
    """The receipt with which the node owned up to the passage; where it did not, ``problem`` alone says why."""

    signer: str = ""
    issued_at: int = 0
    results: str = ""
    signature: str = ""
    problem: str = ""


class Custody(Record, frozen=True):
    """Everything that stands behind one passage of an answer."""

    passage: int
    node: int
    title: str
    owner: str
    endpoint: str
    chain_id: int
    registry: str
    span: Span
    held: Held
    published: Published
    signed: Signed


def custody(network: Network, answer: Answer, number: int) -> Custody:
    """The chain of custody of passage ``number`` (from 1). What cannot be reached now says so in its place.

    Raises ConfigError for a passage that is not there.
    """
    if not 1 <= number <= len(answer.passages):
        raise ConfigError(f"The answer has no passage {number}.")
    passage = answer.passages[number - 1]
    where = passage.provenance
    try:
        view = network.view(where.node)
    except KnetError:
        view = None
    held = Held(
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


def _span(network: Network, passage: Passage) -> Span:
    span = Span(start=passage.start, end=passage.end, exact=passage.text)
    try:
        source = network.source_of(passage.provenance.node)
        document = get_record(source, passage.provenance.document, Document)
        text = source.get(document.text).decode(errors="replace")
    except KnetError as error:
        return Span(start=span.start, end=span.end, exact=span.exact, problem=str(error))
    if text[passage.start : passage.end] != passage.text:
        problem = "The document says something else at this span."
        return Span(start=span.start, end=span.end, exact=span.exact, problem=problem)
    return Span(
        start=span.start,
        end=span.end,
        exact=span.exact,
        before=text[max(0, passage.start - CONTEXT) : passage.start],
        after=text[passage.end : passage.end + CONTEXT],
    )


def _published(network: Network, passage: Passage) -> Published:
    try:
        heads = network.chain.manifests.heads(passage.provenance.node)
    except KnetError as error:
        return Published(problem=str(error))
    found: Head | None = next((head for head in heads if head.manifest == passage.provenance.manifest), None)
    if found is None:
        return Published(problem="The chain does not know this manifest.")
    return Published(
        transaction=found.transaction,
        block=found.block,
        time=found.time,
        sequence=found.sequence,
        newest=found == heads[-1],
    )


def _signed(network: Network, answer: Answer, passage: Passage) -> Signed:
    number, node = passage.provenance.receipt, passage.provenance.node
    if number is None:
        return Signed(problem="Searched here in fetched shards: no node was asked, so none signed.")
    if not 0 <= number < len(answer.receipts):
        return Signed(problem="The answer names a receipt that it does not hold.")
    signed, deployment = answer.receipts[number].signed, network.chain.deployment
    try:
        signer = recover(signed, deployment.chain_id, deployment.reliability)
        wallet = network.chain.identity.signer_of(node)
    except KnetError as error:
        return Signed(problem=str(error))
    if signer != wallet:  # any signature gives some address, and for another network another one
        return Signed(problem=f"Not signed for node {node} on this network: the signature gives {signer}.")
    return Signed(
        signer=signer,
        issued_at=signed.receipt.issued_at,
        results="0x" + signed.receipt.results.hex(),
        signature="0x" + signed.signature.hex(),
    )
