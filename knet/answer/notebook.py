"""Checking the answers that a notebook holds, on another machine: the records, and that they are what the reader sees.

An answer in a notebook is three things at once: the record (`MEDIA_TYPE`), and the HTML and the text beside it, which
people read. The record is verified like any other; what is shown must be exactly what knet shows of that record. The
notebook is a stranger's file, and nothing in it is executed.

Source: https://nbformat.readthedocs.io/en/latest/format_description.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..codec import from_json, read_json, to_json
from ..errors import CodecError, ConfigError
from ..records import Answer
from .live import MEDIA_TYPE
from .notebook_output import WIDGET_VIEW, field, form_as_recorded, is_form, shown_as_recorded, text_of
from .render import FORM_MARK, form_text
from .report import Check, CheckKind, VerificationReport

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
MARKUP = ("text/html", "text/markdown", "image/svg+xml")
MARK = re.compile(  # the class that the HTML of every answer carries, however it is written
    r"""\bclass\s*=\s*(?:"[^"]{0,999}?|'[^']{0,999}?|)(?<![\w-])knet-answer(?![\w-])""", re.IGNORECASE
)


class NotebookReport(VerificationReport, frozen=True):
    """What became of the answer in one output. ``cell`` is the index of its cell, from 0."""

    cell: int
    question: str


def verify_notebook(
    notebook: Mapping[str, Any] | str | Path, verify: Callable[[Answer], VerificationReport]
) -> list[NotebookReport]:
    """One report for each answer in a notebook (parsed, or its path), in order; `Network.verify` is a ``verify``.

    Raises ConfigError for what is no notebook of format 4.
    """
    content = notebook if isinstance(notebook, Mapping) else read_notebook(Path(notebook))
    cells = content.get("cells")
    if content.get("nbformat") != 4 or not isinstance(cells, list):
        raise ConfigError("This is no notebook of format 4.", hint="Open it in Jupyter and save it again.")
    widgets = _widgets(content)
    found = (_report(number, data, widgets, verify) for number, cell in enumerate(cells) for data in _bundles(cell))
    return [report for report in found if report]


def read_notebook(path: Path) -> Mapping[str, Any]:
    """The JSON of a notebook. Raises ConfigError."""
    try:
        content = read_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except CodecError as error:
        raise ConfigError(f"{path} is no notebook: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is no notebook.")
    return content


def _bundles(cell: Any) -> Iterator[Mapping[str, Any]]:
    """The MIME bundle of each output."""
    for output in _list(field(cell, "outputs")):
        data = field(output, "data")
        if isinstance(data, dict):
            yield data


def _report(
    cell: int,
    bundle: Mapping[str, Any],
    widgets: Mapping[str, Any],
    verify: Callable[[Answer], VerificationReport],
) -> NotebookReport | None:
    """None for an output that shows no answer."""
    if MEDIA_TYPE in bundle:
        return _checked(cell, bundle[MEDIA_TYPE], verify, partial(shown_as_recorded, bundle))
    if WIDGET_VIEW in bundle and (report := _form_report(cell, bundle, widgets, verify)):
        return report
    if any(MARK.search(text_of(bundle.get(media_type))) for media_type in MARKUP):
        return _unproven(cell, "output")
    return None


def _form_report(
    cell: int,
    bundle: Mapping[str, Any],
    widgets: Mapping[str, Any],
    verify: Callable[[Answer], VerificationReport],
) -> NotebookReport | None:
    """None for a widget that is no form, and for a form that shows no answer."""
    model: Any = widgets.get(str(field(bundle[WIDGET_VIEW], "model_id")))
    state, text = field(model, "state"), text_of(bundle.get("text/plain"))
    if not (text.startswith(FORM_MARK) or is_form(state)):
        return None
    if not isinstance(state, dict):
        detail = "the notebook was saved without what its widgets show (Settings > Save Widget State Automatically)."
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
    """A record as JSON object, or as the text (whole, or in lines) that early versions wrote. Raises CodecError."""
    return from_json(to_json(value) if isinstance(value, dict) else text_of(value), Answer)


def _widgets(content: Mapping[str, Any]) -> dict[str, Any]:
    """What is saved of each widget, by model id."""
    saved = field(field(field(field(content, "metadata"), "widgets"), WIDGET_STATE), "state")
    return saved if isinstance(saved, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
