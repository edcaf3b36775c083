"""Ratings from the client to the chain, and their effect on the order of passages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from knet.chain.evm import EvmChain
from knet.chain.keys import new_key
from knet.client.network import Network
from knet.config import Profile
from knet.errors import ChainUnreachable, ConfigError, TransactionFailed
from tests.attacks.support import Exchange, Impostor, honest, impostor

from .clients import PATIENT, funded_key, open_client, own_network, status_of, wait_for
from .support import RunningNode, start_nodes

RIGHT = {
    "tower.md": "The tower of iron in Paris is 330 metres tall, antennas included, says its keeper.",
    "bridge.md": "The oldest bridge of the town was built of stone four hundred years ago.",
    "lifts.md": "Lifts have taken visitors up since the first summer, and they are painted yellow.",
}
WRONG = {
    "tower.md": "The tower of iron in Paris is 630 metres tall, and many metres of it are antennas.",
    "museum.md": "The museum opens at nine and closes at six except on the first Monday of a month.",
    "river.md": "Boats on the river leave every half hour and pass below eleven bridges.",
}
QUESTION = "How many metres tall is the tower of iron in Paris?"


@pytest.fixture
def nodes(devnet: Profile, tmp_path: Path) -> Iterator[list[RunningNode]]:
    with start_nodes(tmp_path / "nodes", own_network(devnet), [RIGHT, WRONG]) as nodes:
        yield nodes


@pytest.fixture
def line(nodes: list[RunningNode]) -> Iterator[Impostor]:
    """Connection to the chain, which a test may cut."""
    with impostor(nodes[0].node.profile.rpc) as line:
        yield line


@pytest.fixture
def profile(nodes: list[RunningNode], line: Impostor) -> Profile:
    return replace(nodes[0].node.profile, rpc=line.url)


def cut(line: Impostor) -> None:
    line.behave = Exchange.hang_up


def rate_down(net: Network, text: str) -> None:
    """Ask, and rate the passage with this text down."""
    answer = net.ask(QUESTION, node_timeout=PATIENT)
    answer.rate(-1, passage=next(n for n, passage in enumerate(answer.passages, 1) if passage.text == text))


def test_passage_rated_down_is_ranked_lower(nodes: list[RunningNode], profile: Profile, tmp_path: Path) -> None:
    right, wrong = nodes
    wrong_text, right_text = WRONG["tower.md"], RIGHT["tower.md"]
    with open_client(profile, tmp_path) as net:
        answer = net.ask(QUESTION, node_timeout=PATIENT)
        assert answer.passages[0].text == wrong_text, "its text has more words of the question"
        for _ in range(4):
            rate_down(net, wrong_text)
        answer = net.ask(QUESTION, node_timeout=PATIENT)
        answer.rate(1, passage=next(n for n, p in enumerate(answer.passages, 1) if p.text == right_text))
        assert len(net.ratings.pending()) == 5
        assert len(net.ratings.flush()) == 1, "all ratings are sent in one transaction"
        assert net.ratings.pending() == []
        rated = {info.node: info for info in net.nodes()}
        assert (rated[wrong.identity].ratings, rated[right.identity].ratings) == (4, 1)
        assert rated[wrong.identity].reliability == pytest.approx(1 / 6)
        assert rated[right.identity].reliability == pytest.approx(2 / 3)
        answer = net.ask(QUESTION, node_timeout=PATIENT)
        assert answer.passages[0].text == right_text
        assert answer.sentences[0].text == right_text
        assert {p.reliability.count for p in answer.passages if p.provenance.node == wrong.identity} == {4}
        chosen = net.ask(QUESTION, node_timeout=PATIENT, min_reliability=0.5)
        assert {passage.provenance.node for passage in chosen.passages} == {right.identity}
        rater = net.address
    with open_client(profile, tmp_path / "another") as other:
        answer = other.ask(QUESTION, node_timeout=PATIENT)
        assert answer.passages[0].text == wrong_text, "a stranger's ratings sink no node"
    with open_client(replace(profile, raters=[rater]), tmp_path / "third") as third:
        assert third.trust.of(wrong.identity).reliability.mean < 0.25
        answer = third.ask(QUESTION, node_timeout=PATIENT)
        assert answer.passages[0].text == right_text, "the network's profile names the rater"


def test_ratings_wait_for_the_chain_across_restarts(profile: Profile, line: Impostor, tmp_path: Path) -> None:
    key = new_key()
    with open_client(profile, tmp_path, signer=key) as net:
        rate_down(net, WRONG["tower.md"])
        cut(line)
        with pytest.raises(ChainUnreachable):
            net.ratings.flush()
    with open_client(profile, tmp_path, signer=key) as net:
        assert [rating.value for rating in net.ratings.pending()] == [-100]
        with pytest.raises(ChainUnreachable):
            net.ratings.flush()
        line.behave = honest
        assert len(net.ratings.flush()) == 1
        assert net.ratings.pending() == []
        assert sum(info.ratings for info in net.nodes()) == 1


def test_refused_rating_does_not_delay_the_others(nodes: list[RunningNode], profile: Profile, tmp_path: Path) -> None:
    right, wrong = nodes
    with open_client(profile, tmp_path, signer=wrong.node.signer) as net:
        rate_down(net, WRONG["tower.md"])
        rate_down(net, RIGHT["tower.md"])
        with pytest.raises(TransactionFailed, match=r"1 ratings were refused and dropped: .*would rate itself"):
            net.ratings.flush()
        assert net.ratings.pending() == []
        assert {info.node: info.ratings for info in net.nodes()} == {right.identity: 1, wrong.identity: 0}


def test_client_that_is_used_responds_to_challenges(
    nodes: list[RunningNode], profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch without a response in four days is voided, so a client that is used looks for challenges."""
    monkeypatch.setattr("knet.rating.responder.POLL_SECONDS", 0.0)
    with open_client(profile, tmp_path) as net:
        rate_down(net, WRONG["tower.md"])
        net.ratings.flush()
        chain, auditor = EvmChain(profile.rpc, profile.deployment), funded_key(profile)
        (batch,) = chain.reliability.batches(net.address)
        chain.reliability.challenge_availability(auditor, batch, 0)
        net.ask(QUESTION, node_timeout=PATIENT)
        wait_for(lambda: chain.reliability.open_challenges(net.address) == [], "the leaf is published")
        assert [(number, proof.index) for _, number, proof in chain.reliability.responses_to(auditor.address)] == [
            (batch.number, 0)
        ]


