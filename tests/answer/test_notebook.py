"""Verification of answers in notebooks: changed records and outputs fail, unchanged ones pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from knet.answer.live import MEDIA_TYPE, LiveAnswer
from knet.answer.notebook import NotebookReport, read_notebook, verify_notebook
from knet.answer.render import RENDERING
from knet.answer.report import Check, CheckKind, VerificationReport
from knet.client.network import Network
from knet.codec import to_plain
from knet.errors import ConfigError
from knet.records import Answer
from tests.network.clients import PATIENT
from tests.small_network import QUESTION

Notebook = dict[str, Any]
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def answer(net: Network) -> LiveAnswer:
    return net.ask(QUESTION, node_timeout=PATIENT)


@pytest.fixture
def notebook(answer: LiveAnswer, tmp_path: Path) -> Notebook:
    """Return a notebook with a cell of text and a cell with an answer, saved and read by nbformat."""
    output = nbformat.v4.new_output("execute_result", data=answer._repr_mimebundle_())
    cells = [
        nbformat.v4.new_markdown_cell("# Beavers"),
        nbformat.v4.new_code_cell(f"knet.ask({QUESTION!r})", outputs=[output]),
    ]
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


def test_unchanged_notebook_passes_every_check(net: Network, notebook: Notebook, tmp_path: Path) -> None:
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
    "HTML of a later version that names ours": (swap("text/html", "<p>", "<p >"), "shown as recorded"),
    "HTML that names no version rightly": (swap("text/html", 'data-knet="', 'data-knet="x'), "shown as recorded"),
    "no record any more": (lambda data: data.pop(MEDIA_TYPE), "record"),
    "a broken record": (lambda data: data[MEDIA_TYPE].pop("passages"), "record"),
    "a record that is none": (lambda data: data.update({MEDIA_TYPE: 7}), "record"),
}


def test_notebook_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_bytes(b"\xef\xbb\xbf" + nbformat.writes(nbformat.v4.new_notebook()).encode())
    assert read_notebook(path)["cells"] == []


@pytest.mark.parametrize("name", CHANGES)
def test_change_in_an_output_is_found(net: Network, notebook: Notebook, name: str) -> None:
    change, claim = CHANGES[name]
    change(bundle(notebook))
    report = checked(net, notebook)
    assert not report.ok
    assert claim in {check.claim for check in report.failed}
    assert all(check.detail for check in report.failed)


def test_difference_is_quoted_with_its_position(net: Network, notebook: Notebook) -> None:
    swap("text/html", "beaver builds", "beaver breaks")(bundle(notebook))
    (failed,) = checked(net, notebook).failed
    assert (failed.subject, "breaks" in failed.detail, "builds" in failed.detail) == ("text/html", True, True)


VERSION = f'data-knet="{RENDERING}"'


@pytest.mark.parametrize("other", ["", f' data-knet="{RENDERING + 1}"'])
def test_rendering_of_another_version_is_undecided(net: Network, notebook: Notebook, other: str) -> None:
    swap("text/html", f" {VERSION}", other)(bundle(notebook))
    swap("text/html", "published collection", "own collection")(bundle(notebook))
    swap("text/plain", "nodes asked answered", "nodes answered")(bundle(notebook))
    report = checked(net, notebook)
    assert not report.ok
    assert report.failed == []
    assert [check.subject for check in report.unchecked] == ["text/html", "text/plain"]
    assert all("another version of knet" in check.detail for check in report.unchecked)


@pytest.mark.parametrize(
    "written",
    ["class='knet-answer'", "class=knet-answer", 'class="wide knet-answer new"', 'CLASS = "\nknet-answer"',
     "title='class=\"' class='a knet-answer'"],
)  # fmt: skip
def test_answer_html_without_its_record_is_reported(net: Network, written: str) -> None:
    for media_type in ("text/html", "text/markdown"):
        cell = {"outputs": [{"data": {media_type: f"<p>As knet says:</p><div {written}><p><b>Fish.</b></p></div>"}}]}
        report = checked(net, {"nbformat": 4, "cells": [cell]})
        assert [(check.claim, check.ok) for check in report.checks] == [("record", False)]


@pytest.mark.parametrize(
    "html", ["<p>knet-answer</p>", '<p class="knet-answers">x</p>', '<p class="x" id="knet-answer">']
)
def test_other_html_is_skipped(net: Network, html: str) -> None:
    cell = {"outputs": [{"data": {"text/html": html}}]}
    assert verify_notebook({"nbformat": 4, "cells": [cell]}, net.verify) == []


@pytest.mark.parametrize("lines", [False, True])
def test_record_saved_as_text_is_read(net: Network, notebook: Notebook, answer: LiveAnswer, lines: bool) -> None:
    """Early versions saved the record as text, which Jupyter splits into lines."""
    text = json.dumps(bundle(notebook)[MEDIA_TYPE], indent=1)
    bundle(notebook)[MEDIA_TYPE] = text.splitlines(keepends=True) if lines else text
    assert checked(net, notebook).ok


def test_unreachable_claims_are_undecided(net: Network, notebook: Notebook) -> None:
    def unreachable(record: Answer) -> VerificationReport:
        found = net.verify(record)
        return VerificationReport(checks=[*found.checks, Check(kind=CheckKind.RECORD, claim="x", subject="y", ok=None)])

    (report,) = verify_notebook(notebook, unreachable)
    assert not report.ok
    assert report.failed == []
    assert [check.claim for check in report.unchecked] == ["x"]


FORM = Path(__file__).parents[2] / "jupyter_ext" / "knet_jupyter" / "static"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


@pytest.fixture
def form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the form's package of this checkout importable, whether or not it is installed."""
    monkeypatch.syspath_prepend(str(FORM.parents[1]))


