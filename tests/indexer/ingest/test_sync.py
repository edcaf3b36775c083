"""A sync reads only changed items, embeds only new texts, and removes what the sources no longer list."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from knet.codec import cid_of
from knet.errors import NodeBusy
from knet_indexer.cli.status import read_status
from knet_indexer.config import SourceConfig
from knet_indexer.ingest.prepare import split
from knet_indexer.ingest.sync import sync
from knet_indexer.node import Node
from tests.network.support import WORD_SPACE, WordEmbedder, cut_words, make_node, open_node, write_documents

ROOT = Path(__file__).resolve().parents[3]
GRAPHS = "# Graphs\n\nA graph has nodes and edges. " + " ".join(f"Edge {n} joins two nodes." for n in range(20))
HASHES = "# Hashes\n\nA hash maps data to digests. " + " ".join(f"Digest {n} is of datum {n}." for n in range(20))


def documents_of(node: Node) -> Path:
    return Path(node.config.sources[0].spec.partition(":")[2])


def held(node: Node) -> Counter[tuple[str, bytes, int, int, bytes]]:
    """Return every live chunk with its vector, independent of the order of indexing."""
    with node.open_state() as state:
        found: Counter[tuple[str, bytes, int, int, bytes]] = Counter()
        for row in state.documents():
            (space,) = state.spaces()
            vectors = state.vectors(space, [chunk.digest for chunk in row.chunks])
            for chunk in row.chunks:
                text = (row.document.uri, row.document.text.raw)
                found[(*text, chunk.start, chunk.end, vectors[chunk.digest])] += 1
    return found


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path / "node", {"graphs.md": GRAPHS, "deep/hashes.md": HASHES})


def test_unchanged_folder_is_indexed_once(node: Node) -> None:
    first = sync(node)
    assert (first.added, first.changed, first.removed, first.unchanged) == (2, 0, 0, 0)
    assert first.chunks == first.embedded == sum(held(node).values()) > 4
    again = sync(node)
    assert (again.added, again.unchanged, again.embedded) == (0, 2, 0)


def test_unchanged_folder_needs_no_model(node: Node) -> None:
    sync(node)

    def no_model(model: str, *, bulk: bool = False) -> WordEmbedder:
        raise AssertionError("the model was loaded")

    assert sync(Node(node.folder, load=no_model)).unchanged == 2


def test_single_large_document_uses_the_bulk_embedder(tmp_path: Path) -> None:
    book = "\n\n".join(f"Chapter {n} is about the number {n}, and about nothing else at all." * 8 for n in range(1500))
    node, loaded = make_node(tmp_path / "node", {"book.md": book}), []

    def load(model: str, *, bulk: bool = False) -> WordEmbedder:
        loaded.append(bulk)
        return WordEmbedder()

    report = sync(Node(node.folder, load=load, cut=lambda model, space: cut_words))
    assert report.added == 1
    assert report.embedded >= 1000
    assert loaded == [False, True], "the embedder for few items, then once the bulk embedder"


def test_changed_file_embeds_only_its_new_chunks(node: Node) -> None:
    sync(node)
    path = documents_of(node) / "graphs.md"
    path.write_text(GRAPHS + "\n\n# Trees\n\nA tree has no cycle at all.\n")
    report = sync(node)
    assert (report.changed, report.unchanged) == (1, 1)
    assert 0 < report.embedded <= 2


def test_touched_file_keeps_its_version(node: Node) -> None:
    sync(node)
    with node.open_state() as state:
        before = [row.cid for row in state.documents()]
    os.utime(documents_of(node) / "graphs.md", (1, 1))
    report = sync(node)
    assert (report.changed, report.unchanged, report.embedded) == (0, 2, 0)
    with node.open_state() as state:
        assert sorted(row.cid for row in state.documents()) == sorted(before)


def test_moved_file_is_not_embedded_again(node: Node) -> None:
    sync(node)
    folder = documents_of(node)
    (folder / "graphs.md").rename(folder / "renamed.md")
    report = sync(node)
    assert (report.added, report.removed, report.embedded) == (1, 1, 0)
    assert {uri for uri, *_ in held(node)} == {
        "folder:node-documents/renamed.md",
        "folder:node-documents/deep/hashes.md",
    }


def test_deleted_file_and_removed_source_are_removed(node: Node) -> None:
    sync(node)
    (documents_of(node) / "graphs.md").unlink()
    assert sync(node).removed == 1
    node.configure(sources=[])
    assert sync(node).removed == 1
    assert not held(node)


def test_unreadable_source_keeps_its_documents(node: Node) -> None:
    sync(node)
    folder = documents_of(node)
    folder.rename(folder.with_name("unplugged"))
    report = sync(node)
    assert report.removed == 0
    assert [name for name, _ in report.skipped] == [node.config.sources[0].spec]
    assert held(node)


def test_bad_file_is_skipped_with_its_reason(node: Node) -> None:
    bad = documents_of(node) / "bad.ipynb"
    bad.write_text("{ not a notebook")
    (documents_of(node) / "empty.md").write_text("   \n")
    report = sync(node)
    assert report.added == 2
    assert dict(report.skipped).keys() == {"folder:node-documents/bad.ipynb", "folder:node-documents/empty.md"}
    assert read_status(node).skipped == report.skipped
    assert sync(node).skipped == report.skipped, "it is listed again without being read"
    bad.unlink()
    assert [uri for uri, _ in sync(node).skipped] == ["folder:node-documents/empty.md"]


def test_document_that_became_unreadable_is_removed(node: Node) -> None:
    sync(node)
    (documents_of(node) / "graphs.md").write_bytes(b"")
    assert [uri for uri, _ in sync(node).skipped] == ["folder:node-documents/graphs.md"]
    assert {uri for uri, *_ in held(node)} == {"folder:node-documents/deep/hashes.md"}
    (documents_of(node) / "graphs.md").write_text(GRAPHS)
    assert sync(node).embedded == 0, "its vectors were kept"


def test_changed_model_embeds_all_documents_again(node: Node) -> None:
    chunks = sync(node).chunks
    other = WordEmbedder(replace(WORD_SPACE, model="test/other", dimension=32))
    node.configure(model="test/other")
    moved = open_node(node.folder, embedder=other)
    report = sync(moved)
    assert report.embedded == report.chunks == chunks
    with moved.open_state() as state:
        assert state.spaces() == {cid_of(other.space)}
    assert {len(vector) for *_, vector in held(moved)} == {64}


def test_changed_weights_are_another_space(node: Node) -> None:
    sync(node)
    (documents_of(node) / "new.md").write_text("Something new, so that the model is loaded.")
    report = sync(open_node(node.folder, embedder=WordEmbedder(replace(WORD_SPACE, weights=b"v" * 32))))
    assert report.embedded == report.chunks
    assert report.added == 1


def test_changed_licence_makes_new_versions(node: Node) -> None:
    sync(node)
    node.configure(licence="CC-BY-4.0")
    assert sync(node).changed == 2
    with node.open_state() as state:
        assert {row.document.licence for row in state.documents()} == {"CC-BY-4.0"}


def test_folders_with_the_same_name_conflict_without_a_base(node: Node, tmp_path: Path) -> None:
    write_documents(tmp_path / "elsewhere" / "node-documents", {"graphs.md": "Other graphs. " * 5})
    second = f"folder:{tmp_path}/elsewhere/node-documents"
    node.configure(sources=[*node.config.sources, SourceConfig(spec=second)])
    assert "base=" in sync(node).skipped[0][1]
    named = SourceConfig(spec=second, options={"base": "folder:elsewhere/"})
    node.configure(sources=[node.config.sources[0], named])
    report = sync(node)
    assert (report.added, report.skipped) == (1, [])


def test_long_document_is_split_into_parts(tmp_path: Path) -> None:
    text = "".join(f"Paragraph {number} speaks of long books.\n\n" for number in range(30_000))
    node = make_node(tmp_path / "node", {"book.txt": text})
    sync(node)
    with node.open_state() as state:
        documents = [row.document for row in state.documents()]
    assert [document.uri for document in documents] == [
        f"folder:node-documents/book.txt#part={number}" for number in (1, 2)
    ]
    assert all(len(node.store.get(document.text)) <= 1 << 20 for document in documents)


@given(st.text(st.sampled_from("aé漢🙂 \n")), st.integers(8, 40))
def test_split_parts_join_to_the_text_within_the_limit(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert "".join(parts) == text
    assert all(len(part.encode()) <= limit for part in parts)


def test_deleted_text_blocks_are_read_again(node: Node) -> None:
    sync(node)
    for cid in list(node.store):
        node.store.delete(cid)
    report = sync(node)
    assert (report.unchanged, report.embedded) == (2, 0)
    with node.open_state() as state:
        assert all(node.store.has(text) for _, text in state.texts())


def test_sync_of_a_locked_node_is_refused(node: Node) -> None:
    with node.lock("publish"), pytest.raises(NodeBusy, match=rf"`publish` \(process {os.getpid()}\)"):
        sync(node)


WORDS = ["graph", "hash", "tree", "edge", "digest", "node"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=60).map(" ".join)
STEPS = st.lists(
    st.dictionaries(st.sampled_from(["a.md", "b.md", "c/d.md"]), TEXTS, max_size=3), min_size=1, max_size=4
)


@given(STEPS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_stepwise_sync_equals_one_sync(steps: list[dict[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "x").mkdir()
        stepwise = make_node(root / "x" / "node", {})
        for step in steps:
            for path in documents_of(stepwise).rglob("*.md"):
                path.unlink()
            write_documents(documents_of(stepwise), step)
            sync(stepwise, may_empty=lambda source, documents: True)
        (root / "y").mkdir()
        at_once = make_node(root / "y" / "node", steps[-1])
        sync(at_once)
        assert held(stepwise) == held(at_once)


@pytest.mark.network
def test_sync_killed_at_any_point_continues(tmp_path: Path) -> None:
    texts = {
        f"{number}.md": f"# {number}\n\n" + " ".join(f"Line {n} of document {number}." for n in range(60))
        for number in range(20)
    }
    whole = make_node(tmp_path / "whole" / "node", texts)
    sync(whole)
    node = make_node(tmp_path / "cut" / "node", texts)
    command = [sys.executable, "-m", "tests.indexer.ingest.killed_sync", str(node.folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 3, "several runs were killed"
    assert held(node) == held(whole)
    assert sync(node).embedded == 0
