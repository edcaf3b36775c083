"""Evidence that a passage, and which sentence of it, answers a question: numbers that any reader can compute.

Nothing here needs a model. All of it comes from the question, the passages with their recorded scores, and the recorded
statistics of the question's terms, so that a reader derives the same answer (`knet.answer.derivation`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..index.analyser import terms_of, tokens
from ..index.lexical import Statistics
from ..index.shard import decode_vector
from ..records import Passage
from .units import Unit, units

SHARED = 4  # characters that two forms of one word have in common at their beginning, at least
FORM = 0.66  # the same as a share of the longer form
FORM_WEIGHT = 0.8  # weight of another form of a word beside the word itself
FORMS = frozenset(
    ("what", "which", "who", "whom", "whose", "when", "where", "why", "how", "do", "does", "did", "is", "are", "was",
     "were", "be", "been", "can", "could", "should", "would", "will", "shall", "may", "might", "must", "has", "have",
     "had", "the", "a", "an", "of", "in", "on", "at", "to", "for", "from", "by", "with", "and", "or", "as", "if", "it",
     "its", "this", "that", "these", "those", "i", "you", "we", "they", "he", "she", "me", "my", "your", "our", "their",
     "there", "not", "no", "than", "then", "so", "about", "into", "many", "much", "any", "some", "happens", "happen",
     "call", "use", "used", "using", "difference", "between", "get", "make", "way", "return", "returns", "s")
)  # fmt: skip
"""Words of English questions that say how it is asked, not about what. Their weight counts little."""
FORM_WORD = 0.15
VERSION = 0.5  # Jaccard similarity of words from which on two passages are versions of one text
ASKS_NUMBER = frozenset(
    ("when", "many", "much", "year", "date", "long", "old", "far", "number", "percent", "percentage", "century")
)  # fmt: skip
ASKS_NAME = frozenset(("who", "whom", "whose", "where"))
NEGATIONS = frozenset(
    ("not", "no", "never", "none", "without", "cannot", "neither", "nor", "nothing", "isn", "doesn", "don",
     "didn", "wasn", "aren")
)  # fmt: skip
FORM_TERMS, NEGATION_TERMS = frozenset(terms_of(FORMS)), frozenset(terms_of(NEGATIONS))
NUMBER_TERMS, NAME_TERMS = frozenset(terms_of(ASKS_NUMBER)), frozenset(terms_of(ASKS_NAME))
_NAME = re.compile(r"\b[A-Z]\w++")
_DIGIT = re.compile(r"\d")


class Asked:
    """The terms of one question with their weights, and the words that are forms of them."""

    def __init__(self, question: str, statistics: Statistics) -> None:
        self.words = tokens(question)
        given = {term: statistics.idf(term) * (FORM_WORD if term in FORM_TERMS else 1.0) for term in self.words}
        self.weights = given
        self.total = sum(given.values()) or 1.0
        self.pairs = {pair: min(given[pair[0]], given[pair[1]]) for pair in pairwise(self.words)}
        self.pair_total = sum(self.pairs.values()) or 1.0
        self.capitals = {word for name in _NAME.findall(question[1:]) for word in tokens(name)} - FORM_TERMS
        self.numbers = {word for word in self.words if _DIGIT.search(word)}
        self._by_start: dict[str, list[str]] = {}
        for term in given:
            if len(term) >= SHARED and not _DIGIT.search(term):
                self._by_start.setdefault(term[:SHARED], []).append(term)
        self._known: dict[str, tuple[str, float] | None] = {}

    def matched(self, word: str) -> tuple[str, float] | None:
        """Return the term that a word is, or is a form of, and how well; None for another word."""
        if word not in self._known:
            self._known[word] = self._match(word)
        return self._known[word]

    def _match(self, word: str) -> tuple[str, float] | None:
        if word in self.weights:
            return word, 1.0
        best: tuple[str, float] | None = None
        for term in self._by_start.get(word[:SHARED], ()) if len(word) >= SHARED else ():
            shared = next(
                (n for n, (a, b) in enumerate(zip(term, word, strict=False)) if a != b), min(len(term), len(word))
            )
            if shared >= FORM * max(len(term), len(word)):
                best = term, FORM_WEIGHT
        return best

    def covered(self, words: Iterable[str]) -> dict[str, float]:
        """Return the terms that some words cover, each with its part of its weight."""
        found: dict[str, float] = {}
        for word in words:
            match = self.matched(word)
            if match is not None:
                found[match[0]] = max(found.get(match[0], 0.0), match[1])
        return found

    def share(self, found: Mapping[str, float]) -> float:
        """Return the share of the question's weight in covered terms, 0 to 1."""
        return sum(self.weights[term] * part for term, part in found.items()) / self.total


class Scored(NamedTuple):
    """One quotable sentence with its evidence."""

    passage: int
    at: int  # its index in `units` of the passage
    unit: Unit
    features: tuple[float, ...]


