"""Synthetic routing cards made from real passages, each different, and questions about those passages.

A node holds passages about a few themes, and some about anything. Each of its centroids is a real passage's vector,
moved a little, and holds most of that passage's words: as if another passage about the same were there.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import faiss
import numpy as np
import numpy.typing as npt

from benchmarks.corpora import corpus, sampled
from benchmarks.passages import SEED, embedded, embedded_parts
from knet.codec import Cid, cid_of
from knet.embed.base import PartEmbedder, Vectors
from knet.index.analyser import tokens
from knet.index.card import CENTROIDS, SKETCH_TERMS
from knet.index.lexical import term_hash
from knet.records import VECTOR_DTYPE, Card, Head, Manifest, NodeEntry, Space
from knet.routing.node_view import NodeView

THEMES = 3  # of a node
ON_THEME = 0.7  # share of a node's centroids on its themes
NEIGHBOURS = 200  # passages near a theme that a node may draw
MERGED = 8  # passages whose words a centroid holds
MOVED = 0.5  # length of the noise that moves a passage's vector of length 1
KEPT_WORDS = 0.8  # of a passage's different words
CHUNKS = (40, 4000)  # of a node, log-uniformly


class CardData(NamedTuple):
    """Data for synthetic cards: passages' vectors, their words as hashes, and nearest neighbours."""

    space: Space
    cid: Cid
    vectors: Vectors
    words: list[npt.NDArray[np.uint32]]
    near: npt.NDArray[np.int64]
    questions: list[str]
    asked: Vectors


def card_data(embedder: PartEmbedder, names: Sequence[str], questions: int) -> CardData:
    """Return the passages of some sets, and ``questions`` about each."""
    texts, asked = [], []
    for name in names:
        own = corpus(name)
        texts.append([document.text for document in own.documents])
        asked += [each.text for each in sampled([q for q in own.questions if q.split != "train"], questions)]
    vectors = np.concatenate([embedded_parts(each, embedder)[0] for each in texts])
    words = [_hashes(text) for each in texts for text in each]
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    themes = np.random.default_rng(SEED).choice(len(vectors), min(2000, len(vectors)), replace=False)
    near = index.search(vectors[themes], NEIGHBOURS)[1]
    found = embedded(asked, embedder, query=True)
    return CardData(embedder.space, cid_of(embedder.space), vectors, words, near, asked, found)


def _hashes(text: str) -> npt.NDArray[np.uint32]:
    return np.array(sorted({term_hash(term) for term in tokens(text)}), np.uint32)


def made(data: CardData, node: int) -> NodeView:
    """Return the synthetic node of this number, always the same."""
    rng = np.random.default_rng((SEED, node))
    chunks = int(np.exp(rng.uniform(*np.log(CHUNKS))))
    count = min(CENTROIDS, chunks)
    on_theme = data.near[rng.integers(len(data.near), size=THEMES)].ravel()
    drawn = np.where(
        rng.random(count) < ON_THEME, rng.choice(on_theme, count), rng.integers(len(data.vectors), size=count)
    )
    noise = rng.standard_normal((count, data.vectors.shape[1]), dtype=np.float32)
    centroids = data.vectors[drawn] + noise * (MOVED / np.sqrt(data.vectors.shape[1]))
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    weight = rng.multinomial(chunks - count, rng.dirichlet(np.ones(count))) + 1
    others = rng.choice(on_theme, (count, MERGED - 1))
    slots, keys = [], []
    for own in range(count):
        for passage in (drawn[own], *others[own][: weight[own] - 1]):
            slots.append(own)
            keys.append(data.words[passage])
    lengths = [len(each) for each in keys]
    every, slot = np.concatenate(keys), np.repeat(slots, lengths)
    kept = rng.random(len(every)) < KEPT_WORDS
    terms, which = np.unique(every[kept], return_inverse=True)
    bits = np.zeros(len(terms), np.uint64)
    np.bitwise_or.at(bits, which, np.left_shift(np.uint64(1), slot[kept].astype(np.uint64)))
    df = np.minimum(np.bincount(which, np.sqrt(weight)[slot[kept]]).astype(np.int64) + 1, chunks)
    if len(terms) > SKETCH_TERMS:
        keep = np.sort(np.argpartition(-df, SKETCH_TERMS)[:SKETCH_TERMS])
        terms, bits, df = terms[keep], bits[keep], df[keep]
    card = Card(
        title=f"node {node}",
        space=data.cid,
        documents=chunks,
        chunks=chunks,
        centroids=centroids.astype(VECTOR_DTYPE).tobytes(),
        weights=weight.astype("<u4").tobytes(),
        spreads=np.full(count, 0.8, VECTOR_DTYPE).tobytes(),
        terms=terms.astype("<u4").tobytes(),
        df=df.astype("<u4").tobytes(),
        places=zlib.compress(bits.astype("<u8").tobytes(), 1),
        average_length=90.0,
    )
    return _published(data, node, card)


def _published(data: CardData, node: int, card: Card) -> NodeView:
    """Return a node as its clients know it."""
    manifest = Manifest(
        node=node, sequence=1, previous=None, space=data.cid, shards=[], card=cid_of(card),
        documents=card.documents, chunks=card.chunks, time=0,
    )  # fmt: skip
    head = Head(manifest=cid_of(manifest), sequence=1, block=1, time=0, transaction="")
    return NodeView(NodeEntry(node=node, owner="", wallet="", endpoint="", head=head), manifest, card, data.space)
