"""`knet mcp`: server that offers the network as tools to assistants."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from .common import ProfileName, command, connect, console

if TYPE_CHECKING:
    from ..mcp.sdk import Server

LOOPBACK = ("127.0.0.1", "::1", "localhost")
MIN_TOKEN = 16  # characters: a shorter one can be guessed over a network

app = typer.Typer()


@app.command()
@command
def mcp(
    http: Annotated[bool, typer.Option("--http", help="Serve over HTTP, at /mcp, instead of standard input.")] = False,
    host: Annotated[str, typer.Option(help="Serve HTTP on this address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Serve HTTP on this port; 0 takes a free one.")] = 8765,
    token: Annotated[
        str,
        typer.Option(envvar="KNET_MCP_TOKEN", show_envvar=True, help="Require this bearer token from HTTP clients."),
    ] = "",
    allow_rating: Annotated[
        bool, typer.Option("--allow-rating", help="Offer a tool that queues ratings in your name.")
    ] = False,
    profile: ProfileName = None,
) -> None:
    """Offer the network to an assistant as MCP tools: search, fetch, ask and verify."""
    from ..mcp.server import build_server

    if http:
        _check(host, token)
    with connect(profile) as net:
        server = build_server(net, rating=allow_rating)
        if http:
            _serve(server, host, port, token)
        else:
            server.run_stdio()


def _check(host: str, token: str) -> None:
    if token and len(token) < MIN_TOKEN:
        raise ConfigError(f"The token has only {len(token)} characters.", hint=f"Use at least {MIN_TOKEN}.")
    if host not in LOOPBACK and not token:
        raise ConfigError(
            f"--host {host}: without a token every machine there can ask and rate in your name.",
            hint="Set KNET_MCP_TOKEN to a secret, or serve on 127.0.0.1.",
        )


def _serve(server: Server, host: str, port: int, token: str) -> None:
    import uvicorn

    from ..mcp.bearer import RequireToken

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"{host}:{port} cannot be served on: {error.strerror}.", hint="Choose another --port or --host."
        ) from error
    application = server.http_app(host)
    config = uvicorn.Config(RequireToken(application, token) if token else application, log_level="warning")
    address = f"[{host}]" if ":" in host else host
    console.print(f"MCP server at http://{address}:{bound.getsockname()[1]}/mcp; Ctrl-C stops it.")
    with bound:
        uvicorn.Server(config).run(sockets=[bound])