def saved_widget(module: str, kind: str, **state: object) -> dict[str, Any]:
    parts = {"model": f"{kind}Model", "view": f"{kind}View"}
    for part, name in parts.items():
        state |= {f"_{part}_module": module, f"_{part}_name": name, f"_{part}_module_version": "~0.11.*"}
    return {name: state[f"_{name}"] for name in ("model_module", "model_name", "model_module_version")} | {
        "state": state
    }


def widget_notebook(answer: LiveAnswer) -> Notebook:
    """Return a notebook with a saved `AskWidget`: its output names a model, whose state is in the metadata."""
    record = to_plain(answer.record)
    form = saved_widget(
        "anywidget", "Any", _anywidget_id="knet_jupyter.widget.AskWidget", _dom_classes=[], _view_count=None,
        _esm=(FORM / "widget.js").read_text(), _css=(FORM / "widget.css").read_text(), tabbable=None, tooltip=None,
        layout="IPY_MODEL_layout", question=record["question"], passages=record["passages"], nodes=record["nodes"],
        answer=record, k=8, max_nodes="auto", private=False, busy=False, message="", error="",
    )  # fmt: skip
    models = {"m1": form, "m2": {"state": {"answer": None}}, "m3": 3}
    models["layout"] = saved_widget("@jupyter-widgets/base", "Layout", width=None)
    text = f"AskWidget: {answer.record.question}\n{answer.record.text}"
    view = {WIDGET_VIEW: {"model_id": "m1"}, "text/plain": text}
    cell = nbformat.v4.new_code_cell("AskWidget()", outputs=[nbformat.v4.new_output("display_data", data=view)])
    metadata = {"widgets": {WIDGET_STATE: {"state": models}}}
    content: Notebook = json.loads(nbformat.writes(nbformat.v4.new_notebook(cells=[cell], metadata=metadata)))
    return content


def models_of(notebook: Notebook) -> dict[str, Any]:
    models: dict[str, Any] = notebook["metadata"]["widgets"][WIDGET_STATE]["state"]
    return models


def output_of(notebook: Notebook) -> dict[str, Any]:
    data: dict[str, Any] = notebook["cells"][0]["outputs"][0]["data"]
    return data


NOTHING_ASKED = "AskWidget: nothing was asked yet. Open the notebook where Jupyter widgets are shown."


def test_widget_without_saved_state_is_reported_as_undecided(net: Network, answer: LiveAnswer) -> None:
    notebook = widget_notebook(answer)
    output_of(notebook)["text/plain"] = NOTHING_ASKED
    del notebook["metadata"]["widgets"]
    report = checked(net, notebook)
    assert not report.ok
    assert [(check.ok, check.subject) for check in report.checks] == [(None, "widget")]


@pytest.mark.parametrize("message", ["31 claims hold, 0 fail, 0 could not be checked", f"on chain in 0x{'ab' * 32}"])
def test_form_button_messages_do_not_fail_the_check(net: Network, answer: LiveAnswer, message: str) -> None:
    notebook = widget_notebook(answer)
    models_of(notebook)["m1"]["state"]["message"] = message
    assert checked(net, notebook).ok


def test_form_without_a_question_has_no_report(net: Network, answer: LiveAnswer) -> None:
    notebook = widget_notebook(answer)
    models_of(notebook)["m1"]["state"]["answer"] = None
    (failed,) = checked(net, notebook).failed
    assert (failed.claim, failed.subject) == ("record", "widget"), "its text has an answer"
    output_of(notebook)["text/plain"] = NOTHING_ASKED
    assert verify_notebook(notebook, net.verify) == []


@pytest.mark.usefixtures("form")
def test_answer_in_a_saved_widget_is_verified(net: Network, answer: LiveAnswer) -> None:
    notebook = widget_notebook(answer)
    report = checked(net, notebook)
    assert report.ok, [check for check in report.checks if not check.ok]
    output_of(notebook)["text/plain"] = NOTHING_ASKED
    assert checked(net, notebook).ok, "the form was displayed before the question was asked in it"
    for name in [name for name in models_of(notebook)["m1"]["state"] if name.startswith("_view")]:
        del models_of(notebook)["m1"]["state"][name]
    del models_of(notebook)["layout"]
    assert checked(net, notebook).ok, "front ends leave out their default values"


