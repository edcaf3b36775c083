"""Falsifying real documentation, for the demo's polluted node: numbers shift and words turn into their opposites."""

from __future__ import annotations

import re

OPPOSITES = {
    "smallest": "largest", "ascending": "descending", "first": "last", "true": "false", "always": "never",
    "minimum": "maximum", "before": "after", "left": "right", "smaller": "larger", "without": "with",
    "equal": "unequal", "increasing": "decreasing", "lower": "upper", "less": "greater", "all": "no",
}  # fmt: skip
_BOTH_WAYS = OPPOSITES | {value: key for key, value in OPPOSITES.items()}
_WORD = re.compile(
    r"\b(" + "|".join(sorted(_BOTH_WAYS, key=len, reverse=True)) + r")\b|(?<![\w.])(\d{1,3})(?![\w.])", re.I
)


def falsify(text: str) -> str:
    """The text with what it says turned around; texts that offer nothing to turn come back unchanged."""
    return _WORD.sub(_turn, text).replace("<=", "\0").replace(">=", "<=").replace("\0", ">=")


def _turn(match: re.Match[str]) -> str:
    word, digits = match.group(1), match.group(2)
    if digits:
        return str(int(digits) + 3)
    opposite = _BOTH_WAYS[word.lower()]
    return opposite.capitalize() if word[0].isupper() else opposite
