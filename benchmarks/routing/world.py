"""All document sets as one, assigned to nodes by topic, at random or by real owners, with the nodes' cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import bm25s
import faiss
import numpy as np
import numpy.typing as npt

from benchmarks.corpora import SETS, Asked, Document, corpus, sampled
from benchmarks.passages import SEED, embedded, embedded_parts
from knet.codec import Cid, cid_of
from knet.embed.base import PartEmbedder, Vectors
from knet.index.analyser import tokens
from knet.index.card import Batch, make_card
from knet.index.lexical import K1, B
from knet.records import Head, Manifest, NodeEntry, Space
from knet.routing.node_view import NodeView

Rows = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

DENSE_SHARE = 0.5  # of the central ranking, z-scored; the rest is BM25


@dataclass
class World:
    """Documents, their vectors and central scores; questions and the rows of relevant documents."""

    documents: list[Document]
    vectors: Vectors
    questions: list[Asked]
    asked: Vectors
    answers: list[list[int]]
    space: Space

    def __post_init__(self) -> None:
        self.words = [tokens(document.text) for document in self.documents]
        self.cid: Cid = cid_of(self.space)
        self._bm25 = bm25s.BM25(k1=K1, b=B)
        self._bm25.index(self.words, show_progress=False)

    def scores(self, number: int) -> dict[str, Rows]:
        """Return every document's score for one question: by cosine, and fused with BM25."""
        dense = (self.vectors @ self.asked[number]).astype(float)
        known = [t for t in dict.fromkeys(tokens(self.questions[number].text)) if t in self._bm25.vocab_dict]
        words = self._bm25.get_scores(known) if known else np.zeros(len(dense))
        fused = DENSE_SHARE * dense / dense.std() + (1 - DENSE_SHARE) * words / max(float(words.std()), 1e-9)
        return {"dense": dense, "fused": fused}


def world(embedder: PartEmbedder, names: Sequence[str] = SETS, *, questions: int, documents: int = 0) -> World:
    """Return every set of ``names``, with up to ``questions`` of each, marked for tests or unmarked."""
    every: list[Document] = []
    asked: list[Asked] = []
    answers: list[list[int]] = []
    for name in names:
        own = corpus(name, documents=documents)
        rows = {document.id: row for row, document in enumerate(own.documents, len(every))}
        kept = sampled([each for each in own.questions if each.split != "train"], questions)
        every += own.documents
        asked += kept
        answers += [[rows[key] for key in each.relevant] for each in kept]
    vectors = [
        embedded_parts([d.text for d in corpus(name, documents=documents).documents], embedder)[0] for name in names
    ]
    found = embedded([each.text for each in asked], embedder, query=True)
    return World(every, np.concatenate(vectors), asked, found, answers, embedder.space)


def by_topic(vectors: Vectors, nodes: int) -> Ids:
    """Return the node of each document, by k-means."""
    kmeans = faiss.Kmeans(vectors.shape[1], nodes, niter=15, seed=SEED, spherical=True, min_points_per_centroid=1)
    kmeans.train(vectors)
    owners: Ids = kmeans.index.search(vectors, 1)[1][:, 0]
    return owners


def at_random(vectors: Vectors, nodes: int) -> Ids:
    return np.random.default_rng(SEED).permutation(len(vectors)) % nodes


def node_view(world: World, node: int, rows: Ids) -> NodeView:
    """Return a node as its clients know it."""
    texts = [world.documents[row].text for row in rows]
    card = make_card(world.space, [Batch(world.vectors[rows], texts)], title=str(node), documents=len(texts))
    manifest = Manifest(
        node=node, sequence=1, previous=None, space=world.cid, shards=[], card=cid_of(card),
        documents=len(texts), chunks=len(texts), time=0,
    )  # fmt: skip
    head = Head(manifest=cid_of(manifest), sequence=1, block=1, time=0, transaction="")
    return NodeView(NodeEntry(node=node, owner="", wallet="", endpoint="", head=head), manifest, card, world.space)


def coarse(vectors: Vectors, count: int) -> Vectors:
    """Return ``count`` unit centroids."""
    if len(vectors) <= count:
        return vectors
    kmeans = faiss.Kmeans(vectors.shape[1], count, niter=10, seed=SEED, spherical=True, min_points_per_centroid=1)
    kmeans.train(vectors)
    return np.asarray(kmeans.centroids, np.float32)
