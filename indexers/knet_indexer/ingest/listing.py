"""Listing of a node's sources: their items, and an account of what each source left out or could not list."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from knet.errors import SourceError, TransportError

from ..config import NodeConfig, SourceConfig
from ..node import Progress
from ..sources.base import Item, Source, parse_source
from ..sources.listing import Listing
from ..state import ItemRow
from .account import DUPLICATE, FORGOTTEN, Seen
from .secret_scan import RULES
from .sites import SiteMemory

EMPTY_HINT = "If that is right, run `knet node sync --empty`; if its disk is not mounted, mount it and sync again."


class ListedItem(NamedTuple):
    """An item with its source, and the fingerprint under which the node stores it."""

    item: Item
    source: str
    fingerprint: str


class Lister:
    """The listing of all sources of a node.

    ``known`` are the items of the last sync. ``may_empty`` decides about a source, given with its number of documents,
    that lists none of them any more.
    """

    def __init__(
        self,
        config: NodeConfig,
        known: dict[str, ItemRow],
        may_empty: Callable[[str, int], bool],
        progress: Progress,
        sites: SiteMemory,
    ) -> None:
        self._config = config
        self._known = known
        self._may_empty = may_empty
        self._progress = progress
        self._sites = sites
        self._forgotten = frozenset(config.forgotten)
        self._complete: set[str] = set()  # sources listed completely, but for the beginnings of uris in `_failed`
        self._failed: list[str] = []
        self.listed: dict[str, ListedItem] = {}
        self.seen: list[Seen] = []
        self.listings: list[Listing] = []
        self.conflicts: dict[str, str] = {}
        self.failures: list[tuple[str, str]] = []  # sources and parts of sources, with the reason

    def run(self) -> dict[str, ListedItem]:
        """Return the items of all sources by uri. A source or part that cannot be listed is a failure."""
        for source in self._config.sources:
            first = len(self.seen)
            opened: Source | None = None
            try:
                opened = parse_source(source.spec, **source.options)
                self._sites.restrict(opened)
                self._list_items(source, opened)
                self._complete.add(source.spec)
            except (SourceError, TransportError) as error:
                self._fail(source.spec, error.described)
            listing = getattr(opened, "listing", None)  # sources of other packages may have none
            if isinstance(listing, Listing):
                self.listings.append(listing)
                if listing.is_incomplete:
                    self._complete.discard(source.spec)
                for part, reason in listing.failed.items():
                    self._fail(part, reason)
                    self._failed.append(part)
            if source.spec in self._complete and not self._failed:
                self._check_empty(source.spec, {item.uri for item in self.seen[first:]})
        return self.listed

    def _list_items(self, source: SourceConfig, opened: Source) -> None:
        settings = self._settings_digest(source)
        for item in opened.items():
            if item.uri in self._forgotten:
                self.seen.append(Seen(item.uri, item.title, FORGOTTEN))
                continue
            allowed = "|allowed" if self.is_allowed(item) else ""
            entry = ListedItem(item, source.spec, f"{item.fingerprint}|{settings}{allowed}")
            first = self.listed.setdefault(item.uri, entry)
            self.seen.append(Seen(item.uri, item.title, "" if first is entry else DUPLICATE))
            if first.item.fingerprint != item.fingerprint:
                self.conflicts[f"{item.uri} of {source.spec}"] = (
                    f"{first.source} has another document of this uri. Add one of the sources with `-o base=NAME`."
                )
            self._progress("list", len(self.listed), 0)

    def _fail(self, part: str, reason: str) -> None:
        self.failures.append((part, reason))

    def _check_empty(self, spec: str, listed: set[str]) -> None:
        """Keep the documents of a source that lists none of them and no new item, unless the owner confirms it."""
        held = {row.uri for row in self._known.values() if row.source == spec and not row.reason}
        lost = held.isdisjoint(listed) and listed <= self._known.keys()
        if held and lost and not self._may_empty(spec, len(held)):
            self._complete.discard(spec)
            self._fail(spec, f"it lists none of its {len(held)} documents any more. {EMPTY_HINT}")

    def _settings_digest(self, source: SourceConfig) -> str:
        """Return a digest of licence, options and rules for secrets: when they change, every item is read again."""
        settings = repr((self._config.licence, sorted(source.options.items()), RULES))
        return hashlib.sha256(settings.encode()).hexdigest()[:8]

    def is_allowed(self, item: Item) -> bool:
        """Return whether the owner publishes an item although it seems to hold a secret."""
        return item.uri in self._config.allow or (is_file(item) and item.title in self._config.allow)

    def vanished(self) -> list[str]:
        """Return the uris that the sources do not list any more, without those in parts that could not be listed."""
        configured = {source.spec for source in self._config.sources}
        failed = tuple(self._failed)
        return [
            row.uri
            for row in self._known.values()
            if row.uri not in self.listed
            and (row.source in self._complete or row.source not in configured)
            and not (failed and row.uri.startswith(failed))
        ]


def is_file(item: Item) -> bool:
    """Return whether an item is a file of this machine."""
    return item.current_fingerprint is not None
