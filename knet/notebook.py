"""Checking the answers that a notebook holds, on another machine: the records, and that they are what the reader sees.

An answer in a notebook is three things at once: the record (`MEDIA_TYPE`), and the HTML and the text beside it, which
people read. The record is verified like any other; what is shown must be exactly what knet shows of that record. The
notebook is a stranger's file, and nothing in it is executed.

Source: https://nbformat.readthedocs.io/en/latest/format_description.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .codec import from_json, read_json, to_json, to_plain
from .errors import CodecError, ConfigError
from .query.display import answer_html, answer_text
from .query.live import MEDIA_TYPE
from .query.report import Check, VerificationReport
from .records import Answer

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
SHOWN: dict[str, Callable[[Answer], str]] = {"text/html": answer_html, "text/plain": answer_text}
MARK = 'class="knet-answer"'  # what the HTML of every answer carries
WIDGET_MARK = "AskWidget: "  # what the text beside every widget begins with
ANSWER_TAG = Answer.__struct_config__.tag
AROUND = 24  # characters of a difference to quote


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
    states = _widget_states(content)
    found = (_report(number, data, states, verify) for number, cell in enumerate(cells) for data in _bundles(cell))
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
    for output in _list(_field(cell, "outputs")):
        data = _field(output, "data")
        if isinstance(data, dict):
            yield data


def _report(
    cell: int,
    bundle: Mapping[str, Any],
    states: Mapping[str, Any],
    verify: Callable[[Answer], VerificationReport],
) -> NotebookReport | None:
    """None for an output that shows no answer."""
    if MEDIA_TYPE in bundle:
        return _checked(cell, bundle[MEDIA_TYPE], verify, lambda answer: _shown_as_recorded(bundle, answer))
    state = states.get(str(_field(bundle.get(WIDGET_VIEW), "model_id")))
    if isinstance(state, dict) and _field(state.get("answer"), "type") == ANSWER_TAG:
        return _checked(cell, state["answer"], verify, lambda answer: _widget_as_recorded(state, answer))
    if state is None and WIDGET_VIEW in bundle and _text(bundle.get("text/plain")).startswith(WIDGET_MARK):
        detail = "the notebook was saved without what its widgets show (Settings > Save Widget State Automatically)."
        lost = Check(claim="record", subject="widget", ok=None, detail=detail)
        return NotebookReport(cell=cell, question="", checks=[lost])
    if MARK in _text(bundle.get("text/html")):
        missing = Check(
            claim="record", subject="output", ok=False, detail="an answer is shown without the record that proves it."
        )
        return NotebookReport(cell=cell, question="", checks=[missing])
    return None


def _checked(
    cell: int,
    value: Any,
    verify: Callable[[Answer], VerificationReport],
    shown: Callable[[Answer], Iterator[Check]],
) -> NotebookReport:
    try:
        answer = _answer(value)
    except CodecError as error:
        broken = Check(claim="record", subject="answer", ok=False, detail=str(error))
        return NotebookReport(cell=cell, question="", checks=[broken])
    return NotebookReport(cell=cell, question=answer.question, checks=[*verify(answer).checks, *shown(answer)])


def _answer(value: Any) -> Answer:
    """A record as JSON object, or as the text (whole, or in lines) that early versions wrote. Raises CodecError."""
    return from_json(to_json(value) if isinstance(value, dict) else _text(value), Answer)


def _shown_as_recorded(bundle: Mapping[str, Any], answer: Answer) -> Iterator[Check]:
    for media_type in bundle:
        if media_type in SHOWN:
            yield _same(media_type, _text(bundle[media_type]), SHOWN[media_type](answer))
        elif media_type != MEDIA_TYPE:
            detail = "the output holds this too, and it may be shown in the answer's place."
            yield Check(claim="shown as recorded", subject=media_type, ok=False, detail=detail)


def _widget_as_recorded(state: Mapping[str, Any], answer: Answer) -> Iterator[Check]:
    recorded = to_plain(answer)
    for field in ("question", "passages", "nodes"):
        if field in state:
            same = state[field] == recorded[field]
            detail = "" if same else "the widget shows something else than its record."
            yield Check(claim="shown as recorded", subject=f"widget {field}", ok=same, detail=detail)


def _same(subject: str, shown: str, recorded: str) -> Check:
    if shown == recorded:
        return Check(claim="shown as recorded", subject=subject, ok=True)
    at = next((n for n, (a, b) in enumerate(zip(shown, recorded, strict=False)) if a != b), len(recorded))
    around = slice(max(0, at - AROUND), at + AROUND)
    detail = f"shows {shown[around]!r} where the record says {recorded[around]!r}."
    return Check(claim="shown as recorded", subject=subject, ok=False, detail=detail)


def _widget_states(content: Mapping[str, Any]) -> dict[str, Any]:
    """The saved state of each widget, by model id."""
    saved = _field(_field(_field(_field(content, "metadata"), "widgets"), WIDGET_STATE), "state")
    models = saved.items() if isinstance(saved, dict) else ()
    return {name: _field(model, "state") for name, model in models}


def _field(value: Any, name: str) -> Any:
    """A field of what may be an object; a stranger's file may hold anything anywhere."""
    return value.get(name) if isinstance(value, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    """A text, which notebooks may keep as a list of lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
