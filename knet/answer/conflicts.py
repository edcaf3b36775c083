"""Conflicts: sentences of two sources that say the same with another number, name or opposite, or deny it.

Compared are the sentences that an answer quotes with those of the other nodes' passages. Two sentences about different
subjects differ as well, so both must cover the same words of the question with what stands around them, and must share
most of their own words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import chain
from typing import NamedTuple

from ..derivation import Claim, Conflict
from ..index.analyser import split_words, terms_of, tokens
from ..index.lexical import Statistics
from ..records import Passage
from .evidence import FORM_TERMS, FORMS, NEGATION_TERMS, NEGATIONS, OPPOSITE, OPPOSITE_TERMS, Asked, Scored
from .units import Unit, units

MAX_CONFLICTS = 3
LONGEST = 80  # words of a sentence that are compared: alignment takes quadratic time
ALIKE = 0.5  # share of words that two versions of a sentence have in common
PARAPHRASE = 0.6  # the same of words that carry meaning, where the order differs
APART = 0.12  # share of the question's weight that only one side may cover
RUN = 4  # words that differ in a row, at most: longer runs say something else
AROUND = 2  # words shown on either side of those that differ

_NUMBER_WORDS = frozenset(
    ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "hundred",
     "thousand", "million")
)  # fmt: skip


class _Word(NamedTuple):
    raw: str
    plain: str


def conflicts(
    question: str, passages: Sequence[Passage], statistics: Statistics, quoted: Sequence[Scored]
) -> list[Conflict]:
    """Return the conflicts between quoted sentences and those of other nodes, at most `MAX_CONFLICTS`."""
    asked = Asked(question, statistics)
    found: list[Conflict] = []
    seen: set[frozenset[str]] = set()
    for one in quoted:
        own = passages[one.passage]
        words = _words(own, one.unit)
        for rank, other in enumerate(passages):
            if other.provenance.node == own.provenance.node:
                continue
            for unit in units(other.text):
                if len(found) == MAX_CONFLICTS:
                    return found
                if unit.kind not in ("prose", "item") or unit.words == one.unit.words:
                    continue
                difference = _difference(
                    asked, words, _words(other, unit), _context(own, one.unit), _context(other, unit)
                )
                key = frozenset((" ".join(one.unit.words), " ".join(unit.words)))
                if difference and key not in seen:
                    seen.add(key)
                    kind, mine, theirs = difference
                    found.append(
                        Conflict(
                            kind=kind,
                            first=_claim(one.passage, own, one.unit, mine),
                            second=_claim(rank, other, unit, theirs),
                        )
                    )
    return found


def _claim(rank: int, passage: Passage, unit: Unit, words: str) -> Claim:
    return Claim(
        passage=rank,
        node=passage.provenance.node,
        start=passage.start + unit.start,
        end=passage.start + unit.end,
        exact=passage.text[unit.start : unit.end],
        words=words,
        reliability=round(passage.reliability.mean, 4),
    )


def _words(passage: Passage, unit: Unit) -> list[_Word]:
    found = [_Word(raw, "".join(split_words(raw))) for raw in passage.text[unit.start : unit.end].split()[:LONGEST]]
    return [word for word in found if word.plain]


def _context(passage: Passage, unit: Unit) -> set[str]:
    return {*unit.words, *unit.section, *tokens(passage.title)}


def _difference(
    asked: Asked, mine: Sequence[_Word], theirs: Sequence[_Word], around: set[str], beside: set[str]
) -> tuple[str, str, str] | None:
    """Return the kind of a conflict with both sides' words, or None."""
    own, other = {word.plain for word in mine}, {word.plain for word in theirs}
    if len(own & other) < ALIKE * min(len(own), len(other)) or len(own & other) < 2:
        return None
    if not _same_subject(asked, around, beside):
        return None
    matcher = SequenceMatcher(None, [word.plain for word in mine], [word.plain for word in theirs], autojunk=False)
    if matcher.ratio() >= ALIKE:
        for tag, a, b, c, d in matcher.get_opcodes():
            if tag != "equal" and b - a <= RUN and d - c <= RUN:
                kind = _kind(asked, mine[a:b], theirs[c:d], first=a == 0 or c == 0)
                if kind:
                    return kind, _shown(mine, a, b), _shown(theirs, c, d)
    return _paraphrased(asked, mine, theirs)


def _same_subject(asked: Asked, around: set[str], beside: set[str]) -> bool:
    """Return True if both cover the same words of the question, but for opposites and numbers."""
    here, there = asked.covered(around), asked.covered(beside)
    only = {
        term
        for term in here.keys() ^ there.keys()
        if not OPPOSITE_TERMS.get(term, frozenset()) & (around | beside)
        and term not in NEGATION_TERMS
        and term not in FORM_TERMS
    }
    return sum(asked.weights[term] for term in only) <= APART * asked.total


def _kind(asked: Asked, mine: Sequence[_Word], theirs: Sequence[_Word], *, first: bool) -> str | None:
    own, other = [word.plain for word in mine], [word.plain for word in theirs]
    if bool(NEGATIONS & set(own)) != bool(NEGATIONS & set(other)):
        return "negation"
    if any(OPPOSITE.get(word, frozenset()) & set(other) for word in own):
        return "opposite"
    if not own or not other:
        return None
    if _numbers(mine) and _numbers(theirs) and _numbers(mine) != _numbers(theirs):
        return "number"
    named = [all(_is_name(word) for word in side) for side in (mine, theirs)]
    if all(named) and not first and not any(term in asked.weights for term in terms_of([*own, *other])):
        return "name"
    return None


def _numbers(words: Sequence[_Word]) -> set[str]:
    return {word.plain for word in words if word.plain in _NUMBER_WORDS or any(c.isdigit() for c in word.plain)}


def _is_name(word: _Word) -> bool:
    return word.raw.lstrip("\"'“‘«(")[:1].isupper()


def _paraphrased(asked: Asked, mine: Sequence[_Word], theirs: Sequence[_Word]) -> tuple[str, str, str] | None:
    """Compare sentences in other words by what they have in common, without order."""
    own, other = ({word.plain: word for word in side if word.plain not in FORMS} for side in (mine, theirs))
    shared = own.keys() & other.keys()
    left, right = own.keys() - shared, other.keys() - shared
    if len(shared) < max(2, PARAPHRASE * min(len(own), len(other))):
        return None
    for word in left:
        against = OPPOSITE.get(word, frozenset()) & right
        if against:
            return "opposite", own[word].raw, other[min(against)].raw
    numbers = _numbers([own[word] for word in left]), _numbers([other[word] for word in right])
    if len(numbers[0]) == len(numbers[1]) == 1 and not set(terms_of(chain(*numbers))) & asked.weights.keys():
        return "number", own[min(numbers[0])].raw, other[min(numbers[1])].raw
    denied = [bool(NEGATIONS & {word.plain for word in side}) for side in (mine, theirs)]
    if denied[0] != denied[1] and len(left) <= 1 and len(right) <= 1:
        return "negation", " ".join(_said(mine)), " ".join(_said(theirs))
    return None


def _said(words: Sequence[_Word]) -> Iterator[str]:
    at = next((n for n, word in enumerate(words) if word.plain in NEGATIONS), 0)
    yield from (word.raw for word in words[max(0, at - AROUND) : at + AROUND + 1])


def _shown(words: Sequence[_Word], start: int, end: int) -> str:
    return " ".join(word.raw for word in words[max(0, start - AROUND) : end + AROUND])
