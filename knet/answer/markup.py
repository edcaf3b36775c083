"""Plain wording of quoted text: markup of Markdown, reStructuredText and HTML is dropped, code keeps its lines."""

from __future__ import annotations

import re

_TAG = re.compile(
    r"</?(?:a|abbr|b|blockquote|br|cite|code|dd|div|dl|dt|em|h[1-6]|hr|i|img|kbd|li|ol|p|pre|q|s|samp|script|small|span|"
    r"strong|style|sub|sup|table|tbody|td|th|thead|tr|tt|u|ul|var)\b[^<>]*+>"
)
_LINK = re.compile(r"!?\[([^\[\]]*+)\]\([^()\s]*+\)")
_ROLE = re.compile(r":[a-z]++:(?=`)")
_TARGET = re.compile(r" <[^<>\s]*+>(?=`)")  # the address in `text <address>`_
_TICKS = re.compile(r"`++(?:_{1,2}(?!\w))?")
_OPEN = re.compile(r"(?<![^\s(\[\"'])\*{1,2}(?=[\w\"'(])")
_CLOSE = re.compile(r"(?<=[\w\"').,:;!?])\*{1,2}(?![^\s)\].,:;!?\"'])")
_ANCHOR = re.compile(r"\{#[\w-]*+\}")
_LEADING = re.compile(r"(?:[-*+•‣]|#{1,6})\s++")
_NUMBERED = re.compile(r"\(?\d{1,3}[.)]\s++|\(?[a-z]\)\s++")
FENCE = "```"


def wording(text: str) -> str:
    """Return a quoted sentence without markup, as one line."""
    line = " ".join(text.split())
    line = _LEADING.sub("", line, count=1) if _LEADING.match(line) else line
    line = _LINK.sub(r"\1", _TAG.sub("", line))
    line = _TICKS.sub("", _TARGET.sub("", _ROLE.sub("", line)))
    line = _ANCHOR.sub("", line)
    if _OPEN.search(line) and _CLOSE.search(line):
        line = _CLOSE.sub("", _OPEN.sub("", line))
    return " ".join(line.split())


def is_item(text: str) -> bool:
    """Return True if a quoted span is an item of a list."""
    return bool(_LEADING.match(text) and not text.startswith("#")) or bool(_NUMBERED.match(text))


def block(text: str) -> str:
    """Return quoted code or a table as a block of its own, with its line breaks."""
    inner = text.strip("\n")
    return inner if inner.startswith(FENCE) else f"{FENCE}\n{inner}\n{FENCE}"
