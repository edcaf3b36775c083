"""Simulated sources in this process, with hits ranked and routed by knet's own functions.

No chain, no HTTP and no proofs, which other benchmarks and tests cover: thousands of questions to six sources take
seconds. Routing cards, `route`, `merge` and everything in `knet.trust` are the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import bm25s
import numpy as np
import numpy.typing as npt

from benchmarks.pollution import Question, World, frame
from knet.codec import Cid, block_of, cid_of
from knet.embed.base import Vectors
from knet.index.analyser import split_words, terms_of, tokens
from knet.index.card import Batch, make_card
from knet.index.lexical import K1, B
from knet.index.shard import encode_vector
from knet.records import Document, Head, Hit, Manifest, NodeEntry, Reputation, Space
from knet.routing.node_view import NodeView
from knet.routing.options import Options
from knet.routing.query import Priors, Query, Selection
from knet.routing.router import pooled_statistics, route
from knet.search.merge import NO_FEEDBACK, Feedback, RankedPassage, merge
from knet.search.verify_reply import VerifiedHit, words_of

FETCHED = 3  # passages a source sends (M)
KEPT = 2  # passages an answer is written from (K)
ASKED = 5  # sources a question goes to (N)

Ids = npt.NDArray[np.int64]
Known = Mapping[int, Reputation]


class Pool:
    """Every passage that any source may hold, by number: version by version, then what was added."""

    def __init__(self, world: World, space: Space) -> None:
        self.world = world
        self.space = space
        self.cid = cid_of(space)
        self.count = len(world.texts[0])
        self.texts = [text for version in world.texts for text in version]
        self.vectors: Vectors = np.concatenate(world.vectors)
        self.planted: dict[int, set[int]] = {}  # passage -> the questions it was planted for

    def add(self, texts: Sequence[str], vectors: Vectors, questions: Sequence[int]) -> Ids:
        """Add passages, each planted for a question; return their numbers."""
        first = len(self.texts)
        self.texts += texts
        self.vectors = np.concatenate([self.vectors, vectors])
        added = np.arange(first, len(self.texts))
        for passage, question in zip(added.tolist(), questions, strict=True):
            self.planted.setdefault(passage, set()).add(question)
        return added

    @cached_property
    def words(self) -> list[list[str]]:
        return [split_words(text) for text in self.texts]

    @cached_property
    def framed(self) -> list[str]:
        return [frame(words) for words in self.words]

    @cached_property
    def stored(self) -> list[bytes]:
        return [encode_vector(vector) for vector in self.vectors]

    @cached_property
    def documents(self) -> list[tuple[Cid, Document]]:
        found = [Document(uri=f"passage:{number}", text=self.cid) for number in range(len(self.texts))]
        return [(block_of(document)[0], document) for document in found]

    def is_planted(self, passage: int, question: int) -> bool:
        """Tell if a passage gives this question a planted answer."""
        version, row = divmod(passage, self.count)
        asked = self.world.questions[question]
        if passage >= self.count * len(self.world.texts):
            return question in self.planted[passage]
        return version > 0 and row == asked.document and asked.planted[version] in self.framed[passage]

    def holds_gold(self, passage: int, question: int) -> bool:
        asked: Question = self.world.questions[question]
        return asked.holds_gold(self.framed[passage])

    def is_right(self, shown: Sequence[int], question: int) -> bool:
        """Return a proxy of the answer's accuracy: the passages hold a gold answer, and no planted one."""
        right = any(self.holds_gold(passage, question) for passage in shown)
        return right and not any(self.is_planted(passage, question) for passage in shown)


