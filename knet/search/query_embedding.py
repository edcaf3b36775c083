"""The question as each node's space wants it: one embedder a space, loaded when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from ..codec import Cid, cid_of
from ..config import Profile
from ..embed.base import Embedder
from ..errors import SpaceError
from ..index.shard import Vectors
from ..records import NodeStatus, Space
from ..routing.node_view import NodeView


class QueryEmbedders:
    """The embedders of one client. Thread safe; a space that cannot be loaded is not tried again."""

    def __init__(self, profile: Profile, load: Callable[[Space], Embedder]) -> None:
        self._profile = profile
        self._load = load
        self._embedders: dict[Cid, Embedder | SpaceError] = {}
        self._lock = threading.Lock()

    def embed(
        self, question: str, known: Mapping[int, NodeView]
    ) -> tuple[dict[Cid, Vectors], dict[int, NodeView], list[NodeStatus]]:
        """The question in every space there is an embedder for; nodes of other spaces are reported, not asked."""
        vectors, failures = self.vectors(question, {v.card.space: v.space for v in known.values()}.values())
        views = {node: view for node, view in known.items() if view.card.space in vectors}
        missing = [
            NodeStatus(node=node, title=view.card.title, status="error", detail=str(failures[view.card.space]))
            for node, view in known.items()
            if view.card.space in failures
        ]
        return vectors, views, missing

    def vectors(self, question: str, spaces: Iterable[Space]) -> tuple[dict[Cid, Vectors], dict[Cid, SpaceError]]:
        """The question in each of these spaces, and why there is none in others."""
        vectors: dict[Cid, Vectors] = {}
        failures: dict[Cid, SpaceError] = {}
        for space in spaces:
            embedder = self._embedder(space)
            if isinstance(embedder, SpaceError):
                failures[cid_of(space)] = embedder
            else:
                vectors[cid_of(space)] = embedder.encode([question], query=True)[0]
        return vectors, failures

    def embedder(self, space: Space) -> Embedder:
        """Raises SpaceError."""
        found = self._embedder(space)
        if isinstance(found, SpaceError):
            raise found
        return found

    def _embedder(self, space: Space) -> Embedder | SpaceError:
        cid = cid_of(space)
        with self._lock:
            if cid not in self._embedders:
                try:
                    self._embedders[cid] = self._allowed(space)
                except SpaceError as error:
                    self._embedders[cid] = error
            return self._embedders[cid]

    def _allowed(self, space: Space) -> Embedder:
        if space.model not in self._profile.models:
            raise SpaceError(
                f"it embeds with {space.model[:80]!r}, which this profile does not allow.",
                hint=f"Add it to the models of profile {self._profile.name} to ask nodes of its space.",
            )
        return self._load(space)
