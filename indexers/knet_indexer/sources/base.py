"""The protocol of a source of documents, and how a spec such as ``folder:docs`` finds its source.

A source is a class in a file of its own, named by an entry point of the group ``knet.sources`` and called with what
follows the colon and with the options as keywords. Other packages add theirs the same way.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Protocol

from knet.errors import SourceError

GROUP = "knet.sources"


@dataclass(frozen=True, slots=True)
class Text:
    """What reading an item gave. ``media_type`` is that of ``text`` itself: a PDF's text is text/plain."""

    text: str
    title: str = ""
    media_type: str = "text/plain"
    licence: str = ""  # SPDX where known; empty: the node's own applies
    modified: int = 0  # unix seconds; 0: unknown


@dataclass(frozen=True, slots=True)
class Item:
    """One thing a source lists. It changed when its ``fingerprint`` did, which is told without reading it.

    ``current_fingerprint`` says what the fingerprint is wherever it is called, and raises OSError where there is no such thing:
    another machine that is told the same reads the same. An item without it is read only where it was listed.
    """

    uri: str
    fingerprint: str
    title: str
    reader: Callable[[], Text] = field(repr=False, compare=False)
    current_fingerprint: Callable[[], str] | None = field(default=None, repr=False, compare=False)

    def read(self) -> Text:
        """The item's text.

        Raises SourceError for an item that cannot be read, and TransportError for one that is out of reach now.
        """
        return self.reader()


class Source(Protocol):
    """Something that lists documents. Listing twice gives the same items unless they changed."""

    @property
    def name(self) -> str:
        """The spec that finds this source again."""
        ...

    def items(self) -> Iterator[Item]:
        """Every item, in a stable order. Raises SourceError or TransportError when it cannot be listed to its end."""
        ...


def text_reader(text: Text) -> Callable[[], Text]:
    """Return a reader of an item whose text is known."""
    return lambda: text


def source_kinds() -> list[str]:
    """What may stand before a spec's colon."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def parse_source(spec: str, **options: str) -> Source:
    """The source that a spec names: ``folder:docs``, ``notebooks:work``, ``python:numpy``, ``sitemap:https://…``.

    Raises SourceError for a kind, an argument or an option that does not exist.
    """
    kind, colon, argument = spec.partition(":")
    found = next(iter(entry_points(group=GROUP, name=kind)), None)
    if not colon or not argument or found is None:
        known = ", ".join(f"{name}:" for name in source_kinds())
        raise SourceError(f"{spec!r} is not a source.", hint=f"Start it with one of {known}")
    make: Callable[..., Source] = found.load()
    allowed = list(inspect.signature(make).parameters)[1:]
    if unknown := options.keys() - allowed:
        raise SourceError(
            f"{spec}: there is no option {', '.join(sorted(unknown))}.", hint=f"Options are {', '.join(allowed)}."
        )
    return make(argument, **options)


def positive_number(spec: str, option: str, value: str) -> int:
    """An option that counts something. Raises SourceError."""
    if not value.isdecimal() or int(value) < 1:
        raise SourceError(f"{spec}: {option} must be a positive number, not {value!r}.")
    return int(value)


def patterns(value: str) -> list[str]:
    """An option that lists patterns, with commas between them."""
    return [pattern for part in value.split(",") if (pattern := part.strip())]
