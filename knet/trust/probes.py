"""Probes: questions with known answers, asked to measure the reliability of nodes.

A passage with a known answer is right. A passage with a known wrong answer, or a version of a right passage without the
answer, is wrong. A node that sent neither gets no outcome.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ..codec import from_json
from ..errors import CodecError, ConfigError
from ..index.analyser import split_words
from ..limits import Few, Question, Quotation
from ..records import Record
from .agreement import versions

MAX_PROBES = 10_000  # each is a question to every node


_HINT = 'Write one JSON object a line: {"question": "...", "answers": ["..."]}.'


class Probe(Record, frozen=True):
    """A question, the text of a right passage (any of ``answers``), and text that only a wrong passage has."""

    question: Question
    answers: Few[Quotation]
    wrong: Few[Quotation] = []


class ProbeResult(Record, frozen=True):
    """Outcomes of one probe: -1 (wrong) to 1 for each node that sent a right or wrong passage."""

    question: str
    outcomes: dict[int, float]


def load_probes(path: Path) -> list[Probe]:
    """Read probes from JSON lines (``{"question": ..., "answers": [...], "wrong": [...]}``). Raises ConfigError."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.", hint=_HINT) from error
    probes = [_probe(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not 0 < len(probes) <= MAX_PROBES:
        raise ConfigError(f"{path} has {len(probes)} probes.", hint=f"Write 1 to {MAX_PROBES} probes into the file.")
    return probes


def rate_passages(probe: Probe, texts: Sequence[str]) -> list[float]:
    """Return 1 (right), -1 (wrong) or 0 (neither) for each passage that was sent."""
    padded = [_padded(text) for text in texts]
    right = [any(_padded(answer) in text for answer in probe.answers) for text in padded]
    wrong = [any(_padded(answer) in text for answer in probe.wrong) for text in padded]
    labels = versions([frozenset(text.split()) for text in padded])
    confirmed = {label for label, is_right in zip(labels, right, strict=True) if is_right}
    return [
        -1.0 if is_wrong else 1.0 if is_right else -1.0 if label in confirmed else 0.0
        for label, is_right, is_wrong in zip(labels, right, wrong, strict=True)
    ]


def evaluate_probe(probe: Probe, sent: Sequence[tuple[int, str]]) -> ProbeResult:
    """Return the outcome for every node of (node, passage) pairs: the mean over its right and wrong passages."""
    ratings: defaultdict[int, list[float]] = defaultdict(list)
    for (node, _), rating in zip(sent, rate_passages(probe, [text for _, text in sent]), strict=True):
        if rating:
            ratings[node].append(rating)
    return ProbeResult(
        question=probe.question, outcomes={node: sum(values) / len(values) for node, values in ratings.items()}
    )


def _probe(path: Path, number: int, line: str) -> Probe:
    try:
        probe = from_json(line, Probe)
    except CodecError as error:
        raise ConfigError(f"{path}, line {number}: not a valid probe: {error}.", hint=_HINT) from error
    if not all(split_words(text) for text in (probe.question, *probe.answers, *probe.wrong)) or not probe.answers:
        raise ConfigError(f"{path}, line {number}: the question or an answer has no words.", hint=_HINT)
    return probe


def _padded(text: str) -> str:
    """Return the tokens between blanks, so that containment means whole words."""
    return f" {' '.join(split_words(text))} "
