"""knet in Jupyter: magics and a widget for the kernel; a server extension that holds the network and its keys, and the
panels that ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .server.extension import KnetExtension

__version__ = "0.1.0"


def load_ipython_extension(shell: Any) -> None:
    """What IPython calls for ``%load_ext knet_jupyter``."""
    from .kernel.magics import load

    load(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "knet-jupyter"}]


def _jupyter_server_extension_points() -> list[dict[str, str | type[KnetExtension]]]:
    from .server.extension import KnetExtension

    return [{"module": "knet_jupyter", "app": KnetExtension}]
