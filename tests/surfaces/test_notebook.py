"""Notebooks that hold answers, on another reader's machine: what was changed is found, what was not is not blamed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from knet.codec import to_plain
from knet.errors import ConfigError
from knet.notebook import NotebookReport, verify_notebook
from knet.query.live import MEDIA_TYPE, LiveAnswer
from knet.query.network import Network
from knet.query.report import VerificationReport
from knet.records import Answer
from tests.network.clients import PATIENT

from .conftest import QUESTION

Notebook = dict[str, Any]
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def answer(net: Network) -> LiveAnswer:
    return net.ask(QUESTION, deadline=PATIENT)


@pytest.fixture
def notebook(answer: LiveAnswer, tmp_path: Path) -> Notebook:
    """One cell of prose and one with an answer, saved and read by nbformat as Jupyter does."""
    output = nbformat.v4.new_output("execute_result", data=answer._repr_mimebundle_())
    cells = [nbformat.v4.new_markdown_cell("# Beavers"), nbformat.v4.new_code_cell("knet.ask(...)", outputs=[output])]
    path = tmp_path / "beavers.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    content: Notebook = json.loads(path.read_text())
    return content


def bundle(notebook: Notebook) -> dict[str, Any]:
    found: dict[str, Any] = notebook["cells"][1]["outputs"][0]["data"]
    return found


def checked(net: Network, notebook: Notebook) -> NotebookReport:
    reports = verify_notebook(notebook, net.verify)
    assert len(reports) == 1
    return reports[0]


def test_an_untouched_notebook_holds_in_every_claim(net: Network, notebook: Notebook, tmp_path: Path) -> None:
    report = checked(net, notebook)
    assert report.ok, report.failed
    assert (report.cell, report.question) == (1, QUESTION)
    assert {"receipt", "exact text and source", "shown as recorded"} <= {check.claim for check in report.checks}
    assert verify_notebook(tmp_path / "beavers.ipynb", net.verify) == [report]


def swap(media_type: str, old: str, new: str) -> Change:
    def change(data: dict[str, Any]) -> None:
        shown = "".join(data[media_type])
        assert old in shown
        data[media_type] = shown.replace(old, new, 1).splitlines(keepends=True)

    return change


def passage_text(data: dict[str, Any]) -> None:
    first = data[MEDIA_TYPE]["passages"][0]
    first["text"] = first["text"][:-2] + "?" + first["text"][-1:]


def cited_text(data: dict[str, Any]) -> None:
    cited = data[MEDIA_TYPE]["sentences"][0]["citations"][0]
    cited["exact"] = cited["exact"][:-2] + "?" + cited["exact"][-1:]


CHANGES: dict[str, tuple[Change, str]] = {
    "a character of a passage": (passage_text, "exact text and source"),
    "a character of a citation": (cited_text, "citation"),
    "another question": (lambda data: data[MEDIA_TYPE].update(question="Are beavers fish?"), "question"),
    "a character of the HTML": (swap("text/html", "beaver builds", "beaver breaks"), "shown as recorded"),
    "a hidden part of the HTML": (swap("text/html", "<blockquote>", "<blockquote hidden>"), "shown as recorded"),
    "a character of the plain text": (swap("text/plain", "beaver builds", "beaver breaks"), "shown as recorded"),
    "a node that is said to have answered": (swap("text/plain", "3 of 3", "9 of 9"), "shown as recorded"),
    "a richer type in the answer's place": (
        lambda data: data.update({"text/markdown": "Beavers are **fish**."}),
        "shown as recorded",
    ),
    "no record any more": (lambda data: data.pop(MEDIA_TYPE), "record"),
    "a broken record": (lambda data: data[MEDIA_TYPE].pop("passages"), "record"),
    "a record that is none": (lambda data: data.update({MEDIA_TYPE: 7}), "record"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_found(net: Network, notebook: Notebook, name: str) -> None:
    change, claim = CHANGES[name]
    change(bundle(notebook))
    report = checked(net, notebook)
    assert not report.ok
    assert claim in {check.claim for check in report.failed}
    assert all(check.detail for check in report.failed)


def test_the_place_of_a_change_is_quoted(net: Network, notebook: Notebook) -> None:
    swap("text/html", "beaver builds", "beaver breaks")(bundle(notebook))
    (failed,) = checked(net, notebook).failed
    assert (failed.subject, "breaks" in failed.detail, "builds" in failed.detail) == ("text/html", True, True)


@pytest.mark.parametrize("lines", [False, True])
def test_a_record_that_was_saved_as_text_is_read_too(
    net: Network, notebook: Notebook, answer: LiveAnswer, lines: bool
) -> None:
    """Early versions put it there as a text, which Jupyter splits into lines."""
    text = json.dumps(bundle(notebook)[MEDIA_TYPE], indent=1)
    bundle(notebook)[MEDIA_TYPE] = text.splitlines(keepends=True) if lines else text
    assert checked(net, notebook).ok


def test_claims_that_cannot_be_reached_now_are_not_called_wrong(net: Network, notebook: Notebook) -> None:
    def away(record: Answer) -> VerificationReport:
        found = net.verify(record)
        return VerificationReport(checks=[*found.checks, type(found.checks[0])(claim="x", subject="y", ok=None)])

    (report,) = verify_notebook(notebook, away)
    assert not report.ok
    assert report.failed == []
    assert [check.claim for check in report.unchecked] == ["x"]


def widget_notebook(answer: LiveAnswer) -> Notebook:
    """A saved `AskWidget`: the output names a model, whose state lies in the notebook's metadata."""
    record = to_plain(answer.record)
    state = {name: record[name] for name in ("question", "passages", "nodes")} | {"answer": record}
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "m1"}, "text/plain": "AskWidget()"}
    saved = {"state": {"m1": {"state": state}, "m2": {"state": {"answer": None}}, "m3": 3}}
    cell = nbformat.v4.new_code_cell("AskWidget()", outputs=[nbformat.v4.new_output("display_data", data=view)])
    metadata = {"widgets": {"application/vnd.jupyter.widget-state+json": saved}}
    content: Notebook = json.loads(nbformat.writes(nbformat.v4.new_notebook(cells=[cell], metadata=metadata)))
    return content


