"""Units of a passage that a writer may quote: its sentences, each with its kind and with what stands around it.

A sentence of prose may need what comes before it (a pronoun its antecedent) or after it (a lead-in its list). Headings,
signatures, table rows, code, field lists, front matter, anchors and comments are never prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple
from unicodedata import category

from ..index.analyser import tokens
from ..index.sentences import Block, blocks, sentences_in

Kind = Literal["prose", "heading", "item", "code", "other"]

MIN_WORDS = 4  # shorter "sentences" are headings, labels and signatures
MIN_LETTERS = 8  # the same for scripts that put no blanks between words
LETTERS = 0.6  # share of letters among the characters of a sentence of prose that are not blanks
KEPT = 1024  # passages whose units stay in memory: the same ones come again, and ratings write an answer many times
KEPT_SIZE = 4096  # characters of a passage that is kept

_NOT_PROSE = re.compile(
    r"[ \t]*+(?:"
    r">>>|\.\.\. |\$ |#!|<!--|//|/\*|\|"  # doctests, shell, comments, table rows
    r"|@\w|\.\. |:[a-z]\w*+[^:\n]{0,80}:|--- ?$|\+[-=+]{3}|[=~-]{4}"  # decorators, directives, fields, rules
    r"|(?:async )?def |class \w++ *+[:(]|import \w|from [\w.]++ import "
    r"|[\w.]++ *+(?:\([^()\n]{0,300}\)? *+(?:->.{0,80})?:?$|= ?[^= ]|\[[^\]\n]{0,80}\] *+=)"  # signatures, assignments
    r"|[\w.*, `]{1,80}? : [\w{(`]"  # name : type, of numpy's parameters
    r"|[{\[(]['\"\d{\[(]"  # literals
    r")",
    re.M,
)
_MARKED = re.compile(r"[ \t]*+(?:[-*+•‣]|\(?\d{1,3}[.)]|\(?[a-z]\))\s++")
_PRONOUN = re.compile(
    r"(?:He|She|It|They|His|Her|Its|Their|This|That|These|Those|Such|Here|There|Er|Sie|Es|Dies\w{0,3}+|Il|Elle|Ils|Elles)\b"
)
_SIGNATURE = re.compile(r"[A-Za-z_]\w*+(?:\.\w++)*+\(")
_FIELD = re.compile(r"[\w.*, `]{1,80}? : |[A-Za-z_]\w*+$")  # name : type, and the name of an error alone


class Unit(NamedTuple):
    """One sentence, heading, list item or run of code of a passage."""

    start: int  # in the passage
    end: int
    kind: Kind
    words: tuple[str, ...]
    block: int  # number of its block: sentences of one block are one paragraph
    place: int  # number of prose sentences before it under the same heading
    section: frozenset[str]  # words of the heading above, and of the signature or field under that
    leans: bool  # it opens with a pronoun, whose antecedent is in the sentence before
    leads: bool  # it ends with a colon, and what it introduces follows
    marked: bool  # it begins with the mark of a list's item


def units(text: str) -> Sequence[Unit]:
    """Return the units of a passage, in order."""
    return _kept(text) if len(text) <= KEPT_SIZE else tuple(_units(text))


def _units(text: str) -> Iterator[Unit]:
    heading: frozenset[str] = frozenset()
    field: frozenset[str] = frozenset()
    place = 0
    for number, block in enumerate(_without_front_matter(text, blocks(text))):
        for span in sentences_in(text, block):
            part = text[span.start : span.end]
            kind = _kind(part, block)
            words = tuple(tokens(part))
            if kind == "heading":
                heading, field, place = frozenset(words), frozenset(), 0
            elif kind == "other" and _SIGNATURE.match(part):
                heading, field, place = heading | frozenset(words), frozenset(), 0
            elif kind == "other" and _FIELD.match(part):
                field, place = frozenset(words), 0
            yield Unit(
                span.start, span.end, kind, words, number, place, heading | field,
                leans=kind == "prose" and bool(_PRONOUN.match(part)), leads=part.endswith((":", "：")),
                marked=bool(_MARKED.match(part)),
            )  # fmt: skip
            place += kind == "prose"


_kept = lru_cache(KEPT)(lambda text: tuple(_units(text)))


def _without_front_matter(text: str, found: Sequence[Block]) -> Sequence[Block]:
    """Leave out YAML between two lines of dashes at the beginning."""
    if not text.startswith("---\n"):
        return found
    end = text.find("\n---", 3)
    return [block for block in found if block.start > end] if end > 0 else found


def _kind(part: str, block: Block) -> Kind:
    if block.kind != "prose":
        return block.kind
    marked = _MARKED.match(part)
    body = part[marked.end() :] if marked else part
    if _NOT_PROSE.match(body):
        return "other"
    if is_prose(body):
        return "prose"
    return "item" if marked and any(character.isalpha() for character in body) else "other"


def is_prose(text: str) -> bool:
    """Return True for a sentence of running text, False for a label, a signature, a literal or a line of symbols."""
    filled = [character for character in text if not character.isspace()]
    letters = sum(category(character)[0] in "LM" for character in filled)
    if letters < LETTERS * len(filled):
        return False
    return len(text.split()) >= MIN_WORDS or sum(character > "\u0dff" for character in filled) >= MIN_LETTERS
