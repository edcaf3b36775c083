"""Attribution of an answer to its passages, and of a rating of the answer to their receipts.

Ratings use `credit`; `shares` only counts citations. `leave_one_out` and `shapley` compare the answer with answers
written from other sets of passages. `by_extraction` writes one in microseconds, `by_model` with one call of a chat
model; a budget limits their number. A passage is identified by its place in the list, never by marks in the text, so
its text cannot end its frame early or count as two passages.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import permutations

from ..answer.writer import EXTRACTIVE, Writer, extract, generate
from ..errors import ConfigError
from ..index.analyser import split_words
from ..index.lexical import Statistics, document_frequency
from ..records import Answer, Passage, Sentence
from ..search.copies import COPIED

CALLS = 64  # most answers written: Shapley values of 8 passages are then within about 0.05
CREDITED = 8  # passages that share the credit for an answer, which quotes three at most
EXACT = 6  # up to this many passages, all orders are averaged, in at most 64 answers
CLOSE = 0.01  # share of the answer; the rest adds nothing to a set of passages that lacks at most this much

Compose = Callable[[Sequence[int]], str]  # the answer's text from some of the passages, by their indices


def by_extraction(question: str, passages: Sequence[Passage]) -> Compose:
    """Return a function that composes extractive answers, with term statistics of the passages themselves."""
    words = [split_words(passage.text) for passage in passages]
    length = sum(map(len, words)) / max(len(words), 1)
    statistics = Statistics(len(words), length, document_frequency(words))
    return lambda kept: _text(extract(question, [passages[n] for n in kept], statistics))


def by_model(question: str, passages: Sequence[Passage], writer: Writer) -> Compose:
    """Return a function that composes with a chat model, which is called once for each set of passages."""
    return lambda kept: _text(generate(question, [passages[n] for n in kept], writer)) if kept else ""


def leave_one_out(count: int, compose: Compose) -> list[float]:
    """Return the share of the answer that is lost without each of ``count`` passages, 0..1.

    ``count + 1`` answers are written. Text that two passages share is lost without neither; `shapley` splits it.
    """
    value = _Value(count, compose, count + 1)
    return [1.0 - value([n for n in range(count) if n != left_out]) for left_out in range(count)]


def shapley(count: int, compose: Compose, *, calls: int = CALLS, seed: int = 0) -> list[float]:
    """Return each passage's Shapley value for the answer that all ``count`` yield: the share that the passage adds to
    those before it, on average over all orders. The values sum to 1, or are all 0 where there is no answer.

    At most ``calls`` answers are written (each set of passages once): every order for up to `EXACT` passages, else
    random orders and their reverses until the budget is used up. Raises ConfigError for a budget below one order.
    """
    if calls < count + 1:
        raise ConfigError(f"{calls} answers are too few to tell {count} passages apart.", hint=f"Allow {count + 1}.")
    value = _Value(count, compose, calls)
    if not value.whole:
        return [0.0] * count
    totals, done = [0.0] * count, 0
    every = count <= EXACT and calls >= 2**count
    try:
        for order in permutations(range(count)) if every else _orders(count, calls, random.Random(seed)):  # noqa: S311  not a secret
            gains = _gains(order, value)
            totals = [total + gains[n] for n, total in enumerate(totals)]
            done += 1
    except _Spent:
        pass  # the unfinished order does not count
    return [total / done for total in totals]


def _orders(count: int, limit: int, generator: random.Random) -> Iterator[Sequence[int]]:
    """Yield random orders, each followed by its reverse, whose errors partly cancel out."""
    for _ in range(limit):
        order = generator.sample(range(count), count)
        yield order
        yield order[::-1]


class _Spent(Exception):
    """The budget of answers is used up."""


class _Value:
    """Share of the whole answer that a set of passages yields: F1 of its tokens, 0..1. Each set is computed once."""

    def __init__(self, count: int, compose: Compose, calls: int) -> None:
        self._compose = compose
        self._left = calls - 1
        every_passage = frozenset(range(count))
        self.whole = Counter(split_words(compose(sorted(every_passage)))) if count else Counter()
        self._known = {frozenset[int](): 0.0, every_passage: 1.0 if self.whole else 0.0}

    def __call__(self, kept: Sequence[int]) -> float:
        key = frozenset(kept)
        if key not in self._known:
            if not self._left:
                raise _Spent
            self._left -= 1
            self._known[key] = self._f1(Counter(split_words(self._compose(sorted(key)))))
        return self._known[key]

    def _f1(self, words: Counter[str]) -> float:
        return 2 * (words & self.whole).total() / max(words.total() + self.whole.total(), 1)


def _gains(order: Sequence[int], value: _Value) -> dict[int, float]:
    """Return the share that each passage adds in this order; 0 after (nearly) the whole answer is there."""
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
    """Return the share of the answer that each receipt (index into ``answer.receipts``) carries; at most 1 in total.

    An extractive answer is shared by Shapley values of its best `CREDITED` passages, so that a source with the same
    text as the quoted one has a part, except copies with added words. An answer of a chat model is shared by
    `leave_one_out` over the cited passages if the model is given as ``writer``: one call a passage. Citations decide
    where neither makes a difference.
    """
    if not answer.sentences:
        return {}
    first = [passage for passage in answer.passages if COPIED not in passage.shares]
    passages = (first or answer.passages)[:CREDITED]
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
    """Return each receipt's (index into ``answer.receipts``) share of the citations; at most 1 in total."""
    counts: Counter[int] = Counter()
    cited = [citation for sentence in answer.sentences for citation in sentence.citations]
    for citation in cited:
        receipt = answer.passages[citation.passage].provenance.receipt
        if receipt is not None:
            counts[receipt] += 1
    return {receipt: count / len(cited) for receipt, count in counts.items()}


def receipt_of(answer: Answer, passage: int) -> int:
    """Return the receipt of one passage, counted from 1 as in citations. Raises ConfigError if there is none."""
    if not 1 <= passage <= len(answer.passages):
        raise ConfigError(f"There is no passage {passage}; the answer has {len(answer.passages)}.")
    receipt = answer.passages[passage - 1].provenance.receipt
    if receipt is None:
        raise ConfigError(
            f"Passage {passage} was found privately, so its node signed no receipt for it.",
            hint="Ask without private mode to be able to rate.",
        )
    return receipt
