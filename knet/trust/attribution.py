"""Which receipts a verdict on an answer falls on, and with how much of its weight.

This first version is the share of the answer's sentences that rest on a receipt's passages; an answer is rated as a
whole, a passage by itself.
"""

from __future__ import annotations

from collections import Counter

from ..errors import ConfigError
from ..records import Answer


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
