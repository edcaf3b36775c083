"""Functions that read foreign text take linear time on long runs of every kind of character, and give the same results.

Threat model: node, a text that makes a pattern backtrack; document, the same.
"""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knet.index import sentences as module
from knet.index.sentences import sentences
from knet_indexer.chunking import canonical

from .bounded_functions import FUNCTIONS

ROOT = Path(__file__).parent.parent
CPU_SECONDS = 60  # for a thousand texts; quadratic work takes a minute and more for one of them


def test_functions_take_linear_time_on_long_runs() -> None:
    """Each function runs in a child, since `re` holds the interpreter's lock while it backtracks."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.bounded_functions", *FUNCTIONS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=4 * CPU_SECONDS,
        check=False,
    )
    lines = child.stdout.splitlines()
    assert lines[-1:] == ["done"], (lines[-1:], child.stderr[-500:])


@pytest.mark.parametrize("marks", ["\u0315" * 100_000 + "\u0323" * 100_000, "\u0344" * 100_000 + "\u0f73" * 100_000])
def test_long_run_of_combining_marks_is_normalised_in_linear_time(marks: str) -> None:
    text = canonical(f"a{marks}")
    assert canonical(text) == text
    assert unicodedata.is_normalized("NFC", text)


@given(st.text(st.sampled_from("aé\u1ea4\u0344\u0f73\u0323\u0315\u0301\U0001d165\U0001f600"), max_size=200))
def test_canonical_text_is_idempotent_with_many_marks(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once


@given(st.text(st.sampled_from("aé\u1ea4 \n\u0323\u0315\u0301"), max_size=12))
def test_canonical_text_with_few_marks_is_nfc(text: str) -> None:
    lines = unicodedata.normalize("NFC", text).split("\n")
    assert canonical(text) == "\n".join(map(str.rstrip, lines)).strip()


# --- the patterns as they were, which backtrack ------------------------------------------------------------------

OLD_LINE = re.compile(r"[^\n]*\S[^\n]*")
OLD_END = re.compile(r"[.!?…]+[\"'”’»)\]*_`]*(?=\s)|[。！？]+[」』”’）]*|[؟।]+(?=\s)")
OLD_WORD_BEFORE = re.compile(r"[^\s(\[\"'“‘«]+$")
OLD_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")

TEXT = st.lists(
    st.one_of(
        st.sampled_from(
            [
                ". ",
                "? ",
                "\n",
                "\n\n",
                "  ",
                "...",
                '?!" ',
                "e.g. ",
                "Dr. ",
                "J. K. ",
                "# a\n",
                "===\n",
                "- a",
                "。",
                "”",
                "؟ ",
            ]
        ),
        st.text("aB1 .!?\n\"'()[]`*_=-#>|:@。”؟।…\t\xa0", max_size=12),
        st.text(max_size=8),
    ),
    max_size=30,
).map("".join)


@given(TEXT)
def test_sentences_are_those_of_the_patterns_that_backtrack(text: str) -> None:
    now = sentences(text)
    with (
        mock.patch.object(module, "_lines_of", lambda text, start, end: list(OLD_LINE.finditer(text, start, end))),
        mock.patch.multiple(module, _END=OLD_END, _WORD_BEFORE=OLD_WORD_BEFORE, _INITIALS=OLD_INITIALS),
    ):
        assert sentences(text) == now
