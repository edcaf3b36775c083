"""Changes in a network: new nodes, edited and deleted documents, and clients that follow the chain."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from knet.answer.live import LiveAnswer
from knet.client.network import Network
from knet.config import Profile
from knet.records import Answer
from tests.attacks.support import impostor

from .clients import PATIENT, open_client, own_network, status_of, wait_for
from .support import RunningNode, start_nodes

TIDES = {
    "tides.md": "The tide comes in twice a day because the moon pulls the water of the sea towards itself.",
    "springs.md": "Spring tides are the highest. They come when sun, moon and earth stand in one line.",
    "bores.md": "A tidal bore is a wave that runs up a river against its stream when the tide comes in.",
    "mud.md": "Birds feed on the mud that the tide uncovers, and on what lives in it.",
}
MOON = {
    "moon.md": "The moon goes round the earth in twenty-seven days and pulls the sea, which makes the tide.",
    "phases.md": "At new moon the moon stands between earth and sun and cannot be seen.",
}
QUESTION = "Why does the tide come in twice a day?"


@pytest.fixture
def nodes(devnet: Profile, tmp_path: Path) -> Iterator[list[RunningNode]]:
    with start_nodes(tmp_path / "nodes", own_network(devnet), [TIDES, MOON]) as nodes:
        yield nodes


@pytest.fixture
def net(nodes: list[RunningNode], tmp_path: Path) -> Iterator[Network]:
    with open_client(nodes[0].node.profile, tmp_path / "client") as net:
        yield net


def ask(net: Network, question: str = QUESTION, **options: object) -> LiveAnswer:
    return net.ask(question, node_timeout=PATIENT, **options)  # type: ignore[arg-type]


def spans(answer: Answer | LiveAnswer) -> list[tuple[int, str, int, int, float]]:
    return [(p.provenance.node, str(p.provenance.document), p.start, p.end, p.score) for p in answer.passages]


def knows(net: Network, node: RunningNode, sequence: int) -> bool:
    return any(info.node == node.identity and info.sequence == sequence for info in net.nodes())


def test_all_nodes_are_found_from_the_chain_alone(nodes: list[RunningNode], net: Network, tmp_path: Path) -> None:
    before = ask(net)
    assert {status.node for status in before.nodes} == {node.identity for node in nodes}
    assert {info.node: info.documents for info in net.nodes()} == {nodes[0].identity: 4, nodes[1].identity: 2}
    cache = tmp_path / "client" / "cache" / "tests.json"
    for damage in (cache.unlink, lambda: cache.write_bytes(b"\x00 not a directory")):
        damage()
        with open_client(net.profile, tmp_path / "client") as again:
            assert spans(ask(again)) == spans(before)
        assert cache.read_bytes().startswith(b"{"), "the cache is rebuilt"


def test_later_node_is_queried_too(nodes: list[RunningNode], net: Network, tmp_path: Path) -> None:
    assert len(ask(net).nodes) == 2
    late = {"lunar.md": "The tide comes in twice a day, since the sea bulges on both sides of the earth."}
    with start_nodes(tmp_path / "late", net.profile, [late]) as (node,):
        net.nodes()
        answer = ask(net)
        assert status_of(answer.nodes, node.identity).status == "success"
        assert node.identity in {passage.provenance.node for passage in answer.passages}
        assert answer.verify().ok


def test_edited_document_changes_the_answer_and_the_old_one_verifies(nodes: list[RunningNode], net: Network) -> None:
    old = ask(net, nodes=[nodes[0].identity])
    text = TIDES["tides.md"].replace("towards itself", "and the earth turns under it")
    (nodes[0].documents / "tides.md").write_text(text)
    nodes[0].update()
    wait_for(lambda: knows(net, nodes[0], 2), "the client learns of the edit")
    new = ask(net, nodes=[nodes[0].identity])
    assert new.passages[0].text == text
    assert new.passages[0].provenance.manifest != old.passages[0].provenance.manifest
    assert new.verify().ok
    assert old.passages[0].text == TIDES["tides.md"]
    assert old.verify().ok, "its manifest was published and stays on chain"


def test_deleted_document_is_not_found(nodes: list[RunningNode], net: Network) -> None:
    assert TIDES["tides.md"] in {passage.text for passage in ask(net).passages}
    (nodes[0].documents / "tides.md").unlink()
    nodes[0].update()
    wait_for(lambda: knows(net, nodes[0], 2), "the client learns of the deletion")
    for private in (False, True):
        answer = ask(net, private=private)
        assert TIDES["tides.md"] not in {passage.text for passage in answer.passages}
        assert status_of(answer.nodes, nodes[0].identity).status == "success"
        assert not answer.verify().failed
    assert sorted(info.documents for info in net.nodes()) == [2, 3]


def test_private_search_finds_the_same_without_queries_to_nodes(
    nodes: list[RunningNode], net: Network, tmp_path: Path
) -> None:
    asked = ask(net)
    with impostor(nodes[0].endpoint) as mouth:
        nodes[0].node.chain.identity.set_endpoint(nodes[0].node.signer, nodes[0].identity, mouth.url)
        with open_client(net.profile, tmp_path / "private") as fresh:
            private = ask(fresh, private=True)
            assert spans(private) == spans(asked)
            assert private.text == asked.text
            assert private.record.private
            assert not private.verify().failed
        assert mouth.seen, "the node's blocks were fetched"
        assert all(path.startswith("/ipfs/") for path in mouth.seen), mouth.seen


def test_two_clients_at_once_get_the_same_answer(nodes: list[RunningNode], net: Network, tmp_path: Path) -> None:
    with open_client(net.profile, tmp_path / "second") as second, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, [net, second] * 6))
        assert all(spans(answer) == spans(answers[0]) for answer in answers)
        clients = {evidence.signed.receipt.client for answer in answers for evidence in answer.record.receipts}
        assert clients == {bytes.fromhex(client.address[2:]) for client in (net, second)}
        assert all(not answer.record.is_partial for answer in answers)
