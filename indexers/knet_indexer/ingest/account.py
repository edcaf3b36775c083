"""Account of a sync: each file of each source, read or not, with the reasons."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from knet.codec import from_json, to_json
from knet.errors import CodecError, StoreError
from knet.records import Record
from knet.routing.service_status import SyncCounts

from ..sources.listing import LEFT_OUT, Listing
from ..sources.notes import Note, NoteKind, describe, total
from ..state import ItemRow, State

INCOMPLETE = 3  # exit status of a sync that did everything except what could not be listed
UNFINISHED = "syncing"  # key of a mark that a sync sets at its start and deletes at its end
KEY = "account"  # of the stored account of the last sync
MOST_REASONS = 12  # groups in the line for people; `--json` has all
FORGOTTEN = "taken back"
DUPLICATE = "uri of another source"
_REASON_END = re.compile(r"\s\(|[.:;]\s|[.:;]?$")


class Account(Record, frozen=True):
    """The account of one sync. ``files`` is the sum of ``read``, ``unreadable``, ``withheld`` and ``left_out``.

    ``withheld`` seem to hold secrets. ``kept`` of those read could not be fetched this time and stay as they were.
    ``failures`` are sources, and parts of sources, that could not be listed; their files are not among ``files``, and
    what was read before stays.
    """

    time: int
    files: int
    read: int
    unreadable: list[tuple[str, int]]  # reason and number of files
    left_out: list[tuple[str, int]]  # kind, place or rule and number of files
    withheld: int
    kept: int
    notes: list[tuple[NoteKind, int]]
    failures: list[tuple[str, str]]  # source or part, and the reason
    linked_folders: int = 0

    @property
    def counts(self) -> SyncCounts:
        """The numbers alone, for the public status of a node."""
        return SyncCounts(
            files=self.files,
            read=self.read,
            unreadable=sum(count for _, count in self.unreadable),
            left_out=sum(count for _, count in self.left_out),
            withheld=self.withheld,
            failures=len(self.failures),
        )

    def __str__(self) -> str:
        counts = self.counts
        parts = [f"{self.read} read"]
        if counts.unreadable:
            parts.append(f"{counts.unreadable} unreadable ({_listed(self.unreadable)})")
        if self.withheld:
            parts.append(f"{self.withheld} withheld, since they seem to hold secrets")
        if counts.left_out:
            parts.append(f"{counts.left_out} of kinds or places left out ({_listed(self.left_out)})")
        line = f"{self.files} file{'s' * (self.files != 1)}: {', '.join(parts)}"
        further = [describe(kind, count) for kind, count in self.notes]
        if self.kept:
            further.append(f"{self.kept} could not be fetched now and stay as read before")
        if self.linked_folders:
            further.append(f"{self.linked_folders} linked folder{'s' * (self.linked_folders != 1)} not entered")
        if self.failures:
            number = len(self.failures)
            further.append(f"{number} source{'s' * (number != 1)} or part{'s' * (number != 1)} could not be listed")
        return "; ".join([line, *further])


class Seen(NamedTuple):
    """An item that a source listed: its uri, its name in the source, and the rule that leaves it out, if any."""

    uri: str
    name: str
    left_out: str = ""


def make_account(
    time: int,
    seen: Iterable[Seen],
    rows: dict[str, ItemRow],
    notes: Iterable[tuple[str, Note]],
    listings: Iterable[Listing],
    *,
    withheld: Iterable[str],
    kept: Iterable[str],
    failures: Iterable[tuple[str, str]],
) -> Account:
    """Return the account of a finished sync. ``withheld`` and ``kept`` are uris."""
    unreadable, left_out = Counter[str](), Counter[str]()
    secrets, stayed, read = frozenset(withheld), frozenset(kept), set[str]()
    files = hidden = 0
    for item in seen:
        files += 1
        row = rows.get(item.uri)
        reason = row.reason if row else "was not read yet"
        if item.left_out:
            left_out[item.left_out] += 1
        elif item.uri in secrets:
            hidden += 1
        elif not reason:
            read.add(item.uri)
        elif reason.startswith(LEFT_OUT):
            left_out[reason.removeprefix(LEFT_OUT)] += 1
        else:
            unreadable[short_reason(reason, item.name)] += 1
    linked = 0
    for listing in listings:
        left_out.update(listing.left_out)
        files += listing.left_out.total()
        linked += listing.linked_folders
    return Account(
        time=time,
        files=files,
        read=len(read),
        unreadable=unreadable.most_common(),
        left_out=left_out.most_common(),
        withheld=hidden,
        kept=len(stayed & read),
        notes=list(total(note for uri, note in notes if uri in read).items()),
        failures=sorted(failures),
        linked_folders=linked,
    )


def short_reason(reason: str, name: str) -> str:
    """Return a reason without the name of its document, up to the first detail: the same for files of one kind."""
    before, found, after = reason.rpartition(name) if name else ("", "", reason)
    rest = (after if found else before + after).strip()
    match = _REASON_END.search(rest)
    return (rest[: match.start()] if match else rest).strip() or "cannot be read"


def last_account(state: State) -> Account | None:
    """Return the account of the last sync, None before the first."""
    stored = state.meta(KEY)
    try:
        return from_json(stored, Account) if stored else None
    except CodecError:  # of another version
        return None


def read_account(home: Path) -> Account | None:
    """Return the account of the last sync of a node in a folder; None where there is none, or it cannot be read."""
    path = home / "state.db"
    if not path.exists():
        return None
    with suppress(StoreError), closing(State(path)) as state:
        return last_account(state)
    return None


def store_account(state: State, account: Account) -> None:
    """Store the account of a sync."""
    state.put_meta(KEY, to_json(account).encode())


def _listed(groups: list[tuple[str, int]]) -> str:
    shown = [f"{name} {count}" for name, count in groups[:MOST_REASONS]]
    if further := sum(count for _, count in groups[MOST_REASONS:]):
        shown.append(f"others {further}")
    return ", ".join(shown)
