"""The store of answered questions: persistence, removal and bounds."""

from __future__ import annotations

from pathlib import Path

from knet.index.analyser import split_words
from knet.trust.feedback import MAX_QUESTIONS, AnsweredQuestions
from knet.trust.reliability import passage_key

TEXT = "The tower is 324 metres tall."
KEY = passage_key(split_words(TEXT))


def test_questions_survive_a_restart_until_rated_down(tmp_path: Path) -> None:
    path = tmp_path / "answered" / "net.json"
    first, second = AnsweredQuestions(path), AnsweredQuestions(path)
    first.add("How tall is the tower?", TEXT, 1)
    second.add("What height has it?", TEXT, 0.5)
    assert AnsweredQuestions(path).known == {KEY: ["How tall is the tower?", "What height has it?"]}
    first.add("How tall is the tower?", TEXT, -1)
    first.add("What height has it?", TEXT, -1)
    assert AnsweredQuestions(path).known == first.known == {}


def test_only_the_latest_questions_are_kept(tmp_path: Path) -> None:
    answered = AnsweredQuestions(tmp_path / "net.json")
    for number in range(MAX_QUESTIONS + 3):
        answered.add(f"question {number}", TEXT, 1)
    assert answered.known[KEY][0] == "question 3"
    assert len(answered.known[KEY]) == MAX_QUESTIONS


def test_damaged_file_of_answered_questions_counts_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_bytes(b'{"answered":{"no hex":["x"]}}')
    assert AnsweredQuestions(path).known == {}
