"""Ten nodes in this process: each sends its best passages, and knet's own merge, writer and confidence do the rest.

No chain, no HTTP and no proofs, which other benchmarks and tests cover.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import bm25s
import numpy as np
import numpy.typing as npt

from benchmarks.fusion.bench import top
from knet.codec import Cid
from knet.index.analyser import tokens
from knet.index.lexical import K1, B, Statistics, document_frequency
from knet.index.shard import Vectors, encode_vector
from knet.records import Document, Hit, Passage, Provenance, Reputation
from knet.routing.options import PASSAGES, Options
from knet.routing.query import Query, Selection
from knet.search.merge import RankedPassage, merge
from knet.search.verify_reply import VerifiedHit, words_of

NODES = 10
SPACE = Cid.of(b"space")


@dataclass(frozen=True)
class Text:
    """One passage of one node."""

    id: str
    node: int
    text: str
    title: str = ""


@dataclass
class Nodes:
    """Nodes that hold ``texts`` with their vectors ``(n, dimension)``."""

    texts: Sequence[Text]
    vectors: Vectors = field(repr=False)

    def __post_init__(self) -> None:
        self.words = [list(words_of(each.text)) for each in self.texts]
        length = sum(map(len, self.words)) / max(len(self.words), 1)
        self.statistics = Statistics(len(self.words), length, document_frequency(self.words))
        self.held: dict[int, npt.NDArray[np.int64]] = {
            node: np.array([row for row, each in enumerate(self.texts) if each.node == node])
            for node in sorted({each.node for each in self.texts})
        }
        self._documents = [Document(uri=f"passage:{each.id}", text=SPACE, title=each.title) for each in self.texts]

    @cached_property
    def _lexical(self) -> dict[int, bm25s.BM25]:
        found = {}
        for node, rows in self.held.items():
            found[node] = bm25s.BM25(k1=K1, b=B)
            found[node].index([self.words[row] for row in rows], show_progress=False)
        return found

    def without(self, removed: Iterable[str]) -> Nodes:
        """Return the nodes after some passages were removed from all of them."""
        gone = set(removed)
        kept = [row for row, each in enumerate(self.texts) if each.id not in gone]
        return Nodes([self.texts[row] for row in kept], self.vectors[kept])

    def hits(self, question: str, vector: Vectors, k: int) -> list[VerifiedHit]:
        """Return what all nodes send: each its best ``k`` by cosine and by BM25."""
        asked = dict.fromkeys(tokens(question))
        cosines = self.vectors @ vector
        found = []
        for node, rows in self.held.items():
            index = self._lexical[node]
            known = [term for term in asked if term in index.vocab_dict]
            lexical = np.asarray(index.get_scores(known) if known else np.zeros(len(rows)), np.float32)
            best = sorted({*top(cosines[rows], k), *top(lexical, k)})
            found += [self._hit(int(rows[at]), float(cosines[rows[at]])) for at in best]
        return found

    def _hit(self, row: int, cosine: float) -> VerifiedHit:
        text = self.texts[row]
        hit = Hit(
            document=0, shard=0, chunk=row, start=0, end=len(text.text), text=text.text,
            vector=encode_vector(self.vectors[row]), path=[], scores={},
        )  # fmt: skip
        return VerifiedHit(
            node=text.node, space=SPACE, manifest=SPACE, document=self._documents[row],
            document_cid=Cid.of(f"{text.id} {row}".encode()), hit=hit, cosine=cosine, words=tuple(self.words[row]),
        )  # fmt: skip

    def passages(
        self,
        question: str,
        vector: Vectors,
        *,
        k: int = PASSAGES,
        sent: int = 0,
        reliability: Mapping[int, Reputation] | None = None,
    ) -> list[Passage]:
        """Return the passages of an answer. Every node is asked for ``sent`` passages a retriever (0: ``k``)."""
        selection = Selection([], 0, {}, reliability or {}, self.statistics)
        ranked = merge(Query(question, {}, Options(k=k)), self.hits(question, vector, sent or k), selection)
        return [self._passage(item) for item in ranked]

    def _passage(self, item: RankedPassage) -> Passage:
        hit, text = item.checked.hit, self.texts[item.checked.hit.chunk]
        return Passage(
            text=hit.text, start=0, end=hit.end, title=text.title, uri=f"passage:{text.id}",
            score=round(item.score, 6), scores=item.scores, shares=item.shares, reliability=Reputation(),
            sources=item.sources,
            provenance=Provenance(
                node=text.node, manifest=SPACE, document=item.checked.document_cid, shard=0, chunk=hit.chunk, path=[],
                vector=hit.vector,
            ),
        )  # fmt: skip
