"""Whose wording was altered: forms that several sources fill in alike, in which one source says something else.

Texts of which a good part is the same words (a form filled in for another name, a boilerplate sentence) need not be
about the same thing, so they cannot contradict each other as a whole (`knet.trust.agreement.contested`). What stands
between the same words in all of them can: where reliable sources all write "the Human Phenotype Ontology provides the
following list", a text with other words in that place was altered, or knows better than they do.

The place of a difference is all that counts. What the differing words mean, or whether they fit, is never asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from .agreement import Floats, jaccard

FORM = 0.35  # Jaccard similarity of words: a form filled in for two names keeps half, unrelated texts a tenth
SIDE = 2  # words on either side that make a frame; one would be any "of the"
FILLER = 6  # words that a frame may hold; longer differences are other sentences
AGREED = 2  # other sources that must fill a frame alike: one alone may be the altered one

Frame = tuple[tuple[str, ...], tuple[str, ...]]  # the words before and after
Filler = tuple[str, ...]


def altered(
    asked: frozenset[str], texts: Sequence[Sequence[str]], sources: Sequence[int], weights: Mapping[int, float]
) -> Floats:
    """0..1 for each passage (its words in order): how surely better backed texts fill a frame of it with other words.

    ``asked`` are the question's words: what is filled in with one of them is what the text is about, and differs by
    right. ``weights`` is what each source weighs (`reliability.weight`: nothing if nobody knows it); copies count once.
    """
    near = jaccard([frozenset(text) for text in texts]) >= FORM
    voices = np.array(sources)
    groups = {i: np.flatnonzero(row) for i, row in enumerate(near) if len(set(voices[row]) - {sources[i]}) >= AGREED}
    framed = {j: _frames(texts[j]) for j in {int(j) for group in groups.values() for j in group}}
    doubt = np.zeros(len(texts))
    for i, group in groups.items():
        sides = _sides(framed[i], [(sources[j], framed[j]) for j in group.tolist()])
        doubt[i] = max(
            (_outweighed(framed[i][frame], held, asked, weights) for frame, held in sides.items()), default=0
        )
    return doubt


def _frames(words: Sequence[str]) -> dict[Frame, Filler]:
    """Every run of at most `FILLER` words by the `SIDE` words around it; of equal frames the first counts."""
    found: dict[Frame, Filler] = {}
    for start in range(SIDE, len(words) - SIDE):
        before = tuple(words[start - SIDE : start])
        for end in range(start + 1, min(start + FILLER, len(words) - SIDE) + 1):
            found.setdefault((before, tuple(words[end : end + SIDE])), tuple(words[start:end]))
    return found


def _sides(
    own: Mapping[Frame, Filler], texts: Sequence[tuple[int, Mapping[Frame, Filler]]]
) -> dict[Frame, dict[Filler, set[int]]]:
    """For each frame of one text that not all fill alike: the sources behind each filler."""
    sides: defaultdict[Frame, defaultdict[Filler, set[int]]] = defaultdict(lambda: defaultdict(set))
    for source, frames in texts:
        for frame in own.keys() & frames.keys():
            sides[frame][frames[frame]].add(source)
    return {frame: dict(held) for frame, held in sides.items() if len(held) > 1}


def _outweighed(
    own: Filler, held: Mapping[Filler, set[int]], asked: frozenset[str], weights: Mapping[int, float]
) -> float:
    """One minus the odds of a filler's backers against those of the best backed other one."""
    if asked & set(own):
        return 0.0
    backing = {filler: sum(weights.get(source, 0.0) for source in side) for filler, side in held.items()}
    best = max((backing[filler] for filler, side in held.items() if filler != own and len(side) >= AGREED), default=0.0)
    return float(1 - np.exp(min(backing[own] - best, 0.0)))
