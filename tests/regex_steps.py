"""Step counts of regular expressions, by a backtracking matcher over the parse tree of `re`.

`re` does not tell how many steps a search takes, and seconds depend on the machine. This matcher tries the alternatives
in the same order as `re`, without its shortcuts, so its count is an upper bound that grows as the time of `re` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

Continue = Callable[[int], int | None]  # a position in, the end of the whole match out
MARKS = " \t\n\r\v\0.!?,;:\"'`()[]{}<>#=-~^*_+/\\|@$%&aZz09é中。！؟।…”\u200b\u0301\ufeff\udc80\u2028"
MAX_STEPS = 20_000
SINGLE = {op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN}
REPEATS = {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}
CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}


def as_text(data: str | bytes) -> str:
    return data.decode("latin-1") if isinstance(data, bytes) else data


@cache
def tree_of(pattern: re.Pattern[Any]) -> Any:
    return parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE if pattern.flags & re.ASCII else pattern.flags)


class TooManySteps(Exception):
    """More than `MAX_STEPS`, as for a pattern that takes exponential time."""


class StepCounter:
    """A matcher of one pattern on one text that counts its steps."""

    def __init__(self, pattern: re.Pattern[Any], text: str) -> None:
        self.flags = pattern.flags
        self.tree = tree_of(pattern)
        self.text = text
        self.steps = 0
        self.groups: dict[int, str] = {}

    def search_all(self) -> int:
        """Return the steps of `re.finditer` over the whole text."""
        match = self.sequence(self.tree, lambda position: position)
        start = 0
        while start <= len(self.text):
            end = match(start)
            start = start + 1 if end is None or end == start else end
        return self.steps

    def match_once(self) -> int:
        """Return the steps of `re.fullmatch`, of which `re.match` takes no more."""
        self.sequence(self.tree, lambda position: position if position == len(self.text) else None)(0)
        return self.steps

    def sequence(self, items: Iterable[Any], then: Continue) -> Continue:
        for item in reversed(list(items)):
            then = self.item(item, then)
        return then

    def item(self, item: Any, then: Continue) -> Continue:
        code, value = item
        if code in SINGLE:
            return lambda at: then(at + 1) if self.is_at(item, at) else None
        if code in REPEATS:
            return self.repeat(code, *value, then)
        if code is op.BRANCH:
            branches = [self.sequence(branch, then) for branch in value[1]]
            return lambda at: next((end for branch in branches if (end := branch(at)) is not None), None)
        if code is op.SUBPATTERN:
            return lambda at: self.sequence(value[3], lambda end: self.close(value[0], at, end, then))(at)
        if code is op.ATOMIC_GROUP:
            inner = self.sequence(value, lambda end: end)
            return lambda at: then(end) if (end := inner(at)) is not None else None
        if code in (op.ASSERT, op.ASSERT_NOT):
            return self.assertion(code is op.ASSERT, *value, then)
        if code is op.AT:
            return lambda at: then(at) if self.is_boundary(value, at) else None
        assert code is op.GROUPREF, code
        return lambda at: self.reference(value, at, then)

    def is_at(self, item: Any, at: int) -> bool:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TooManySteps
        return at < len(self.text) and accepts(item, self.text[at], self.flags)

    def close(self, group: int | None, start: int, end: int, then: Continue) -> int | None:
        if group is None:
            return then(end)
        before = self.groups.get(group, "")
        self.groups[group] = self.text[start:end]
        found = then(end)
        if found is None:
            self.groups[group] = before
        return found

    def reference(self, group: int, at: int, then: Continue) -> int | None:
        self.steps += 1
        text = self.groups.get(group)
        return then(at + len(text)) if text is not None and self.text.startswith(text, at) else None

    def repeat(self, code: Any, low: int, high: int, body: Any, then: Continue) -> Continue:
        def again(at: int, count: int) -> int | None:
            def more() -> int | None:
                if count >= high:
                    return None
                inner = self.sequence(body, lambda end: again(end, count + 1) if end > at or count < low else None)
                return inner(at)

            def stop() -> int | None:
                return then(at) if count >= low else None

            first, second = (stop, more) if code is op.MIN_REPEAT else (more, stop)
            found = first()
            return second() if found is None else found

        def possessive(at: int) -> int | None:
            inner, count = self.sequence(body, lambda end: end), 0
            while count < high and (end := inner(at)) is not None:
                count += 1
                if end == at:
                    break
                at = end
            return then(at) if count >= low else None

        return possessive if code is op.POSSESSIVE_REPEAT else lambda at: again(at, 0)

    def assertion(self, wanted: bool, direction: int, body: Any, then: Continue) -> Continue:
        inner = self.sequence(body, lambda end: end)
        width = body.getwidth()[0] if direction < 0 else 0

        def check(at: int) -> int | None:
            self.steps += 1
            holds = at >= width and inner(at - width) is not None
            return then(at) if holds == wanted else None

        return check

    def is_boundary(self, where: Any, at: int) -> bool:
        self.steps += 1
        text, lines = self.text, bool(self.flags & re.MULTILINE)
        if where in (op.AT_BEGINNING, op.AT_BEGINNING_STRING):
            return at == 0 or (where is op.AT_BEGINNING and lines and text[at - 1] == "\n")
        if where in (op.AT_END, op.AT_END_STRING):
            return at == len(text) or (where is op.AT_END and text[at] == "\n" and (lines or at == len(text) - 1))
        words = [0 <= place < len(text) and bool(re.match(r"\w", text[place])) for place in (at - 1, at)]
        return (words[0] != words[1]) == (where is op.AT_BOUNDARY)


# --- single characters -------------------------------------------------------------------------------------------


_known: dict[tuple[int, str], bool] = {}  # by the id of an item of a tree, which `tree_of` keeps


def accepts(item: Any, character: str, flags: int) -> bool:
    """Tell if an item of a parse tree that stands for one character accepts this one."""
    key = id(item), character
    if key not in _known:
        _known[key] = _accepts(item, character, flags)
    return _known[key]


def _accepts(item: Any, character: str, flags: int) -> bool:
    code, value = item
    forms = {character, character.lower(), character.upper()} if flags & re.IGNORECASE else {character}
    if code is op.ANY:
        return character != "\n" or bool(flags & re.DOTALL)
    if code is op.LITERAL:
        return chr(value) in forms
    if code is op.NOT_LITERAL:
        return chr(value) not in forms
    found = False
    for kind, argument in value:
        if kind is op.LITERAL:
            found |= chr(argument) in forms
        elif kind is op.RANGE:
            found |= any(len(form) == 1 and argument[0] <= ord(form) <= argument[1] for form in forms)
        elif kind is op.CATEGORY:
            found |= re.fullmatch(CATEGORIES[argument], character, flags & re.ASCII) is not None
    return bool(found) != (value[0][0] is op.NEGATE)


def singles(tree: Iterable[Any]) -> Iterator[Any]:
    """Yield every item of a parse tree that stands for one character."""
    for item in tree:
        if item[0] in SINGLE:
            yield item
        for part in parts_of(item):
            yield from singles(part)


def parts_of(item: Any) -> list[Any]:
    """Return the parse trees inside an item."""
    code, value = item
    if code is op.BRANCH:
        return list(value[1])
    if code in REPEATS:
        return [value[2]]
    if code is op.SUBPATTERN:
        return [value[3]]
    if code is op.ATOMIC_GROUP:
        return [value]
    return [value[1]] if code in (op.ASSERT, op.ASSERT_NOT) else []


def alphabet(pattern: re.Pattern[Any]) -> list[str]:
    """Return one character of every class that a pattern tells apart, among common ones and its own."""
    items = list(singles(tree_of(pattern)))
    own = [chr(item[1]) for item in items if item[0] in (op.LITERAL, op.NOT_LITERAL)]
    classes: dict[tuple[bool, ...], str] = {}
    for character in (*MARKS, *own):
        classes.setdefault(tuple(accepts(item, character, pattern.flags) for item in items), character)
    return list(classes.values())


# --- attack strings ----------------------------------------------------------------------------------------------


def pumped(pattern: re.Pattern[Any], count: int) -> Iterator[str]:
    """Yield texts that lead into a pattern, with one of its repeats taken ``count`` times."""
    tree = tree_of(pattern)
    for target in repeats_of(tree):
        yield example(tree, pattern.flags, target, count)[0]


def repeats_of(tree: Iterable[Any]) -> Iterator[Any]:
    for item in tree:
        if item[0] in REPEATS and item[1][1] > 1:
            yield item
        for part in parts_of(item):
            yield from repeats_of(part)


def example(tree: Iterable[Any], flags: int, target: Any, count: int) -> tuple[str, bool]:
    """Return a short text that a tree matches up to and with its repeated ``target``, and True if that was reached."""
    text = ""
    for item in tree:
        code, value = item
        reached = item is target
        if code in SINGLE:
            text += next((c for c in MARKS if accepts(item, c, flags)), chr(value) if code is op.LITERAL else "")
        elif code in REPEATS:
            inner, within = example(value[2], flags, target, count)
            times = count if reached else max(1, value[0])
            text, reached = text + inner * times, reached or within
        elif code is op.BRANCH:
            options = [example(branch, flags, target, count) for branch in value[1]]
            inner, reached = next((option for option in options if option[1]), options[0])
            text += inner
        elif parts_of(item) and code not in (op.ASSERT, op.ASSERT_NOT):
            inner, reached = example(parts_of(item)[0], flags, target, count)
            text += inner
        if reached:
            return text, True
    return text, False
