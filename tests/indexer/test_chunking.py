"""Chunks are exact spans, fit the model, and cover the text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from knet.config import DEFAULT_MODEL
from knet.embed.models import find_model, read_space
from knet_indexer.chunking import (
    MAX_CHARACTERS,
    SPECIAL_TOKENS,
    Chunker,
    CountTokens,
    canonical,
    chunk,
    chunker_for,
    token_counter,
)

PARTS = st.lists(
    st.one_of(
        st.sampled_from(
            ["\n", "\n\n", ". ", "! ", "\n# ", "\n- ", "\n```\n", "\n====\n", "中。", " e.g. ", "\t", "\n| a |"]
        ),
        st.text(max_size=30),
        st.from_regex(r"[A-Z][a-z]{2,8}( [a-z]{1,9}){1,30}\.", fullmatch=True),
    ),
    max_size=40,
).map("".join)


def words(texts: Sequence[str]) -> list[int]:
    """Count words and punctuation, as BERT's first step does."""
    return [len(re.findall(r"\w+|[^\w\s]", text)) for text in texts]


def cut(text: str, max_tokens: int = 40, target: int = 20) -> list[str]:
    return [text[start:end] for start, end in chunk(text, count_tokens=words, max_tokens=max_tokens, target=target)]


# --- canonical text ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("page\fpage", "page\npage"),
        ("nul\0 bell\a\x9f bom\ufeff", "nul bell bom"),
        ("trailing \t \n white  \n\n", "trailing\n white"),
        ("e\u0301", "é"),
        ("half \ud83d pair", "half \ufffd pair"),
        (" \n ", ""),
    ],
)
def test_canonical_text(raw: str, expected: str) -> None:
    assert canonical(raw) == expected


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=[])))
@example("\ufeff\u0301a")
@example("a\x00\u0301")
@example("a\n\x1e\nb")
def test_canonical_text_is_a_fixed_point_in_every_codec(raw: str) -> None:
    text = canonical(raw)
    assert canonical(text) == text
    assert unicodedata.is_normalized("NFC", text)
    assert text.encode().decode() == text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]|[^\S\n]\n|\r", text)


# --- structure -----------------------------------------------------------------------------------------------------


def test_short_document_is_one_chunk() -> None:
    assert cut("One sentence. Another one.") == ["One sentence. Another one."]
    assert cut("") == []


def test_paragraphs_that_fit_stay_whole() -> None:
    paragraphs = [f"Paragraph {number} says a thing. " + "It says it in quite a few words. " * 2 for number in range(6)]
    text = canonical("\n\n".join(paragraphs))
    assert cut(text) == [canonical(paragraph) for paragraph in paragraphs]


def test_heading_opens_its_chunk() -> None:
    section = "Here is what the section says, in a dozen words or so. And it goes on."
    text = canonical("\n\n".join(f"## Heading {number}\n\n{section}" for number in range(5)))
    found = cut(text)
    assert len(found) == 5
    assert all(chunk.startswith("## Heading") and chunk.endswith("goes on.") for chunk in found)


def test_long_paragraphs_are_cut_between_sentences() -> None:
    text = " ".join(f"Sentence number {number} holds eight words in all." for number in range(30))
    found = cut(text)
    assert len(found) > 5
    assert all(chunk.startswith("Sentence number") and chunk.endswith("in all.") for chunk in found)


def test_short_sentence_before_a_cut_is_repeated() -> None:
    text = " ".join(f"Sentence number {number} holds eight words in all." for number in range(30))
    spans = chunk(text, count_tokens=words, max_tokens=80, target=40, overlap=12)
    assert all(later.start < earlier.end for earlier, later in pairwise(spans))
    apart = chunk(text, count_tokens=words, max_tokens=80, target=40, overlap=0)
    assert all(later.start > earlier.end for earlier, later in pairwise(apart))


def test_sentence_over_the_limit_is_cut_between_words() -> None:
    text = "word " * 500 + "end"
    assert all(set(found.split()) <= {"word", "end"} for found in cut(text))


def test_word_over_the_limit_is_cut() -> None:
    text = "x" * (3 * MAX_CHARACTERS)
    found = cut(text)
    assert "".join(found) == text
    assert max(map(len, found)) <= MAX_CHARACTERS


def test_limit_under_the_minimum_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        cut("text", max_tokens=8)


# --- properties of every text --------------------------------------------------------------------------------------


@settings(deadline=None)
@given(PARTS, st.integers(16, 60), st.integers(0, 20))
def test_spans_are_exact_ordered_complete_and_within_the_limit(raw: str, max_tokens: int, overlap: int) -> None:
    text = canonical(raw)
    spans = chunk(text, count_tokens=words, max_tokens=max_tokens, target=20, overlap=overlap)
    assert spans == chunk(text, count_tokens=words, max_tokens=max_tokens, target=20, overlap=overlap)
    covered = [False] * len(text)
    for start, end in spans:
        assert 0 <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        assert words([text[start:end]])[0] <= max_tokens - SPECIAL_TOKENS
        covered[start:end] = [True] * (end - start)
    assert all(here or character.isspace() for here, character in zip(covered, text, strict=True))
    for earlier, later in pairwise(spans):
        assert earlier.start < later.start
        assert earlier.end < later.end


@cache
def default_model() -> tuple[Chunker, CountTokens, int]:
    folder = find_model(DEFAULT_MODEL)
    space = read_space(folder)
    return chunker_for(folder, space), token_counter(folder), space.max_tokens


@pytest.mark.model
@settings(deadline=None, max_examples=50)
@given(PARTS.map(lambda text: text * 8))
def test_chunks_fit_the_default_model(raw: str) -> None:
    cut, count, limit = default_model()
    text = canonical(raw)
    assert max(count([text[start:end] for start, end in cut(text)]), default=0) <= limit - SPECIAL_TOKENS
