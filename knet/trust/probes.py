"""Questions whose answers one knows, asked to find out who can be relied on.

A passage that holds a known answer is right. One that holds a known wrong answer, or that is a version of a right
passage without the answer, is wrong. A source that sent neither is not judged: not to know is no lie.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ..codec import from_json
from ..errors import CodecError, ConfigError
from ..index.lexical import tokens
from ..records import Record
from .agreement import versions

MAX_PROBES = 10_000  # a file of this many is no list of questions somebody knows the answers to


class Probe(Record, frozen=True):
    """A question, what a right passage says (any of ``answers``), and what only a wrong one would say."""

    question: str
    answers: list[str]
    wrong: list[str] = []


class Judged(Record, frozen=True):
    """What came of one probe: for each node that sent something to judge, -1 (wrong) to 1."""

    question: str
    outcomes: dict[int, float]


def load_probes(path: Path) -> list[Probe]:
    """Probes from JSON lines (``{"question": ..., "answers": [...], "wrong": [...]}``). Raises ConfigError."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    found = [_probe(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not 0 < len(found) <= MAX_PROBES:
        raise ConfigError(f"{path} holds {len(found)} probes; 1 to {MAX_PROBES} make sense.")
    return found


def verdicts(probe: Probe, texts: Sequence[str]) -> list[float]:
    """1 (right), -1 (wrong) or 0 (nothing to judge) for each passage that was sent."""
    framed = [_framed(text) for text in texts]
    right = [any(_framed(answer) in text for answer in probe.answers) for text in framed]
    wrong = [any(_framed(answer) in text for answer in probe.wrong) for text in framed]
    labels = versions([frozenset(text.split()) for text in framed])
    confirmed = {label for label, holds in zip(labels, right, strict=True) if holds}
    return [
        -1.0 if lies else 1.0 if holds else -1.0 if label in confirmed else 0.0
        for label, holds, lies in zip(labels, right, wrong, strict=True)
    ]


def judge(probe: Probe, sent: Sequence[tuple[int, str]]) -> Judged:
    """The outcome for every node of (node, passage) pairs, the mean over its passages that can be judged."""
    found: defaultdict[int, list[float]] = defaultdict(list)
    for (node, _), verdict in zip(sent, verdicts(probe, [text for _, text in sent]), strict=True):
        if verdict:
            found[node].append(verdict)
    return Judged(question=probe.question, outcomes={node: sum(all_) / len(all_) for node, all_ in found.items()})


def _probe(path: Path, number: int, line: str) -> Probe:
    try:
        probe = from_json(line, Probe)
    except CodecError as error:
        raise ConfigError(f"line {number} of {path} is no probe: {error}.") from error
    if not all(tokens(text) for text in (probe.question, *probe.answers, *probe.wrong)) or not probe.answers:
        raise ConfigError(f"line {number} of {path} needs a question and at least one answer, in words.")
    return probe


def _framed(text: str) -> str:
    """Tokens between blanks, so that containment means whole words."""
    return f" {' '.join(tokens(text))} "
