"""Verification of the answers in a notebook: their records, and the output that the reader sees.

An answer in a notebook has three parts: the record (`MEDIA_TYPE`), and the HTML and the text beside it. The record is
verified like any other. The HTML and the text must equal the rendering of that record. The notebook is untrusted, and
nothing in it is executed.

Source: https://nbformat.readthedocs.io/en/latest/format_description.html
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ..codec import from_json, read_json, to_json
from ..errors import CodecError, ConfigError
from ..records import Answer
from .live import MEDIA_TYPE
from .notebook_output import (
    WIDGET_VIEW,
    field,
    form_as_recorded,
    is_form,
    is_text,
    not_a_text,
    shown_as_recorded,
    text_of,
)
from .notebook_source import asks
from .render import FORM_MARK, form_text
from .report import Check, CheckKind, VerificationReport

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
MARKUP = ("text/html", "text/markdown", "image/svg+xml")
BESIDE_TEXT = 48  # characters of another output that are quoted
MARK = re.compile(  # the class of every answer's HTML, in any valid notation
    r"""\bclass\s*+=\s*+(?:"[^"]{0,999}?|'[^']{0,999}?|)(?<![\w-])knet-answer(?![\w-])""", re.IGNORECASE
)


class NotebookReport(VerificationReport, frozen=True):
    """Checks of the answer in one output. ``cell`` is the index of its cell, from 0."""

    cell: int
    question: str


def verify_notebook(
    notebook: Mapping[str, Any] | str | Path, verify: Callable[[Answer], VerificationReport]
) -> list[NotebookReport]:
    """Return one report for each answer in a notebook (parsed, or its path), in order; `Network.verify` is a
    ``verify``.

    Raises ConfigError unless it is a notebook of format 4.
    """
    content = notebook if isinstance(notebook, Mapping) else read_notebook(Path(notebook))
    cells = content.get("cells")
    if content.get("nbformat") != 4 or not isinstance(cells, list):
        name = "The notebook" if isinstance(notebook, Mapping) else notebook
        raise ConfigError(f"{name} is not a notebook of format 4.", hint="Open it in Jupyter and save it again.")
    widgets = _widgets(content)
    return [report for number, cell in enumerate(cells) for report in _cell_reports(number, cell, widgets, verify)]


def read_notebook(path: Path) -> Mapping[str, Any]:
    """Return the JSON of a notebook. Raises ConfigError."""
    try:
        content = read_json(path.read_bytes().removeprefix(codecs.BOM_UTF8))  # editors on Windows write one
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", hint="Check the file's path.") from error
    except CodecError as error:
        raise ConfigError(f"{path} is not a notebook: {error}.", hint="Name a file that ends in .ipynb.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is not a notebook.", hint="Name a file that ends in .ipynb.")
    return content


def _cell_reports(
    number: int, cell: Any, widgets: Mapping[str, Any], verify: Callable[[Answer], VerificationReport]
) -> list[NotebookReport]:
    """Return the report of each answer in a cell. The first also names the cell's other outputs."""
    outputs = field(cell, "outputs")
    reports: list[NotebookReport] = []
    beside: list[Check] = []
    for index, output in enumerate(outputs if isinstance(outputs, list) else [], 1):
        data = field(output, "data")
        report = _report(number, data, widgets, verify) if isinstance(data, dict) else None
        if report is not None:
            reports.append(replace(report, checks=[*report.checks, *_asked(cell, report.question)]))
        else:
            beside += _beside(index, output)
    if reports:
        reports[0] = replace(reports[0], checks=[*reports[0].checks, *beside])
    return reports


def _asked(cell: Any, question: str) -> Iterator[Check]:
    """Yield the comparison of the question in a cell's source with its record's, unless the source asks it."""
    asked = asks(text_of(field(cell, "source")), question) if question else True
    if asked is not True:
        detail = "the cell asks another question." if asked is False else "the cell's question is not a literal text."
        yield Check(
            kind=CheckKind.CELL, claim=CheckKind.CELL.claim, subject="source of the cell", ok=asked, detail=detail
        )


