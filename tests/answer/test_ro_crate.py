"""Exported answers, read by other libraries: provenance as RDF, the archive as an RO-Crate."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from pathlib import Path

import pytest
import rocrate
from msgspec.structs import replace
from rdflib import RDF, Graph, Literal, Namespace, URIRef
from rdflib.namespace import DCTERMS, PROV, XSD
from rocrate.rocrate import ROCrate

from knet.answer.prov import prov_jsonld
from knet.answer.ro_crate import ro_crate
from knet.client.network import Network
from knet.codec import from_json
from knet.records import Answer
from tests.network.clients import PATIENT
from tests.small_network import EVIL_TITLE, QUESTION

OA = Namespace("http://www.w3.org/ns/oa#")
TERMS = Namespace("urn:knet:terms:")
HOSTILE = 'javascript:alert(1) <> " \x1b[2J'


@pytest.fixture(scope="module")
def answer(net: Network) -> Answer:
    return net.ask(QUESTION, node_timeout=PATIENT).record


@pytest.fixture(scope="module")
def graph(net: Network, answer: Answer) -> Graph:
    return graph_of(answer, net)


def graph_of(answer: Answer, net: Network | None = None) -> Graph:
    document = prov_jsonld(answer, heads=net.chain.manifests.heads if net else None)
    return Graph().parse(data=json.dumps(document), format="json-ld")


def test_prov_links_every_sentence_to_its_quoted_span(graph: Graph, answer: Answer) -> None:
    """Sentence -> span -> document, by the terms of PROV-O and of Web Annotation alone."""
    found = graph.query(
        """SELECT ?value ?exact ?start ?end ?document WHERE {
            ?answer prov:hadMember ?sentence . ?answer prov:wasGeneratedBy ?asking .
            ?sentence prov:value ?value ; prov:wasQuotedFrom ?span .
            ?span prov:wasQuotedFrom ?document ; oa:hasSelector ?quote, ?position .
            ?quote a oa:TextQuoteSelector ; oa:exact ?exact .
            ?position a oa:TextPositionSelector ; oa:start ?start ; oa:end ?end }""",
        initNs={"prov": PROV, "oa": OA},
    )
    rows = {tuple(value.toPython() for value in row) for row in found}  # type: ignore[union-attr]
    assert rows == {
        (
            sentence.text,
            citation.exact,
            citation.start,
            citation.end,
            f"ipfs://{answer.passages[citation.passage].provenance.document}",
        )
        for sentence in answer.sentences
        for citation in sentence.citations
    }


def test_quotation_context_locates_the_span(graph: Graph, answer: Answer) -> None:
    text = answer.passages[answer.sentences[0].citations[0].passage].text
    for quote in graph.subjects(RDF.type, OA.TextQuoteSelector):
        prefix, exact, suffix = (str(graph.value(quote, OA[name])) for name in ("prefix", "exact", "suffix"))
        assert any(prefix + exact + suffix in passage.text for passage in answer.passages), text


def test_prov_names_documents_nodes_receipts_and_transactions(graph: Graph, net: Network, answer: Answer) -> None:
    for passage in answer.passages:
        where = passage.provenance
        document, manifest = URIRef(f"ipfs://{where.document}"), URIRef(f"ipfs://{where.manifest}")
        assert (document, DCTERMS.source, Literal(passage.uri)) in graph
        assert (manifest, PROV.hadMember, document) in graph
        (transaction,) = graph.objects(manifest, PROV.wasGeneratedBy)
        sent = {head.transaction for head in net.chain.manifests.heads(where.node)}
        assert {str(value) for value in graph.objects(transaction, TERMS.transaction)} <= sent
    signatures = {str(value) for value in graph.objects(None, TERMS.signature)}
    assert signatures == {evidence.signed.signature.hex() for evidence in answer.receipts}
    agents = set(graph.subjects(RDF.type, PROV.SoftwareAgent))
    assert len(agents) == 1 + len({evidence.signed.receipt.node for evidence in answer.receipts})


def test_ro_crate_describes_every_referenced_entity(graph: Graph) -> None:
    """Every entity is of one of PROV's three kinds, or a selector of an annotation."""
    described = set(graph.subjects(RDF.type, None))
    kinds = (PROV.Entity, PROV.Activity, PROV.Agent, OA.TextQuoteSelector, OA.TextPositionSelector)
    assert all(any((thing, RDF.type, kind) in graph for kind in kinds) for thing in described)
    linked = {o for _, p, o in graph if p != RDF.type and not isinstance(o, Literal)}
    assert linked <= described
    times = [o for o in graph.objects() if isinstance(o, Literal) and o.datatype == XSD.dateTime]
    assert times
    assert all(o.value is not None for o in times), "each is a well-formed date"


