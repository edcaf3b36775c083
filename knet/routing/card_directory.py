"""Directory of a small network: the routing card of every node in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from ..codec import Cid
from ..content.base import BlockSource
from ..index.analyser import tokens
from ..records import NodeEntry, Reputation, Space
from .directory import LOAD_SECONDS, SLOW, Coverage, ReadReliability
from .filters import permitted, unavailable_statuses, unembedded_statuses, with_vector
from .node_info import NodeInfo, info_of
from .node_view import NodeView, behind, in_grace, load_view
from .origins import HELD_BACK, Admission, OriginBudget
from .query import Priors, Query, Selection
from .router import count_asked, pooled_statistics, route

PATIENCE = 4  # failures of one entry in a row until it is tried less often
LAST_RETRY = 300.0  # seconds at most until a failed node is tried again


class CardDirectory:
    """Every node with its full card. `source_for` gives a node's blocks, and keeps them."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        source_for: Callable[[NodeEntry], BlockSource],
        budget: OriginBudget | None = None,
    ) -> None:
        self._pool = pool
        self._budget = budget or OriginBudget(None)
        self._retries: dict[int, tuple[NodeEntry, int, float]] = {}  # failures of an entry, and when to try again
        self._source_for = source_for
        self._nodes: Mapping[int, NodeView] = {}  # replaced whole, so that readers need no lock
        self._unusable: Mapping[int, str] = {}
        self._loading: dict[int, tuple[NodeEntry, Future[NodeView | str]]] = {}
        self._heads: dict[int, tuple[Cid, float]] = {}  # each node's newest head, and when it was first seen

    @property
    def spaces(self) -> list[Space]:
        return list({view.card.space: view.space for view in self._nodes.values()}.values())

    @property
    def coverage(self) -> Coverage:
        return Coverage(len(self._nodes), len(self._nodes) + len(self._unusable))

    @property
    def unusable(self) -> Mapping[int, str]:
        return self._unusable

    def select(self, query: Query, priors: Priors) -> Selection:
        """Compare the cards of all nodes that the query may go to."""
        known = self._nodes.values()
        views = with_vector(known, query)
        routes = route(query, permitted(views.values(), query, priors).values(), priors)
        asked = count_asked(routes, query.options.max_nodes)
        return Selection(
            routes=routes,
            asked=asked,
            views=views,
            reliability=priors.reliability({each.node: views[each.node].reputation for each in routes[:asked]}),
            statistics=pooled_statistics(views.values(), tokens(query.question)),
            unavailable=[*unembedded_statuses(known, query), *unavailable_statuses(self._unusable)],
        )

    def look_up(self, nodes: Sequence[int]) -> tuple[dict[int, NodeView], dict[int, str]]:
        found, unusable = self._nodes, self._unusable
        return (
            {node: found[node] for node in nodes if node in found},
            {node: unusable[node] for node in nodes if node in unusable},
        )

    def cached(self) -> dict[int, NodeView]:
        return dict(self._nodes)

    def infos(self) -> list[NodeInfo]:
        return [
            *map(info_of, self._nodes.values()),
            *(NodeInfo(node=node, problem=reason) for node, reason in self._unusable.items()),
        ]

    def follow(self, entries: Sequence[NodeEntry]) -> None:
        """Fetch changed cards. A node that takes longer than `LOAD_SECONDS` is taken in by a later call."""
        nodes = {entry.node: self._nodes[entry.node] for entry in entries if entry.node in self._nodes}
        changed = [entry for entry in entries if entry.node not in nodes or nodes[entry.node].entry != entry]
        results = self._load(sorted((e for e in changed if not self._rests(e)), key=lambda entry: entry.node))
        unusable: dict[int, str] = {}
        for entry in changed:
            before = nodes.get(entry.node)
            result = results.get(entry.node) or self._unusable.get(entry.node, HELD_BACK)
            if isinstance(result, NodeView):
                result.remember(before)
                nodes[entry.node] = result
            elif before is None or behind(before, entry) > 1 or not in_grace(self._first_seen(entry)):
                nodes.pop(entry.node, None)
                unusable[entry.node] = result
        self._nodes, self._unusable = nodes, unusable

    def rate(self, read: ReadReliability) -> None:
        reliability = read(list(self._nodes))
        for node, view in self._nodes.items():
            view.reputation = reliability.get(node, Reputation())

    def close(self) -> None:
        """Do nothing: what is being fetched ends by itself."""

    def _load(self, entries: Sequence[NodeEntry]) -> dict[int, NodeView | str]:
        """Return the view of each node or the reason why there is none, waiting `LOAD_SECONDS` at most.

        Nodes that wait for the trial of another one at their server are loaded after it.
        """
        results: dict[int, NodeView | str] = {}
        waiting, until = list(entries), time.monotonic() + LOAD_SECONDS
        while len(results) < len(entries):
            waiting = [entry for entry in waiting if not self._begin(entry)]
            late = {entry.node for entry in waiting}
            running = {
                self._loading[entry.node][1]: entry.node
                for entry in entries
                if entry.node not in results and entry.node not in late
            }
            done, _ = wait(running, timeout=max(until - time.monotonic(), 0.0), return_when=FIRST_COMPLETED)
            if not done:
                return dict.fromkeys(running.values(), SLOW) | dict.fromkeys(late, HELD_BACK) | results
            for future in done:
                node = running[future]
                entry, _ = self._loading.pop(node)
                results[node] = future.result()
                self._note(entry, isinstance(results[node], NodeView))
        return results

    def _begin(self, entry: NodeEntry) -> bool:
        """Begin to load a node; return False if it has to wait."""
        known, _ = self._loading.get(entry.node, (None, None))
        if known != entry:
            if self._budget.admit(entry) is Admission.WAITING:
                return False
            self._loading[entry.node] = entry, self._pool.submit(self._fetch, entry)
        return True

    def _fetch(self, entry: NodeEntry) -> NodeView | str:
        try:
            return load_view(entry, self._source_for(entry))
        finally:
            self._budget.settle(entry)

    def _note(self, entry: NodeEntry, good: bool) -> None:
        known, failures, _ = self._retries.pop(entry.node, (entry, 0, 0.0))
        if not good:
            failures = failures + 1 if known == entry else 1
            pause = min(2.0 ** (failures - PATIENCE), LAST_RETRY) if failures >= PATIENCE else 0.0
            self._retries[entry.node] = entry, failures, time.monotonic() + pause

    def _rests(self, entry: NodeEntry) -> bool:
        known, _, when = self._retries.get(entry.node, (None, 0, 0.0))
        return known == entry and time.monotonic() < when

    def _first_seen(self, entry: NodeEntry) -> float:
        """Return when this client first saw the entry's head (unix seconds)."""
        assert entry.head is not None
        head, when = self._heads.get(entry.node, (None, 0.0))
        if head != entry.head.manifest:
            when = time.time()
            self._heads[entry.node] = entry.head.manifest, when
        return when
