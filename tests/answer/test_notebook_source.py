"""Notebooks whose record is right, and whose cell shows or asks something else.

Threat model: author of a notebook, other outputs beside an answer, HTML of another shape, and another question.
"""

from __future__ import annotations

from typing import Any

import pytest

from knet.answer.live import MEDIA_TYPE
from knet.answer.notebook import NotebookReport, verify_notebook
from knet.answer.notebook_source import MAX_SOURCE, asks
from knet.answer.render import answer_html, answer_text
from knet.answer.report import Check, CheckKind, VerificationReport
from knet.codec import to_plain
from knet.records import Answer

from .test_rendered import FOUND

QUESTION = FOUND.question
MARKUP = answer_html(FOUND)


def holds(answer: Answer) -> VerificationReport:
    """Return the report of a record in which every claim holds."""
    return VerificationReport(checks=[Check(kind=CheckKind.RECORD, claim="record", subject="answer", ok=True)])


def output(**data: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data}


def answer_output(**changes: Any) -> dict[str, Any]:
    shown = {"text/html": MARKUP, "text/plain": answer_text(FOUND), MEDIA_TYPE: to_plain(FOUND)}
    return output(**(shown | changes))


def reports(*outputs: Any, source: Any = f"knet.ask({QUESTION!r})") -> list[NotebookReport]:
    cell = {"cell_type": "code", "source": source, "outputs": list(outputs)}
    return verify_notebook({"nbformat": 4, "cells": [cell]}, holds)


def test_cell_with_its_answer_alone_passes() -> None:
    (report,) = reports(answer_output(), {"output_type": "stream", "text": ["\n"]})
    assert report.ok, report.checks


@pytest.mark.parametrize(
    "shape",
    [
        [["<div class='knet-answer'>Fish.</div>"]],
        [MARKUP, ["Fish."]],
        {"0": MARKUP},
        [MARKUP, 7],
        7,
        None,
        True,
        [None],
    ],
    ids=repr,
)
@pytest.mark.parametrize("recorded", [True, False])
def test_html_that_is_not_a_text_fails(shape: Any, recorded: bool) -> None:
    changed = answer_output(**{"text/html": shape}) if recorded else output(**{"text/html": shape})
    (report,) = reports(changed)
    assert [(check.kind, check.subject) for check in report.failed] == [(CheckKind.SHOWN, "text/html")]


@pytest.mark.parametrize("shape", [[["Fish."]], {"0": "Fish."}, 7, None], ids=repr)
def test_plain_text_that_is_not_a_text_fails(shape: Any) -> None:
    (report,) = reports(answer_output(**{"text/plain": shape}))
    assert [check.subject for check in report.failed] == ["text/plain"]


OTHERS = [
    {"output_type": "stream", "name": "stdout", "text": ["Correction: beavers are fish.\n"]},
    {"output_type": "stream", "text": [["Correction: beavers are fish."]]},
    {"output_type": "error", "ename": "X", "evalue": "beavers are fish", "traceback": []},
    output(**{"text/html": "<b>Correction: beavers are fish.</b>"}),
    output(**{"image/png": "iVBORw0KGgo="}),
    output(**{"application/x": {"beavers": "fish"}}),
    {"text": "Correction: beavers are fish."},
]


@pytest.mark.parametrize("other", OTHERS, ids=repr)
@pytest.mark.parametrize("first", [True, False])
def test_other_output_beside_an_answer_is_named_and_not_green(other: dict[str, Any], first: bool) -> None:
    (report,) = reports(*([other, answer_output()] if first else [answer_output(), other]))
    assert report.failed == []
    (named,) = report.unchecked
    assert (named.kind, named.claim, named.subject) == (
        CheckKind.BESIDE, "shown beside it, not proven", f"output {1 if first else 2}",
    )  # fmt: skip


def test_outputs_of_cells_without_an_answer_are_not_reported() -> None:
    assert reports(OTHERS[0], OTHERS[3]) == []


ASKED: list[tuple[str, bool | None]] = [
    (f"knet.ask({QUESTION!r})", True),
    (f"import knet\n\nknet.ask(\n    {QUESTION!r},\n    k=3,\n)", True),
    (f"a = await net.aask(question={QUESTION!r})\na", True),
    (f"%knet {QUESTION}", True),
    (f"a = %knet -k 3 --private --max-nodes=2 -p demo {QUESTION}", True),
    (f'%%knet -k 3\n"{QUESTION}"\n', True),
    (f"%%time\nnet.ask({QUESTION!r})", True),
    ("answer", True),
    ("AskWidget()", True),
    ("%knet verify", True),
    ("", True),
    ("net.ask('Are beavers fish?')", False),
    (f"net.ask('Is it a lie? ' {QUESTION!r})", False),
    (f"net.ask('Are beavers fish?')  # {QUESTION}", False),
    ("%knet Are beavers fish?", False),
    (f"%knet Is it a lie: {QUESTION}", False),
    (f"%%knet\nIs it a lie?\n{QUESTION}", False),
    ("net.ask(question)", None),
    (f"net.ask('Is it a lie? ' + {QUESTION!r})", None),
    (f"net.ask(f'{{lie}} {QUESTION}')", None),
    ("net.ask('Are beavers fish?'", None),
    ("net.ask(" + "(" * 10_000, None),
    ("x = '" + " " * MAX_SOURCE, None),
    ("-" * 50_000 + "ask", None),
    ("ask\0", None),
]


@pytest.mark.parametrize(("source", "expected"), ASKED, ids=lambda value: repr(value)[:60])
def test_question_of_the_cell_is_compared_with_the_record(source: str, expected: bool | None) -> None:
    assert asks(source, QUESTION) is expected
    for written in (source, source.splitlines(keepends=True)):
        (report,) = reports(answer_output(), source=written)
        assert report.ok is (expected is True)
        assert [check.ok for check in report.checks if check.kind == CheckKind.CELL] == [expected] * (
            expected is not True
        )


@pytest.mark.parametrize("source", [7, None, {"a": 1}, [["net.ask('x')"]]])
def test_source_of_another_shape_asks_nothing(source: Any) -> None:
    (report,) = reports(answer_output(), source=source)
    assert report.ok
