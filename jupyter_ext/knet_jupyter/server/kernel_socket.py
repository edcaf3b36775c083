"""Kernels ask through the server's client: the handlers of the panels, on a socket that only this user can open.

Who may ask on a socket of the file system is whom its folder lets in, so there is no token that a kernel would have to
know, and no page in a browser can reach it. Kernels find it by an environment variable that they inherit.
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

from ..protocol import HOME, PLACE, SOCKET

WHO = "kernel"


class KernelSocket:
    """Serves routes on a socket of its own until it is closed. Where a system has no such sockets, it does nothing."""

    def __init__(self, routes: Mapping[str, type[JupyterHandler]], options: Mapping[str, Any]) -> None:
        self._server: HTTPServer | None = None
        if not hasattr(socket, "AF_UNIX"):
            return
        self._folder = Path(tempfile.mkdtemp(prefix="knet-"))  # nobody else may enter it
        handlers = [(rf"/{route}", handler, dict(options)) for route, handler in routes.items()]
        application = web.Application(
            handlers,
            identity_provider=_Kernels(),
            authorizer=AllowAllAuthorizer(),
            allow_remote_access=True,  # the host that a request names means nothing here
            disable_check_xsrf=True,
        )
        self._server = HTTPServer(application)
        self._server.add_socket(bind_unix_socket(str(self._folder / SOCKET), mode=0o600))
        (self._folder / HOME).write_text(str(home()))
        os.environ[PLACE] = str(self._folder)

    def close(self) -> None:
        if self._server is None:
            return
        self._server.stop()
        self._server = None
        shutil.rmtree(self._folder, ignore_errors=True)
        if os.environ.get(PLACE) == str(self._folder):
            del os.environ[PLACE]


class _Kernels(IdentityProvider):
    """Whoever reached the socket is the user whose server this is."""

    def get_user(self, handler: web.RequestHandler) -> User:
        return User(WHO)
