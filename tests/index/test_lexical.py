"""Tests of tokens, which must be equal at nodes and clients for every script."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from knet.index.lexical import tokens

MOSTLY_ASCII = st.text(
    st.one_of(st.characters(max_codepoint=127), st.sampled_from("éßİſ–’“°_\u0345\u00a0\u2028Ωжあ中"))
)


@given(st.one_of(st.text(), MOSTLY_ASCII))
def test_words_are_runs_of_letters_and_digits_case_folded(text: str) -> None:
    assert tokens(text) == re.findall(r"[^\W_]+", text.casefold())


def test_one_non_ascii_character_changes_no_other_token() -> None:
    assert tokens("The CAFÉ opened — in 1998 – on Main_Street.") == [
        "the", "café", "opened", "in", "1998", "on", "main", "street",
    ]  # fmt: skip
