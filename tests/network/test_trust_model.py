"""Trust that a client learns from its questions, and its effect on the next ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from knet.cli.main import app
from knet.client.network import Network
from knet.codec import cid_of
from knet.config import Profile, save_profile
from knet.errors import NotRegistered
from knet.trust.probes import Probe

from .clients import PATIENT, load_words, open_client, own_network
from .support import WORD_SPACE, RunningNode, WordEmbedder, start_nodes
from .test_trust import QUESTION, RIGHT, WRONG

LIE = RIGHT["tower.md"].replace("330", "530")
OTHERS = {"ferries.md": "Ferries cross the lake twice a day in winter, and on Sundays they carry no cars."}


@pytest.fixture
def nodes(devnet: Profile, tmp_path: Path) -> Iterator[list[RunningNode]]:
    """Two nodes that agree, one that contradicts them, and one about another subject."""
    texts = [RIGHT, RIGHT | OTHERS, WRONG | {"tower.md": LIE}, OTHERS]
    with start_nodes(tmp_path / "nodes", own_network(devnet), texts) as nodes:
        yield nodes


def test_contradicted_source_loses_reliability_without_ratings(nodes: list[RunningNode], tmp_path: Path) -> None:
    right, also, liar, other = (node.identity for node in nodes)
    with open_client(nodes[0].node.profile, tmp_path) as net:
        for _ in range(5):
            net.ask(QUESTION, node_timeout=PATIENT)
            net.trust.finish_learning()
        seen = {node: net.trust.of(node) for node in (right, also, liar, other)}
        assert seen[right].agreed.mean > 0.7 < seen[also].agreed.mean
        assert seen[liar].agreed.mean < 0.3
        assert seen[other].agreed.count == 0, "a node without a claim is neither raised nor lowered"
        assert all(each.on_chain.count == 0 for each in seen.values())
        answer = net.ask(QUESTION, node_timeout=PATIENT)
        assert "330" in answer.sentences[0].text
        assert LIE not in [passage.text for passage in answer.passages[:2]]
        assert "on chain 0.50" in next(status.why for status in answer.nodes if status.node == liar)
    with open_client(nodes[0].node.profile, tmp_path) as net:
        assert net.trust.of(liar).agreed.mean < 0.3, "learnt once, known after a restart"


def test_usefulness_is_learnt_from_answers(nodes: list[RunningNode], tmp_path: Path) -> None:
    *_, other = (node.identity for node in nodes)
    with open_client(nodes[0].node.profile, tmp_path) as net:
        for _ in range(4):
            net.ask("Which ferries cross the lake in winter?", node_timeout=PATIENT, nodes=[other, nodes[0].identity])
        net.trust.finish_learning()
        assert net.trust.of(other).usefulness.mean > 0.7
        assert net.trust.of(nodes[0].identity).usefulness.mean < 0.5
        points = {each.node: each.usefulness for each in net.trust.history()}
        assert points[other][-1].mean == pytest.approx(net.trust.of(other).usefulness.mean)


def test_usefulness_is_learnt_by_question(nodes: list[RunningNode], tmp_path: Path) -> None:
    right, *_, other = (node.identity for node in nodes)
    height, ferries = "How tall is the tower of iron?", "Which ferries cross the lake in winter?"

    def expected(question: str) -> dict[int, float]:
        return net._trust_model.expected({cid_of(WORD_SPACE): WordEmbedder().encode([question])[0]})

    with open_client(nodes[0].node.profile, tmp_path) as net:
        assert expected(height) == {}, "there is no question yet"
        for _ in range(10):
            for question in (height, ferries):
                net.ask(question, node_timeout=PATIENT, nodes=[right, other])
        net.trust.finish_learning()
        assert expected(height)[right] > expected(height)[other]
        assert expected(ferries)[other] > expected(ferries)[right]
    with open_client(nodes[0].node.profile, tmp_path) as net:
        net.ask(height, node_timeout=PATIENT, nodes=[right, other])
        net.trust.finish_learning()
        assert expected(ferries)[other] > expected(ferries)[right], "learnt once, known after a restart"


def test_ratings_reach_the_history_with_their_batch(nodes: list[RunningNode], tmp_path: Path) -> None:
    right = nodes[0].identity
    with open_client(nodes[0].node.profile, tmp_path) as net:
        net.ask(QUESTION, node_timeout=PATIENT, nodes=[right]).rate(1)
        sent = net.ratings.flush()
        history = {each.node: each.reliability for each in net.trust.history()}
        assert [(point.transaction, point.rater, point.ratings) for point in history[right]] == [
            (sent[0], net.address, 1)
        ]
        people = net.trust.people()
        assert [person.owns for person in people] == [[right]]
        assert "you trust the owner of" in net.trust.of(right).why
        assert "no account that you trust has rated" in net.trust.of(nodes[2].identity).why


def test_probe_rates_nodes_by_known_answers(nodes: list[RunningNode], tmp_path: Path) -> None:
    right, also, liar, other = (node.identity for node in nodes)
    with open_client(nodes[0].node.profile, tmp_path) as net:
        result = net.trust.probe(Probe(question=QUESTION, answers=["330 metres"]), rate=True)
        assert result.outcomes == {right: 1.0, also: 1.0, liar: -1.0}
        assert {rating.receipt.receipt.node: rating.value for rating in net.ratings.pending()} == {
            right: 100, also: 100, liar: -100,
        }  # fmt: skip
        net.ratings.flush()
        rated = {info.node: info.reliability for info in net.nodes()}
        assert rated[right] > rated[other] > rated[liar]


def test_trust_of_an_unknown_node_names_it(nodes: list[RunningNode], tmp_path: Path) -> None:
    with open_client(nodes[0].node.profile, tmp_path) as net, pytest.raises(NotRegistered, match="no node 99"):
        net.trust.of(99)


def test_trust_commands_show_the_same(
    nodes: list[RunningNode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNET_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(Network.__init__.__kwdefaults__, "load_embedder", load_words)
    profile, right = nodes[0].node.profile, nodes[0].identity
    save_profile(profile, default=True)
    probes = tmp_path / "probes.jsonl"
    probes.write_text(json.dumps({"question": QUESTION, "answers": ["330 metres"]}) + "\n")
    runner = CliRunner()

    def run(*arguments: str) -> str:
        result = runner.invoke(app, ["trust", *arguments, "--profile", profile.name])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "No accounts yet" in run("accounts")
    assert "on chain in 0x" in run("probe", str(probes), "--rate")
    assert f"owner of node {right}" in run("accounts")
    assert "1 ratings" in run("why", str(right))
    assert "▆" in run("history") or "▅" in run("history")
    assert "4 nodes" in run("history", "--html", str(tmp_path / "history.html"))
    assert f"Reliability on {profile.name}" in (tmp_path / "history.html").read_text()
    assert json.loads(run("history", "--node", str(right), "--json"))[0]["reliability"][0]["ratings"] == 1
