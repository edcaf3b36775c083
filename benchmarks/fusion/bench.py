"""Prepared document set: its retrievers' scores for every passage, and the client's candidates."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import bm25s
import numpy as np
import numpy.typing as npt

from benchmarks.corpora import Asked, Corpus, Document
from benchmarks.passages import SEED, embedded, embedded_parts
from knet.codec import Cid, cid_of
from knet.embed.base import PartEmbedder, Vectors
from knet.index.analyser import split_words, terms_of, tokens
from knet.index.lexical import K1, B, Statistics, document_frequency
from knet.index.shard import encode_vector
from knet.records import Document as Source
from knet.records import Hit
from knet.search.verify_reply import VerifiedHit
from knet.trust.reliability import passage_key

NODE = 1
CANDIDATES = 32  # by each of dense and BM25: what a client holds that asked four nodes for eight

Scores = npt.NDArray[np.float32]


@dataclass
class Bench:
    """A set with its vectors, and the questions that some of its passages are known to answer (``known``, by row)."""

    name: str
    documents: list[Document]
    questions: list[Asked]
    vectors: Vectors
    parts: list[Vectors]
    asked: Vectors
    space: Cid
    known: Mapping[int, list[str]]

    def __post_init__(self) -> None:
        self.rows = {document.id: row for row, document in enumerate(self.documents)}
        self.words = [split_words(document.text) for document in self.documents]
        self.terms = [terms_of(words) for words in self.words]
        self._ends = np.cumsum([len(own) for own in self.parts])
        self._stacked = np.concatenate(self.parts)
        lengths = sum(map(len, self.words)) / len(self.words)
        self.statistics = Statistics(len(self.words), lengths, document_frequency(self.terms))
        source = Source(uri="", text=self.space)
        self._hits = [self._checked(row, source) for row in range(len(self.documents))]

    @cached_property
    def answered(self) -> dict[bytes, list[str]]:
        """Return ``known`` in the form of `knet.search.merge`."""
        return {passage_key(self.words[row]): questions for row, questions in self.known.items()}

    @cached_property
    def _plain(self) -> bm25s.BM25:
        return _index(self.terms)

    @cached_property
    def _extended(self) -> bm25s.BM25:
        more = [[word for each in self.known.get(row, ()) for word in tokens(each)] for row in range(len(self.words))]
        return _index([[*own, *added] for own, added in zip(self.terms, more, strict=True)])

    def _checked(self, row: int, source: Source) -> VerifiedHit:
        text = self.documents[row].text
        hit = Hit(
            document=0, shard=0, chunk=row, start=0, end=len(text), text=text,
            vector=encode_vector(self.vectors[row]), path=[], scores={},
        )  # fmt: skip
        return VerifiedHit(
            node=NODE, space=self.space, manifest=self.space, document=source, document_cid=self.space, hit=hit,
            cosine=0.0, words=tuple(self.words[row]),
        )  # fmt: skip

    def singles(self, number: int) -> dict[str, Scores]:
        """Return each retriever's score of every passage for one question."""
        text, vector = self.questions[number].text, self.asked[number]
        alone = {
            "dense": self.vectors @ vector,
            "sentences": self.sentences(number),
            "BM25": _bm25(self._plain, text, len(self.words)),
        }
        return alone | ({"BM25 + known questions": _bm25(self._extended, text, len(self.words))} if self.known else {})

    def sentences(self, number: int) -> Scores:
        """Return the best score of each passage and its sentences."""
        cosines = self._stacked @ self.asked[number]
        starts = np.concatenate([[0], self._ends[:-1]])
        best = np.maximum.reduceat(np.append(cosines, -1.0), np.minimum(starts, len(cosines)))
        best = np.where(self._ends > starts, best, -1.0)
        return np.maximum(best, self.vectors @ self.asked[number]).astype(np.float32)

    def candidates(self, number: int, singles: Mapping[str, Scores]) -> list[VerifiedHit]:
        """Return the hits of the nodes: the best by dense, and by BM25 over their publications."""
        best = np.unique([top(singles[name], CANDIDATES) for name in ("dense", "BM25")])
        cosines = self.vectors[best] @ self.asked[number]
        return [_with(self._hits[row], float(cosine)) for row, cosine in zip(best.tolist(), cosines, strict=True)]

    def relevant(self, number: int) -> dict[int, int]:
        return {self.rows[key]: grade for key, grade in self.questions[number].relevant.items()}


def _with(hit: VerifiedHit, cosine: float) -> VerifiedHit:
    return VerifiedHit(
        node=hit.node, space=hit.space, manifest=hit.manifest, document=hit.document, document_cid=hit.document_cid,
        hit=hit.hit, cosine=cosine, words=hit.words,
    )  # fmt: skip


def _index(words: Sequence[Sequence[str]]) -> bm25s.BM25:
    index = bm25s.BM25(k1=K1, b=B)
    index.index([list(each) for each in words], show_progress=False)
    return index


def _bm25(index: bm25s.BM25, text: str, count: int) -> Scores:
    known = [term for term in dict.fromkeys(tokens(text)) if term in index.vocab_dict]
    return np.asarray(index.get_scores(known) if known else np.zeros(count), np.float32)


def top(scores: Scores, count: int) -> list[int]:
    """Return the best rows, best first; ties go to the first."""
    count = min(count, len(scores))
    best = np.sort(np.argpartition(-scores, count - 1)[:count])
    found: list[int] = best[np.argsort(-scores[best], kind="stable")].tolist()
    return found


def make_bench(
    corpus: Corpus, questions: Sequence[Asked], embedder: PartEmbedder, known: Sequence[Asked] = ()
) -> Bench:
    """Return a bench over ``questions``; ``known`` are further ones whose passages are known to answer them."""
    vectors, parts = embedded_parts([document.text for document in corpus.documents], embedder)
    rows = {document.id: row for row, document in enumerate(corpus.documents)}
    by_row: defaultdict[int, list[str]] = defaultdict(list)
    for each in known:
        for key in each.relevant:
            by_row[rows[key]].append(each.text)
    return Bench(
        name=corpus.name,
        documents=corpus.documents,
        questions=list(questions),
        vectors=vectors,
        parts=parts,
        asked=embedded([each.text for each in questions], embedder, query=True),
        space=cid_of(embedder.space),
        known=dict(by_row),
    )


def dealt(questions: Sequence[Asked], share: float) -> Iterator[list[Asked]]:
    """Split questions into test (about ``share`` of each passage's, at least one), training (as many), and the rest."""
    by_passage: defaultdict[str, list[Asked]] = defaultdict(list)
    for each in questions:
        by_passage[min(each.relevant)].append(each)
    parts: tuple[list[Asked], ...] = ([], [], [])
    for own in by_passage.values():
        random.Random(f"{SEED} {own[0].text}").shuffle(own)
        cut = max(1, round(share * len(own)))
        for part, some in zip(parts, (own[:cut], own[cut : 2 * cut], own[2 * cut :]), strict=True):
            part += some
    yield from parts
