"""A knowledge network without an owner.

import knet

net = knet.connect("demo")
answer = net.ask("How does HNSW choose neighbours?")
answer.verify()
answer.rate(+1)
net.ratings.flush()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Answer", "KnetError", "LiveAnswer", "Network", "ask", "connect", "load_answer"]

if TYPE_CHECKING:
    from .answer.live import LiveAnswer, load_answer
    from .client.network import Network, connect
    from .client.shared import ask
    from .errors import KnetError
    from .records import Answer


def __getattr__(name: str) -> Any:
    """Load a public name on first use, so that `import knet` takes no time."""
    from importlib import import_module

    places = {
        "Answer": "records",
        "KnetError": "errors",
        "LiveAnswer": "answer.live",
        "Network": "client.network",
        "ask": "client.shared",
        "connect": "client.network",
        "load_answer": "answer.live",
        "load_ipython_extension": "ipython",  # IPython calls it
    }
    if name not in places:
        raise AttributeError(f"module 'knet' has no attribute {name!r}")
    return getattr(import_module(f".{places[name]}", __name__), name)
