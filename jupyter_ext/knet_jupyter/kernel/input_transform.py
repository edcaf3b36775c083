"""Lets a question end in a question mark, which IPython would otherwise take for a call for help."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Sequence

_ASKING = re.compile(r"(?P<before>\s*(?:[A-Za-z_][\w., ]*=\s*)?)%knet[ \t]+(?P<rest>\S.*?)\s*")


def as_calls(lines: list[str]) -> list[str]:
    """Each ``%knet ...`` line of a cell as the call that it stands for, whatever its words are.

    An input transformer of IPython's. Lines of other cell magics are left to these, and so is what is inside a string.
    """
    if lines and lines[0].startswith("%%"):
        return lines
    called: list[str] = []
    for line in lines:
        match = _ASKING.fullmatch(line)
        if match and _is_code(called):
            line = f"{match['before']}get_ipython().run_line_magic('knet', {match['rest']!r})\n"
        called.append(line)
    return called


def _is_code(before: Sequence[str]) -> bool:
    """Whether the line after these is not within a string."""
    try:
        list(tokenize.generate_tokens(iter(before).__next__))
    except tokenize.TokenError as error:
        return "string" not in str(error)
    except SyntaxError:
        pass  # of lines that are IPython's, or wrong
    return True
