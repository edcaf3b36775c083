"""Patterns of ignore files with many stars: pathspec's own result, without its backtracking."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import example, given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from knet_indexer.sources.ignore import _BoundedPattern

PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "?", "/", "**/", "/**/", "[ab]", "[!a]", "\\*", "("]), max_size=9)
PATHS = st.lists(st.text("ab*(", min_size=1, max_size=5), min_size=1, max_size=5)
HOSTILE = {
    "stars in a name": ("a*" * 12 + "b", "a" * 250),
    "pairs of stars": ("a**" * 12 + "b", "a" * 250),
    "stars and other marks": ("a*[ab]?*" * 8 + "c", "ab" * 120),
    "folders": ("**/a/" * 8 + "**/b", "a/" * 2000),
    "folders and stars": ("**/a*b*/" * 8 + "**/c", "ab/" * 1000),
}


@given(st.lists(PATTERNS, min_size=1, max_size=3), PATHS)
@example([["**/", "a", "/**/", "b"]], ["a", "a", "b", "b"])
@example([["a", "/**/", "b", "/**/", "a"]], ["a", "b", "bb", "a"])
@example([["a", "*", "b", "*", "b"]], ["abab"])
def test_bounded_pattern_ignores_the_same_paths(patterns: list[list[str]], path: list[str]) -> None:
    lines = ["".join(parts) for parts in patterns]
    try:
        plain = GitIgnoreSpec.from_lines(lines)
    except ValueError:
        return
    bounded = GitIgnoreSpec.from_lines(lines, _BoundedPattern, backend="simple")
    for name in ("/".join(path), "/".join(path) + "/"):
        assert bounded.check_file(name).include == plain.check_file(name).include


def test_pattern_with_many_stars_is_bounded() -> None:
    """Threat model: node, RPC, author of an answer or file, document; bytes that crash their reader."""
    script = (
        "from knet_indexer.sources.ignore import _BoundedPattern\n"
        "from pathspec import GitIgnoreSpec\n"
        f"for line, path in {list(HOSTILE.values())!r}:\n"
        "    assert not GitIgnoreSpec.from_lines([line], _BoundedPattern, backend='simple').match_file(path)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
