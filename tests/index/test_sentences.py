"""Tests of sentence segmentation: prose, Markdown, docstrings, code."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knet.index.sentences import MAX_CODE, blocks, sentences

TEXT = st.lists(
    st.one_of(
        st.sampled_from(
            ["\n", "\n\n", ". ", "? ", "\n# ", "\n- ", "\n```\n", "\n====\n", "中。", " e.g. ", ">>> ", "| a |"]
        ),
        st.text(max_size=20),
    ),
    max_size=30,
).map("".join)


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    "whole",
    [
        "Dr. Smith met Mrs. Jones.",
        "See e.g. Fig. 2 and Eq. 3 for details.",
        "J. K. Rowling and G. R. R. Martin write.",
        "It costs $3.50 at 9 a.m. in U.S. shops.",
        "Version 2.1 of knet.records is in records.py now.",
        "Lewis et al. [3] compared this vs. that.",
        '"Really?" he asked.',
        "Yahoo! is a name, and so is this.",
    ],
)
def test_full_stop_inside_a_sentence_does_not_end_it(whole: str) -> None:
    assert split(f"{whole} Then came another.") == [whole, "Then came another."]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("I said no. Then I left.", 2),
        ("What is it? It is this! And that… Good.", 4),
        ("They sell books, pens etc. The shop is old.", 2),
        ("It ended. (So they say.) Few know why.", 3),
        ("中文句子。第二句！第三句？", 3),
        ("यह एक वाक्य है। यह दूसरा है।", 2),
    ],
)
def test_sentences_end_at_punctuation(text: str, count: int) -> None:
    assert len(split(text)) == count


def test_wrapped_line_does_not_end_a_sentence() -> None:
    assert split("One sentence that\nis wrapped. Another.") == ["One sentence that\nis wrapped.", "Another."]


def test_headings_items_and_rows_are_separate_spans() -> None:
    text = "# Title\nText under it.\n\nSection\n-------\n- one\n  continued\n- two\n1. three\n\n| a | b |\n| 1 | 2 |"
    assert split(text) == [
        "# Title",
        "Text under it.",
        "Section\n-------",
        "- one\n  continued",
        "- two",
        "1. three",
        "| a | b |\n| 1 | 2 |",
    ]


def test_docstring_is_split_into_fields() -> None:
    text = "Give the mean.\n\n"
    text += "Parameters\n----------\nx : int\n    The first. Not more.\n:param y: the rest\n:returns: a mean"
    assert split(text) == [
        "Give the mean.",
        "Parameters\n----------",
        "x : int",
        "The first.",
        "Not more.",
        ":param y: the rest",
        ":returns: a mean",
    ]


def test_long_code_is_split_into_lines() -> None:
    short = "```python\ndef f(x):\n\n    return x. y\n```"
    assert split(f"Before.\n{short}\nAfter.") == ["Before.", short, "After."]
    long = "~~~\n" + "a = 1. \n" * MAX_CODE + "~~~"
    assert len(split(long)) == MAX_CODE + 2


@settings(deadline=None)
@given(TEXT)
def test_sentences_cover_everything_but_white_space(text: str) -> None:
    spans = sentences(text)
    ends = [0]
    for start, end in spans:
        assert ends[-1] <= start < end
        assert text[ends[-1] : start].strip() == ""
        assert text[start:end] == text[start:end].strip()
        ends.append(end)
    assert text[ends[-1] :].strip() == ""
    assert all(block.start < block.end for block in blocks(text))


def test_extra_space_before_a_paragraph_keeps_it_whole() -> None:
    assert split(" The index has a\nlink structure.\n\nNext") == ["The index has a\nlink structure.", "Next"]
