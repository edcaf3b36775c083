"""knet in Jupyter: magics and a widget for the kernel, panels and a server extension for JupyterLab."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def load_ipython_extension(shell: Any) -> None:
    """What IPython calls for ``%load_ext knet_jupyter``."""
    from .magics import load

    load(shell)
