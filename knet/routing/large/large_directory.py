"""Directory of a large network: summaries of all nodes, full cards of the few that are asked.

Cards are fetched once, in the background, and not kept; the summary store keeps their contents. Nodes of a space that
few nodes share are held with their full cards, as in a small network.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path

from ...codec import Cid
from ...errors import StoreError
from ...index.analyser import tokens
from ...records import NodeEntry, Reputation, Space
from ..block_sources import NodeBlockSources
from ..directory import LOAD_SECONDS, SLOW, Coverage, ReadReliability
from ..filters import permitted, unavailable_statuses, unembedded_statuses, with_vector
from ..node_info import NodeInfo, info_of
from ..node_view import NodeView, load_view
from ..origins import Admission, OriginBudget, servers_of
from ..query import Priors, Query, Reliabilities, Selection
from ..router import count_asked
from .summary import summarize_card
from .summary_store import SEGMENT_NODES, SummaryStore
from .two_stage import MAX_FULL_CARDS, MAX_NAMED, Overview, route_summaries

PriorTop = Callable[[Reliabilities], Sequence[int]]
SpaceRefusal = Callable[[Space], str | None]

KEPT_VIEWS = 128  # nodes that were asked lately: their cards and manifests are a few hundred kilobytes each
MAX_FULL = 2 * MAX_FULL_CARDS  # nodes held with full cards, of all spaces that few share
MAX_UNUSABLE = 1024  # reasons that are remembered
MAX_RUNNING = 128  # fetches begun and not ended
SAVED_SECONDS = 10.0  # fetched cards wait no longer for a segment to fill: work that a crash may cost
RETRY_SECONDS = 300.0  # until a node whose card could not be had is tried again
RATED_AT_ONCE = 4000  # nodes whose reliability is read with each refresh: all of them in a few minutes
SPARE = 4  # nodes looked up beyond those to be asked, should some be gone
NO_PLACE = "few nodes share its space, and this client already holds enough such nodes"
UNREAD = "its card has not been read yet"


class SummaryDirectory:
    """Many nodes. `follow` and `rate` are called by one thread at a time; everything else from any."""

    def __init__(
        self,
        folder: Path,
        pool: ThreadPoolExecutor,
        sources: NodeBlockSources,
        prior_top: PriorTop,
        full: Mapping[int, NodeView],
        budget: OriginBudget | None = None,
        refusal: SpaceRefusal = lambda space: None,
    ) -> None:
        """``full`` are views to begin with. Nodes of a space with a ``refusal`` are never held. Raises StoreError."""
        self._refusal = refusal
        self._refused: dict[int, tuple[NodeEntry, str]] = {}
        self._pool = pool
        self._budget = budget or OriginBudget(None)
        self._sources = sources
        self._read_prior_top = prior_top
        self._store = SummaryStore(folder)
        self._entries: dict[int, NodeEntry] = {}
        self._failed: OrderedDict[int, tuple[float, str]] = OrderedDict()
        self._kept: OrderedDict[int, NodeView] = OrderedDict()
        self._lock = threading.Lock()
        self._reader: threading.Thread | None = None
        self._closed = threading.Event()
        self._settled: dict[int, NodeEntry] = {}  # entries of which everything is known, so that a check costs nothing
        self._rated_to = 0
        self._asked_spaces: frozenset[Cid] = frozenset()
        self._useful = threading.Event()  # set once a node is known
        self._full = {node: view for node, view in full.items() if view.card.space not in self._store.spaces}
        self._reliability: Reliabilities = {}  # of nodes that were ever rated
        self._prior_top: Sequence[int] = ()

    @property
    def spaces(self) -> list[Space]:
        full = {view.card.space: view.space for view in self._full.values()}
        return list((full | self._store.records).values())

    @property
    def coverage(self) -> Coverage:
        known, published = self._held + len(self._refused), len(self._entries)
        return Coverage(known, published, self._reader is not None and self._reader.is_alive() and known < published)

    @property
    def _held(self) -> int:
        return len(self._store) + len(self._full)

    @property
    def unusable(self) -> dict[int, str]:
        """Nodes that failed less than `RETRY_SECONDS` ago, and some of those that are never held."""
        since = time.monotonic() - RETRY_SECONDS
        with self._lock:
            refused = {node: reason for node, (_, reason) in islice(self._refused.items(), MAX_UNUSABLE)}
            return refused | {node: reason for node, (when, reason) in self._failed.items() if when > since}

    def cached(self) -> dict[int, NodeView]:
        with self._lock:
            return self._full | dict(self._kept)

    def infos(self) -> list[NodeInfo]:
        """Return one line about every node from its summary; without one, the reason why it cannot be asked yet."""
        index = self._store.index
        with self._lock:
            reasons = {node: reason for node, (_, reason) in [*self._refused.items(), *self._failed.items()]}
        infos = [info_of(view) for view in self._full.values()]
        for node, row in index.row_of.items():
            entry, known = self._entries.get(node), self._reliability.get(node, Reputation())
            if entry is not None:
                infos.append(
                    NodeInfo(
                        node=node,
                        title=self._store.title(node),
                        description="",
                        endpoint=entry.endpoint,
                        documents=int(index.columns["documents"][row]),
                        chunks=int(index.columns["chunks"][row]),
                        sequence=int(index.columns["sequence"][row]),
                        reliability=known.mean,
                        deviation=known.deviation,
                        ratings=known.count,
                    )
                )
        missing = self._entries.keys() - {info.node for info in infos}
        return infos + [NodeInfo(node=node, problem=reasons.get(node, UNREAD)) for node in missing]

    # --- one query ---------------------------------------------------------------------------------------------

    def select(self, query: Query, priors: Priors) -> Selection:
        """Compare summaries, then look up the nodes to be asked; the next ones take the place of those that fail."""
        named = [node for node in dict.fromkeys(query.options.nodes) if not self._holds(node)][:MAX_NAMED]
        further, failed = self.look_up(named)
        full = {**self._full, **further}
        overview = Overview(self._store.index, self._store.spaces, list(with_vector(full.values(), query).values()))
        only, unusable = self._only(query, priors), self.unusable
        self._asked_spaces |= query.vectors.keys()
        routes = route_summaries(query, overview, self._reliability, priors, only=only, prior_top=self._prior_top)
        on_chain = {each.node: self._reliability.get(each.node, Reputation()) for each in routes}
        known = priors.reliability(on_chain)
        minimum = query.options.min_reliability
        routes = [each for each in routes if each.node not in unusable and known[each.node].mean >= minimum]
        count = count_asked(routes, query.options.max_nodes)
        found, lost = self.look_up([each.node for each in routes[: count + SPARE]])
        views = permitted(with_vector(found.values(), query).values(), query, priors)  # newer than the summaries
        routes = [each for each in routes if each.node in views][:count]
        asked = [each.node for each in routes]
        return Selection(
            routes=routes,
            asked=len(routes),
            views={node: views[node] for node in asked},
            reliability={node: known[node] for node in asked},
            statistics=overview.statistics(tokens(query.question)),
            unavailable=[
                *unembedded_statuses({**full, **found}.values(), query),
                *unavailable_statuses(unusable | failed | lost, self._title),
            ],
        )

    def _only(self, query: Query, priors: Priors) -> set[int] | None:
        """Return the nodes that may be asked where the options leave few: named ones, or those trusted more than an
        unknown node."""
        only = set(query.options.nodes) if query.options.nodes else None
        if query.options.min_reliability > Reputation().mean:
            rated = {**dict.fromkeys(priors.usefulness, Reputation()), **self._reliability}
            known = priors.reliability(rated)
            trusted = {node for node, each in known.items() if each.mean >= query.options.min_reliability}
            only = trusted if only is None else only & trusted
        return only

    def _holds(self, node: int) -> bool:
        return node in self._store.index.row_of or node in self._full

    def _title(self, node: int) -> str:
        if node in self._full:
            return self._full[node].card.title
        return self._store.title(node) if self._holds(node) else f"node {node}"

    # --- single nodes ------------------------------------------------------------------------------------------

    def look_up(self, nodes: Sequence[int]) -> tuple[dict[int, NodeView], dict[int, str]]:
        entries = [self._entries[node] for node in nodes if node in self._entries]
        futures = {self._pool.submit(self._full_view, entry): entry for entry in entries}
        wait(futures, timeout=LOAD_SECONDS)
        found: dict[int, NodeView] = {}
        failed: dict[int, str] = {}
        for future, entry in futures.items():
            result = future.result() if future.done() else SLOW
            if isinstance(result, NodeView):
                result.reputation = self._reliability.get(entry.node, Reputation())
                found[entry.node] = result
            else:
                failed[entry.node] = result
                self._note(entry.node, result)
        with self._lock:
            for node in found:
                self._failed.pop(node, None)
        return found, failed

    def _full_view(self, entry: NodeEntry) -> NodeView | str:
        with self._lock:
            before = self._full.get(entry.node) or self._kept.get(entry.node)
            if before is not None and before.entry == entry:
                if entry.node in self._kept:
                    self._kept.move_to_end(entry.node)
                return before
        found = load_view(entry, self._sources.bounded(entry))
        if isinstance(found, NodeView):
            found.remember(before)
            with self._lock:
                self._kept[entry.node] = found
                while len(self._kept) > KEPT_VIEWS:
                    self._kept.popitem(last=False)
        return found

    def _note(self, node: int, reason: str) -> None:
        with self._lock:
            self._failed[node] = time.monotonic(), reason
            self._failed.move_to_end(node)
            while len(self._failed) > MAX_UNUSABLE:
                self._failed.popitem(last=False)

    # --- reliability -------------------------------------------------------------------------------------------

    def rate(self, read: ReadReliability) -> None:
        """Read the reliability of nodes rated or asked before, and of some more. Raises ChainUnreachable."""
        nodes = list(self._entries)
        start = self._rated_to if self._rated_to < len(nodes) else 0
        first = [*self.cached(), *self._reliability][:RATED_AT_ONCE]
        some = nodes[start : start + RATED_AT_ONCE]
        found = read([*first, *some])
        self._rated_to = start + len(some)
        self._reliability = {
            node: known
            for node, known in {**self._reliability, **found}.items()
            if known.count and node in self._entries
        }
        for view in self.cached().values():
            view.reputation = self._reliability.get(view.entry.node, Reputation())
        self._prior_top = self._read_prior_top(self._reliability)

    # --- all nodes ---------------------------------------------------------------------------------------------

    def follow(self, entries: Sequence[NodeEntry]) -> None:
        """Read what changed in the background. Where no node is known yet, wait for one, `LOAD_SECONDS` at most."""
        self._entries = {entry.node: entry for entry in entries}
        self._store.forget([node for node in self._store.index.row_of if node not in self._entries])
        self._full = {node: view for node, view in self._full.items() if node in self._entries}
        self._settled = {node: entry for node, entry in self._settled.items() if node in self._entries}
        with self._lock:
            self._refused = {node: each for node, each in self._refused.items() if each[0] == self._entries.get(node)}
        if self._reader is None or not self._reader.is_alive():
            self._reader = threading.Thread(target=self._read_cards, daemon=True, name="knet-cards")
            self._reader.start()
        if not self._held:
            self._useful.wait(LOAD_SECONDS)

    def close(self) -> None:
        """Stop fetching, and let another process write."""
        self._closed.set()
        if self._reader is not None:
            self._reader.join()
        self._store.close()

    def _read_cards(self) -> None:
        views: list[NodeView] = []
        saved = time.monotonic()
        try:
            for view in self._fetched():
                views.append(view)
                full = len(views) >= SEGMENT_NODES or time.monotonic() - saved > SAVED_SECONDS
                if full or self._held < MAX_FULL_CARDS:
                    self._take(views)
                    views, saved = [], time.monotonic()
            self._take(views)
        except StoreError:  # the disk is full: what is known goes on being used
            return
        finally:
            self._useful.set()

    def _wanted(self) -> list[NodeEntry]:
        """Return entries whose card is not known: prior top first, the others in an order that no node can choose.

        Of the nodes of one host, those that were ever rated come first, then the oldest registrations.
        """
        first, late = set(self._prior_top), self.unusable
        wanted = [
            entry
            for node, entry in self._entries.items()
            if self._settled.get(node) is not entry and node not in late and not self._is_known(entry)
        ]
        random.SystemRandom().shuffle(wanted)
        hosts = [servers_of(entry.endpoint)[0] for entry in wanted]
        by_host: defaultdict[str, list[NodeEntry]] = defaultdict(list)
        for entry in sorted(wanted, key=lambda entry: (entry.node in self._reliability, -entry.node)):
            by_host[servers_of(entry.endpoint)[0]].append(entry)
        return sorted((by_host[host].pop() for host in hosts), key=lambda entry: entry.node not in first)

    def _is_known(self, entry: NodeEntry) -> bool:
        assert entry.head is not None
        if entry.node in self._refused:
            return True
        full = self._full.get(entry.node)
        if full.entry != entry if full is not None else not self._store.holds(entry.node, entry.head.manifest):
            return False
        self._settled[entry.node] = entry
        return True

    def _fetched(self) -> Iterator[NodeView]:
        """Yield views as they arrive. Nodes that wait for the trial of another one at their server come after it."""
        wanted, running = deque(self._wanted()), dict[Future[NodeView | str], NodeEntry]()
        waiting: defaultdict[str, deque[NodeEntry]] = defaultdict(deque)
        while not self._closed.is_set():
            while wanted and len(running) < MAX_RUNNING:
                entry = wanted.popleft()
                if self._budget.admit(entry) is Admission.WAITING:
                    waiting[servers_of(entry.endpoint)[0]].append(entry)
                else:
                    running[self._pool.submit(self._fetch_uncached, entry)] = entry
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                entry, result = running.pop(future), future.result()
                held = waiting[servers_of(entry.endpoint)[0]]
                wanted.extendleft(held.popleft() for _ in range(min(len(held), MAX_RUNNING)))
                if isinstance(result, NodeView):
                    yield result
                else:
                    self._note(entry.node, result)
        for future in running:
            future.cancel()

    def _fetch_uncached(self, entry: NodeEntry) -> NodeView | str:
        try:
            return load_view(entry, self._sources.uncached(entry))
        finally:
            self._budget.settle(entry)

    def _by_precedence(self, views: Sequence[NodeView]) -> list[NodeView]:
        """Order views for the places of full cards, however they arrived.

        Spaces in which questions were asked come first. Within them, well rated nodes precede others and badly rated
        ones follow; then each owner's oldest node precedes the second node of any owner.
        """
        unknown = Reputation().mean
        held: Counter[str] = Counter()
        ordered: list[tuple[tuple[bool, float, int, int], NodeView]] = []
        for view in sorted(views, key=lambda view: view.entry.node):
            mean = self._reliability.get(view.entry.node, Reputation()).mean
            rating = float((mean < unknown) - (mean > unknown))
            place = (view.card.space not in self._asked_spaces, rating, held[view.entry.owner], view.entry.node)
            held[view.entry.owner] += 1
            ordered.append((place, view))
        return [view for _, view in sorted(ordered, key=lambda each: each[0])]

    def _take(self, views: Sequence[NodeView]) -> None:
        """Hold the views of small spaces; summarize those of others into the store. Raises StoreError."""
        full = {view.entry.node: view for view in [*self._full.values(), *views]}
        spaces = {view.card.space: view.space for view in full.values()}
        reasons = {cid: self._refusal(space) for cid, space in spaces.items()}
        with self._lock:
            for view in list(full.values()):
                if (reason := reasons[view.card.space]) is not None:
                    self._refused[view.entry.node] = view.entry, reason
                    del full[view.entry.node]
        summarized: defaultdict[Cid, list[NodeView]] = defaultdict(list)
        for view in list(full.values()):
            if view.card.space in self._store.spaces:
                summarized[view.card.space].append(full.pop(view.entry.node))
        by_space: defaultdict[Cid, list[NodeView]] = defaultdict(list)
        for view in full.values():
            by_space[view.card.space].append(view)
        for space, own in by_space.items():
            if len(own) > MAX_FULL_CARDS:
                self._store.learn(own[0].space, own)
                summarized[space] += own
        self._store.add([(space, summarize_card(view)) for space, own in summarized.items() for view in own])
        few = [view for view in full.values() if view.card.space not in summarized]
        if len(few) > MAX_FULL:
            few = self._by_precedence(few)
        for view in few[MAX_FULL:]:
            self._note(view.entry.node, NO_PLACE)
        self._full = {view.entry.node: view for view in few[:MAX_FULL]}
        if self._held:
            self._useful.set()
