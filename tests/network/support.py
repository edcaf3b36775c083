"""Real nodes over given documents: synced, published on a development chain, answering over HTTP.

    with start_nodes(tmp_path, devnet, [{"a.md": "text ..."}, {"b.md": "..."}]) as nodes:
        nodes[0].endpoint, nodes[0].identity, nodes[0].node, nodes[0].documents

Nodes run in threads of this process and are everything a node is, but for the model: `WordEmbedder` hashes words and
needs no loading; any `knet.embed.Embedder` works.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from zlib import crc32

import numpy as np

from knet.config import Profile
from knet.embed.base import Embedder, Progress, Vectors
from knet.index.sentences import Span
from knet.records import Space
from knet_indexer.chunking import Chunker, chunk
from knet_indexer.config import NodeConfig, SourceConfig, save_config
from knet_indexer.ingest.sync import sync
from knet_indexer.node import Node
from knet_indexer.publication.publish import publish
from knet_indexer.server.run import listen, serving

WORD_SPACE = Space(model="test/words", weights=b"w" * 32, dimension=64, max_tokens=64)


class WordEmbedder:
    """Embedder for tests: the sum of one random direction a word, so that texts with common words are close."""

    def __init__(self, space: Space = WORD_SPACE) -> None:
        self.space = space
        self.texts = 0  # number of embedded texts, for tests that count

    def encode(self, texts: Sequence[str], *, query: bool = False, progress: Progress | None = None) -> Vectors:
        self.texts += len(texts)
        if progress:
            progress(len(texts))
        rows = [self._vector(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self.space.dimension), np.float32)

    def _vector(self, text: str) -> Vectors:
        total = np.full(self.space.dimension, 1e-3, np.float32)
        for word in re.findall(r"\w+", text.casefold()):
            total += _direction(self.space.model, self.space.dimension, word)
        return total / np.float32(np.linalg.norm(total))


@cache
def _direction(model: str, dimension: int, word: str) -> Vectors:
    seed = crc32(f"{model} {word}".encode())
    return np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)


def cut_words(text: str) -> list[Span]:
    """Return the chunks of the node's chunker, with words as tokens."""
    return chunk(text, count_tokens=lambda texts: [len(text.split()) for text in texts], max_tokens=64, target=32)


def write_documents(folder: Path, documents: Mapping[str, str]) -> None:
    """Write texts to files of these names."""
    for name, text in documents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def open_node(
    home: Path, profile: Profile | None = None, *, embedder: Embedder | None = None, cut: Chunker = cut_words
) -> Node:
    """Return a node of an existing home, with a test's embedder and chunker in place of the model's."""
    used = embedder or WordEmbedder()
    return Node(home, load=lambda model, *, bulk=False: used, cut=lambda model, space: cut, profile=profile)


def make_node(
    home: Path,
    documents: Mapping[str, str],
    profile: Profile | None = None,
    *,
    embedder: Embedder | None = None,
    cut: Chunker = cut_words,
    **settings: object,
) -> Node:
    """Return a new node over a folder of documents beside its home; ``settings`` are fields of `NodeConfig`.

    The node has the name of its folder and a free port. Nothing is synced yet.
    """
    folder = home.with_name(f"{home.name}-documents")
    folder.mkdir(parents=True, exist_ok=True)
    write_documents(folder, documents)
    fields: dict[str, object] = {
        "name": home.name,
        "port": 0,
        "model": (embedder or WordEmbedder()).space.model,
        "sources": [SourceConfig(spec=f"folder:{folder}")],
    }
    save_config(home, NodeConfig(**{**fields, **settings}))  # type: ignore[arg-type]
    return open_node(home, profile, embedder=embedder, cut=cut)


@dataclass
class RunningNode:
    """Running node: its ``endpoint``, its ``identity`` on chain, and the folder of ``documents`` that it indexes."""

    node: Node
    endpoint: str
    identity: int
    documents: Path

    def update(self) -> None:
        """Sync and publish; the service follows within a second or two."""
        sync(self.node)
        publish(self.node)


@contextmanager
def start_nodes(
    root: Path,
    profile: Profile,
    collections: Sequence[Mapping[str, str]],
    *,
    embedder: Embedder | None = None,
    cut: Chunker = cut_words,
    **settings: object,
) -> Iterator[list[RunningNode]]:
    """Run one published node for each collection (file name to text) until the block ends.

    ``settings`` are fields of `NodeConfig`.
    """
    with ExitStack() as stack:

        def start(number: int) -> RunningNode:
            home = root / f"node-{number}"
            node = make_node(home, collections[number], profile, embedder=embedder, cut=cut, **settings)
            bound = listen(node)
            node.configure(port=bound.getsockname()[1])
            sync(node)
            report = publish(node)
            endpoint = stack.enter_context(serving(node, bound))
            return RunningNode(node, endpoint, report.node, home.with_name(f"{home.name}-documents"))

        with ThreadPoolExecutor(2) as pool:
            nodes = list(pool.map(start, range(len(collections))))
        yield nodes
