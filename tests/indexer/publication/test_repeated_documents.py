"""An honest node names each shard once, whatever its owner does with the documents: clients refuse any other node."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from knet.codec import cid_of
from knet.content.base import put_record
from knet.index.collection import Collection
from knet.index.shard import has_repeats
from knet.records import Manifest
from knet_indexer.ingest.sync import sync
from knet_indexer.node import Node, quiet
from knet_indexer.publication.manifest import draft_manifest
from tests.network.support import make_node

TEXTS = [f"Topic {number}. " + "A fact of it. " * 20 for number in range(4)]
STEPS = 12


def publish_locally(node: Node, base: Manifest | None, *, compact: bool) -> Manifest:
    """Return the next manifest, stored but not on chain."""
    sync(node)
    with node.open_state() as state:
        draft = draft_manifest(node, state, base, compact=compact, progress=quiet)
    manifest = Manifest(
        node=1,
        sequence=1,
        previous=None,
        space=cid_of(draft.space),
        shards=draft.shards,
        card=cid_of(draft.card),
        documents=draft.card.documents,
        chunks=draft.card.chunks,
        time=0,
    )
    return replace(manifest, sequence=base.sequence + 1) if base else manifest


@pytest.mark.parametrize("seed", range(6))
def test_manifest_of_repeated_documents_names_each_shard_once(seed: int, tmp_path: Path) -> None:
    """Documents are removed, restored, exchanged and stored twice under other names, with and without compaction."""
    random = Random(seed)
    node = make_node(tmp_path / "node", {"always.md": "Always here."})
    folder = Path(node.config.sources[0].spec.partition(":")[2])
    manifest: Manifest | None = None
    for _ in range(STEPS):
        for path in (folder / f"{name}.md" for name in random.sample("abcde", random.randint(1, 5))):
            if random.random() < 0.4:
                path.unlink(missing_ok=True)
            else:
                path.write_text(random.choice(TEXTS))
        manifest = publish_locally(node, manifest, compact=random.random() < 0.2)
        assert not has_repeats(manifest.shards)
        collection = Collection.load(node.store, put_record(node.store, manifest))
        assert len(collection) == manifest.chunks