def test_prov_without_a_chain_lacks_only_transactions(answer: Answer, graph: Graph) -> None:
    alone = graph_of(answer)
    assert not list(alone.objects(None, TERMS.transaction))
    assert set(alone.objects(None, TERMS.signature)) == set(graph.objects(None, TERMS.signature))


def test_chat_model_sentences_are_derived_and_not_quoted(answer: Answer) -> None:
    written = graph_of(replace(answer, writer="some model"))
    for sentence in written.objects(None, PROV.hadMember):
        if "#sentence-" in str(sentence):
            assert not list(written.objects(sentence, PROV.wasQuotedFrom))
            assert list(written.objects(sentence, PROV.wasDerivedFrom))


def test_foreign_text_stays_a_literal(answer: Answer) -> None:
    evil = replace(answer.passages[0], uri=HOSTILE, title=EVIL_TITLE, licence=HOSTILE)
    changed = replace(answer, passages=[evil, *answer.passages[1:]], contract=HOSTILE, time=10**18)
    graph = graph_of(changed)
    for thing in (*graph.subjects(), *graph.objects()):
        if isinstance(thing, URIRef):
            assert str(thing).startswith(("ipfs://bafy", "urn:knet:", "http://www.w3.org/ns/"))
    assert (None, DCTERMS.source, Literal(HOSTILE)) in graph
    assert ROCrate(unpacked(ro_crate(changed))).root_dataset["license"] == HOSTILE


def unpacked(archive: bytes) -> Path:
    folder = Path(tempfile.mkdtemp())
    zipfile.ZipFile(io.BytesIO(archive)).extractall(folder)
    return folder


def test_crate_is_a_valid_ro_crate_1_2(answer: Answer, net: Network, tmp_path: Path) -> None:
    path = tmp_path / "answer.zip"
    path.write_bytes(ro_crate(answer, heads=net.chain.manifests.heads))
    crate = ROCrate(path)
    assert crate.version == "1.2"
    assert {"name", "description", "datePublished", "license"} <= set(crate.root_dataset.properties())
    files = {entity.id: entity for entity in crate.data_entities}
    archive = zipfile.ZipFile(path)
    assert set(files) == set(archive.namelist()) - {"ro-crate-metadata.json"}
    for name, entity in files.items():
        data = archive.read(name)
        assert entity["sha256"] == hashlib.sha256(data).hexdigest()
        assert entity["contentSize"] == str(len(data))
    action = crate.get("#asking")
    assert action is not None
    assert action["result"].id == "answer.json"


def test_ro_crate_metadata_uses_only_defined_terms(answer: Answer, tmp_path: Path) -> None:
    archive = zipfile.ZipFile(io.BytesIO(ro_crate(answer)))
    metadata = json.loads(archive.read("ro-crate-metadata.json"))
    bundled = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"
    defined = set(json.loads(bundled.read_text())["@context"])
    used = {key for entity in metadata["@graph"] for key in entity if not key.startswith("@")}
    used |= {entity["@type"] for entity in metadata["@graph"]}
    assert used <= defined
    names = [entity["@id"] for entity in metadata["@graph"]]
    assert len(names) == len(set(names))


def test_answer_in_the_crate_is_verified(answer: Answer, net: Network) -> None:
    archive = zipfile.ZipFile(io.BytesIO(ro_crate(answer)))
    inside = from_json(archive.read("answer.json"), Answer)
    assert inside == answer
    assert net.verify(inside).ok
    for number, passage in enumerate(answer.passages, 1):
        assert archive.read(f"passages/{number:03}.txt").decode() == passage.text
    Graph().parse(data=archive.read("provenance.jsonld"), format="json-ld")


def test_same_answer_gives_the_same_crate_bytes(answer: Answer) -> None:
    assert ro_crate(answer) == ro_crate(from_json(json.dumps(json.loads(archived(answer))), Answer))


def archived(answer: Answer) -> bytes:
    return zipfile.ZipFile(io.BytesIO(ro_crate(answer))).read("answer.json")
