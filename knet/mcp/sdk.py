"""Adapter for both major versions of the MCP SDK; no other file depends on the installed one.

Version 2 renamed FastMCP to MCPServer, moved the options of HTTP from its constructor to the call that serves, and
reports only failures raised as ToolError to the client. JupyterLab's assistants pin version 1, so both must work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from pydantic import BaseModel

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

__all__ = ["MAJOR", "Context", "Server", "confirmed"]

P = ParamSpec("P")
R = TypeVar("R")


class _Confirmation(BaseModel):
    confirm: bool


async def confirmed(context: Context, message: str) -> bool:
    """Ask the user through the client to confirm an action. True where the client cannot ask its user."""
    if MAJOR == 2:
        capabilities = context.client_capabilities
    else:
        parameters = context.session.client_params
        capabilities = parameters.capabilities if parameters else None
    if capabilities is None or capabilities.elicitation is None:
        return True
    reply = await context.elicit(message, _Confirmation)
    return reply.action == "accept" and reply.data.confirm


class Server:
    """A server of tools, over standard input and output or as an ASGI application."""

    def __init__(self, name: str, version: str, instructions: str) -> None:
        if MAJOR == 2:
            self.sdk: Any = MCPServer(name, version=version, instructions=instructions, log_level="WARNING")
        else:
            self.sdk = FastMCP(name, instructions=instructions, log_level="WARNING", stateless_http=True)

    def add(self, tool: Callable[P, Awaitable[R]], title: str, *, reads_only: bool) -> None:
        """Offer a coroutine function as a tool, with its docstring as description and its signature as schemas.

        The client receives a KnetError that it raises as the tool's failure.
        """
        hints = {
            "title": title,
            "readOnlyHint": reads_only,
            "destructiveHint": False,
            "idempotentHint": reads_only,
            "openWorldHint": True,
        }
        annotations = ToolAnnotations.model_validate(hints)  # the majors differ in attribute names, not in the wire's
        self.sdk.add_tool(_with_tool_errors(tool), title=title, annotations=annotations, structured_output=True)

    def run_stdio(self) -> None:
        """Serve the client on standard input and output until it closes them."""
        self.sdk.run("stdio")

    def http_app(self, host: str) -> Any:
        """Return the ASGI application, at ``/mcp``. With a loopback ``host`` it refuses other Host headers."""
        if MAJOR == 2:
            return self.sdk.streamable_http_app(stateless_http=True, host=host)
        if host not in ("127.0.0.1", "localhost", "::1"):
            self.sdk.settings.transport_security = None
        return self.sdk.streamable_http_app()


def _with_tool_errors(tool: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    @wraps(tool)
    async def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await tool(*args, **kwargs)
        except KnetError as error:
            failure: Exception = ToolError(error.described)
            raise failure from error

    return run
