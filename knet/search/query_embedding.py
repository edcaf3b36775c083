"""Query embedding: one embedder a space, loaded when it is first needed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from ..codec import Cid, cid_of
from ..config import Profile
from ..embed.base import Embedder
from ..embed.load import load_embedder_for
from ..embed.models import weights_digest
from ..errors import SpaceError
from ..index.shard import Vectors
from ..records import Space


class QueryEmbedders:
    """Embedders of one client. Thread safe; an embedder that failed to load is not loaded again."""

    def __init__(self, profile: Profile, load: Callable[[Space], Embedder]) -> None:
        self._profile = profile
        self._load = load
        self._embedders: dict[Cid, Embedder | SpaceError] = {}
        self._lock = threading.Lock()

    def embed(self, question: str, spaces: Iterable[Space]) -> tuple[dict[Cid, Vectors], dict[Cid, str]]:
        """Return the question's vector in each of these spaces, and the reason for every space without an embedder."""
        vectors: dict[Cid, Vectors] = {}
        failures: dict[Cid, str] = {}
        for space in spaces:
            embedder = self._embedder(space)
            if isinstance(embedder, SpaceError):
                failures[cid_of(space)] = str(embedder)
            else:
                vectors[cid_of(space)] = embedder.encode([question], query=True)[0]
        return vectors, failures

    def refusal(self, space: Space) -> str | None:
        """Return the reason why this client cannot embed questions in a space, None if it can."""
        found = self._embedder(space)
        return str(found) if isinstance(found, SpaceError) else None

    def embedder(self, space: Space) -> Embedder:
        """Return the embedder of a space. Raises SpaceError."""
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
            for folder in filter(os.path.isdir, self._profile.models):  # a model is known by its weights, not its name
                if weights_digest(Path(folder)) == space.weights:
                    return load_embedder_for(space, model=folder)
            raise SpaceError(
                f"it embeds with {space.model[:80]!r}, which this profile does not allow.",
                hint=f"Run `knet network allow MODEL --profile {self._profile.name}` to ask nodes of its space.",
            )
        return self._load(space)
