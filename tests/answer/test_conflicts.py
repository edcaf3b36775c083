"""Conflicts: what counts as a disagreement of two sources, and what does not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from knet.answer.writer import numbered, write
from knet.index.lexical import Statistics
from knet.records import Passage
from tests.answer.test_writer import passage

STATISTICS = Statistics(1000, 40.0, {"the": 900, "of": 800, "is": 900, "in": 900, "does": 400, "what": 300})


def of_node(node: int, text: str, title: str = "T") -> Passage:
    own = passage(text, title=title)
    return replace(own, provenance=replace(own.provenance, node=node))


@pytest.mark.parametrize(
    ("question", "first", "second", "kind"),
    [
        ("What does heapreplace pop?", "It does heapreplace: pop and return the smallest value of the heap.",
         "It does heapreplace: pop and return the largest value of the heap.", "opposite"),
        ("When was the bridge opened?", "The bridge was opened in 1932 by the king.",
         "The bridge was opened in 1935 by the king.", "number"),
        ("When was the bridge opened?", "The bridge was opened to traffic in 1932.",
         "In 1935 the bridge was opened to traffic.", "number"),
        ("Who designed the old bridge?", "The old bridge was designed by John Bradfield alone.",
         "The old bridge was designed by Ralph Freeman alone.", "name"),
        ("Do swans leave their partner?", "Swans leave their partner after some years.",
         "Swans never leave their partner after some years.", "negation"),
    ],
)  # fmt: skip
def test_sources_that_differ_are_reported_in_the_first_line(question: str, first: str, second: str, kind: str) -> None:
    written = write(question, [of_node(1, first), of_node(2, second)], STATISTICS)
    (found,) = written.conflicts
    assert found.kind == kind
    assert {found.first.node, found.second.node} == {1, 2}
    assert {found.first.exact, found.second.exact} == {first, second}
    assert numbered(written.sentences, written.conflicts).startswith("Sources disagree: node ")


@pytest.mark.parametrize(
    ("question", "first", "second"),
    [
        ("When was the bridge opened?", "The bridge was opened in 1932.", "The bridge was opened in 1932."),
        ("When was the bridge opened?", "The bridge was opened in 1932.", "The opera house was finished in 1973."),
        ("What does mode return?", "The function mode does return the most common value.",
         "The function multimode does return the least common value."),
        ("What causes anemia?", "Mutations in the gene RPS19 cause anemia of this kind.",
         "Mutations in the gene RPS19 cause this kind of anemia."),
    ],
)  # fmt: skip
def test_sources_about_other_matters_do_not_disagree(question: str, first: str, second: str) -> None:
    assert write(question, [of_node(1, first), of_node(2, second)], STATISTICS).conflicts == []


def test_one_node_does_not_disagree_with_itself() -> None:
    both = [of_node(1, "The bridge was opened in 1932."), of_node(1, "The bridge was opened in 1935.")]
    assert write("When was the bridge opened?", both, STATISTICS).conflicts == []
