"""``%load_ext knet``, which loads the package with the magics (entry point ``knet.ipython``)."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from .answer.render import plain
from .errors import KnetError, MissingExtra

RED, PLAIN = "\x1b[91m", "\x1b[0m"


def load_ipython_extension(shell: Any) -> None:
    """Load the magics; IPython calls this for ``%load_ext knet``. Raises MissingExtra when no package has them."""
    found = list(entry_points(group="knet.ipython"))
    if not found:
        raise in_one_line(MissingExtra("knet-jupyter, which has the notebook magics,", "jupyter"))
    for entry in found:
        entry.load()(shell)


def in_one_line(error: KnetError) -> KnetError:
    """Return the same error, which IPython shows as one red line instead of a traceback."""
    line = f"{RED}knet: {plain(' '.join(error.described.split()))}{PLAIN}"
    error.__dict__["_render_traceback_"] = lambda: [line]  # IPython looks for this name
    return error