@dataclass
class Source:
    """One source and the passages it holds."""

    number: int
    pool: Pool
    held: Ids

    @cached_property
    def view(self) -> NodeView:
        texts = [self.pool.texts[passage] for passage in self.held]
        batch = Batch(self.pool.vectors[self.held], texts)
        card = make_card(self.pool.space, [batch], title=f"source {self.number}", documents=len(texts))
        manifest = Manifest(
            node=self.number, sequence=1, previous=None, space=self.pool.cid, shards=[], card=cid_of(card),
            documents=len(texts), chunks=len(texts), time=0,
        )  # fmt: skip
        head = Head(manifest=cid_of(manifest), sequence=1, block=1, time=0, transaction="")
        entry = NodeEntry(node=self.number, owner="", wallet="", endpoint="", head=head)
        return NodeView(entry, manifest, card, self.pool.space)

    @cached_property
    def _lexical(self) -> bm25s.BM25:
        index = bm25s.BM25(k1=K1, b=B)
        index.index([terms_of(self.pool.words[passage]) for passage in self.held], show_progress=False)
        return index

    def fetch(self, question: int, count: int = FETCHED) -> list[int]:
        """Return the source's best passages for a question, by its fusion of dense scores and BM25."""
        world = self.pool.world
        dense = self.pool.vectors[self.held] @ world.asked[question]
        known = [
            term for term in dict.fromkeys(tokens(world.questions[question].text)) if term in self._lexical.vocab_dict
        ]
        lexical = self._lexical.get_scores(known) if known else np.zeros(len(self.held))
        best = np.argsort(-(_z(dense) + _z(lexical)), kind="stable")[:count]
        return [int(passage) for passage in self.held[best]]


def _z(values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return (values - values.mean()) / max(float(values.std()), 1e-9)


class Network:
    """Sources, queried as knet queries nodes."""

    def __init__(self, pool: Pool, sources: Sequence[Source], views: Mapping[int, NodeView] | None = None) -> None:
        self.pool = pool
        self.sources = {source.number: source for source in sources}
        self.views = views or {source.number: source.view for source in sources}
        self._fetched: dict[tuple[int, int], list[int]] = {}

    def share(self, other: Network, numbers: Sequence[int]) -> None:
        """Copy the cached hits of equal sources from another network."""
        self._fetched.update({key: found for key, found in other._fetched.items() if key[1] in numbers})

    def fetch(self, question: int, source: int) -> list[int]:
        key = question, source
        if key not in self._fetched:
            self._fetched[key] = self.sources[source].fetch(question)
        return self._fetched[key]

    def route(self, question: int, reliability: Known, usefulness: Known, asked: int = ASKED) -> list[int]:
        """Return the sources that knet would query, best first."""
        for number, view in self.views.items():
            view.reputation = reliability.get(number, Reputation())
        text, vectors = self.pool.world.questions[question].text, {self.pool.cid: self.pool.world.asked[question]}
        query = Query(text, vectors, Options(max_nodes=asked))
        routes = route(query, self.views.values(), Priors(usefulness=usefulness))
        return [each.node for each in routes[:asked]]

    def merge(
        self,
        question: int,
        fetched: Sequence[tuple[int, int]],
        reliability: Known,
        *,
        k: int = KEPT,
        collapse: bool = True,
        ratings: Mapping[bytes, Reputation] = NO_FEEDBACK.ratings,
    ) -> list[tuple[int, RankedPassage]]:
        """Return the best passages of (source, passage) pairs, as knet ranks them."""
        text = self.pool.world.questions[question].text
        statistics = pooled_statistics(self.views.values(), tokens(text))
        hits = [self._checked(question, source, passage) for source, passage in fetched]
        query = Query(text, {}, Options(k=k, collapse=collapse))
        selection = Selection([], 0, self.views, reliability, statistics)
        found = merge(query, hits, selection, Feedback(ratings))
        return [(ranked.checked.hit.chunk, ranked) for ranked in found]

    def _checked(self, question: int, source: int, passage: int) -> VerifiedHit:
        cid, document = self.pool.documents[passage]
        text = self.pool.texts[passage]
        hit = Hit(
            document=0, shard=0, chunk=passage, start=0, end=len(text), text=text,
            vector=self.pool.stored[passage], path=[], scores={},
        )  # fmt: skip
        cosine = float(self.pool.vectors[passage] @ self.pool.world.asked[question])
        return VerifiedHit(
            node=source,
            space=self.pool.cid,
            manifest=self.pool.cid,
            document=document,
            document_cid=cid,
            hit=hit,
            cosine=cosine,
            words=words_of(hit.text),
        )
