"""Both majors of the MCP SDK behind one face: this is the only file that knows which of them is installed.

Version 2 renamed FastMCP to MCPServer, moved the options of HTTP from its constructor to the call that serves, and
tells the client only of failures raised as ToolError. JupyterLab's assistants still pin version 1: both have to work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from ..errors import KnetError, MissingExtra

try:
    from mcp.server.mcpserver import Context, MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp_types import ToolAnnotations

    MAJOR = 2
except ImportError:
    try:
        from mcp.server.fastmcp import Context, FastMCP  # type: ignore[attr-defined,no-redef]
        from mcp.server.fastmcp.exceptions import ToolError  # type: ignore[import-not-found,no-redef]
        from mcp.types import ToolAnnotations

        MAJOR = 1
    except ImportError as error:
        raise MissingExtra("The MCP server", "mcp") from error

__all__ = ["MAJOR", "Context", "Server"]

P = ParamSpec("P")
R = TypeVar("R")


class Server:
    """A server of tools, over standard input and output or as an ASGI application."""

    def __init__(self, name: str, version: str, instructions: str) -> None:
        if MAJOR == 2:
            self.sdk: Any = MCPServer(name, version=version, instructions=instructions, log_level="WARNING")
        else:
            self.sdk = FastMCP(name, instructions=instructions, log_level="WARNING", stateless_http=True)

    def add(self, tool: Callable[P, Awaitable[R]], title: str, *, reads_only: bool) -> None:
        """Offer a coroutine function: its docstring describes it, its signature gives the schemas.

        A KnetError that it raises is told to the client as the tool's failure.
        """
        hints = {
            "title": title,
            "readOnlyHint": reads_only,
            "destructiveHint": False,
            "idempotentHint": reads_only,
            "openWorldHint": True,
        }
        annotations = ToolAnnotations.model_validate(hints)  # the majors differ in attribute names, not in the wire's
        self.sdk.add_tool(_told(tool), title=title, annotations=annotations, structured_output=True)

    def run_stdio(self) -> None:
        """Serve the client at the other end of standard input and output until it hangs up."""
        self.sdk.run("stdio")

    def http_app(self, host: str) -> Any:
        """The ASGI application, at ``/mcp``. Bound to a loopback ``host`` it refuses foreign Host headers."""
        if MAJOR == 2:
            return self.sdk.streamable_http_app(stateless_http=True, host=host)
        if host not in ("127.0.0.1", "localhost", "::1"):
            self.sdk.settings.transport_security = None
        return self.sdk.streamable_http_app()


def _told(tool: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    @wraps(tool)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await tool(*args, **kwargs)
        except KnetError as error:
            raise _failure(error) from error

    return run


def _failure(error: KnetError) -> Exception:
    return ToolError(str(error))