def _beside(index: int, output: Any) -> Iterator[Check]:
    """Yield the name of an output without an answer, unless it is empty."""
    kind, data = field(output, "output_type"), field(output, "data")
    shown = next(iter(data.values()), "") if isinstance(data, dict) else field(output, "text")
    text = text_of(shown).strip()
    if text or kind not in ("stream", None) or (shown and not is_text(shown)):
        detail = f"the author's word: the cell also shows {text[:BESIDE_TEXT]!r}."
        yield Check(
            kind=CheckKind.BESIDE, claim=CheckKind.BESIDE.claim, subject=f"output {index}", ok=None, detail=detail
        )


def _report(
    cell: int,
    bundle: Mapping[str, Any],
    widgets: Mapping[str, Any],
    verify: Callable[[Answer], VerificationReport],
) -> NotebookReport | None:
    """Return None for an output without an answer."""
    if MEDIA_TYPE in bundle:
        return _checked(cell, bundle[MEDIA_TYPE], verify, partial(shown_as_recorded, bundle))
    if WIDGET_VIEW in bundle and (report := _form_report(cell, bundle, widgets, verify)):
        return report
    if strange := [media_type for media_type in MARKUP if media_type in bundle and not is_text(bundle[media_type])]:
        return NotebookReport(cell=cell, question="", checks=[not_a_text(media_type) for media_type in strange])
    if any(MARK.search(text_of(bundle.get(media_type))) for media_type in MARKUP):
        return _unproven(cell, "output")
    return None


def _form_report(
    cell: int,
    bundle: Mapping[str, Any],
    widgets: Mapping[str, Any],
    verify: Callable[[Answer], VerificationReport],
) -> NotebookReport | None:
    """Return None for a widget that is not a form, and for a form without an answer."""
    model: Any = widgets.get(str(field(bundle[WIDGET_VIEW], "model_id")))
    state, text = field(model, "state"), text_of(bundle.get("text/plain"))
    if not (text.startswith(FORM_MARK) or is_form(state)):
        return None
    if not isinstance(state, dict):
        detail = "the notebook was saved without the state of its widgets (Settings > Save Widget State Automatically)."
        lost = Check(kind=CheckKind.RECORD, claim="record", subject="widget", ok=None, detail=detail)
        return NotebookReport(cell=cell, question="", checks=[lost])
    if state.get("answer") is not None:
        return _checked(cell, state["answer"], verify, partial(form_as_recorded, bundle, model, widgets))
    return _unproven(cell, "widget") if text.startswith(FORM_MARK) and text != form_text(None) else None


def _unproven(cell: int, subject: str) -> NotebookReport:
    detail = "an answer is shown without the record that proves it."
    missing = Check(kind=CheckKind.RECORD, claim="record", subject=subject, ok=False, detail=detail)
    return NotebookReport(cell=cell, question="", checks=[missing])


def _checked(
    cell: int,
    value: Any,
    verify: Callable[[Answer], VerificationReport],
    shown: Callable[[Answer], Iterator[Check]],
) -> NotebookReport:
    try:
        answer = _answer(value)
    except CodecError as error:
        broken = Check(kind=CheckKind.RECORD, claim="record", subject="answer", ok=False, detail=str(error))
        return NotebookReport(cell=cell, question="", checks=[broken])
    return NotebookReport(cell=cell, question=answer.question, checks=[*verify(answer).checks, *shown(answer)])


def _answer(value: Any) -> Answer:
    """Read a record from a JSON object, or from the text (whole, or in lines) of early versions. Raises CodecError."""
    return from_json(to_json(value) if isinstance(value, dict) else text_of(value), Answer)


def _widgets(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the saved widgets by model id."""
    saved = field(field(field(field(content, "metadata"), "widgets"), WIDGET_STATE), "state")
    return saved if isinstance(saved, dict) else {}
