"""Preview of a source: the documents that a sync would read and what it leaves out, found without reading them.

The work is bounded for folders and sites of any size. Of a site, robots.txt and the first sitemaps are read.
"""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from knet.errors import SourceError, TransportError
from knet.http import AddressPolicy
from knet.records import Record

from ..sources.base import BoundedSource, Item, Source
from ..sources.budget import Budget
from ..sources.files import MAX_FILE
from ..sources.folder import CODE
from ..sources.listing import Listing
from ..state import State
from .secret_scan import has_secret_name
from .sites import SiteMemory

ENTRIES = 50_000  # files and folders that a preview looks at, in a second or two
SECONDS = 5.0
REQUESTS = 3  # sitemaps of a site: one index and two of its parts
SHOWN = 10  # names of each kind


class KindCount(Record, frozen=True):
    """The documents with one suffix of their names."""

    kind: str
    documents: int
    bytes: int


class LeftOut(Record, frozen=True):
    """The number of files that one rule leaves out, and the name of the first."""

    reason: str
    files: int
    first: str = ""


class SourcePreview(Record, frozen=True):
    """The documents of a source. ``is_complete`` is False where a limit was reached: the numbers are lower bounds.

    ``suspicious`` are names that suggest secrets. ``network`` is ``public`` or ``private`` for a site that answered:
    pages of a private one are of the owner's own network. ``problem`` tells why the source could not be listed.
    """

    source: str
    documents: int = 0
    bytes: int = 0
    is_complete: bool = True
    kinds: list[KindCount] = []
    largest: list[tuple[str, int]] = []
    first: list[str] = []
    left_out: list[LeftOut] = []
    suspicious: list[str] = []
    network: str = ""
    problem: str = ""


def preview_source(source: Source, state: State) -> SourcePreview:
    """Return the preview of a source. A site that had a public address before is asked at public ones only."""
    if not isinstance(source, BoundedSource):  # such as a package, whose documents are known once it was read
        return SourcePreview(source=source.name, is_complete=False, problem="Its documents are known after a sync.")
    source.budget = budget = Budget(entries=ENTRIES, requests=REQUESTS, seconds=SECONDS)
    sites = SiteMemory(state)
    sites.restrict(source)
    items: list[Item] = []
    problem = ""
    try:
        for item in source.items():
            items.append(item)
            if not budget.in_time():
                break
    except (SourceError, TransportError) as error:
        problem = error.described
    sites.save()
    return _preview(source, items, budget, problem)


def _preview(source: Source, items: list[Item], budget: Budget, problem: str) -> SourcePreview:
    listing = getattr(source, "listing", Listing())
    for item in items:
        if item.size > MAX_FILE:
            listing.leave_out(f"larger than {MAX_FILE >> 20} MiB", item.title)
    items = [item for item in items if item.size <= MAX_FILE]
    counts, sizes = Counter[str](), Counter[str]()
    for item in items:
        counts[_kind(item)] += 1
        sizes[_kind(item)] += item.size
    largest = sorted(items, key=lambda item: (-item.size, item.title))
    policy = getattr(source, "policy", None)
    answered = isinstance(policy, AddressPolicy) and bool(items)
    return SourcePreview(
        source=source.name,
        documents=len(items),
        bytes=sum(item.size for item in items),
        is_complete=not (budget.is_spent or problem or listing.failed),
        kinds=[KindCount(kind=kind, documents=count, bytes=sizes[kind]) for kind, count in counts.most_common()],
        largest=[(item.title, item.size) for item in largest[:SHOWN] if item.size],
        first=[item.title for item in items[:SHOWN]],
        left_out=[
            LeftOut(reason=reason, files=files, first=listing.first.get(reason, ""))
            for reason, files in listing.left_out.most_common()
        ],
        suspicious=[item.title for item in items if item.current_fingerprint and _is_suspicious(item.title)][:SHOWN],
        network=policy.name if answered and isinstance(policy, AddressPolicy) else "",
        problem=problem or next(iter(listing.failed.values()), ""),
    )


def _kind(item: Item) -> str:
    path = item.title if item.current_fingerprint else urlsplit(item.uri).path
    return PurePosixPath(path).suffix.lower() or ("no suffix" if item.current_fingerprint else "page")


def _is_suspicious(name: str) -> bool:
    return has_secret_name(name, is_code=PurePosixPath(name).suffix.lower() in CODE)
