"""Log of this client's own observations: usefulness of the nodes it asked, and their agreement with other sources.

The log never leaves the machine. Histories and beliefs are computed from the same rows of single outcomes. Outcomes
older than the newest `KEPT_OUTCOMES` of a node no longer change a belief and are deleted.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from ..codec import Cid
from ..index.shard import Vectors, decode_vector, encode_vector
from ..records import Record, Reputation
from ..sqlite import Database
from .reliability import SourceBelief, observed
from .usefulness import LATEST

KEPT_OUTCOMES = 500  # of a node and kind: of the 501st less than 1 % is left in `observed`
PRUNE_EVERY = 200  # outcomes; tidying costs more than writing

Kind = Literal["usefulness", "reliability"]

SCHEMA = """
create table if not exists outcomes (
    id integer primary key, time integer not null, node text not null, kind text not null,
    outcome real not null, weight real not null
);
create index if not exists by_node on outcomes (node, kind, id);
create table if not exists questions (
    id integer primary key, space text not null, vector blob not null, outcomes text not null
);
create index if not exists by_space on questions (space, id);
"""


class Outcome(Record, frozen=True):
    """An observed outcome, -1 (useless, wrong) to 1, with the evidence of ``weight`` ratings."""

    node: int
    kind: Kind
    outcome: float
    weight: float = 1.0


class ObservationLog:
    """Log of outcomes and questions in one SQLite file.

    Safe to use from several threads. Several processes may share the file; each reads the others' outcomes when it
    opens the log.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the log at ``path``. Raises StoreError when the file is damaged or cannot be written."""
        self._db = Database(
            path, SCHEMA, version=1, hint="Free some space, or move the file away: a new one is filled from use."
        )
        self._lock = threading.Lock()
        self._written = 0
        self._known: dict[int, SourceBelief] = {}
        for node, kind, outcome, weight in self._db.query(
            "select node, kind, outcome, weight from outcomes order by id"
        ):
            self._observe(Outcome(node=int(node), kind=kind, outcome=outcome, weight=weight))

    @property
    def known(self) -> Mapping[int, SourceBelief]:
        """The beliefs by node."""
        return self._known

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Update the beliefs and store the outcomes. Raises StoreError; this process then keeps the new beliefs."""
        added, now = list(outcomes), int(time.time())
        with self._lock:
            for each in added:
                self._observe(each)
            rows = [(now, str(each.node), each.kind, each.outcome, each.weight) for each in added]
            with self._db.transaction() as db:
                db.executemany("insert into outcomes (time, node, kind, outcome, weight) values (?, ?, ?, ?, ?)", rows)
                self._written += len(rows)
                if self._written >= PRUNE_EVERY:
                    self._prune(db)

    def add_question(self, space: Cid, vector: Vectors, used: Mapping[int, float]) -> None:
        """Store a question vector ``(dimension,)`` and each asked node's usefulness, -1 to 1. Raises StoreError."""
        with self._lock, self._db.transaction() as db:
            db.execute(
                "insert into questions (space, vector, outcomes) values (?, ?, ?)",
                (str(space), encode_vector(vector), json.dumps({str(node): value for node, value in used.items()})),
            )
            db.execute(
                "delete from questions where space = ? and id <= (select max(id) from questions where space = ?) - ?",
                (str(space), str(space), LATEST),
            )

    def questions(self, space: Cid) -> tuple[Vectors, list[dict[int, float]]]:
        """Return the stored questions, oldest first: ``(n, dimension)`` vectors, and outcomes by node.

        Raises StoreError.
        """
        with self._lock:
            rows = self._db.query("select vector, outcomes from questions where space = ? order by id", str(space))
        found = [(decode_vector(vector), json.loads(outcomes)) for vector, outcomes in rows]
        vectors = np.stack([vector for vector, _ in found]) if found else np.zeros((0, 0), np.float32)
        return vectors, [{int(node): value for node, value in outcomes.items()} for _, outcomes in found]

    def over_time(self, kind: Kind) -> dict[int, list[tuple[int, Reputation]]]:
        """Return for every node its posterior after each stored outcome: (unix seconds, posterior), oldest first."""
        with self._lock:
            rows = self._db.query("select node, time, outcome, weight from outcomes where kind = ? order by id", kind)
        found: dict[int, list[tuple[int, Reputation]]] = {}
        for node, at, outcome, weight in rows:
            points = found.setdefault(int(node), [])
            points.append((at, observed(points[-1][1] if points else Reputation(), outcome, weight)))
        return found

    def _observe(self, each: Outcome) -> None:
        before = self._known.get(each.node, SourceBelief())
        if each.kind == "usefulness":
            usefulness = observed(before.usefulness, each.outcome, each.weight)
            self._known[each.node] = SourceBelief(usefulness=usefulness, reliability=before.reliability)
        else:
            reliability = observed(before.reliability, each.outcome, each.weight)
            self._known[each.node] = SourceBelief(usefulness=before.usefulness, reliability=reliability)

    def _prune(self, db: sqlite3.Connection) -> None:
        db.execute(
            "delete from outcomes where id in (select id from (select id, row_number() over "
            "(partition by node, kind order by id desc) as place from outcomes) where place > ?)",
            (KEPT_OUTCOMES,),
        )
        self._written = 0
