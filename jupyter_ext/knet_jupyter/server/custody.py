"""The chain of custody of one passage, beyond its record: the quoted span in its document, the publication, and the
receipt.
"""

from __future__ import annotations

from knet.chain.receipts import recover
from knet.client.network import Network
from knet.content.base import get_record
from knet.errors import ConfigError, KnetError
from knet.records import Answer, Document, Passage, Record

CONTEXT = 400  # characters of the document shown on each side of a span: about a paragraph


class CustodyContext(Record, frozen=True):
    """Characters of the document's canonical text around the passage."""

    before: str = ""
    after: str = ""
    problem: str = ""  # the reason for a missing context


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
    """The provenance of one passage, step by step; ``title``, ``owner`` and ``endpoint`` are those of its node."""

    title: str
    owner: str
    endpoint: str
    chain_id: int
    registry: str
    context: CustodyContext
    published: CustodyPublication
    signed: CustodyReceipt


def custody(network: Network, answer: Answer, number: int) -> Custody:
    """Return the chain of custody of passage ``number`` (from 1). A step that cannot be read now gives its ``problem``.

    Raises ConfigError for a number without a passage.
    """
    if not 1 <= number <= len(answer.passages):
        raise ConfigError(f"The answer has no passage {number}.")
    passage = answer.passages[number - 1]
    try:
        view = network.view(passage.provenance.node)
    except KnetError:
        view = None
    return Custody(
        title=view.card.title if view else "",
        owner=view.entry.owner if view else "",
        endpoint=view.entry.endpoint if view else "",
        chain_id=network.chain.deployment.chain_id,
        registry=network.chain.deployment.manifests,
        context=_context(network, passage),
        published=_published(network, passage),
        signed=_signed(network, answer, passage),
    )


def _context(network: Network, passage: Passage) -> CustodyContext:
    try:
        source = network.source_of(passage.provenance.node)
        document = get_record(source, passage.provenance.document, Document)
        text = source.get(document.text).decode(errors="replace")
    except KnetError as error:
        return CustodyContext(problem=error.described)
    if text[passage.start : passage.end] != passage.text:
        return CustodyContext(problem="The document has another text at this span.")
    return CustodyContext(
        before=text[max(0, passage.start - CONTEXT) : passage.start],
        after=text[passage.end : passage.end + CONTEXT],
    )


def _published(network: Network, passage: Passage) -> CustodyPublication:
    try:
        heads = network.chain.manifests.heads(passage.provenance.node)
    except KnetError as error:
        return CustodyPublication(problem=error.described)
    found = next((head for head in heads if head.manifest == passage.provenance.manifest), None)
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
        return CustodyReceipt(problem=error.described)
    if signer != wallet:  # every signature gives some address, and another one on another network
        return CustodyReceipt(problem=f"Not signed for node {node} on this network: the signature gives {signer}.")
    return CustodyReceipt(
        signer=signer,
        issued_at=signed.receipt.issued_at,
        results="0x" + signed.receipt.results.hex(),
        signature="0x" + signed.signature.hex(),
    )
