"""Whether what an output of a notebook shows is what its answer's record says: HTML and text, or a saved form.

A form (`AskWidget`) is drawn by the script in its widget's saved state, from that state. Everything of it is a
stranger's, so each part is held against what knet's own form is.

Sources: https://ipywidgets.readthedocs.io/en/stable/embedding.html, https://anywidget.dev/en/afm/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..records import Answer
from .live import MEDIA_TYPE
from .render import RENDERING, answer_html, answer_text, form_text
from .report import Check, CheckKind

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
SHOWN: dict[str, Callable[[Answer], str]] = {"text/html": answer_html, "text/plain": answer_text}
WRITTEN = re.compile(r'<div class="knet-answer"(?: data-knet="(?P<version>[0-9]{1,9})")?>')  # how `answer_html` begins
AROUND = 24  # characters of a difference to quote

FORM_PACKAGE = "knet_jupyter"
FORM_ID = f"{FORM_PACKAGE}.widget.AskWidget"
PROGRAM = {"_esm": "widget.js", "_css": "widget.css"}  # the form's script and style, and their files in the package
FORM_SHOWS = ("question", "passages", "nodes")
FORM_WORDS = ("message", "error", "tooltip")  # what the form says besides
SAID = re.compile(  # by a form whose buttons were pressed: of ratings, or of claims, which are checked here anew
    r"\d+ rated; not on chain yet|there are no ratings to put on chain|on chain in 0x[0-9a-f]{64}(?:, 0x[0-9a-f]{64})*"
    r"|\d+ claims hold, \d+ fail, \d+ could not be checked"
)
FORM_FIELDS = {
    *PROGRAM, *FORM_SHOWS, *FORM_WORDS, "answer", "k", "ask_nodes", "private", "busy", "layout", "tabbable",
    "_anywidget_id", "_dom_classes", "_view_count", "_model_module", "_model_module_version", "_model_name",
    "_view_module", "_view_module_version", "_view_name",
}  # fmt: skip
VERSION = re.compile(r"[~^]?[0-9][0-9A-Za-z.*+-]*")  # no path: front ends put it into the address of a script


def shown_as_recorded(bundle: Mapping[str, Any], answer: Answer) -> Iterator[Check]:
    """One claim for each thing in an output beside its record."""
    written = WRITTEN.match(text_of(bundle.get("text/html")))
    is_ours = written is None or written["version"] == str(RENDERING)
    for media_type, show in SHOWN.items():
        if media_type in bundle:
            yield _same(media_type, text_of(bundle[media_type]), show(answer), is_ours)
    yield from _nothing_else(bundle, {MEDIA_TYPE, *SHOWN})


def form_as_recorded(
    bundle: Mapping[str, Any], model: Mapping[str, Any], widgets: Mapping[str, Any], answer: Answer
) -> Iterator[Check]:
    """One claim for each thing that a saved form shows. ``model`` is its entry among the saved ``widgets``."""
    state, program = model["state"], _program()
    layout = widgets.get(str(state.get("layout")).removeprefix("IPY_MODEL_"))
    is_form = _is_of(model, "anywidget", "Any") and (
        layout is None or _is_of(layout, "@jupyter-widgets/base", "Layout")
    )
    yield _claim("widget kind", is_form, "the widget is of another kind than knet's form, and may show anything.")
    others = ", ".join(sorted(state.keys() - FORM_FIELDS))
    yield _claim("widget state", not others, f"no form of knet's has {_quoted(others)}.")
    for name in FORM_SHOWS:
        if name in state:
            same = state[name] == field(state["answer"], name)
            yield _claim(f"widget {name}", same, "the widget shows something else than its record.")
    is_ours = bool(program) and all(state.get(name) == known for name, known in program.items())
    unknown = "it is shown by a program that this knet does not know."
    missing = f"what shows it cannot be compared: {FORM_PACKAGE} is not installed here."
    yield _claim("widget program", is_ours or None, unknown if program else missing)
    for name in FORM_WORDS:
        if state.get(name) and not (name == "message" and SAID.fullmatch(str(state[name]))):
            yield _claim(f"widget {name}", None, f"the form also says {_quoted(state[name])}, which nothing proves.")
    if "text/plain" in bundle:
        text = text_of(bundle["text/plain"])  # of when the form was put up, perhaps before anything was asked
        yield _same("text/plain", text, form_text(None if text == form_text(None) else answer), is_ours)
    yield from _nothing_else(bundle, {WIDGET_VIEW, "text/plain"})


def is_form(state: Any) -> bool:
    """Whether a widget's saved state is that of a form, or is drawn as one."""
    script = _program().get("_esm")
    is_drawn = field(state, "_anywidget_id") == FORM_ID or (script and field(state, "_esm") == script)
    return bool(is_drawn) or field(field(state, "answer"), "type") == Answer.__struct_config__.tag


def _is_of(model: Any, module: str, kind: str) -> bool:
    """Whether a saved widget is of that kind of model and view; names that are left out are the front end's own."""
    state = field(model, "state")
    if not isinstance(state, dict) or model.get("buffers"):  # which are laid over the state on loading
        return False
    for given, prefix, part in ((model, "model", "Model"), (state, "_model", "Model"), (state, "_view", "View")):
        named = given.get(f"{prefix}_module", module), given.get(f"{prefix}_name", kind + part)
        version = str(given.get(f"{prefix}_module_version", 0))
        if named != (module, kind + part) or not VERSION.fullmatch(version):
            return False
    return True


def _program() -> dict[str, str]:
    """Script and style of the form of the installed package, by their names in a widget's state; empty without one."""
    found = find_spec(FORM_PACKAGE)  # which imports nothing
    if found is None or found.origin is None:
        return {}
    static = Path(found.origin).parent / "static"
    try:
        return {name: (static / file).read_text(encoding="utf-8") for name, file in PROGRAM.items()}
    except OSError:
        return {}


def _nothing_else(bundle: Mapping[str, Any], known: Set[str]) -> Iterator[Check]:
    for media_type in bundle:
        if media_type not in known:
            yield _claim(media_type, False, "the output holds this too, and it may be shown in the answer's place.")


def _same(subject: str, shown: str, recorded: str, is_ours: bool) -> Check:
    """``is_ours``: whether this version of knet wrote what is shown; another's words may be others."""
    if shown == recorded:
        return _claim(subject, True)
    if not is_ours:
        return _claim(subject, None, "it was written by another version of knet and cannot be compared.")
    at = next((n for n, (a, b) in enumerate(zip(shown, recorded, strict=False)) if a != b), len(recorded))
    around = slice(max(0, at - AROUND), at + AROUND)
    return _claim(subject, False, f"shows {shown[around]!r} where the record says {recorded[around]!r}.")


def _claim(subject: str, ok: bool | None, detail: str = "") -> Check:
    return Check(kind=CheckKind.SHOWN, claim=CheckKind.SHOWN.claim, subject=subject, ok=ok, detail="" if ok else detail)


def _quoted(value: Any) -> str:
    return repr(str(value)[: 2 * AROUND])


def field(value: Any, name: str) -> Any:
    """A field of what may be an object; a stranger's file may hold anything anywhere."""
    return value.get(name) if isinstance(value, dict) else None


def text_of(value: Any) -> str:
    """A text, which notebooks may keep as a list of lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
