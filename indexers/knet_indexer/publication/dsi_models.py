"""Publication of De-DSI models that the owner trained (`knet dsi train`), with the collection they were trained on."""

from __future__ import annotations

from knet.codec import Cid
from knet.dsi.collection import PLAN, load_shards
from knet.dsi.datasets import passage_id
from knet.dsi.publish import publish_model
from knet.dsi.update import remove
from knet.records import Space

from ..node import Node
from ..state import State

FOLDER = "dsi"  # in a node's home; `knet dsi train HOME` writes its models there


def publish_models(node: Node, state: State, space: Space) -> list[Cid]:
    """Write the blocks of the node's models, without passages that are no longer indexed, and return their CIDs.

    Models of another space are left out, and models none of whose passages is indexed. Raises ConfigError and
    CodecError when training was interrupted or its files are damaged, and StoreError.
    """
    folder = node.folder / FOLDER
    if not (folder / PLAN).is_file():
        return []
    trained_in, starts = load_shards(folder)
    if trained_in != space:
        return []
    indexed = {passage_id(row.cid, chunk.start, chunk.end) for row in state.documents() for chunk in row.chunks}
    published = []
    for start in starts:
        removed = set(start.model.ids) - indexed
        if len(removed) < len(start.model.ids):
            published.append(publish_model(node.store, (remove(start, removed) if removed else start).model, space))
    return published
