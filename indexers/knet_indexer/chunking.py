"""Chunks of a document: exact spans of its canonical text, each within the model's token limit.

The cut with the least cost is chosen, as in Knuth and Plass, "Breaking paragraphs into lines" (1981). A chunk costs its
deviation from the target length; a boundary costs the unit that it splits. Headings open chunks. Paragraphs stay whole
where they fit, sentences nearly always, words always unless one alone exceeds the limit.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple

from knet.codec import MAX_CHUNK
from knet.embed.models import load_tokenizer
from knet.embed.nano import NANO_WEIGHTS, nano_embedder
from knet.index.sentences import Block, Span, blocks, sentences_in
from knet.records import Space

CountTokens = Callable[[Sequence[str]], Sequence[int]]  # tokens of each text without special tokens
Chunker = Callable[[str], list[Span]]

TARGET_TOKENS = 128  # MiniLM was trained on passages of this length; vectors of longer ones are less specific
OVERLAP_TOKENS = 24  # a chunk repeats the sentence before it when it is this short, for its pronouns
SPECIAL_TOKENS = 2  # that models add around a text
MIN_LIMIT = 16  # tokens; smaller chunks have no meaning
PIECE_TOKENS = 16  # an overlong sentence is cut at multiples of this, not at any word: 16 times fewer candidates
MAX_CHARACTERS = MAX_CHUNK // 4  # of 4 bytes at most; a tokenizer may read a kilobyte of base64 as one token


class Break(IntEnum):
    """The unit that a boundary splits."""

    HEADING = 0  # none: a section ends
    PARAGRAPH = 1
    SENTENCE = 2
    WORD = 3
    TITLE = 4  # between a heading and its text


_BREAK_COST = (0.0, 0.1, 0.2, 0.6, 1.0)  # by Break; a chunk of zero or double target length costs 1.0
_HEADING_COST = 0.3  # of a heading inside a chunk


class Unit(NamedTuple):
    """An atom of the cut: a sentence, or a part of one that exceeds the limit."""

    start: int
    end: int
    tokens: int
    before: Break


def chunker_for(folder: Path, space: Space) -> Chunker:
    """Return the chunker for one model, with its own tokenizer and limit. Raises ModelNotFound."""
    count_tokens = token_counter(folder)
    room = space.max_tokens - count_tokens([space.passage_prefix])[0]
    return lambda text: chunk(text, count_tokens=count_tokens, max_tokens=room)


def token_counter(folder: Path) -> CountTokens:
    """Return a function that counts tokens with a model's own tokenizer. Raises ModelNotFound."""
    if (folder / NANO_WEIGHTS).is_file():
        return nano_embedder().count_tokens
    tokenizer = load_tokenizer(folder)

    def count(texts: Sequence[str]) -> list[int]:
        return [len(found) for found in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    return count


def chunk(
    text: str,
    *,
    count_tokens: CountTokens,
    max_tokens: int,
    target: int = TARGET_TOKENS,
    overlap: int = OVERLAP_TOKENS,
) -> list[Span]:
    """Return the chunks of a canonical text, in order.

    Every span is non-empty, fits the model's limit of ``max_tokens`` with its special tokens, and touches no white
    space at either end. Starts and ends both increase. Together the spans hold everything but white space. A chunk may
    begin with up to ``overlap`` tokens of the one before. Raises ValueError for a limit under 16 tokens.
    """
    if max_tokens < MIN_LIMIT:
        raise ValueError(f"a chunk needs at least {MIN_LIMIT} tokens, not {max_tokens}")
    limit = max_tokens - SPECIAL_TOKENS
    units = list(_units(text, count_tokens, limit))
    spans: list[Span] = []
    last = 0
    for first, stop in _cheapest(units, min(target, limit), limit):
        start = _with_context(units, last, first, stop, overlap, limit)
        spans.append(Span(units[start].start, units[stop - 1].end))
        last = first
    return spans


# --- units -------------------------------------------------------------------------------------------------------


def _units(text: str, count_tokens: CountTokens, limit: int) -> Iterator[Unit]:
    spans, breaks = [], []
    previous: Block | None = None
    for block in blocks(text):
        for number, span in enumerate(sentences_in(text, block)):
            spans.append(span)
            breaks.append(Break.SENTENCE if number else _break_between(text, previous, block))
        previous = block
    counts = count_tokens([text[start:end] for start, end in spans])
    for span, before, tokens in zip(spans, breaks, counts, strict=True):
        if tokens <= limit and span.end - span.start <= MAX_CHARACTERS:
            yield Unit(*span, tokens, before)
        else:
            for piece in _pieces(text, span, count_tokens, limit):
                yield piece._replace(before=before)
                before = Break.WORD


def _break_between(text: str, previous: Block | None, block: Block) -> Break:
    if previous and previous.kind == "heading":
        return Break.TITLE
    if block.kind == "heading" or previous is None:
        return Break.HEADING
    return Break.PARAGRAPH if text.count("\n", previous.end, block.start) > 1 else Break.SENTENCE


def _pieces(text: str, span: Span, count_tokens: CountTokens, limit: int) -> Iterator[Unit]:
    """Yield an overlong sentence in runs of words, and a word over the limit in parts."""
    words = [Span(*word.span()) for word in _WORD.finditer(text, *span)]
    counts = count_tokens([text[start:end] for start, end in words])
    run: Unit | None = None
    for word, tokens in zip(words, counts, strict=True):
        if run and run.tokens + tokens < min(PIECE_TOKENS, limit) and word.end - run.start <= MAX_CHARACTERS:
            run = Unit(run.start, word.end, run.tokens + tokens + 1, Break.WORD)
            continue
        if run:
            yield run
        run = None
        if tokens <= limit and word.end - word.start <= MAX_CHARACTERS:
            run = Unit(*word, tokens, Break.WORD)
        else:
            yield from _parts(text, word, count_tokens, limit)
    if run:
        yield run


def _parts(text: str, word: Span, count_tokens: CountTokens, limit: int) -> Iterator[Unit]:
    """Yield a word in equal parts, halved until each fits."""
    tokens = count_tokens([text[word.start : word.end]])[0]
    size = word.end - word.start
    if size == 1 or (tokens <= limit and size <= MAX_CHARACTERS):
        yield Unit(*word, tokens, Break.WORD)
        return
    middle = word.start + size // 2
    for half in (Span(word.start, middle), Span(middle, word.end)):
        yield from _parts(text, half, count_tokens, limit)


# --- the cut -----------------------------------------------------------------------------------------------------


def _cheapest(units: Sequence[Unit], target: int, limit: int) -> list[tuple[int, int]]:
    """Return the first and stop (exclusive) unit of each chunk of the cut with the least cost, by dynamic programming.

    One token is reserved for every joint, because some tokenizers read a word after a space differently.
    """
    cost = [0.0]
    opens = [0]
    for stop in range(1, len(units) + 1):
        best, opening = math.inf, stop - 1
        tokens, headings = -1, 0
        end = units[stop - 1].end
        for first in range(stop - 1, -1, -1):
            start, _, count, before = units[first]
            tokens += count + 1
            if first < stop - 1 and (tokens > limit or end - start > MAX_CHARACTERS):
                break
            boundary = _BREAK_COST[before] if first else 0.0
            total = cost[first] + (tokens / target - 1) ** 2 + _HEADING_COST * headings + boundary
            if total < best:
                best, opening = total, first
            headings += before == Break.HEADING
        cost.append(best)
        opens.append(opening)
    cuts = []
    stop = len(units)
    while stop:
        cuts.append((opens[stop], stop))
        stop = opens[stop]
    return cuts[::-1]


def _with_context(units: Sequence[Unit], last: int, first: int, stop: int, overlap: int, limit: int) -> int:
    """Return the unit a chunk starts at when it repeats the end of its own paragraph from the chunk before."""
    tokens = sum(unit.tokens + 1 for unit in units[first:stop]) - 1
    room = min(overlap, limit - tokens)
    while first - 1 > last and units[first].before in (Break.SENTENCE, Break.WORD):
        room -= units[first - 1].tokens + 1
        if room < 0 or units[stop - 1].end - units[first - 1].start > MAX_CHARACTERS:
            break
        first -= 1
    return first


# --- canonical text ----------------------------------------------------------------------------------------------

_WORD = re.compile(r"\S++")
_LINE_ENDS = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x9f\ufeff]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MAX_MARKS = 30  # combining characters on one letter: the Stream-Safe Text Format of Unicode (UAX 15)
_JOINER = "\u034f"  # combining grapheme joiner, which that format puts between runs of marks