def test_a_widget_whose_state_was_not_saved_cannot_be_checked_and_is_not_passed_over(
    net: Network, answer: LiveAnswer
) -> None:
    notebook = widget_notebook(answer)
    notebook["cells"][0]["outputs"][0]["data"]["text/plain"] = "AskWidget: nothing was asked yet."
    del notebook["metadata"]["widgets"]
    report = checked(net, notebook)
    assert not report.ok
    assert [(check.ok, check.subject) for check in report.checks] == [(None, "widget")]
    asked_nothing = widget_notebook(answer)
    state = asked_nothing["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]["m1"]["state"]
    state["answer"] = None
    assert verify_notebook(asked_nothing, net.verify) == []


def test_an_answer_in_a_saved_widget_is_checked_too(net: Network, answer: LiveAnswer) -> None:
    notebook = widget_notebook(answer)
    assert checked(net, notebook).ok
    changed = copy.deepcopy(notebook)
    state = changed["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]["m1"]["state"]
    state["passages"][0]["text"] = "Beavers are fish."
    assert [check.subject for check in checked(net, changed).failed] == ["widget passages"]


NO_NOTEBOOKS: list[Any] = [
    {},
    {"nbformat": 3, "worksheets": []},
    {"nbformat": 4},
    {"nbformat": 4, "cells": {}},
    {"nbformat": "4", "cells": []},
]


@pytest.mark.parametrize("content", NO_NOTEBOOKS)
def test_what_is_no_notebook_is_refused(net: Network, content: Any) -> None:
    with pytest.raises(ConfigError, match="no notebook"):
        verify_notebook(content, net.verify)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "\xff"])
def test_a_file_that_is_no_notebook_is_refused(net: Network, tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=r"x\.ipynb is no notebook"):
        verify_notebook(path, net.verify)


def test_odd_cells_and_outputs_are_passed_over(net: Network) -> None:
    cells: list[Any] = [None, 3, {}, {"outputs": {}}, {"outputs": [None, {"data": []}, {"data": {"text/html": 3}}]}]
    assert verify_notebook({"nbformat": 4, "cells": cells}, net.verify) == []
