"""Lineage of nodes: earlier identities that a new one continues, so that a bad standing follows.

A new identity costs 260,000 gas. A node that a client has reason to distrust is recognised under a new one by its
owner, by the host of its endpoint, or by its vocabulary: the routing card of a copy holds nearly all terms of the
original, however its documents were touched or padded, while cards of unrelated nodes share less than half.

Only what was observed counts, since a card, an owner or an endpoint that merely names another's could harm it: each
identity is remembered as it was when the node answered with a valid receipt. A node inherits from earlier identities
only, and only what is held against them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from ..records import Card, NodeEntry, Record
from ..sqlite import Database

SAMPLE = 256  # terms kept of a node; a share of 0.8 is then known to within 0.05
SAME_CONTENT = 0.8  # of the sample in another card: copies have nearly all, unrelated nodes at most 0.49 (SQuAD)
MOST_PADDING = 8.0  # a card with more than this many times the terms may hold any sample by chance
FEWEST_TERMS = 64  # fewer terms of a small node may be in any card
KEPT = 5_000  # nodes
SCRAMBLE = 0x9E3779B1  # odd, so that it permutes 32 bits: the sample is drawn by hash, not by order

Terms = npt.NDArray[np.uint32]

SCHEMA = """
create table if not exists identities (
    node text primary key, owner text not null, host text not null, terms blob not null, size integer not null
);
"""


class Identity(Record, frozen=True):
    """A node as its clients can tell it from others: ``terms`` are the sorted ``<u4`` term hashes of its card."""

    node: int
    owner: str
    host: str
    terms: bytes

    @classmethod
    def of(cls, entry: NodeEntry, card: Card) -> Identity:
        """Return the identity of a node with this card."""
        return cls(node=entry.node, owner=entry.owner, host=_host(entry.endpoint), terms=card.terms)


class _Kept(Record, frozen=True):
    owner: str
    host: str
    sample: bytes
    size: int


class Lineage:
    """Identities that answered this client, kept in ``path``. Use from one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Raises StoreError."""
        self._database = Database(path, SCHEMA, version=1, hint="Move the file away: it is learnt again from use.")
        rows = self._database.query("select node, owner, host, terms, size from identities")
        self._kept = {int(row[0]): _Kept(owner=row[1], host=row[2], sample=row[3], size=row[4]) for row in rows}

    def observe(self, identities: Iterable[Identity]) -> None:
        """Remember nodes that answered with a valid receipt. Raises StoreError."""
        changed = {each.node: kept for each in identities if self._kept.get(each.node) != (kept := _kept(each))}
        if not changed:
            return
        self._kept = {**self._kept, **changed}
        rows = [(str(node), each.owner, each.host, each.sample, each.size) for node, each in changed.items()]
        with self._database.transaction() as db:
            db.executemany("insert or replace into identities values (?, ?, ?, ?, ?)", rows)
            db.execute(
                "delete from identities where rowid not in (select rowid from identities order by rowid desc limit ?)",
                (KEPT,),
            )

    def inherited(self, identities: Iterable[Identity], shortfalls: Mapping[int, float]) -> dict[int, float]:
        """Return the negative evidence that nodes inherit, where they do.

        ``shortfalls`` is by how much the evidence against a node exceeds that for it.
        """
        blamed = [(node, self._kept[node], short) for node, short in shortfalls.items() if node in self._kept]
        found: dict[int, float] = {}
        for each in identities if blamed else ():
            terms = np.frombuffer(each.terms, "<u4")
            worst = max((short for node, kept, short in blamed if node < each.node and _continues(each, terms, kept)),
                        default=0.0)  # fmt: skip
            if worst > 0:
                found[each.node] = worst
        return found


def _host(endpoint: str) -> str:
    """Return the host of an endpoint; with its port where many nodes share one machine, as in development."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    try:
        return host if ip_address(host).is_global else parts.netloc
    except ValueError:
        return host if "." in host else parts.netloc


def _kept(identity: Identity) -> _Kept:
    terms = np.frombuffer(identity.terms, "<u4")
    order = np.argsort(terms * np.uint32(SCRAMBLE), kind="stable")[:SAMPLE]
    sample = np.sort(terms[order]).astype("<u4").tobytes()
    return _Kept(owner=identity.owner, host=identity.host, sample=sample, size=len(terms))


def _continues(later: Identity, terms: Terms, earlier: _Kept) -> bool:
    if (later.owner and later.owner == earlier.owner) or (later.host and later.host == earlier.host):
        return True
    if earlier.size < FEWEST_TERMS or len(terms) > MOST_PADDING * earlier.size:
        return False
    return float(np.isin(np.frombuffer(earlier.sample, "<u4"), terms).mean()) >= SAME_CONTENT
