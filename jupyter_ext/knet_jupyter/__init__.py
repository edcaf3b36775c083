"""knet in Jupyter: magics and a widget for kernels, panels for JupyterLab, and a server extension with the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .server.extension import KnetExtension

__version__ = "0.1.0"


def load_ipython_extension(shell: Any) -> None:
    """Load the magics; IPython calls this for ``%load_ext knet_jupyter``."""
    from .kernel.magics import load

    load(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "knet-jupyter"}]


def _jupyter_server_extension_points() -> list[dict[str, str | type[KnetExtension]]]:
    from .server.extension import KnetExtension

    return [{"module": "knet_jupyter", "app": KnetExtension}]
