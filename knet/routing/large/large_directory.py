"""The nodes of a network that has too many to hold: briefs of all, whole cards of the few that are asked.

Cards are fetched once, behind the questions' back, and not kept; what they say stays in the atlas. A space of few nodes
is held whole, as in a small network.
"""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from ...codec import Cid
from ...content.base import BlockSource
from ...errors import StoreError
from ...records import NodeEntry, Reputation, Space
from ..node_info import NodeInfo, info_of, unusable_info
from ..node_view import NodeView, load_view
from .summary import summarize_card
from .summary_store import PAGE, SummaryStore
from .two_stage import WHOLE, Overview

SourceFor = Callable[[NodeEntry], BlockSource]
Favoured = Callable[[Mapping[int, Reputation]], Sequence[int]]
AskChain = Callable[[Iterable[int]], Mapping[int, Reputation]]

KEPT_VIEWS = 128  # nodes that were asked lately: their cards and manifests are a few hundred kilobytes each
MOST_NEAR = 2 * WHOLE  # nodes held whole, of all spaces that few share
MOST_UNUSABLE = 1024  # reasons that are remembered
UNDER_WAY = 128  # fetches begun and not ended
SAVED_SECONDS = 10.0  # fetched cards wait no longer for a page to fill: work that a crash may cost
AGAIN_SECONDS = 300.0  # until a node whose card could not be had is tried again
RATED_AT_ONCE = 4000  # nodes whose reliability is read with each refresh: everybody's in a few minutes
UNREAD = "its card has not been read yet"


