"""Units of passages: kinds, and what a sentence needs to be understood."""

from __future__ import annotations

import pytest

from knet.answer.markup import wording
from knet.answer.units import is_prose, units

DOCSTRING = """# json.dump

    json.dump(obj, fp, *, indent=None, **kw)

Serialize ``obj`` as a JSON formatted stream to ``fp``. It writes strings only.

Parameters
----------
indent : int, optional
    The number of blanks in front of each level.

:param str name: the name of the stream to write

| a | b |
|---|---|
| one row | of a table |

>>> json.dump([], f)

The keys are one of these:

* a text of any length
* a number of any size
"""


def test_kinds_of_documentation_are_told_apart() -> None:
    kinds = {DOCSTRING[unit.start : unit.end]: unit.kind for unit in units(DOCSTRING)}
    prose = [text for text, kind in kinds.items() if kind == "prose"]
    assert prose == [
        "Serialize ``obj`` as a JSON formatted stream to ``fp``.",
        "It writes strings only.",
        "The number of blanks in front of each level.",
        "The keys are one of these:",
        "* a text of any length",
        "* a number of any size",
    ]


def test_heading_and_field_belong_to_the_sentences_below() -> None:
    found = {DOCSTRING[unit.start : unit.end]: unit for unit in units(DOCSTRING)}
    assert {"json", "dump"} <= found["Serialize ``obj`` as a JSON formatted stream to ``fp``."].section
    assert "indent" in found["The number of blanks in front of each level."].section


def test_pronoun_and_lead_in_are_marked() -> None:
    found = {DOCSTRING[unit.start : unit.end]: unit for unit in units(DOCSTRING)}
    assert found["It writes strings only."].leans
    assert found["The keys are one of these:"].leads
    assert found["* a text of any length"].marked


@pytest.mark.parametrize(
    "text",
    ["---\ntitle: Of swans\nlayout: page\n---\n\nSwans live on rivers and lakes.", "Swans live on rivers and lakes."],
)
def test_front_matter_is_left_out(text: str) -> None:
    assert [text[unit.start : unit.end] for unit in units(text)] == ["Swans live on rivers and lakes."]


@pytest.mark.parametrize(
    "text", ["人工智能是计算机科学的一个分支。", "ประเทศไทยอยู่ในเอเชียตะวันออกเฉียงใต้", "भारत की राजधानी नई दिल्ली है।"]
)
def test_prose_of_other_scripts_is_prose(text: str) -> None:
    assert is_prose(text)


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("* **Bold** and *slanted* words", "Bold and slanted words"),
        ("See :func:`json.dump` and ``fp``.", "See json.dump and fp."),
        ("A [link](https://example.org/a_b) to it.", "A link to it."),
        ("H<sub>2</sub>O is <b>wet</b>.", "H2O is wet."),
        ("2 * 3 * 4 is 24, and a < b.", "2 * 3 * 4 is 24, and a < b."),
        ("snake_case and __init__ stay", "snake_case and __init__ stay"),
    ],
)
def test_markup_is_dropped(raw: str, plain: str) -> None:
    assert wording(raw) == plain
