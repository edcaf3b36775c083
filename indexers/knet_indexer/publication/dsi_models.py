"""Models that the owner trained (`knet dsi train`), published with the collection they were trained on."""

from __future__ import annotations

from knet.codec import Cid
from knet.dsi.collection import PLAN, load_shards
from knet.dsi.datasets import passage_id
from knet.dsi.publish import publish_model
from knet.dsi.update import remove
from knet.records import Space

from ..node import Node
from ..state import State

FOLDER = "dsi"  # in a node's home; where `knet dsi train HOME` puts what it trains


def publish_models(node: Node, state: State, space: Space) -> list[Cid]:
    """Write the blocks of the node's models, without what is no longer indexed: the CIDs for its manifest.

    Models of another space are left out, as is one of which nothing is indexed any more. Raises ConfigError and
    CodecError when training was stopped or its files are damaged, and StoreError.
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
        gone = set(start.model.ids) - indexed
        if len(gone) < len(start.model.ids):
            published.append(publish_model(node.store, (remove(start, gone) if gone else start).model, space))
    return published
