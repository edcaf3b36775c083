"""The server extension: settings, routes, and the cleanup when the server stops."""

from __future__ import annotations

from pathlib import Path

from jupyter_server.extension.application import ExtensionApp
from traitlets import Unicode

from .handlers.answers import CustodyHandler, ExportHandler, NotebookHandler, VerifyHandler
from .handlers.ask import AskHandler, StopHandler
from .handlers.local_nodes import LocalNodesHandler, StopNodeHandler, SyncHandler
from .handlers.network import ConnectHandler, HealthHandler, NodesHandler, OverviewHandler, StateHandler
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
    "health": HealthHandler,
    "nodes": NodesHandler,
    "overview": OverviewHandler,
    "ratings": RatingsHandler,
    "ratings/withdraw": WithdrawHandler,
    "ratings/flush": FlushHandler,
    "local-nodes": LocalNodesHandler,
    "local-nodes/sync": SyncHandler,
    "local-nodes/stop": StopNodeHandler,
}


class KnetExtension(ExtensionApp):
    """The extension; ``c.KnetExtension.profile`` names the network, and ``demo`` starts one with the first question."""

    name = "knet_jupyter"
    extension_url = "/lab"
    load_other_extensions = True
    profile: Unicode[str, str | bytes] = Unicode(
        "", help="The knet network to use: the name of a profile, `demo` for the demo network, empty for the default."
    ).tag(config=True)

    def initialize_handlers(self) -> None:
        assert self.serverapp is not None
        self.service = Service(self.profile, Path(self.serverapp.root_dir))
        options = {"service": self.service}
        self.handlers.extend((rf"/knet/{route}", handler, options) for route, handler in ROUTES.items())
        self.kernel_socket = KernelSocket(ROUTES, options)

    async def stop_extension(self) -> None:
        """Stop questions, nodes and the demo network that were started here."""
        self.kernel_socket.close()
        self.service.close()
