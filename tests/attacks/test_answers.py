"""Answers that were changed after they were given: verification finds every change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from knet.answer.report import VerificationReport
from knet.answer.writer import numbered
from knet.chain.keys import new_key
from knet.chain.receipts import sign_receipt
from knet.client.network import Network
from knet.codec import Cid, from_json, to_json
from knet.config import Profile
from knet.content.dag import fetch_dag
from knet.content.store import FileStore
from knet.embed.base import Embedder
from knet.errors import ModelNotFound
from knet.index.collection import results_root
from knet.records import Answer, Space, chunk_leaf
from tests.content.support import gateway
from tests.network.clients import PATIENT, open_client, own_network
from tests.network.support import RunningNode, start_nodes

from .conftest import HONEST, HOSTILE, QUESTION

WRITTEN = "written from its passages"
OTHER = Cid.from_digest(b"\7" * 32)


@pytest.fixture(scope="module")
def nodes(devnet: Profile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RunningNode]]:
    root = tmp_path_factory.mktemp("answers")
    with start_nodes(root, own_network(devnet, "answers"), [*HONEST, HOSTILE], licence="CC-BY-4.0") as nodes:
        yield nodes


@pytest.fixture(scope="module")
def net(nodes: list[RunningNode], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with open_client(nodes[0].node.profile, tmp_path_factory.mktemp("client")) as net:
        yield net


@pytest.fixture(scope="module")
def answer(net: Network) -> Answer:
    """An honest answer of three nodes, read from its JSON form."""
    record = net.ask(QUESTION, node_timeout=PATIENT).record
    assert len(record.receipts) == 3
    assert record.sentences
    return from_json(to_json(record, indent=2), Answer)


@pytest.fixture(scope="module")
def private(net: Network) -> Answer:
    return from_json(net.ask(QUESTION, private=True).to_json(), Answer)


def test_unchanged_answer_verifies_after_json(net: Network, answer: Answer) -> None:
    report = net.verify(answer)
    assert report.ok, [check for check in report.checks if not check.ok]
    claims = {check.claim for check in report.checks}
    assert claims == {
        "question", "vector fits question", "receipt", "receipt covers it", "manifest on chain", "in its manifest",
        "exact text and source", "similarity", "vector fits text", "answer text", "citation", *DERIVED,
    }  # fmt: skip


def test_unchanged_private_answer_has_only_its_unsigned_claims_unchecked(net: Network, private: Answer) -> None:
    assert unreachable(net.verify(private)) == {"question", "receipt covers it"} | DERIVED - {WRITTEN}


# --- one thing changed ---------------------------------------------------------------------------------------------

Change = Callable[[Answer], Answer]


def at(items: Any, index: int, item: object) -> list[Any]:
    return [item if number == index else other for number, other in enumerate(items)]


def in_passage(index: int = 0, **changes: object) -> Change:
    return lambda answer: replace(
        answer, passages=at(answer.passages, index, replace(answer.passages[index], **changes))
    )


def in_provenance(**changes: object) -> Change:
    return lambda answer: in_passage(provenance=replace(answer.passages[0].provenance, **changes))(answer)


def in_receipt(**changes: object) -> Change:
    def change(answer: Answer) -> Answer:
        first = answer.receipts[0]
        signed = replace(first.signed, receipt=replace(first.signed.receipt, **changes))
        return replace(answer, receipts=at(answer.receipts, 0, replace(first, signed=signed)))

    return change


def in_evidence(**changes: object) -> Change:
    return lambda answer: replace(answer, receipts=at(answer.receipts, 0, replace(answer.receipts[0], **changes)))


def in_request(**changes: object) -> Change:
    return lambda answer: replace(answer, requests=at(answer.requests, 0, replace(answer.requests[0], **changes)))


def in_citation(**changes: object) -> Change:
    def change(answer: Answer) -> Answer:
        first = answer.sentences[0]
        sentence = replace(first, citations=[replace(first.citations[0], **changes)])
        return replace(answer, sentences=at(answer.sentences, 0, sentence))

    return change


def in_answer(**changes: object) -> Change:
    return lambda answer: replace(answer, **changes)


def other_text(answer: Answer) -> Answer:
    return in_passage(text=answer.passages[0].text.replace("heron", "crane"))(answer)


def moved_span(answer: Answer) -> Answer:
    first = answer.passages[0]
    return in_passage(start=first.start + 1, end=first.end + 1)(answer)


def higher_score(answer: Answer) -> Answer:
    return in_passage(scores={**answer.passages[0].scores, "dense": 0.99})(answer)


def turned(data: bytes, place: int = 0) -> bytes:
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


def other_vector(answer: Answer) -> Answer:
    return in_provenance(vector=turned(answer.passages[0].provenance.vector))(answer)


def other_path(answer: Answer) -> Answer:
    path = answer.passages[0].provenance.path
    return in_provenance(path=[turned(path[0]), *path[1:]] if path else [bytes(32)])(answer)


def another_nodes_receipt(answer: Answer) -> Answer:
    mine = answer.passages[0].provenance.receipt
    return in_provenance(receipt=next(n for n in range(len(answer.receipts)) if n != mine))(answer)


def another_nodes_id(answer: Answer) -> Answer:
    mine = answer.passages[0].provenance.node
    return in_provenance(node=next(r.signed.receipt.node for r in answer.receipts if r.signed.receipt.node != mine))(
        answer
    )


def other_signature(answer: Answer) -> Answer:
    signed = answer.receipts[0].signed
    return in_evidence(signed=replace(signed, signature=turned(signed.signature, 5)))(answer)


def other_leaf(answer: Answer) -> Answer:
    leaves = list(answer.receipts[0].leaves)
    return in_evidence(leaves=[turned(leaves[0]), *leaves[1:]])(answer)


def other_sentence(answer: Answer) -> Answer:
    first = replace(answer.sentences[0], text="Herons do not eat fish at all.")
    return replace(answer, sentences=at(answer.sentences, 0, first))


def other_sentence_and_text(answer: Answer) -> Answer:
    changed = other_sentence(answer)
    return replace(changed, text=answer.text.replace(answer.sentences[0].text, changed.sentences[0].text))


def other_quote_throughout(answer: Answer) -> Answer:
    """Change sentence, citation and text alike, so that only the passage differs."""
    quoted = answer.sentences[0].text
    changed = in_citation(exact=quoted.replace("heron", "crane"))(answer)
    first = replace(changed.sentences[0], text=quoted.replace("heron", "crane"))
    text = answer.text.replace(quoted, first.text)
    return replace(changed, sentences=at(changed.sentences, 0, first), text=text)


def other_question_throughout(answer: Answer) -> Answer:
    return in_request(question="What do cranes eat?")(replace(answer, question="What do cranes eat?"))


def longer_vector(answer: Answer) -> Answer:
    vector = np.frombuffer(answer.requests[0].vector, "<f4") * 2
    return in_request(vector=vector.astype("<f4").tobytes())(answer)


CHANGES: dict[str, tuple[Change, str]] = {
    "question": (in_answer(question="What do cranes eat?"), "question"),
    "question and request": (other_question_throughout, "vector fits question"),
    "request's salt": (in_request(salt=bytes(16)), "receipt"),
    "request's client": (in_request(client=bytes(20)), "receipt"),
    "request's vector": (longer_vector, "vector fits question"),
    "request's vector cut off": (in_request(vector=b"\0" * 7), "similarity"),
    "request left out": (in_answer(requests=[]), "receipt"),
    "space": (in_answer(spaces=[]), "vector fits question"),
    "answer's text": (in_answer(text="Herons do not eat fish. [1]"), "answer text"),
    "that it found something": (in_answer(found=False), "answer text"),
    "sentence": (other_sentence, "answer text"),
    "sentence and answer's text": (other_sentence_and_text, "answer text"),
    "sentence left out": (in_answer(sentences=[]), "answer text"),
    "quote": (in_citation(exact="Herons do not eat fish."), "citation"),
    "quote throughout": (other_quote_throughout, "citation"),
    "citation's passage": (in_citation(passage=99), "citation"),
    "citation's passage, negative": (in_citation(passage=-1), "citation"),
    "citation's start": (in_citation(start=0, end=3), "citation"),
    "citation's end": (in_citation(end=10**6), "citation"),
    "text": (other_text, "exact text and source"),
    "span": (moved_span, "exact text and source"),
    "end of the span": (in_passage(end=10**6), "receipt covers it"),
    "title": (in_passage(title="The Royal Society"), "exact text and source"),
    "uri": (in_passage(uri="https://example.org/"), "exact text and source"),
    "licence": (in_passage(licence="public domain"), "exact text and source"),
    "score": (higher_score, "similarity"),
    "score that is not a number": (in_passage(scores={"dense": float("nan")}), "similarity"),
    "node": (another_nodes_id, "receipt covers it"),
    "node and no receipt": (in_provenance(node=10**6, receipt=None), "receipt covers it"),
    "node that does not exist": (in_provenance(node=10**6), "manifest on chain"),
    "manifest": (in_provenance(manifest=OTHER), "manifest on chain"),
    "document": (in_provenance(document=OTHER), "receipt covers it"),
    "shard": (in_provenance(shard=7), "in its manifest"),
    "shard, negative": (in_provenance(shard=-1), "in its manifest"),
    "chunk": (in_provenance(chunk=10**6), "in its manifest"),
    "proof": (other_path, "in its manifest"),
    "proof left out": (in_provenance(path=[bytes(32)] * 60), "in its manifest"),
    "vector": (other_vector, "in its manifest"),
    "vector left out": (in_provenance(vector=b""), "similarity"),
    "vector cut off": (in_provenance(vector=b"\0" * 7), "similarity"),
    "which receipt": (another_nodes_receipt, "receipt covers it"),
    "a receipt that is not there": (in_provenance(receipt=99), "receipt covers it"),
    "no receipt": (in_provenance(receipt=None), "receipt covers it"),
    "receipts left out": (in_answer(receipts=[]), "receipt covers it"),
    "receipt's node": (in_receipt(node=10**6), "receipt"),
    "receipt's manifest": (in_receipt(manifest=b"\7" * 32), "receipt"),
    "receipt's manifest cut off": (in_receipt(manifest=b"\7"), "receipt"),
    "receipt's question": (in_receipt(query=b"\7" * 32), "receipt"),
    "receipt's results": (in_receipt(results=b"\7" * 32), "receipt"),
    "receipt's client": (in_receipt(client=b"\7" * 20), "receipt"),
    "receipt's date": (in_receipt(issued_at=1), "receipt"),
    "receipt's date before time": (in_receipt(issued_at=-1), "receipt"),
    "receipt's nonce": (in_receipt(nonce=b"\7" * 32), "receipt"),
    "signature": (other_signature, "receipt"),
    "leaf": (other_leaf, "receipt"),
    "leaves left out": (in_evidence(leaves=[]), "receipt"),
    "contract that is not an address": (in_answer(contract="nonsense"), "receipt"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_answer_fails_verification(net: Network, answer: Answer, name: str) -> None:
    change, claim = CHANGES[name]
    changed = change(answer)
    assert changed != answer
    report = net.verify(changed if "not a number" in name else from_json(to_json(changed), Answer))
    assert not report.ok
    assert claim in {check.claim for check in report.failed}, report.checks


IMPOSSIBLE = 1 << 300


@pytest.mark.parametrize(
    "change",
    [
        in_provenance(node=IMPOSSIBLE), in_provenance(node=-1), in_provenance(chunk=IMPOSSIBLE),
        in_passage(start=-IMPOSSIBLE), in_passage(start=IMPOSSIBLE, end=IMPOSSIBLE + 1), in_receipt(node=IMPOSSIBLE),
        in_receipt(node=-1), in_receipt(issued_at=IMPOSSIBLE), in_request(k=IMPOSSIBLE), in_answer(chain_id=IMPOSSIBLE),
        in_answer(chain_id=-1), in_citation(start=-IMPOSSIBLE),
    ],
)  # fmt: skip
def test_number_out_of_range_fails_verification(net: Network, answer: Answer, change: Change) -> None:
    report = net.verify(from_json(to_json(change(answer)), Answer))
    assert report.failed


def test_reworded_answer_of_another_writer_does_not_verify(net: Network, answer: Answer) -> None:
    first, *rest = answer.sentences
    sentences = [replace(first, text="Beavers never build anything."), *rest]
    forged = replace(answer, writer="another writer", sentences=sentences, text=numbered(sentences))
    assert net.verify(replace(forged, writer=answer.writer)).failed
    report = net.verify(forged)
    assert not report.ok
    assert "another writer" in next(check.detail for check in report.unchecked if check.claim == "wording")


@pytest.mark.parametrize("name", ["text", "title", "score", "manifest", "document", "proof", "vector", "question"])
def test_changed_private_answer_fails_verification(net: Network, private: Answer, name: str) -> None:
    assert net.verify(CHANGES[name][0](private)).failed


# --- missing blocks, chain or model -----------------------------------------------------------------------------------


def unreachable(report: VerificationReport) -> set[str]:
    assert not report.failed, report.failed
    return {check.claim for check in report.unchecked}


NEEDS_BLOCKS = {"in its manifest", "exact text and source", "similarity", "vector fits text"}
NEEDS_CHAIN = {"receipt", "manifest on chain"}
DERIVED = {"order of passages", "also held by", "nothing left out", WRITTEN}


@pytest.fixture
def silent(nodes: list[RunningNode]) -> Profile:
    """The network as seen by a client that reaches none of its nodes."""
    return replace(nodes[0].node.profile, addresses="public", confirmations=0)


@pytest.mark.parametrize("elsewhere", [in_answer(chain_id=10), in_answer(contract="0x" + "11" * 20)])
def test_answer_of_another_network_is_unchecked_not_failed(net: Network, answer: Answer, elsewhere: Change) -> None:
    report = net.verify(elsewhere(answer))
    assert unreachable(report) == NEEDS_CHAIN
    assert not report.ok
    assert all("of another network: chain" in check.detail for check in report.unchecked)


@pytest.mark.parametrize("name", [*CHANGES, "signed again"])
def test_changed_answer_of_another_network_does_not_verify(net: Network, answer: Answer, name: str) -> None:
    changed = in_answer(chain_id=10)(answer)
    report = net.verify(signed_again(changed) if name == "signed again" else CHANGES[name][0](changed))
    assert not report.ok
    assert not [check for check in report.checks if check.claim in NEEDS_CHAIN and check.ok]


def signed_again(answer: Answer) -> Answer:
    """Return the answer with another text under the attacker's own receipt, as consistent as possible."""
    changed = in_provenance(receipt=0)(other_text(answer))
    first, where = changed.passages[0], changed.passages[0].provenance
    leaves = [chunk_leaf(where.document, first.start, first.end, first.text, where.vector)]
    named = in_receipt(
        node=where.node, manifest=where.manifest.digest, results=results_root(leaves, answer.requests[0].salt)
    )(changed)
    signed = sign_receipt(new_key(), named.receipts[0].signed.receipt, answer.chain_id, answer.contract)
    return in_evidence(signed=signed, leaves=leaves)(named)


