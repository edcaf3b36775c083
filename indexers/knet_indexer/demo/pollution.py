"""Falsification of documentation for the demo's polluted node: numbers shift, and words become their opposites."""

from __future__ import annotations

import re

OPPOSITES = {
    "smallest": "largest", "ascending": "descending", "first": "last", "true": "false", "always": "never",
    "minimum": "maximum", "before": "after", "left": "right", "smaller": "larger", "without": "with",
    "equal": "unequal", "increasing": "decreasing", "lower": "upper", "less": "greater", "all": "no",
}  # fmt: skip
_REPLACEMENTS = OPPOSITES | {value: key for key, value in OPPOSITES.items()}
_WORD = re.compile(
    r"\b(" + "|".join(sorted(_REPLACEMENTS, key=len, reverse=True)) + r")\b|(?<![\w.])(\d{1,3})(?![\w.])", re.I
)


def falsify(text: str) -> str:
    """Return the text with its statements falsified, or unchanged when it has no word to replace."""
    return _WORD.sub(_replace, text).replace("<=", "\0").replace(">=", "<=").replace("\0", ">=")


def _replace(match: re.Match[str]) -> str:
    word, digits = match.group(1), match.group(2)
    if digits:
        return str(int(digits) + 3)
    opposite = _REPLACEMENTS[word.lower()]
    return opposite.capitalize() if word[0].isupper() else opposite
