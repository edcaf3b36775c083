"""Titles of texts as a reader would call them, and the part of a text file that only programs read."""

from __future__ import annotations

import re

MAX_TITLE = 300  # characters
_FRONT = re.compile(r"\ufeff?---[^\S\n]*\n")
_FRONT_END = re.compile(r"^(?:---|\.\.\.)[^\S\n]*$", re.MULTILINE)
_FRONT_LINE = re.compile(r"[A-Za-z_][\w.\- ]{0,60}:(?:\s|$)|\s|#|-\s|$")
MAX_FRONT = 20_000  # characters
_HEADING = re.compile(r"#{1,6}[^\S\n]+(\S.*)")
_UNDERLINE = re.compile(r"(?:=+|-{3,})\s*$")
_LINK = re.compile(r"!?\[([^\[\]]{0,300})\]\([^()\s]{0,2000}\)")
_ANCHOR = re.compile(r"\{[#:.][^{}]{0,200}\}\s*$")


def split_front_matter(markdown: str) -> tuple[str, str]:
    """Return the title that the YAML header of a Markdown text states, and the text without the header."""
    begin = _FRONT.match(markdown)
    end = _FRONT_END.search(markdown, begin.end(), begin.end() + MAX_FRONT) if begin else None
    if not begin or not end:
        return "", markdown
    lines = markdown[begin.end() : end.start()].splitlines()
    if not any(":" in line for line in lines) or not all(_FRONT_LINE.match(line) for line in lines):
        return "", markdown  # a rule above a text
    stated = next((line.partition(":")[2].strip() for line in lines if line.lower().startswith("title:")), "")
    title = stated[1:-1] if len(stated) > 1 and stated[0] == stated[-1] and stated[0] in "\"'" else stated
    return (title if title not in ("|", ">", "|-", ">-") else "")[:MAX_TITLE], markdown[end.end() :].lstrip("\n")


def first_heading(markdown: str) -> str:
    """Return the first heading of a Markdown text outside of code fences and comments, or ``""``."""
    fence = ""
    in_comment = False
    above = ""
    for line in markdown.splitlines():
        stripped = line.strip()
        if in_comment or (stripped.startswith("<!--") and not fence):
            in_comment = "-->" not in stripped
            above = ""
            continue
        if fence or stripped.startswith(("```", "~~~")):
            fence = "" if fence and stripped.startswith(fence) else fence or stripped[:3]
            above = ""
            continue
        match = _HEADING.match(line)
        if match and (title := plain(match[1].rstrip("# \t"))):
            return title
        if (
            above
            and _UNDERLINE.match(line)
            and not above.startswith(("|", ">", "- ", "* "))
            and (title := plain(above))
        ):
            return title
        above = stripped if len(stripped) <= MAX_TITLE and not line.startswith("    ") else ""
    return ""


def plain(title: str) -> str:
    """Return a heading without links, anchors and emphasis."""
    title = _ANCHOR.sub("", _LINK.sub(r"\1", title)).replace("¶", "").replace("**", "").replace("`", "")
    return " ".join(title.split()).strip("*_ ")[:MAX_TITLE]
