"""Comparison of a notebook's output with its answer's record: HTML and text, or a saved form.

A form (`AskWidget`) is drawn by the script in its widget's saved state, from that state. All of it is untrusted, so
each part is compared with the form of the installed package.

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
HTML_START = re.compile(  # of `answer_html`
    r'<div class="knet-answer"(?: data-knet="(?P<version>[0-9]{1,9})")?>'
)
CONTEXT = 24  # characters to quote on each side of a difference

FORM_PACKAGE = "knet_jupyter"
FORM_ID = f"{FORM_PACKAGE}.widget.AskWidget"
PROGRAM = {"_esm": "widget.js", "_css": "widget.css"}  # the form's script and style, and their files in the package
FORM_RECORD_FIELDS = ("question", "passages", "nodes")
FORM_TEXT_FIELDS = ("message", "error", "tooltip")  # texts of the form that are not in the record
BUTTON_MESSAGE = re.compile(  # of the form's buttons, about ratings, or about claims, which are checked here again
    r"\d++ rated; not on chain yet|there are no ratings to put on chain|on chain in 0x[0-9a-f]{64}"
    r"(?:, 0x[0-9a-f]{64})*+|\d++ claims hold, \d++ fail, \d++ could not be checked"
)
FORM_FIELDS = {
    *PROGRAM, *FORM_RECORD_FIELDS, *FORM_TEXT_FIELDS, "answer", "k", "max_nodes", "private", "busy", "layout",
    "tabbable", "_anywidget_id", "_dom_classes", "_view_count", "_model_module", "_model_module_version", "_model_name",
    "_view_module", "_view_module_version", "_view_name",
}  # fmt: skip
VERSION = re.compile(r"[~^]?[0-9][0-9A-Za-z.*+-]*+")  # without a path: front ends use it in the address of a script


def shown_as_recorded(bundle: Mapping[str, Any], answer: Answer) -> Iterator[Check]:
    """Yield one check for each part of an output beside its record."""
    start = HTML_START.match(text_of(bundle.get("text/html")))
    is_ours = start is None or start["version"] == str(RENDERING)
    for media_type, render in SHOWN.items():
        if media_type in bundle and not is_text(bundle[media_type]):
            yield not_a_text(media_type)
        elif media_type in bundle:
            yield _same(media_type, text_of(bundle[media_type]), render(answer), is_ours)
    yield from _nothing_else(bundle, {MEDIA_TYPE, *SHOWN})


def form_as_recorded(
    bundle: Mapping[str, Any], model: Mapping[str, Any], widgets: Mapping[str, Any], answer: Answer
) -> Iterator[Check]:
    """Yield one check for each part of a saved form. ``model`` is its entry among the saved ``widgets``."""
    state, program = model["state"], _program()
    layout = widgets.get(str(state.get("layout")).removeprefix("IPY_MODEL_"))
    is_form = _is_of(model, "anywidget", "Any") and (
        layout is None or _is_of(layout, "@jupyter-widgets/base", "Layout")
    )
    yield _claim("widget kind", is_form, "the widget is not knet's form, and may show anything.")
    others = ", ".join(sorted(state.keys() - FORM_FIELDS))
    yield _claim("widget state", not others, f"knet's form does not have the fields {_quoted(others)}.")
    for name in FORM_RECORD_FIELDS:
        if name in state:
            same = state[name] == field(state["answer"], name)
            yield _claim(f"widget {name}", same, "the widget does not show its record.")
    is_ours = bool(program) and all(state.get(name) == known for name, known in program.items())
    unknown = "the widget's program is not the one of the installed package."
    missing = f"the widget's program cannot be compared: {FORM_PACKAGE} is not installed here."
    yield _claim("widget program", is_ours or None, unknown if program else missing)
    for name in FORM_TEXT_FIELDS:
        if state.get(name) and not (name == "message" and BUTTON_MESSAGE.fullmatch(str(state[name]))):
            yield _claim(f"widget {name}", None, f"the form shows {_quoted(state[name])}, which is not in the record.")
    if "text/plain" in bundle and not is_text(bundle["text/plain"]):
        yield not_a_text("text/plain")
    elif "text/plain" in bundle:
        text = text_of(bundle["text/plain"])  # of the time when the form was created, perhaps before any question
        yield _same("text/plain", text, form_text(None if text == form_text(None) else answer), is_ours)
    yield from _nothing_else(bundle, {WIDGET_VIEW, "text/plain"})


def is_form(state: Any) -> bool:
    """Return True if a widget's saved state is that of a form, or is drawn as a form."""
    script = _program().get("_esm")
    is_drawn = field(state, "_anywidget_id") == FORM_ID or (script and field(state, "_esm") == script)
    return bool(is_drawn) or field(field(state, "answer"), "type") == Answer.__struct_config__.tag


def _is_of(model: Any, module: str, kind: str) -> bool:
    """Return True if a saved widget has this kind of model and view; for missing names the front end uses its own."""
    state = field(model, "state")
    if not isinstance(state, dict) or model.get("buffers"):  # on loading, they overwrite parts of the state
        return False
    for given, prefix, part in ((model, "model", "Model"), (state, "_model", "Model"), (state, "_view", "View")):
        named = given.get(f"{prefix}_module", module), given.get(f"{prefix}_name", kind + part)
        version = str(given.get(f"{prefix}_module_version", 0))
        if named != (module, kind + part) or not VERSION.fullmatch(version):
            return False
    return True


def _program() -> dict[str, str]:
    """Return script and style of the installed package's form, by their names in a widget's state; or an empty dict."""
    found = find_spec(FORM_PACKAGE)  # without an import
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
            yield _claim(media_type, False, "the output has this type too, and may show it in place of the answer.")


def _same(subject: str, shown: str, recorded: str, is_ours: bool) -> Check:
    """Compare a shown text with its record; ``is_ours``: this version of knet wrote the text."""
    if shown == recorded:
        return _claim(subject, True)
    if not is_ours:
        return _claim(subject, None, "another version of knet wrote it, so it cannot be compared.")
    at = next((n for n, (a, b) in enumerate(zip(shown, recorded, strict=False)) if a != b), len(recorded))
    part = slice(max(0, at - CONTEXT), at + CONTEXT)
    return _claim(subject, False, f"shows {shown[part]!r} where the record has {recorded[part]!r}.")


def _claim(subject: str, ok: bool | None, detail: str = "") -> Check:
    return Check(kind=CheckKind.SHOWN, claim=CheckKind.SHOWN.claim, subject=subject, ok=ok, detail="" if ok else detail)


def _quoted(value: Any) -> str:
    return repr(str(value)[: 2 * CONTEXT])


def field(value: Any, name: str) -> Any:
    """Return a field of an object; None for any other value, since untrusted JSON may have any shape."""
    return value.get(name) if isinstance(value, dict) else None


def is_text(value: Any) -> bool:
    """Return True for a text as notebooks store it: a string, or a flat list of strings."""
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(part, str) for part in value))


def not_a_text(media_type: str) -> Check:
    """Return the failed check of an output that front ends may show in another way than it is compared."""
    return _claim(media_type, False, "it is neither a string nor a flat list of strings.")


def text_of(value: Any) -> str:
    """Return a text, which notebooks may store as a list of lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
