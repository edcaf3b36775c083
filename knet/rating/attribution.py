"""Which passages an answer rests on, and which receipts a verdict on it falls on, with how much of its weight.

`credit` is what ratings go by, `shares` only counts citations. `leave_one_out` and `shapley` ask what the answer would
have been without a passage: they write it again from other sets of passages, with `by_extraction` in microseconds, with
`by_model` at one call of a chat model each, never more than a budget. Passages are told apart by their place in the
list, never by marks in the text, so none can break out of its frame or pass for two.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import permutations

from ..answer.writer import EXTRACTIVE, Writer, extract, generate
from ..errors import ConfigError
from ..index.lexical import Statistics, document_frequency, tokens
from ..records import Answer, Passage, Sentence

CALLS = 64  # answers written again at most: Shapley values of 8 passages are then within 0.05 or so
CREDITED = 8  # passages that share the credit for an answer: it quotes three at most
EXACT = 6  # up to this many passages all orders are weighed at once, in at most 64 answers
CLOSE = 0.01  # a set of passages that yields this nearly the whole answer gains nothing from the rest

Compose = Callable[[Sequence[int]], str]  # the answer's text from some of the passages, by their indices


def by_extraction(question: str, passages: Sequence[Passage]) -> Compose:
    """Composes as the extractive answer does, with term statistics of the passages themselves."""
    words = [tokens(passage.text) for passage in passages]
    length = sum(map(len, words)) / max(len(words), 1)
    statistics = Statistics(len(words), length, document_frequency(words))
    return lambda kept: _text(extract(question, [passages[n] for n in kept], statistics))


def by_model(question: str, passages: Sequence[Passage], writer: Writer) -> Compose:
    """Composes with a chat model, which is asked once for every set of passages."""
    return lambda kept: _text(generate(question, [passages[n] for n in kept], writer)) if kept else ""


def leave_one_out(count: int, compose: Compose) -> list[float]:
    """How much of the answer is lost without each of ``count`` passages, 0..1; ``count + 1`` answers are written.

    What two passages both say is lost without neither: `shapley` shares it between them.
    """
    value = _Value(count, compose, count + 1)
    return [1.0 - value([n for n in range(count) if n != left_out]) for left_out in range(count)]


def shapley(count: int, compose: Compose, *, calls: int = CALLS, seed: int = 0) -> list[float]:
    """Each passage's Shapley value for the answer that all ``count`` yield: how much it adds to those before it, on
    average over all orders. They sum to 1, or are all 0 where there is no answer.

    At most ``calls`` answers are written (sets met twice are remembered): every order for up to `EXACT` passages, else
    random ones and their reverses, as many as the budget lasts. Raises ConfigError if it does not last for one.
    """
    if calls < count + 1:
        raise ConfigError(f"{calls} answers are too few to tell {count} passages apart.", hint=f"Allow {count + 1}.")
    value = _Value(count, compose, calls)
    if not value.whole:
        return [0.0] * count
    totals, done = [0.0] * count, 0
    every = count <= EXACT and calls >= 2**count
    try:
        for order in permutations(range(count)) if every else _orders(count, calls, random.Random(seed)):
            gains = _gains(order, value)
            totals = [total + gains[n] for n, total in enumerate(totals)]
            done += 1
    except _Spent:
        pass  # the order it broke off in does not count
    return [total / done for total in totals]


def _orders(count: int, limit: int, chance: random.Random) -> Iterator[Sequence[int]]:
    """Random orders, each followed by its reverse: what one exaggerates, the other makes up for."""
    for _ in range(limit):
        order = chance.sample(range(count), count)
        yield order
        yield order[::-1]


class _Spent(Exception):
    """The budget of answers is used up."""


class _Value:
    """How much of the whole answer a set of passages yields: F1 of its tokens, 0..1. Remembers every set."""

    def __init__(self, count: int, compose: Compose, calls: int) -> None:
        self._compose = compose
        self._left = calls - 1
        everything = frozenset(range(count))
        self.whole = Counter(tokens(compose(sorted(everything)))) if count else Counter()
        self._known = {frozenset[int](): 0.0, everything: 1.0 if self.whole else 0.0}

    def __call__(self, kept: Sequence[int]) -> float:
        key = frozenset(kept)
        if key not in self._known:
            if not self._left:
                raise _Spent
            self._left -= 1
            self._known[key] = self._f1(Counter(tokens(self._compose(sorted(key)))))
        return self._known[key]

    def _f1(self, words: Counter[str]) -> float:
        return 2 * (words & self.whole).total() / max(words.total() + self.whole.total(), 1)


def _gains(order: Sequence[int], value: _Value) -> dict[int, float]:
    """What each passage adds, in this order; after (nearly) the whole answer is there, nothing."""
    gains = dict.fromkeys(order, 0.0)
    before = 0.0
    for place, passage in enumerate(order, 1):
        last = place == len(order)
        after = 1.0 if last else value(order[:place])
        gains[passage] = after - before
        before = after
        if not last and 1.0 - after <= CLOSE:
            gains[passage] += 1.0 - after
            break
    return gains


def _text(sentences: Sequence[Sentence]) -> str:
    return " ".join(sentence.text for sentence in sentences)


def credit(answer: Answer, writer: Writer | None = None) -> dict[int, float]:
    """Share of the answer each receipt (index into ``answer.receipts``) carries; they sum to at most 1.

    By Shapley values of the best `CREDITED` passages for an extractive answer, so that who said the same as the one
    quoted has a part in it. By what is lost without each cited passage for one that a chat model wrote, if that is at
    hand as ``writer``: one call a passage. By citations where neither makes a difference.
    """
    if not answer.sentences:
        return {}
    passages = answer.passages[:CREDITED]
    if answer.writer == EXTRACTIVE:
        values = shapley(len(passages), by_extraction(answer.question, passages))
    elif writer is not None:
        cited = sorted({citation.passage for sentence in answer.sentences for citation in sentence.citations})
        passages = [answer.passages[number] for number in cited]
        values = leave_one_out(len(passages), by_model(answer.question, passages, writer))
    else:
        return shares(answer)
    found: dict[int, float] = {}
    for passage, value in zip(passages, values, strict=True):
        receipt = passage.provenance.receipt
        if receipt is not None and value > 0:
            found[receipt] = found.get(receipt, 0.0) + value / sum(max(each, 0.0) for each in values)
    return found or shares(answer)


def shares(answer: Answer) -> dict[int, float]:
    """Share of the answer each receipt (index into ``answer.receipts``) carries; they sum to at most 1."""
    counts: Counter[int] = Counter()
    cited = [citation for sentence in answer.sentences for citation in sentence.citations]
    for citation in cited:
        receipt = answer.passages[citation.passage].provenance.receipt
        if receipt is not None:
            counts[receipt] += 1
    return {receipt: count / len(cited) for receipt, count in counts.items()}


def receipt_of(answer: Answer, passage: int) -> int:
    """The receipt of one passage, counted from 1 as citations show it. Raises ConfigError if there is none."""
    if not 1 <= passage <= len(answer.passages):
        raise ConfigError(f"there is no passage {passage}; the answer has {len(answer.passages)}.")
    receipt = answer.passages[passage - 1].provenance.receipt
    if receipt is None:
        raise ConfigError(
            f"passage {passage} was found privately, so its node signed no receipt for it.",
            hint="Ask without private mode to be able to rate.",
        )
    return receipt