SENTENCE = (
    "cover", "context", "passage", "phrase", "score", "lead", "place", "length", "short", "number", "name", "new",
    "best", "best here", "opens", "question", "listed", "cosine", "leads", "leans",
)  # fmt: skip


def scored_sentences(question: str, passages: Sequence[Passage], statistics: Statistics) -> list[Scored]:
    """Return every sentence of prose of some passages with its evidence (`SENTENCE`), in order."""
    asked = Asked(question, statistics)
    numbered, named = bool(NUMBER_TERMS & set(asked.words)), bool(NAME_TERMS & set(asked.words))
    first = max((passage.score for passage in passages), default=0.0)
    nearest = max((passage.scores.get("dense", 0.0) for passage in passages), default=0.0)
    found: list[Scored] = []
    raw: list[tuple[int, int, Unit, float, list[float]]] = []
    here: dict[int, float] = {}
    for rank, passage in enumerate(passages):
        title = asked.covered(tokens(passage.title))
        whole = asked.share(asked.covered(word for unit in units(passage.text) for word in unit.words) | title)
        before: dict[str, float] = {}
        for at, unit in enumerate(units(passage.text)):
            own = asked.covered(unit.words)
            if unit.kind == "prose" or unit.kind == "item":
                cover = asked.share(own)
                context = asked.share(title | asked.covered(unit.section) | before | own)
                text = passage.text[unit.start : unit.end]
                fresh = [word for word in unit.words if asked.matched(word) is None and word not in FORM_TERMS]
                named_new = any(terms_of([word.casefold()])[0] not in asked.weights for word in _NAME.findall(text[1:]))
                opens = unit.place == 0 and bool(unit.section) and asked.share(asked.covered(unit.section)) > 0.3
                raw.append(
                    (
                        rank,
                        at,
                        unit,
                        cover,
                        [
                            cover,
                            context,
                            whole,
                            sum(asked.pairs[pair] for pair in asked.pairs.keys() & set(pairwise(unit.words)))
                            / asked.pair_total,
                            passage.score - first,
                            1 / (1 + rank),
                            1 / (1 + unit.place),
                            math.log(1 + len(unit.words)),
                            float(len(unit.words) < 8),
                            float(numbered and bool(_DIGIT.search(text))),
                            float(named and named_new),
                            math.log(1 + len(fresh)),
                            0.0,
                            0.0,
                            float(opens),
                            float(text.endswith("?")),
                            float(unit.kind == "item"),
                            passage.scores.get("dense", 0.0) - nearest,
                            float(unit.leads),
                            float(unit.leans),
                        ],
                    )
                )
                here[rank] = max(here.get(rank, 0.0), cover)
            before = own
    best = max(here.values(), default=0.0)
    for rank, at, unit, cover, values in raw:
        values[12], values[13] = cover - best, cover - here[rank]
        found.append(Scored(rank, at, unit, tuple(values)))
    return found


# --- of the answer as a whole ------------------------------------------------------------------------------------

OPPOSITES: Mapping[str, str] = {
    "smallest": "largest", "ascending": "descending", "first": "last", "true": "false", "always": "never",
    "minimum": "maximum", "before": "after", "left": "right", "smaller": "larger", "without": "with",
    "equal": "unequal", "increasing": "decreasing", "lower": "upper", "less": "greater", "all": "no", "most": "least",
    "high": "low", "higher": "lower", "highest": "lowest", "increase": "decrease", "increases": "decreases",
    "early": "late", "earlier": "later", "earliest": "latest", "north": "south", "northern": "southern",
    "east": "west", "eastern": "western", "old": "new", "oldest": "newest", "inside": "outside",
    "internal": "external", "positive": "negative", "same": "different", "begin": "end", "begins": "ends",
    "start": "stop", "even": "odd", "open": "closed", "enabled": "disabled", "allowed": "forbidden", "yes": "no",
    "included": "excluded", "mutable": "immutable", "safe": "unsafe", "required": "optional", "top": "bottom",
    "more": "fewer", "win": "lose", "won": "lost", "leftmost": "rightmost", "best": "worst", "rising": "falling",
}  # fmt: skip
OPPOSITE: Mapping[str, frozenset[str]] = {
    word: frozenset([b for a, b in OPPOSITES.items() if a == word] + [a for a, b in OPPOSITES.items() if b == word])
    for pair in OPPOSITES.items()
    for word in pair
}

OPPOSITE_TERMS: Mapping[str, frozenset[str]] = {
    terms_of([word])[0]: frozenset(terms_of(opposed)) for word, opposed in OPPOSITE.items()
}

FOUND = (
    "apart", "sentence", "context", "passage", "top", "margin", "missing", "rarest", "names", "numbers", "negation",
    "phrase", "agree", "terms", "second", "choice", "exact", "window", "uncovered", "unmatched", "gravest", "no name",
    "no number", "opposite", "negated", "choice margin", "dense", "bm25", "focus", "pairs", "next", "leading",
    *(f"its {name}" for name in SENTENCE),
)  # fmt: skip


