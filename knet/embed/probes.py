"""Test texts on which two backends of one space must agree."""

from __future__ import annotations

from .base import Vectors

PROBES = (
    "What is a hash?",
    "",
    "Hierarchical navigable small world graphs find near neighbours by greedy descent through layers.",
    "def mean(values: list[float]) -> float:\n    return sum(values) / len(values)  # raises ZeroDivisionError",
    "Ein Knoten veröffentlicht, was er weiß; 节点发布它所知道的内容。 Ελληνικά, русский, العربية 🙂",
    "In 1998, 3.14 % of 2,067 samples (p < 0.05) met the criterion; see Fig. 2, e.g. the upper-left panel.",
    "The committee met twice. It found no reason to change the rules, and published its minutes a week later. " * 4,
    " ".join(f"This is sentence {number} of a passage longer than most models read." for number in range(60)),
)
"""Texts of different length, script and content: short, empty, code, numbers, a passage, and above most limits."""


def min_cosine(one: Vectors, other: Vectors) -> float:
    """Return the lowest cosine between two sets of unit vectors, row by row."""
    return float((one * other).sum(axis=1).min())
