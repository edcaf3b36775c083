"""Changes of a node's settings: their effects are shown before, and costly ones need consent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from knet.config import Profile
from knet.content.base import get_record
from knet.records import Card, Manifest
from knet_indexer.cli.main import app
from knet_indexer.config import load_config
from knet_indexer.ingest.sync import sync
from knet_indexer.node import Node
from knet_indexer.publication.publish import publish
from tests.network.support import make_node

TEXTS = {"a.md": "The valve opens at 3 bar.", "b.py": "# SPDX-License-Identifier: MIT\nvalve = 3\n"}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path / "node", TEXTS, licence="CC0-1.0")


def run(node: Node, *arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["set", "--home", str(node.folder), *arguments])
    assert done.exit_code == status, done.output
    return " ".join((done.stderr if status else done.stdout).split())


def test_settings_are_changed_and_unchanged_ones_stay(node: Node) -> None:
    shown = run(
        node, "--name", "Valves", "--description", "On valves", "--rate", "3", "--endpoint", "https://a.example/n"
    )
    assert "name: node -> Valves. The next publication has a new card" in shown
    assert "The first publication announces it" in shown
    changed = load_config(node.folder)
    assert (changed.name, changed.description, changed.rate) == ("Valves", "On valves", 3.0)
    assert (changed.endpoint, changed.licence, changed.sources) == (
        "https://a.example/n",
        "CC0-1.0",
        node.config.sources,
    )
    assert "nothing changes" in run(node, "--name", "Valves")


def test_change_that_makes_documents_invalid_needs_consent(node: Node) -> None:
    sync(node)
    assert "makes indexed documents invalid" in run(node, "--licence", "MIT", status=1)
    assert "makes indexed documents invalid" in run(node, "--model", "test/other", status=1)
    (effect,) = json.loads(run(node, "--licence", "MIT", "--dry-run", "--json"))["effects"]
    assert effect["invalidates"] == 1, "the other document has a licence of its own"
    assert load_config(node.folder).licence == "CC0-1.0"
    assert "embeds all 2 passages again" in run(node, "--model", "test/other", "--dry-run")
    run(node, "--licence", "MIT", "--yes")
    node.reload()
    assert sync(node).changed == 1


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--endpoint", "ftp://a.example", "not an address of a node"),
        ("--endpoint", "https://a.example/?x=1", "not an address of a node"),
        ("--name", " ", "cannot be empty"),
        ("--licence", "x" * 5000, "too long"),
    ],
)
def test_setting_that_cannot_be_published_is_refused(node: Node, option: str, value: str, reason: str) -> None:
    assert reason in run(node, option, value, status=1)


def test_renamed_node_is_the_same_node_with_another_card(tmp_path: Path, devnet: Profile) -> None:
    node = make_node(tmp_path / "node", TEXTS, devnet)
    sync(node)
    first = publish(node)
    assert "announces it on chain at its next start" in run(node, "--name", "Valves", "--endpoint", "https://a.example")
    node.reload()
    second = publish(node)
    before, after = (get_record(node.store, report.manifest, Manifest) for report in (first, second))
    assert (second.node, second.sequence) == (first.node, 2)
    assert [shard.shard for shard in after.shards] == [shard.shard for shard in before.shards]
    assert get_record(node.store, after.card, Card).title == "Valves"
