"""Identity of a node: its key is never replaced by another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from knet.config import Profile
from knet.errors import ConfigError
from knet_indexer.ingest.sync import sync
from knet_indexer.publication.publish import publish
from tests.network.support import make_node, open_node


def test_missing_key_is_an_error_that_names_the_node(tmp_path: Path, devnet: Profile) -> None:
    node = make_node(tmp_path / "node", {"a.md": "Bees sleep in a hive."}, devnet)
    sync(node)
    address, number = node.signer.address, publish(node).node
    (node.folder / "node.key").rename(node.folder / "backup.key")
    for note in (True, False):
        if not note:
            (node.folder / "node.address").unlink()
        with pytest.raises(ConfigError, match=f"node {number} on network") as raised:
            publish(open_node(node.folder, devnet))
        assert (address in str(raised.value)) is note
        assert "backup" in str(raised.value)
        assert not (node.folder / "node.key").exists()
    (node.folder / "backup.key").rename(node.folder / "node.key")
    assert not publish(open_node(node.folder, devnet)).changed
