"""The embedded network: real nodes over real documentation found on this machine, one of them falsified on purpose."""

from .command import app
from .network import connect

__all__ = ["app", "connect"]
