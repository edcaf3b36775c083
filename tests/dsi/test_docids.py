"""Tests of docids: unique, stable under additions, and a tree of the existing ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from knet.dsi.docids import Codebooks, Trie, add_suffixes, sort_order
from knet.errors import CodecError

from .support import children, passages, small_codes


def vectors(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 16)).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 7, 60, 500])
def test_docids_are_unique(count: int) -> None:
    given = vectors(count)
    codes = add_suffixes(Codebooks.fit(given).codes(given))
    assert len({tuple(row) for row in codes.tolist()}) == count


def test_equal_vectors_differ_in_suffix() -> None:
    given = np.repeat(vectors(3), 4, axis=0)
    codes = add_suffixes(Codebooks.fit(given).codes(given))
    assert len({tuple(row) for row in codes.tolist()}) == 12
    assert sorted(codes[:4, -1].tolist()) == [0, 1, 2, 3]


def test_docids_are_reproducible() -> None:
    first, second = (add_suffixes(Codebooks.fit(each).codes(each)) for each in (passages().vectors, passages().vectors))
    assert (first == second).all()


def test_new_passages_get_unused_docids() -> None:
    old, new = vectors(100), vectors(80, seed=1)
    books = Codebooks.fit(old)
    taken = add_suffixes(books.codes(old))
    added = add_suffixes(books.codes(new), taken)
    assert len({tuple(row) for row in np.concatenate([taken, added]).tolist()}) == 180


def test_similar_passages_share_a_docid_prefix() -> None:
    centres = vectors(4) * 10
    given = np.repeat(centres, 50, axis=0) + vectors(200, seed=2) * 0.1
    codes = Codebooks.fit(given).codes(given)[:, 0].reshape(4, 50)
    assert all(not set(a) & set(b) for n, a in enumerate(codes.tolist()) for b in codes.tolist()[:n])


def test_children_of_an_edge_extend_its_prefix() -> None:
    trie = Trie(small_codes())
    assert (trie.levels, trie.edges, len(trie)) == (3, 3 + 4 + 7, 7)
    assert [list(children(trie, edge)) for edge in (-1, 0, 1, 2, 3, 6)] == [
        [0, 1, 2],
        [3, 4],
        [5],
        [6],
        [7, 8],
        [11, 12, 13],
    ]


@given(some.lists(some.tuples(*[some.integers(0, 3)] * 3), min_size=1, max_size=40, unique=True))
def test_paths_and_children_are_consistent(rows: list[tuple[int, int, int]]) -> None:
    codes = np.array(rows, np.uint16)
    trie = Trie(codes[sort_order(codes)])
    for place, path in enumerate(trie.paths.tolist()):
        assert path[-1] - trie.offsets[-2] == place
        for before, edge in zip([-1, *path], path, strict=False):
            assert edge in children(trie, before)
    inner = range(-1, int(trie.offsets[-2]))
    assert [edge for before in inner for edge in children(trie, before)] == list(range(trie.edges))


@pytest.mark.parametrize("rows", [[(0, 1), (0, 0)], [(1, 0), (0, 5)], [(0, 0), (0, 0)]])
def test_unsorted_or_repeated_docids_are_refused(rows: list[tuple[int, int]]) -> None:
    with pytest.raises(CodecError, match="not unique and in order"):
        Trie(np.array(rows, np.uint16))
