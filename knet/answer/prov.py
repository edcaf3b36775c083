"""Provenance of an answer as W3C PROV-O in JSON-LD: the document span behind each sentence, and the node that sent it.

Quoted spans carry Web Annotation selectors. Content-addressed entities are named by their ``ipfs://`` CID. Text that a
node chose freely (titles, addresses of documents) appears only as a literal.

Sources: https://www.w3.org/TR/prov-o/, https://www.w3.org/TR/annotation-model/#selectors,
https://chainagnostic.org/CAIPs/caip-10 (accounts and contracts on chains).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from ..codec import cid_of
from ..records import Answer, Citation, Evidence, Head, Passage, Sentence

Thing = dict[str, Any]  # one JSON-LD node object
Heads = Callable[[int], Sequence[Head]]  # every manifest that a node published, as `EvmChain.manifests.heads` returns

CONTEXT_LENGTH = 32  # characters before and after a quotation, to find it again in an edited document
VOCABULARY = "urn:knet:terms:"
CONTEXT: Thing = {
    "prov": "http://www.w3.org/ns/prov#",
    "oa": "http://www.w3.org/ns/oa#",
    "dcterms": "http://purl.org/dc/terms/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "knet": VOCABULARY,
}


def prov_jsonld(answer: Answer, *, heads: Heads | None = None) -> Thing:
    """Return the provenance of an answer as a JSON-LD document with an inline context, so that readers fetch nothing.

    ``heads(node)`` (as `EvmChain.manifests.heads`) adds the transaction that put each manifest on chain, which the
    answer itself does not contain. Raises what ``heads`` raises.
    """
    me = answer_id(answer)
    nodes = {passage.provenance.node for passage in answer.passages}
    nodes |= {evidence.signed.receipt.node for evidence in answer.receipts}
    graph = [
        *_answer(me, answer),
        *(thing for n, found in enumerate(answer.sentences, 1) for thing in _sentence(me, answer, n, found)),
        *(thing for n, passage in enumerate(answer.passages, 1) for thing in _passage(me, answer, n, passage)),
        *(thing for n, evidence in enumerate(answer.receipts, 1) for thing in _receipt(me, answer, n, evidence)),
        *_publications(answer, heads),
        *(_agent(answer, node) for node in sorted(nodes)),
    ]
    return {"@context": CONTEXT, "@graph": _merged(graph)}


def answer_id(answer: Answer) -> str:
    """Return the name of an answer: the CID of its canonical dag-cbor."""
    return f"ipfs://{cid_of(answer)}"


def _answer(me: str, answer: Answer) -> Iterator[Thing]:
    yield {
        "@id": me,
        "@type": ["prov:Entity", "prov:Collection"],
        "rdfs:label": answer.question,
        "prov:value": answer.text,
        "prov:generatedAtTime": _time(answer.time),
        "prov:wasGeneratedBy": _ref(f"{me}#asking"),
        "prov:hadMember": [_ref(f"{me}#sentence-{n}") for n in range(1, len(answer.sentences) + 1)],
    }
    yield {
        "@id": f"{me}#asking",
        "@type": "prov:Activity",
        "rdfs:label": "asking the network" + (", without telling any node the question" if answer.private else ""),
        "prov:startedAtTime": _time(answer.time - answer.milliseconds / 1000),
        "prov:endedAtTime": _time(answer.time),
        "prov:used": [_ref(f"{me}#passage-{n}") for n in range(1, len(answer.passages) + 1)],
        "prov:wasAssociatedWith": _ref(f"{me}#writer"),
    }
    yield {"@id": f"{me}#writer", "@type": ["prov:Agent", "prov:SoftwareAgent"], "rdfs:label": answer.writer}


def _sentence(me: str, answer: Answer, number: int, sentence: Sentence) -> Iterator[Thing]:
    spans = [f"{me}#sentence-{number}-source-{n}" for n in range(1, len(sentence.citations) + 1)]
    relation = "prov:wasQuotedFrom" if answer.writer == "extractive" else "prov:wasDerivedFrom"
    yield {
        "@id": f"{me}#sentence-{number}",
        "@type": "prov:Entity",
        "prov:value": sentence.text,
        relation: [_ref(span) for span in spans],
    }
    for span, citation in zip(spans, sentence.citations, strict=True):
        yield from _span(me, answer, span, citation)


def _span(me: str, answer: Answer, name: str, citation: Citation) -> Iterator[Thing]:
    """Yield an exact span of a document, with its place in the passage that a node returned."""
    if not 0 <= citation.passage < len(answer.passages):
        return
    passage = answer.passages[citation.passage]
    at, to = citation.start - passage.start, citation.end - passage.start
    yield {
        "@id": name,
        "@type": ["prov:Entity", "oa:SpecificResource"],
        "prov:value": citation.exact,
        "prov:wasQuotedFrom": _ref(f"ipfs://{passage.provenance.document}"),
        "prov:wasDerivedFrom": _ref(f"{me}#passage-{citation.passage + 1}"),
        "oa:hasSource": _ref(f"ipfs://{passage.provenance.document}"),
        "oa:hasSelector": [
            {
                "@type": "oa:TextQuoteSelector",
                "oa:exact": citation.exact,
                "oa:prefix": passage.text[max(0, at - CONTEXT_LENGTH) : max(0, at)],
                "oa:suffix": passage.text[max(0, to) : max(0, to) + CONTEXT_LENGTH],
            },
            _position(citation.start, citation.end),
        ],
    }


def _position(start: int, end: int) -> Thing:
    count = {"@type": "xsd:nonNegativeInteger"}
    return {
        "@type": "oa:TextPositionSelector",
        "oa:start": {**count, "@value": str(start)},
        "oa:end": {**count, "@value": str(end)},
    }


def _passage(me: str, answer: Answer, number: int, passage: Passage) -> Iterator[Thing]:
    where = passage.provenance
    document, manifest = f"ipfs://{where.document}", f"ipfs://{where.manifest}"
    node = _node_id(answer, where.node)
    found: Thing = {
        "@id": f"{me}#passage-{number}",
        "@type": ["prov:Entity", "oa:SpecificResource"],
        "prov:value": passage.text,
        "prov:wasQuotedFrom": _ref(document),
        "prov:wasDerivedFrom": _ref(manifest),
        "prov:wasAttributedTo": _ref(node),
        "oa:hasSource": _ref(document),
        "oa:hasSelector": _position(passage.start, passage.end),
    }
    if where.receipt is not None:
        found["prov:wasGeneratedBy"] = _ref(f"{me}#reply-{where.receipt + 1}")
    yield found
    source: Thing = {
        "@id": document,
        "@type": "prov:Entity",
        "dcterms:title": passage.title,
        "dcterms:source": passage.uri,
        "prov:wasAttributedTo": _ref(node),
    }
    if passage.licence:
        source["dcterms:rights"] = passage.licence
    yield source
    yield {
        "@id": manifest,
        "@type": ["prov:Entity", "prov:Collection"],
        "rdfs:label": f"a published version of node {where.node}'s collection",
        "prov:hadMember": _ref(document),
        "prov:wasAttributedTo": _ref(node),
    }


def _receipt(me: str, answer: Answer, number: int, evidence: Evidence) -> Iterator[Thing]:
    receipt = evidence.signed.receipt
    node = _node_id(answer, receipt.node)
    yield {
        "@id": f"{me}#reply-{number}",
        "@type": "prov:Activity",
        "rdfs:label": f"node {receipt.node} answers",
        "prov:endedAtTime": _time(receipt.issued_at),
        "prov:wasAssociatedWith": _ref(node),
    }
    yield {
        "@id": f"{me}#receipt-{number}",
        "@type": "prov:Entity",
        "rdfs:label": f"receipt signed by node {receipt.node} (EIP-712)",
        "prov:generatedAtTime": _time(receipt.issued_at),
        "prov:wasGeneratedBy": _ref(f"{me}#reply-{number}"),
        "prov:wasAttributedTo": _ref(node),
        "knet:verifyingContract": f"eip155:{answer.chain_id}:{answer.contract}",
        "knet:manifestDigest": receipt.manifest.hex(),
        "knet:queryDigest": receipt.query.hex(),
        "knet:resultsRoot": receipt.results.hex(),
        "knet:client": f"0x{receipt.client.hex()}",
        "knet:nonce": receipt.nonce.hex(),
        "knet:signature": evidence.signed.signature.hex(),
    }


def _publications(answer: Answer, heads: Heads | None) -> Iterator[Thing]:
    """Yield the transactions that put the manifests on chain."""
    wanted = {(passage.provenance.node, passage.provenance.manifest) for passage in answer.passages}
    for node, manifest in sorted(wanted):
        for head in heads(node) if heads else ():
            if head.manifest == manifest:
                transaction = f"urn:knet:eip155:{answer.chain_id}:tx:{head.transaction}"
                yield {
                    "@id": f"ipfs://{manifest}",
                    "@type": ["prov:Entity", "prov:Collection"],
                    "prov:wasGeneratedBy": _ref(transaction),
                }
                yield {
                    "@id": transaction,
                    "@type": "prov:Activity",
                    "rdfs:label": f"version {head.sequence} of node {node} goes on chain",
                    "prov:endedAtTime": _time(head.time),
                    "prov:wasAssociatedWith": _ref(_node_id(answer, node)),
                    "knet:transaction": head.transaction,
                    "knet:block": head.block,
                }


def _agent(answer: Answer, node: int) -> Thing:
    titles = [status.title for status in answer.nodes if status.node == node]
    return {
        "@id": _node_id(answer, node),
        "@type": ["prov:Agent", "prov:SoftwareAgent"],
        "rdfs:label": titles[0] if titles else f"node {node}",
        "dcterms:identifier": str(node),
    }


def _node_id(answer: Answer, node: int) -> str:
    """Return a node's name: its number, qualified by the chain and the reliability contract."""
    return f"urn:knet:eip155:{answer.chain_id}:{quote(answer.contract.lower())}:node:{node}"


def _ref(name: str) -> Thing:
    return {"@id": name}


def moment(seconds: float) -> datetime:
    """Return unix seconds as a date; the epoch for numbers out of range, which an untrusted record may have."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _time(seconds: float) -> Thing:
    return {"@type": "xsd:dateTime", "@value": moment(seconds).isoformat(timespec="milliseconds")}


def _merged(graph: Sequence[Thing]) -> list[Thing]:
    """Merge the objects of one name, such as one document's from several passages."""
    merged: dict[str, Thing] = {}
    for thing in graph:
        target = merged.setdefault(thing["@id"], {})
        for key, value in thing.items():
            target[key] = _union(target[key], value) if key in target else value
    return list(merged.values())


def _union(one: Any, other: Any) -> Any:
    if one == other:
        return one
    both = [*(one if isinstance(one, list) else [one])]
    both += [value for value in (other if isinstance(other, list) else [other]) if value not in both]
    return both[0] if len(both) == 1 else both