def canonical(text: str) -> str:
    """Return the canonical form of a text, in which every offset counts; idempotent.

    NFC, ``\\n`` line ends, no control characters or lone surrogates, no white space at line ends or around the whole.
    A letter has at most 30 combining marks: sorting a longer run takes quadratic time.
    """
    text = _SURROGATE.sub("\ufffd", _UNPRINTABLE.sub("", _LINE_ENDS.sub("\n", text)))
    if not text.isascii():
        text = unicodedata.normalize("NFC", _long_runs_of_marks().sub(_split_marks, text))
    return "\n".join(map(str.rstrip, text.split("\n"))).strip()


@cache
def _long_runs_of_marks() -> re.Pattern[str]:
    """Return the pattern of every run of characters that may decompose into more than `_MAX_MARKS` marks."""
    marks = "".join(mark for mark in map(chr, range(0x300, 0x10000)) if _is_mark(unicodedata.normalize("NFD", mark)[0]))
    return re.compile(f"[{marks}\U00010000-\U0010ffff]{{{_MAX_MARKS // 2 - 1},}}+")  # a class of ranges is fast


def _is_mark(character: str) -> bool:
    return unicodedata.combining(character) != 0


def _split_marks(run: re.Match[str]) -> str:
    """Return a run with a joiner after every `_MAX_MARKS` marks; a run without too many as it is."""
    letter = unicodedata.normalize("NFD", run.string[max(0, run.start() - 1) : run.start()])
    count = sum(map(_is_mark, letter))
    parts = []
    for character in "".join(unicodedata.normalize("NFD", character) for character in run.group()):
        count = count + 1 if _is_mark(character) else 0
        if count > _MAX_MARKS:
            parts.append(_JOINER)
            count = 1
        parts.append(character)
    return "".join(parts) if _JOINER in parts else run.group()