def test_changed_key_of_one_node_does_not_delay_ratings_of_others(
    nodes: list[RunningNode], profile: Profile, tmp_path: Path
) -> None:
    """The node escapes this rating, since its earlier key was not recorded on chain by a rating before."""
    right, wrong = nodes
    with open_client(profile, tmp_path) as net:
        rate_down(net, WRONG["tower.md"])
        rate_down(net, RIGHT["tower.md"])
        EvmChain(profile.rpc, profile.deployment).set_wallet(wrong.node.signer, wrong.identity, new_key())
        with pytest.raises(TransactionFailed, match="is not a recorded wallet of"):
            net.ratings.flush()
        assert net.ratings.flush() == []
        assert {info.node: info.ratings for info in net.nodes()} == {right.identity: 1, wrong.identity: 0}
        answer = net.ask(QUESTION, node_timeout=PATIENT)
        status = status_of(answer.nodes, wrong.identity)
        assert status.status == "unverified", "the node signs with a key that is no longer its wallet"
        assert "not by the node's wallet" in status.detail


def test_rated_node_cannot_escape_ratings_by_changing_its_key(
    nodes: list[RunningNode], profile: Profile, tmp_path: Path
) -> None:
    _, wrong = nodes
    with open_client(profile, tmp_path) as net:
        rate_down(net, WRONG["tower.md"])
        net.ratings.flush()
        rate_down(net, WRONG["tower.md"])
        EvmChain(profile.rpc, profile.deployment).set_wallet(wrong.node.signer, wrong.identity, new_key())
        net.ratings.flush()
        assert {info.ratings for info in net.nodes() if info.node == wrong.identity} == {2}


def test_client_answers_from_its_cache_without_the_chain(
    nodes: list[RunningNode], profile: Profile, line: Impostor, tmp_path: Path
) -> None:
    with open_client(profile, tmp_path) as net:
        before = net.ask(QUESTION, node_timeout=PATIENT)
        cut(line)
        for _ in range(2):
            answer = net.ask(QUESTION, node_timeout=PATIENT)
            assert [p.text for p in answer.passages] == [p.text for p in before.passages]
        assert answer.verify().failed == []
        with pytest.raises(ChainUnreachable, match="does not answer"):
            net.nodes()
    with open_client(profile, tmp_path) as net:
        answer = net.ask(QUESTION, node_timeout=PATIENT)
        assert answer.found, "a new process starts with the cached state"
        for node in nodes:
            assert status_of(answer.nodes, node.identity).status == "success"


def test_client_without_cache_and_chain_raises_an_error_with_a_hint(
    profile: Profile, line: Impostor, tmp_path: Path
) -> None:
    cut(line)
    with open_client(profile, tmp_path) as net:
        for _ in range(2):
            with pytest.raises(ChainUnreachable, match="Check the network's RPC URL"):
                net.ask(QUESTION)
        line.behave = honest
        assert net.ask(QUESTION, node_timeout=PATIENT).found, "it works once the chain answers"


def test_network_without_nodes_raises_an_error(devnet: Profile, tmp_path: Path) -> None:
    with open_client(own_network(devnet), tmp_path) as net:
        assert net.nodes() == []
        with pytest.raises(ConfigError, match="no nodes yet"):
            net.ask(QUESTION)
