"""Client of the MCP SDK, of either major version, over standard input and output or HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from knet.mcp.sdk import MAJOR
from tests.network.clients import PATIENT


@dataclass
class Called:
    """A tool's result as received, with the progress messages before it."""

    result: dict[str, Any]
    progress: list[str] = field(default_factory=list)

    @property
    def is_error(self) -> bool:
        return bool(self.result["isError"])

    @property
    def text(self) -> str:
        (item,) = self.result["content"]
        assert item["type"] == "text"
        return str(item["text"])

    @property
    def data(self) -> Any:
        assert not self.is_error, self.text
        return self.result["structuredContent"]


class Client:
    def __init__(self, sdk: Any) -> None:
        self._sdk = sdk

    async def tools(self) -> dict[str, dict[str, Any]]:
        listed = await self._sdk.list_tools()
        return {tool.name: tool.model_dump(by_alias=True, mode="json") for tool in listed.tools}

    async def call(self, name: str, **arguments: object) -> Called:
        progress: list[str] = []

        async def heard(done: float, total: float | None, message: str | None) -> None:
            assert done == len(progress) + 1
            progress.append(message or "")

        result = await self._sdk.call_tool(name, arguments, progress_callback=heard)
        return Called(result.model_dump(by_alias=True, mode="json"), progress)


@asynccontextmanager
async def over_stdio(command: list[str], environment: Mapping[str, str]) -> AsyncIterator[Client]:
    """Start a server, and connect a client over its standard input and output."""
    from mcp.client.stdio import StdioServerParameters, stdio_client

    started = StdioServerParameters(command=command[0], args=command[1:], env=dict(environment))
    if MAJOR == 2:
        from mcp import Client as Sdk

        async with Sdk(started) as sdk:
            yield Client(sdk)
    else:
        async with stdio_client(started) as (read, write), _session(read, write) as session:
            yield session


@asynccontextmanager
async def over_http(url: str, token: str = "") -> AsyncIterator[Client]:
    """Connect a client to a running server."""
    from mcp.client.streamable_http import streamable_http_client

    def opened(url: str, http: Any) -> Any:
        return streamable_http_client(url, http_client=http)

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if MAJOR == 2:
        import httpx2
        from mcp import Client as Sdk

        async with httpx2.AsyncClient(headers=headers, timeout=PATIENT) as http, Sdk(opened(url, http)) as sdk:
            yield Client(sdk)
    else:
        import httpx

        async with (
            httpx.AsyncClient(headers=headers, timeout=PATIENT) as http,
            opened(url, http) as streams,
            _session(*streams[:2]) as session,
        ):
            yield session


@asynccontextmanager
async def _session(read: Any, write: Any) -> AsyncIterator[Client]:
    from mcp import ClientSession

    async with ClientSession(read, write) as session:
        await session.initialize()
        yield Client(session)
