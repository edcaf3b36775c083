"""Probes judge what was sent, and only where it can be judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from knet.errors import ConfigError
from knet.trust.probes import Probe, judge, load_probes

PROBE = Probe(question="How tall is the tower?", answers=["330 metres"], wrong=["hollow"])
RIGHT = "The tower of iron in Paris is 330 metres tall, antennas included, says its keeper."
CHANGED = "The tower of iron in Paris is 630 metres tall, antennas included, says its keeper."
OTHER = "The museum opens at nine and closes at six except on Mondays."


def test_right_wrong_and_nothing_to_say() -> None:
    sent = [(1, RIGHT), (2, CHANGED), (3, OTHER), (4, "The tower is hollow, some say.")]
    assert judge(PROBE, sent).outcomes == {1: 1.0, 2: -1.0, 4: -1.0}


def test_a_changed_text_alone_cannot_be_told_from_another_text() -> None:
    assert judge(PROBE, [(2, CHANGED), (3, OTHER)]).outcomes == {}


def test_an_answer_is_found_in_whole_words_only() -> None:
    assert judge(Probe(question="q", answers=["30 metres"]), [(1, RIGHT)]).outcomes == {}


def test_a_source_that_sends_both_is_judged_by_the_mean() -> None:
    assert judge(PROBE, [(1, RIGHT), (1, CHANGED)]).outcomes == {1: 0.0}


def test_probes_are_read_from_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "probes.jsonl"
    file.write_text('{"question": "How tall?", "answers": ["330 metres"]}\n\n{"question": "Q", "answers": ["a"]}\n')
    assert [probe.answers for probe in load_probes(file)] == [["330 metres"], ["a"]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "0 probes"),
        ("{", "line 1 .* is no probe"),
        ('{"question": "q", "answers": []}', "at least one answer"),
        ('{"question": "?", "answers": ["a"]}', "in words"),
        ('{"question": "q", "answers": ["!"]}', "in words"),
    ],
)
def test_a_file_that_holds_no_probes_is_refused(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "probes.jsonl"
    file.write_text(line)
    with pytest.raises(ConfigError, match=message):
        load_probes(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        load_probes(tmp_path / "nowhere")
