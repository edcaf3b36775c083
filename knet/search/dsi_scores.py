"""De-DSI models of the nodes that are asked: fetched in the background, and one more column of the fusion.

A question does not wait for models; the next one has them. What a model says of passages is not proof of anything, so
it only ever ranks passages that other evidence put before it, or, in private mode, names some of a checked collection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from ..codec import Cid
from ..content.base import BlockSource, get_record
from ..dsi.datasets import passage_id
from ..dsi.ensemble import DsiRetriever
from ..dsi.model import Model
from ..dsi.publish import fetch_model
from ..errors import CodecError, KnetError
from ..index.shard import Vectors
from ..records import DsiModel
from ..routing.node_view import NodeView
from .fusion import Scores
from .merge import FeatureColumn
from .private import FutureCache
from .verify_reply import VerifiedHit

MAX_MODELS = 8  # of a node, in the order of its manifest
MAX_BLOCKS = 16  # of a model: what a stranger may put on this disk and in this memory for each


class ModelCache:
    """De-DSI models of one client. Safe to use from several threads."""

    def __init__(self) -> None:
        self._futures = FutureCache(_fetch_bounded)

    def ready(
        self, views: Iterable[NodeView], source_for: Callable[[NodeView], BlockSource], *, wait: float = 0.0
    ) -> dict[int, list[Model]]:
        """Return the loaded models of each node; ``wait`` is the maximum number of seconds for each model that is still
        being fetched."""
        loaded = {view.entry.node: self._loaded(view, source_for, wait) for view in views}
        return {node: models for node, models in loaded.items() if models}

    def _loaded(self, view: NodeView, source_for: Callable[[NodeView], BlockSource], wait: float) -> list[Model]:
        named = view.manifest.dsi_models
        source = source_for(view)
        models = []
        futures = [self._futures.load(cid, source) for cid in named[:MAX_MODELS]]
        for future in futures:
            try:
                models.append(future.result(timeout=wait))
            except (TimeoutError, KnetError):  # not yet; or broken, and then the node goes without
                continue
        return [model for model in models if model.dimension == view.space.dimension]


def _fetch_bounded(source: BlockSource, cid: Cid) -> Model:
    if len(get_record(source, cid, DsiModel).weights) > MAX_BLOCKS:
        raise CodecError(f"model {cid} has more than {MAX_BLOCKS} blocks.")
    return fetch_model(source, cid)


def dsi_column(models: Mapping[int, Sequence[Model]], vectors: Mapping[Cid, Vectors]) -> FeatureColumn:
    """Return a column of log-likelihoods ``(n,)`` under the models of each candidate's own node; NaN without any."""

    def column(question: str, hits: Sequence[VerifiedHit]) -> Scores:
        scores = np.full(len(hits), np.nan)
        for node, space in {(hit.node, hit.space) for hit in hits if hit.node in models}:
            rows = [row for row, hit in enumerate(hits) if hit.node == node]
            names = [_name(hits[row]) for row in rows]
            known = DsiRetriever(models[node]).score(question, vectors[space], names)
            scores[rows] = [known[name] for name in names]
        return scores

    return column


def _name(hit: VerifiedHit) -> str:
    return passage_id(hit.document_cid, hit.hit.start, hit.hit.end)
