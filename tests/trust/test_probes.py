"""Probes: outcomes of right and wrong passages, and invalid probe files."""

from __future__ import annotations

from pathlib import Path

import pytest

from knet.errors import ConfigError
from knet.trust.probes import Probe, evaluate_probe, load_probes

PROBE = Probe(question="How tall is the tower?", answers=["330 metres"], wrong=["hollow"])
RIGHT = "The tower of iron in Paris is 330 metres tall, antennas included, says its keeper."
CHANGED = "The tower of iron in Paris is 630 metres tall, antennas included, says its keeper."
OTHER = "The museum opens at nine and closes at six except on Mondays."


def test_probe_rates_right_and_wrong_passages() -> None:
    sent = [(1, RIGHT), (2, CHANGED), (3, OTHER), (4, "The tower is hollow, some say.")]
    assert evaluate_probe(PROBE, sent).outcomes == {1: 1.0, 2: -1.0, 4: -1.0}


def test_changed_text_without_the_right_one_gets_no_outcome() -> None:
    assert evaluate_probe(PROBE, [(2, CHANGED), (3, OTHER)]).outcomes == {}


def test_probe_answer_matches_whole_words_only() -> None:
    assert evaluate_probe(Probe(question="q", answers=["30 metres"]), [(1, RIGHT)]).outcomes == {}


def test_source_with_right_and_wrong_passages_gets_the_mean() -> None:
    assert evaluate_probe(PROBE, [(1, RIGHT), (1, CHANGED)]).outcomes == {1: 0.0}


def test_probes_are_read_from_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "probes.jsonl"
    file.write_text('{"question": "How tall?", "answers": ["330 metres"]}\n\n{"question": "Q", "answers": ["a"]}\n')
    assert [probe.answers for probe in load_probes(file)] == [["330 metres"], ["a"]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "0 probes"),
        ("{", "line 1: not a valid probe"),
        ('{"question": "q", "answers": []}', "an answer has no words"),
        ('{"question": "?", "answers": ["a"]}', "has no words"),
        ('{"question": "q", "answers": ["!"]}', "has no words"),
    ],
)
def test_file_without_valid_probes_is_refused(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "probes.jsonl"
    file.write_text(line)
    with pytest.raises(ConfigError, match=message):
        load_probes(file)


def test_missing_probe_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        load_probes(tmp_path / "nowhere")