class Crowd:
    """Many nodes. `follow` is called by one thread at a time; everything else from any."""

    def __init__(
        self,
        folder: Path,
        pool: ThreadPoolExecutor,
        source_for: SourceFor,
        glance_for: SourceFor,
        favoured: Favoured,
        near: Mapping[int, NodeView],
    ) -> None:
        """Raises StoreError."""
        self._pool = pool
        self._source_for = source_for
        self._glance_for = glance_for
        self._favour = favoured
        self._atlas = SummaryStore(folder)
        self._entries: dict[int, NodeEntry] = {}
        self._failed: OrderedDict[int, tuple[float, str]] = OrderedDict()
        self._kept: OrderedDict[int, NodeView] = OrderedDict()
        self._lock = threading.Lock()
        self._filler: threading.Thread | None = None
        self._stopped = threading.Event()
        self._settled: dict[int, NodeEntry] = {}  # entries as of which everything is known: a look costs nothing
        self._rated_to = 0
        self._useful = threading.Event()  # set once there is something to ask
        self.near = {node: view for node, view in near.items() if view.card.space not in self._atlas.spaces}
        self.reputations: Mapping[int, Reputation] = {}  # of nodes that were ever rated
        self.favoured: Sequence[int] = ()

    def __len__(self) -> int:
        """Nodes that can be routed to now."""
        return len(self._atlas) + len(self.near)

    @property
    def published(self) -> int:
        """Nodes that there are."""
        return len(self._entries)

    @property
    def filling(self) -> bool:
        """Whether nodes are being read of which nothing is known yet."""
        return self._filler is not None and self._filler.is_alive() and len(self) < self.published

    @property
    def unusable(self) -> dict[int, str]:
        with self._lock:
            return {node: reason for node, (_, reason) in self._failed.items()}

    @property
    def spaces(self) -> list[Space]:
        """Spaces of the nodes known."""
        near = {view.card.space: view.space for view in self.near.values()}
        return list((near | self._atlas.records).values())

    def overview(self, further: Iterable[NodeView] = ()) -> Overview:
        """What routing needs; ``further`` views are looked at besides."""
        near = {view.entry.node: view for view in (*self.near.values(), *further)}
        return Overview(self._atlas.chart, self._atlas.spaces, list(near.values()))

    def at_hand(self) -> dict[int, NodeView]:
        """The nodes that are held whole just now."""
        with self._lock:
            return self.near | dict(self._kept)

    def infos(self) -> list[NodeInfo]:
        """One line about every node, by what its brief says; of those without, that they cannot be asked yet, or why
        they cannot be asked at all."""
        chart, unusable = self._atlas.chart, self.unusable
        infos = [info_of(view) for view in self.near.values()]
        for node, row in chart.row_of.items():
            entry, known = self._entries.get(node), self.reputations.get(node, Reputation())
            if entry is not None:
                infos.append(
                    NodeInfo(
                        node=node,
                        title=self._atlas.title(node),
                        description="",
                        endpoint=entry.endpoint,
                        documents=int(chart.columns["documents"][row]),
                        chunks=int(chart.columns["chunks"][row]),
                        sequence=int(chart.columns["sequence"][row]),
                        reliability=known.mean,
                        deviation=known.deviation,
                        ratings=known.count,
                    )
                )
        missing = self._entries.keys() - {info.node for info in infos}
        return infos + [unusable_info(node, unusable.get(node, UNREAD)) for node in missing]

    def holds(self, node: int) -> bool:
        return node in self._atlas.chart.row_of or node in self.near

    def title(self, node: int) -> str:
        return self.near[node].card.title if node in self.near else self._atlas.title(node)

    # --- some of them ------------------------------------------------------------------------------------------

    def look_up(self, entries: Sequence[NodeEntry], seconds: float) -> tuple[dict[int, NodeView], dict[int, str]]:
        """These nodes whole, and why others cannot be had. Waits ``seconds`` at most."""
        futures = {self._pool.submit(self._whole, entry): entry for entry in entries}
        wait(futures, timeout=seconds)
        found: dict[int, NodeView] = {}
        failed: dict[int, str] = {}
        for future, entry in futures.items():
            result = future.result() if future.done() else f"its manifest and card did not arrive within {seconds:g} s"
            if isinstance(result, NodeView):
                result.reputation = self.reputations.get(entry.node, Reputation())
                found[entry.node] = result
            else:
                failed[entry.node] = result
                self._note(entry.node, result)
        return found, failed

    def _whole(self, entry: NodeEntry) -> NodeView | str:
        with self._lock:
            before = self.near.get(entry.node) or self._kept.get(entry.node)
            if before is not None and before.entry == entry:
                if entry.node in self._kept:
                    self._kept.move_to_end(entry.node)
                return before
        found = load_view(entry, self._source_for(entry))
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
            while len(self._failed) > MOST_UNUSABLE:
                self._failed.popitem(last=False)

    # --- reliability -------------------------------------------------------------------------------------------

    def rate(self, ask: AskChain) -> None:
        """Read the reliability of those rated or asked before, and of some more. Raises ChainUnreachable."""
        nodes = list(self._entries)
        start = self._rated_to if self._rated_to < len(nodes) else 0
        asked = [*self.at_hand(), *self.reputations][:RATED_AT_ONCE]
        some = nodes[start : start + RATED_AT_ONCE]
        found = ask([*asked, *some])
        self._rated_to = start + len(some)
        self.reputations = {
            node: known
            for node, known in (dict(self.reputations) | dict(found)).items()
            if known.count and node in self._entries
        }
        for view in self.at_hand().values():
            view.reputation = self.reputations.get(view.entry.node, Reputation())
        self.favoured = self._favour(self.reputations)

    # --- all of them -------------------------------------------------------------------------------------------

    def follow(self, entries: Sequence[NodeEntry], seconds: float) -> None:
        """Go by these entries from now on. Where nothing is known yet, wait until something is, ``seconds`` at most."""
        self._entries = {entry.node: entry for entry in entries}
        self._atlas.forget([node for node in self._atlas.chart.row_of if node not in self._entries])
        self.near = {node: view for node, view in self.near.items() if node in self._entries}
        self._settled = {node: entry for node, entry in self._settled.items() if node in self._entries}
        if self._filler is None or not self._filler.is_alive():
            self._filler = threading.Thread(target=self._fill, daemon=True, name="knet-fill")
            self._filler.start()
        if not len(self):
            self._useful.wait(seconds)

    def close(self) -> None:
        """Stop fetching, and let another process write."""
        self._stopped.set()
        if self._filler is not None:
            self._filler.join()
        self._atlas.close()

    def _fill(self) -> None:
        views: list[NodeView] = []
        saved = time.monotonic()
        try:
            for view in self._fetched():
                views.append(view)
                if len(self) < WHOLE or len(views) >= PAGE or time.monotonic() - saved > SAVED_SECONDS:
                    self._take(views)
                    views, saved = [], time.monotonic()
            self._take(views)
        except StoreError:  # the disk is full: what is known goes on being used
            return
        finally:
            self._useful.set()

    def _wanted(self) -> list[NodeEntry]:
        """Entries of which no card is known: those with a name first, the others in an order nobody can choose."""
        now, named = time.monotonic(), set(self.favoured)
        with self._lock:
            late = {node for node, (at, _) in self._failed.items() if now - at < AGAIN_SECONDS}
        wanted = [
            entry
            for node, entry in self._entries.items()
            if self._settled.get(node) is not entry and node not in late and not self._is_known(entry)
        ]
        random.SystemRandom().shuffle(wanted)
        return sorted(wanted, key=lambda entry: entry.node not in named)

    def _is_known(self, entry: NodeEntry) -> bool:
        assert entry.head is not None
        near = self.near.get(entry.node)
        if near.entry != entry if near is not None else not self._atlas.holds(entry.node, entry.head.manifest):
            return False
        self._settled[entry.node] = entry
        return True

    def _fetched(self) -> Iterator[NodeView]:
        """Views as they arrive."""
        wanted, running = iter(self._wanted()), dict[Future[NodeView | str], NodeEntry]()
        while not self._stopped.is_set():
            for entry in wanted:
                running[self._pool.submit(self._glance, entry)] = entry
                if len(running) >= UNDER_WAY:
                    break
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                entry, result = running.pop(future), future.result()
                if isinstance(result, NodeView):
                    yield result
                else:
                    self._note(entry.node, result)
        for future in running:
            future.cancel()

    def _glance(self, entry: NodeEntry) -> NodeView | str:
        return load_view(entry, self._glance_for(entry))

    def _take(self, views: Sequence[NodeView]) -> None:
        """Hold the views of small spaces; put those of others into the atlas. Raises StoreError."""
        near = dict(self.near)
        shares: defaultdict[Cid, list[NodeView]] = defaultdict(list)
        for view in views:
            if view.card.space in self._atlas.spaces:
                shares[view.card.space].append(view)
            elif view.entry.node in near or len(near) < MOST_NEAR:
                near[view.entry.node] = view
            else:
                self._note(view.entry.node, "it is of a space that few nodes share, of which this client knows enough")
        held: defaultdict[Cid, list[NodeView]] = defaultdict(list)
        for view in near.values():
            held[view.card.space].append(view)
        for space, own in held.items():
            if len(own) > WHOLE:
                self._atlas.learn(own[0].space, own)
                shares[space] += own
        self._atlas.add([(space, summarize_card(view)) for space, own in shares.items() for view in own])
        for space in shares:
            near = {node: view for node, view in near.items() if view.card.space != space}
        self.near = near
        if len(self):
            self._useful.set()
