"""Unix socket for kernels: the routes of the panels, so that kernels share the server's client.

The folder of the socket admits only this user. A kernel needs no token, and no page in a browser can reach the socket.
Kernels find it by an environment variable that they inherit.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_server.auth import AllowAllAuthorizer, IdentityProvider, User
from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket

from knet.config import home

from ..protocol import FOLDER_VARIABLE, HOME_FILE, SOCKET_FILE

USER = "kernel"


class KernelSocket:
    """Server of the routes on a Unix socket, until it is closed. Does nothing on a system without Unix sockets."""

    def __init__(self, routes: Mapping[str, type[JupyterHandler]], options: Mapping[str, Any]) -> None:
        self._server: HTTPServer | None = None
        if not hasattr(socket, "AF_UNIX"):
            return
        self._folder = Path(tempfile.mkdtemp(prefix="knet-"))  # only this user may enter it
        handlers = [(rf"/{route}", handler, dict(options)) for route, handler in routes.items()]
        application = web.Application(
            handlers,
            identity_provider=_Kernels(),
            authorizer=AllowAllAuthorizer(),
            allow_remote_access=True,  # a Unix socket has no host to check
            disable_check_xsrf=True,
        )
        self._server = HTTPServer(application)
        self._server.add_socket(bind_unix_socket(str(self._folder / SOCKET_FILE), mode=0o600))
        (self._folder / HOME_FILE).write_text(str(home()))
        os.environ[FOLDER_VARIABLE] = str(self._folder)

    def close(self) -> None:
        """Close the socket and remove its folder."""
        if self._server is None:
            return
        self._server.stop()
        self._server = None
        shutil.rmtree(self._folder, ignore_errors=True)
        if os.environ.get(FOLDER_VARIABLE) == str(self._folder):
            del os.environ[FOLDER_VARIABLE]


class _Kernels(IdentityProvider):
    """Identity of every request on the socket: the user of this server."""

    def get_user(self, handler: web.RequestHandler) -> User:
        return User(USER)
