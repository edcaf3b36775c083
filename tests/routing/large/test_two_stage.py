"""Two-stage routing in large networks: proposals, summaries, and their files."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from knet.codec import cid_of
from knet.index.analyser import tokens
from knet.index.card import Batch, make_card
from knet.index.lexical import term_hash
from knet.records import VECTOR_DTYPE, Card, Head, Manifest, NodeEntry, Reputation
from knet.routing.large import summary_index as index_module
from knet.routing.large import summary_store as store_module
from knet.routing.large import two_stage as two_stage_module
from knet.routing.large.summary import GROUPS, summarize_card
from knet.routing.large.summary_index import SummaryIndex, Terms
from knet.routing.large.summary_store import SummaryStore
from knet.routing.large.two_stage import MAX_ROUTES, Overview, route_summaries
from knet.routing.node_view import NodeView
from knet.routing.options import MaxNodes, Options
from knet.routing.query import Priors, Query
from knet.routing.router import NO_PRIORS, pooled_statistics, route
from tests.search.support import SPACE, embed

NAMES = [f"{first}{second}{last}" for first in "bdfgklmnprst" for second in "aeiou" for last in "bdgklmnrst"]
CID = cid_of(SPACE)


def text(rng: np.random.Generator, about: Sequence[str]) -> str:
    return " ".join([*rng.choice(about, 6), *rng.choice(NAMES, 4)])


def view_of(node: int, card: Card, sequence: int = 1) -> NodeView:
    manifest = Manifest(
        node=node, sequence=sequence, previous=None, space=CID, shards=[], card=cid_of(card),
        documents=card.documents, chunks=card.chunks, time=0,
    )  # fmt: skip
    head = Head(manifest=cid_of(manifest), sequence=sequence, block=1, time=0, transaction="")
    return NodeView(NodeEntry(node=node, owner="", wallet="", endpoint="", head=head), manifest, card, SPACE)


def town(nodes: int, first: int = 1) -> list[NodeView]:
    """Return nodes that each hold a few texts about some random words."""
    views = []
    for node in range(first, first + nodes):
        rng = np.random.default_rng(node)
        about = rng.choice(NAMES, 12).tolist()
        texts = [text(rng, about) for _ in range(8)]
        batch = Batch(np.array([embed(t) for t in texts]), texts)
        card = make_card(SPACE, [batch], title=f"node {node}", documents=8)
        views.append(view_of(node, card))
    return views


VIEWS = town(300)


def questions(count: int) -> list[str]:
    rng = np.random.default_rng(7)
    return [" ".join(rng.choice(np.random.default_rng(node).choice(NAMES, 12), 4)) for node in range(1, count + 1)]


def filled(folder: Path, views: Sequence[NodeView]) -> SummaryStore:
    store = SummaryStore(folder)
    if CID not in store.spaces:
        store.learn(SPACE, views)
    store.add([(CID, summarize_card(view)) for view in views])
    return store


def overview(store: SummaryStore, full: Sequence[NodeView] = ()) -> Overview:
    return Overview(store.index, store.spaces, full)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Overview:
    store = filled(tmp_path_factory.mktemp("store"), VIEWS)
    store.close()
    return overview(store)


def far(
    question: str,
    known: Overview,
    max_nodes: MaxNodes = "auto",
    priors: Priors = NO_PRIORS,
    only: Sequence[int] | None = None,
    prior_top: Sequence[int] = (),
) -> list[int]:
    query = Query(question, {CID: embed(question)}, Options(max_nodes=max_nodes))
    return [each.node for each in route_summaries(query, known, {}, priors, only=only, prior_top=prior_top)]


def proposals(index: SummaryIndex, question: str) -> list[int]:
    words = list(dict.fromkeys(tokens(question)))
    keys = np.array([term_hash(word) for word in words], np.uint32)
    rows, _ = index.proposed(Terms(keys, np.ones(len(words))), {0: embed(question)})
    return list(index.columns["node"][rows].tolist())


def test_summaries_select_the_nodes_that_full_cards_select(known: Overview) -> None:
    first, shared = 0, 0
    for question in questions(40):
        near = [each.node for each in route(Query(question, {CID: embed(question)}), VIEWS)][:10]
        found = far(question, known)[:10]
        first += near[0] in found
        shared += len(set(near) & set(found))
    assert first >= 38
    assert shared >= 0.75 * 400


def test_statistics_equal_those_of_all_cards(known: Overview) -> None:
    for question in questions(5):
        words = tokens(question)
        ours, theirs = known.statistics(words), pooled_statistics(VIEWS, words)
        assert ours.chunks == theirs.chunks
        assert ours.average_length == pytest.approx(theirs.average_length)
        assert [ours.idf(word) for word in words] == [theirs.idf(word) for word in words]


def test_number_of_routes_is_limited(known: Overview) -> None:
    question = questions(1)[0]
    assert len(far(question, known, max_nodes="all")) == MAX_ROUTES < len(VIEWS)
    assert len(far(question, known, max_nodes=50)) == 50


def test_reliable_or_named_node_is_routed_without_a_proposal(known: Overview, monkeypatch: pytest.MonkeyPatch) -> None:
    rankings = {question: far(question, known, max_nodes=len(VIEWS)) for question in questions(10)}
    monkeypatch.setattr(index_module, "BY_BOTH", 12)
    monkeypatch.setattr(index_module, "BY_WORDS", 6)
    monkeypatch.setattr(two_stage_module, "MAX_ROUTES", 5)
    best = Reputation(positive=500, negative=0, count=500)
    for question, ranked in rankings.items():
        proposed = proposals(known.summaries, question)
        stranger = next(
            node for node in ranked if node not in proposed and node not in far(question, known, prior_top=[node])
        )
        assert stranger not in far(question, known)
        own = Priors({stranger: best}, lambda known, node=stranger: {node: best})  # type: ignore[misc]
        assert stranger not in far(question, known, priors=own), "neither stage proposes the node"
        assert stranger in far(question, known, prior_top=[stranger], priors=own)
        assert far(question, known, only=[stranger]) == [stranger], "a node that the user names is found"


def test_running_query_is_not_affected_by_a_new_segment(tmp_path: Path) -> None:
    store = filled(tmp_path, VIEWS[:100])
    before, asked = overview(store), questions(300)[100:]
    store.add([(CID, summarize_card(view)) for view in VIEWS[100:]])
    store.close()
    assert all(set(far(question, before)) <= set(range(1, 101)) for question in asked), (
        "the query uses the index as it was at the start"
    )
    assert any(max(far(question, overview(store))) > 100 for question in asked)


def test_queries_run_while_segments_are_added(tmp_path: Path) -> None:
    store = filled(tmp_path, VIEWS[:20])
    with ThreadPoolExecutor(2) as pool:
        coming = pool.submit(lambda: [store.add([(CID, summarize_card(view))]) for view in VIEWS[20:80]])
        rounds = [pool.submit(far, question, overview(store)) for question in questions(200)]
        assert all(each.result() for each in rounds)
        coming.result()
    store.close()
    assert len(store) == 80


def test_full_cards_are_routed_beside_summaries(known: Overview) -> None:
    question = questions(3)[2]
    moved = VIEWS[2]
    rest = known._replace(full=[view_of(1000, moved.card)])
    assert far(question, rest)[:2] in ([1000, 3], [3, 1000])


def greedy(node: int, centroids: int, terms: Sequence[str]) -> NodeView:
    """Return a node whose card claims every subject, and every word in every chunk."""
    rng = np.random.default_rng(node)
    vectors = rng.standard_normal((centroids, SPACE.dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    honest = make_card(SPACE, [Batch(vectors[:2], list(terms[:2]))], title="everything", documents=10**6)
    words = sorted({term_hash(term) for term in terms})
    return view_of(
        node,
        Card(
            title=honest.title, space=CID, documents=10**6, chunks=10**6, average_length=10.0,
            centroids=vectors.astype(VECTOR_DTYPE).tobytes(),
            weights=np.full(centroids, 10**6 // centroids, "<u4").tobytes(),
            terms=np.array(words, "<u4").tobytes(), df=np.full(len(words), 10**6, "<u4").tobytes(),
        ),
    )  # fmt: skip


def test_greedy_cards_do_not_displace_the_others(tmp_path: Path) -> None:
    crowd = [greedy(10_000 + number, 1300, NAMES) for number in range(30)]
    assert all(len(summarize_card(view).groups) == GROUPS for view in crowd[:3])
    store = filled(tmp_path, VIEWS)
    store.add([(CID, summarize_card(view)) for view in crowd])
    kept = 0
    for number, question in enumerate(questions(20), 1):
        kept += number in proposals(store.index, question)
    assert kept == 20
    chunks = overview(store).statistics(NAMES[:5]).chunks
    assert chunks == 30 * 65536 + 300 * 8, "a million chunks must count as 65,536"
    store.close()


# --- files ---------------------------------------------------------------------------------------------------------


def test_summaries_survive_a_restart(tmp_path: Path) -> None:
    first = filled(tmp_path, VIEWS[:100])
    question = questions(1)[0]
    before = far(question, overview(first))
    first.close()
    again = SummaryStore(tmp_path)
    assert far(question, overview(again)) == before
    assert again.title(5) == "node 5"
    head = VIEWS[4].entry.head
    assert head is not None
    assert again.holds(5, head.manifest)
    assert not again.holds(200, head.manifest)
    again.close()


def test_truncated_segment_loses_only_its_nodes(tmp_path: Path) -> None:
    store = filled(tmp_path, VIEWS[:50])
    store.add([(CID, summarize_card(view)) for view in VIEWS[50:80]])
    store.close()
    torn = sorted(tmp_path.glob("*.page"))[1]
    torn.write_bytes(torn.read_bytes()[:-100])
    again = SummaryStore(tmp_path)
    assert len(again) == 50
    again.add([(CID, summarize_card(view)) for view in VIEWS[50:80]])
    assert len(again) == 80
    again.close()


def test_damaged_quantizer_is_learnt_again(tmp_path: Path) -> None:
    filled(tmp_path, VIEWS[:50]).close()
    (tmp_path / "0.lens").write_bytes(b"rubbish")
    again = SummaryStore(tmp_path)
    assert (len(again), again.spaces) == (0, {})
    again.close()
    whole = filled(tmp_path, VIEWS[:50])
    assert len(whole) == 50
    whole.close()


def test_new_head_replaces_the_old_and_segments_are_merged(tmp_path: Path) -> None:
    store = filled(tmp_path, VIEWS[:100])
    for sequence in range(2, 60):
        store.add([(CID, summarize_card(view_of(7, VIEWS[200 + sequence % 3].card, sequence)))])
    assert len(store) == 100
    assert len(list(tmp_path.glob("*.page"))) < 40
    question = " ".join(np.random.default_rng(203).choice(NAMES, 12)[:4])
    assert far(question, overview(store))[0] == 7
    expected = pooled_statistics([*VIEWS[:6], *VIEWS[7:100], VIEWS[202]], NAMES[:20])
    assert overview(store).statistics(NAMES[:20]).chunks == expected.chunks
    store.close()


def test_forgotten_nodes_stay_forgotten_after_a_restart(tmp_path: Path) -> None:
    store = filled(tmp_path, VIEWS[:60])
    store.forget(range(1, 31))
    assert sorted(store.index.row_of) == list(range(31, 61))
    store.close()
    again = SummaryStore(tmp_path)
    assert len(again) == 30
    again.close()


def test_summary_store_holds_at_most_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MOST_NODES", 60)
    store = filled(tmp_path, VIEWS[:100])
    assert len(store) == 60
    store.add([(CID, summarize_card(view_of(7, VIEWS[200].card, 2)))])
    assert len(store) == 60, "one that is known may still change"
    store.close()


def test_only_one_process_writes_summaries(tmp_path: Path) -> None:
    first = filled(tmp_path, VIEWS[:50])
    second = SummaryStore(tmp_path)
    second.add([(CID, summarize_card(view)) for view in VIEWS[50:60]])
    assert (len(first), len(second)) == (50, 60)
    second.close()
    first.close()
    assert len(SummaryStore(tmp_path)) == 50
