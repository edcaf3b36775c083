"""The protocol of a document source, and the lookup of a source by a spec such as ``folder:docs``.

A source is a class in its own file, registered as an entry point of the group ``knet.sources``. It is called with the
text after the colon and with the options as keywords. Other packages register theirs the same way.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from knet.errors import SourceError

from .budget import Budget
from .notes import Note

GROUP = "knet.sources"


@dataclass(frozen=True, slots=True)
class Text:
    """The text of an item. ``media_type`` is that of ``text`` itself: a PDF's text is text/plain.

    ``notes`` are about the parts of the item that the text does not hold.
    """

    text: str
    title: str = ""
    media_type: str = "text/plain"
    licence: str = ""  # SPDX where known; empty: the node's own
    modified: int = 0  # unix seconds; 0: unknown
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One document that a source lists. It changed when its ``fingerprint`` did, which is known without reading it.

    ``current_fingerprint`` computes the fingerprint on the machine that calls it, and raises OSError where the item is
    missing: a machine with the same fingerprint reads the same text. An item without it is read only where it was
    listed. ``size`` is in bytes, 0 where it is unknown.
    """

    uri: str
    fingerprint: str
    title: str
    reader: Callable[[], Text] = field(repr=False, compare=False)
    current_fingerprint: Callable[[], str] | None = field(default=None, repr=False, compare=False)
    size: int = field(default=0, compare=False)

    def read(self) -> Text:
        """Return the item's text.

        Raises SourceError for an item that cannot be read, and TransportError for one that cannot be reached now.
        """
        return self.reader()


class Source(Protocol):
    """A collection that lists its documents. Two listings give the same items unless they changed."""

    @property
    def name(self) -> str:
        """The spec that names this source."""
        ...

    def items(self) -> Iterator[Item]:
        """Yield every item, in a stable order. Raises SourceError or TransportError when the listing is incomplete."""
        ...


@runtime_checkable
class BoundedSource(Source, Protocol):
    """A source whose listing ends early when its ``budget`` is spent, so that it can be previewed."""

    budget: Budget


def text_reader(text: Text) -> Callable[[], Text]:
    """Return a reader of an item whose text is known."""
    return lambda: text


def source_kinds() -> list[str]:
    """Return the kinds of sources that a spec may begin with."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def parse_source(spec: str, **options: str) -> Source:
    """Open the source that a spec names: ``folder:docs``, ``notebooks:work``, ``python:numpy``, ``sitemap:https://…``.

    Raises SourceError for a kind, an argument or an option that does not exist.
    """
    kind, colon, argument = spec.partition(":")
    found = next(iter(entry_points(group=GROUP, name=kind)), None)
    if not colon or not argument or found is None:
        known = ", ".join(f"{name}:" for name in source_kinds())
        raise SourceError(f"{spec!r} is not a source.", hint=f"Start it with one of {known}.")
    make: Callable[..., Source] = found.load()
    allowed = list(inspect.signature(make).parameters)[1:]
    if unknown := options.keys() - allowed:
        raise SourceError(
            f"{spec}: there is no option {', '.join(sorted(unknown))}.", hint=f"Options are {', '.join(allowed)}."
        )
    return make(argument, **options)


def positive_number(spec: str, option: str, value: str) -> int:
    """Return the value of an option that is a positive number. Raises SourceError."""
    if not value.isdecimal() or int(value) < 1:
        raise SourceError(f"{spec}: {option} is {value!r}.", hint=f"{option} must be a positive number.")
    return int(value)


def patterns(value: str) -> list[str]:
    """Return the value of an option that lists patterns, separated by commas."""
    return [pattern for part in value.split(",") if (pattern := part.strip())]