def in_state(**changes: object) -> Change:
    return lambda notebook: models_of(notebook)["m1"]["state"].update(changes)


def in_model(name: str, **changes: object) -> Change:
    return lambda notebook: models_of(notebook)[name].update(changes)


def in_output(**changes: object) -> Change:
    return lambda notebook: output_of(notebook).update({name.replace("_", "/"): new for name, new in changes.items()})


def evil_layout(notebook: Notebook) -> None:
    models_of(notebook)["layout"] = saved_widget("anywidget", "Any", _esm="export default {}")


def record_without_its_type(notebook: Notebook) -> None:
    """Remove the record's type, without which the form still draws it."""
    state = models_of(notebook)["m1"]["state"]
    del state["answer"]["type"]
    state["passages"] = []


CONTROLS = "@jupyter-widgets/controls"
BUFFER = {"path": ["_esm"], "data": "", "encoding": "hex"}


WIDGET_CHANGES: dict[str, tuple[Change, str, bool | None]] = {
    "a passage": (in_state(passages=[]), "widget passages", False),
    "the nodes": (in_state(nodes=[{"title": "The Royal Society"}]), "widget nodes", False),
    "the question": (in_state(question="Are beavers fish?"), "widget question", False),
    "the script": (in_state(_esm="export default { render({ el }) { el.append('fish'); } }"), "widget program", None),
    "no script": (in_state(_esm=None), "widget program", None),
    "the style": (in_state(_css=".knet-said { display: none; }"), "widget program", None),
    "a message": (in_state(message="31 claims hold, 0 fail, trust me"), "widget message", None),
    "an error": (in_state(error="Beavers are fish."), "widget error", None),
    "a tooltip": (in_state(tooltip="Beavers are fish."), "widget tooltip", None),
    "another model": (in_model("m1", model_module=CONTROLS, model_name="HTMLModel"), "widget kind", False),
    "another view": (in_state(_view_module=CONTROLS, _view_name="HTMLView"), "widget kind", False),
    "no view": (in_state(_view_name=None), "widget kind", False),
    "another package as its version": (in_model("m1", model_module_version="../evil@1"), "widget kind", False),
    "another package as its view's version": (in_state(_view_module_version="../evil@1"), "widget kind", False),
    "a script laid over it": (in_model("m1", buffers=[BUFFER]), "widget kind", False),
    "a script as its layout": (evil_layout, "widget kind", False),
    "a field of another widget": (in_state(value="<b>Beavers are fish.</b>"), "widget state", False),
    "the text": (in_output(text_plain="AskWidget: Are beavers fish?\nYes. [1]"), "text/plain", False),
    "HTML in the widget's place": (in_output(text_html="<b>Beavers are fish.</b>"), "text/html", False),
    "a record that is none": (in_state(answer={"text": "Beavers are fish.", "sentences": []}), "answer", False),
    "a record without its type": (record_without_its_type, "widget passages", False),
}  # fmt: skip


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("name", WIDGET_CHANGES)
def test_change_in_a_saved_widget_is_found(net: Network, answer: LiveAnswer, name: str) -> None:
    change, subject, ok = WIDGET_CHANGES[name]
    notebook = widget_notebook(answer)
    change(notebook)
    report = checked(net, notebook)
    assert not report.ok
    assert [(check.subject, check.ok) for check in report.checks if not check.ok] == [(subject, ok)]


def test_form_without_its_package_installed_is_undecided(
    net: Network, answer: LiveAnswer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knet.answer.notebook_output.find_spec", lambda name: None)
    (check,) = [check for check in checked(net, widget_notebook(answer)).checks if not check.ok]
    assert (check.subject, check.ok) == ("widget program", None)
    assert "knet_jupyter is not installed here" in check.detail


NO_NOTEBOOKS: list[Any] = [
    {},
    {"nbformat": 3, "worksheets": []},
    {"nbformat": 4},
    {"nbformat": 4, "cells": {}},
    {"nbformat": "4", "cells": []},
]


@pytest.mark.parametrize("content", NO_NOTEBOOKS)
def test_invalid_notebook_is_refused(net: Network, content: Any) -> None:
    with pytest.raises(ConfigError, match="not a notebook of format 4"):
        verify_notebook(content, net.verify)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "\xff"])
def test_file_that_is_not_a_notebook_is_refused(net: Network, tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ConfigError, match=r"x\.ipynb is not a notebook"):
        verify_notebook(path, net.verify)


def test_malformed_cells_and_outputs_are_skipped(net: Network) -> None:
    cells: list[Any] = [None, 3, {}, {"outputs": {}}, {"outputs": [None, {"data": []}, {"data": {"image/png": 3}}]}]
    assert verify_notebook({"nbformat": 4, "cells": cells}, net.verify) == []