def test_claims_without_blocks_are_unchecked_not_failed(silent: Profile, answer: Answer, tmp_path: Path) -> None:
    with open_client(silent, tmp_path) as net:
        report = net.verify(answer)
    assert unreachable(report) == NEEDS_BLOCKS
    assert not report.ok
    assert "could not be checked" in str(report)


def test_blocks_of_a_silent_node_come_from_the_local_store(
    silent: Profile, answer: Answer, nodes: list[RunningNode], tmp_path: Path
) -> None:
    owners = {node.identity: node.node.store for node in nodes}
    store = FileStore(tmp_path / "blocks")
    for passage in answer.passages:
        fetch_dag(owners[passage.provenance.node], passage.provenance.manifest, store)
    with open_client(silent, tmp_path) as net:
        assert net.verify(answer).ok


def test_blocks_of_a_stopped_node_come_from_a_gateway(devnet: Profile, tmp_path: Path) -> None:
    profile = own_network(devnet, "dead")
    with (
        start_nodes(tmp_path / "nodes", profile, [HONEST[0]]) as (node,),
        open_client(profile, tmp_path / "asker") as net,
    ):
        answer = net.ask(QUESTION, node_timeout=PATIENT).record
    with open_client(profile, tmp_path / "reader") as net:
        assert unreachable(net.verify(answer)) == NEEDS_BLOCKS
    with (
        gateway(node.node.store) as url,
        open_client(replace(profile, gateways=[url]), tmp_path / "reader") as net,
    ):
        assert net.verify(answer).ok


def test_claims_on_chain_are_unchecked_without_the_chain(
    nodes: list[RunningNode], answer: Answer, tmp_path: Path
) -> None:
    with open_client(replace(nodes[0].node.profile, rpc="http://127.0.0.1:9"), tmp_path) as net:
        assert unreachable(net.verify(answer)) == NEEDS_BLOCKS | NEEDS_CHAIN


def test_vectors_are_unchecked_without_the_model(nodes: list[RunningNode], answer: Answer, tmp_path: Path) -> None:
    def load(space: Space) -> Embedder:
        raise ModelNotFound(f"{space.model} is not here.")

    with open_client(nodes[0].node.profile, tmp_path, load=load) as net:
        assert unreachable(net.verify(answer)) == {"vector fits text", "vector fits question"}
        assert net.verify(answer, embed=False).ok