RELATIVE = frozenset(("apart", "top", "margin", "agree", "second", "dense", "bm25", "focus", "pairs", "next"))
"""Evidence that compares passages with each other."""


def distinct(passages: Sequence[Passage]) -> list[int]:
    """Return the passages that are not another version of the first one's text."""
    words = [set(tokens(passage.text)) for passage in passages]
    return [
        at for at in range(1, len(words)) if len(words[at] & words[0]) < VERSION * max(len(words[at] | words[0]), 1)
    ]


def found_features(
    question: str,
    passages: Sequence[Passage],
    statistics: Statistics,
    sentences: Sequence[Scored],
    choice: Sequence[float],
) -> list[float]:
    """Return the evidence (`FOUND`) that the passages hold an answer; ``choice`` is the score of each sentence."""
    if not passages or not sentences:
        return [0.0] * len(FOUND)
    asked = Asked(question, statistics)
    scores = [passage.score for passage in passages]
    words = [{*tokens(passage.title), *(w for u in units(passage.text) for w in u.words)} for passage in passages]
    covers = [asked.covered(each) for each in words]
    shares = [asked.share(each) for each in covers]
    rivals = _rivals(passages)
    best = max(range(len(passages)), key=shares.__getitem__)
    missing = {term: 1 - covers[best].get(term, 0.0) for term in asked.weights}
    everything = set().union(*covers)
    negated = bool(NEGATION_TERMS & set(asked.words))
    leaders = [
        max(range(len(passages)), key=lambda at: passages[at].scores.get(name, 0.0))
        for name in ("dense", "bm25", "focus")
    ]
    order = sorted(range(len(sentences)), key=lambda at: -choice[at])
    top = sentences[order[0]]
    own = set(top.unit.words)
    around = own | set(tokens(passages[top.passage].title))
    for unit in units(passages[top.passage].text)[max(0, top.at - 1) : top.at + 2]:
        around |= set(unit.words)
    near = asked.covered(around)
    uncovered = [term for term in asked.weights if term not in near and term not in FORM_TERMS]

    def largest(column: str) -> float:
        return max(passage.shares.get(column, 0.0) for passage in passages)

    return [
        max(passage.scores.get("dense", 0.0) for passage in passages) - _between(passages),
        max(each.features[0] for each in sentences),
        max(each.features[1] for each in sentences),
        shares[best],
        scores[0],
        scores[0] - (sum(scores[at] for at in rivals) / len(rivals) if rivals else 0.0),
        sum(asked.weights[term] for term in asked.weights if term not in everything) / asked.total,
        max(asked.weights[term] * part for term, part in missing.items()) / asked.total if missing else 0.0,
        sum(name not in covers[best] for name in asked.capitals) / max(len(asked.capitals), 1),
        float(any(number not in covers[best] for number in asked.numbers)),
        float(negated and not NEGATION_TERMS & words[best]),
        max(each.features[3] for each in sentences),
        sum(at == 0 for at in leaders) / len(leaders),
        math.log(1 + sum(weight > 1 for weight in asked.weights.values())),
        max((shares[at] for at in rivals), default=0.0),
        choice[order[0]],
        sum(weight for term, weight in asked.weights.items() if term in own) / asked.total,
        asked.share(near),
        float(len(uncovered)),
        float(sum(term not in own and term not in FORM_TERMS for term in asked.weights)),
        max((asked.weights[term] for term in uncovered), default=0.0) / asked.total,
        float(sum(name not in around for name in asked.capitals)),
        float(any(number not in around for number in asked.numbers)),
        float(any(OPPOSITE_TERMS.get(term, frozenset()) & around and term not in around for term in asked.words)),
        float(negated != bool(NEGATION_TERMS & own)),
        choice[order[0]] - (choice[order[1]] if len(order) > 1 else 0.0),
        largest("dense"),
        largest("bm25"),
        largest("focus"),
        largest("phrase"),
        scores[0] - max((scores[at] for at in rivals), default=0.0),
        float(top.passage == 0),
        *top.features,
    ]


def _rivals(passages: Sequence[Passage]) -> list[int]:
    """Return the passages that are neither of the first one's document nor another version of its text."""
    first = passages[0].provenance.document
    return [at for at in distinct(passages) if passages[at].provenance.document != first]


def _between(passages: Sequence[Passage]) -> float:
    """Return the mean cosine of the passages with each other: the scale of their space."""
    stored = [passage.provenance.vector for passage in passages]
    if len(stored) < 2 or len({len(each) for each in stored}) > 1 or not stored[0]:
        return 0.0
    vectors = np.stack([decode_vector(each) for each in stored])
    total = float(np.square(vectors.sum(axis=0)).sum())
    return (total - len(stored)) / (len(stored) * (len(stored) - 1))
