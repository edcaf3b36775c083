"""The server extension: its settings, its routes, and what it stops with the server."""

from __future__ import annotations

from pathlib import Path

from jupyter_server.extension.application import ExtensionApp
from traitlets import Unicode

from .handlers.answers import CustodyHandler, ExportHandler, NotebookHandler, VerifyHandler
from .handlers.ask import AskHandler, StopHandler
from .handlers.local_nodes import OwnHandler, OwnStopHandler, OwnSyncHandler
from .handlers.network import ConnectHandler, LandscapeHandler, NodesHandler, PulseHandler, StateHandler
from .handlers.ratings import FlushHandler, RatingsHandler, WithdrawHandler
from .kernel_socket import KernelSocket
from .service import Service

ROUTES = {
    "state": StateHandler,
    "connect": ConnectHandler,
    "ask": AskHandler,
    "stop": StopHandler,
    "verify": VerifyHandler,
    "verify-notebook": NotebookHandler,
    "custody": CustodyHandler,
    "export": ExportHandler,
    "pulse": PulseHandler,
    "nodes": NodesHandler,
    "landscape": LandscapeHandler,
    "ratings": RatingsHandler,
    "ratings/withdraw": WithdrawHandler,
    "ratings/flush": FlushHandler,
    "own": OwnHandler,
    "own/sync": OwnSyncHandler,
    "own/stop": OwnStopHandler,
}


class KnetExtension(ExtensionApp):
    """``c.KnetExtension.profile`` names the network; ``demo`` starts the embedded one when it is first asked."""

    name = "knet_jupyter"
    extension_url = "/lab"
    load_other_extensions = True
    profile: Unicode[str, str | bytes] = Unicode(
        "", help="Which knet network to use: a profile's name, `demo` for the embedded one, empty for the default."
    ).tag(config=True)

    def initialize_handlers(self) -> None:
        assert self.serverapp is not None
        self.service = Service(self.profile, Path(self.serverapp.root_dir))
        options = {"service": self.service}
        self.handlers.extend((rf"/knet/{route}", handler, options) for route, handler in ROUTES.items())
        self.sharing = KernelSocket(ROUTES, options)

    async def stop_extension(self) -> None:
        """Stop what runs for the users of this server: questions, nodes, the embedded network."""
        self.sharing.close()
        self.service.close()
