"""Input transformer that lets a question end in a question mark, which IPython would take as a request for help."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Sequence

_QUESTION = re.compile(r"(?P<before>\s*+(?:[A-Za-z_][\w., ]*+=\s*+)?)%knet[ \t]++(?P<rest>\S.*+)")


def transform(lines: list[str]) -> list[str]:
    """Replace each ``%knet ...`` line of a cell with the call that it stands for.

    Cells of other cell magics and lines within a string stay as they are.
    """
    if lines and lines[0].startswith("%%"):
        return lines
    called: list[str] = []
    for line in lines:
        match = _QUESTION.fullmatch(line.rstrip())
        if match and _is_code(called):
            line = f"{match['before']}get_ipython().run_line_magic('knet', {match['rest']!r})\n"
        called.append(line)
    return called


def _is_code(before: Sequence[str]) -> bool:
    """Return True if the line after these is not within a string."""
    try:
        list(tokenize.generate_tokens(iter(before).__next__))
    except tokenize.TokenError as error:
        return "string" not in str(error)
    except SyntaxError:
        pass  # IPython syntax, or a mistake
    return True
