"""Tests of the analyser, which must be equal at nodes and clients for every script."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knet.index.analyser import split_words, term, terms_of, tokens

MOSTLY_ASCII = st.text(
    st.one_of(st.characters(max_codepoint=127), st.sampled_from("éßİſ–’“°_\u0345\u00a0\u2028Ωжあ中ท"))
)


@given(st.one_of(st.text(), MOSTLY_ASCII))
def test_words_do_not_depend_on_the_text_around_them(text: str) -> None:
    # The first text takes the fast path for mostly ASCII text, the second the path for foreign scripts.
    ascii_around, foreign_around = split_words(f"{'a ' * 8 * len(text)}{text}"), split_words(f"{text} {'д ' * 99}")
    assert ascii_around[8 * len(text) :] == split_words(text) == foreign_around[:-99]


@given(st.text())
def test_tokens_are_the_terms_of_the_words(text: str) -> None:
    assert tokens(text) == terms_of(split_words(text))
    assert all(tokens(text.upper()) == tokens(text.upper().lower()) for text in [text] if text.isascii())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The CAFÉ opened — in 1998 – on Main_Street.", "the cafe opened in 1998 on main street"),
        ("cafe\u0301 ﬁne ＡＢＣ Straße", "cafe fine abc strasse"),
        ("İstanbul'da ISTANBUL ıstanbul", "istanbul da istanbul istanbul"),
        ("हिन्दी की क़िताब", "हिन्दी की क़िताब"),
        ("كِتَابٌ كتـاب", "كتاب كتاب"),
        ("中文搜索 BM25算法", "中文 文搜 搜索 bm25 算法"),
        ("東京タワーに", "東京 京タ タワ ワー ーに"),
        ("한국어 검색", "한국 국어 검색"),
        ("รับของ", "รับ ับข บขอ ของ"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zero width"),
    ],
)
def test_words_of_every_script_are_found(text: str, words: str) -> None:
    assert split_words(text) == words.split()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("transformed", "transforming"),
        ("Wissenschaften", "Wissenschaft"),
        ("книгами", "книга"),
        ("लड़कियों", "लड़की"),
        ("كتابها", "كتاب"),
    ],
)
def test_forms_of_a_word_have_one_term(one: str, other: str) -> None:
    assert tokens(one) == tokens(other)


def test_word_with_a_digit_and_a_long_word_are_kept_whole() -> None:
    assert tokens("sha256sums 1990s") == ["sha256sums", "1990s"]
    assert tokens("a" * 40) == ["a" * 40]


def test_terms_are_equal_in_every_thread() -> None:
    found = [f"{stem}{ending}" for stem in ("walk", "index", "nation") for ending in ("s", "ing", "ed", "al")] * 50
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: tuple(map(term.__wrapped__, found)), range(8))) == {tuple(map(term, found))}
