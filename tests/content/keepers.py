"""Test doubles of block providers: a pinning service by its specification."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, HTTPException, Request

from knet.codec import RAW, Cid, decode_plain
from knet.content.base import BlockSource
from knet.content.dag import links
from knet.content.gateway import GatewaySource
from knet.errors import BlockNotFound, KnetError
from knet.http import HttpClient


def kept_with(source: BlockSource, root: Cid) -> Iterator[tuple[Cid, bytes]]:
    """Yield every block that IPFS keeps with a pin: all links count, also those to earlier manifests."""
    seen, todo = set(), [root]
    while todo:
        if (cid := todo.pop()) not in seen:
            seen.add(cid)
            block = source.get(cid)
            yield cid, block
            plain = {} if cid.codec == RAW else decode_plain(block)
            todo += links(cid, block)
            if isinstance(plain, dict) and plain.get("previous"):
                todo.append(Cid(plain["previous"]))


@dataclass
class ByHash:
    """Block store keyed by hash without the codec, as in IPFS implementations."""

    blocks: dict[bytes, bytes] = field(default_factory=dict)

    def get(self, cid: Cid) -> bytes:
        if cid.digest not in self.blocks:
            raise BlockNotFound(f"no {cid}")
        return self.blocks[cid.digest]

    def has(self, cid: Cid) -> bool:
        return cid.digest in self.blocks

    def put(self, data: bytes, codec: int = RAW) -> Cid:
        cid = Cid.of(data, codec)
        self.blocks[cid.digest] = data
        return cid

    def delete(self, cid: Cid) -> None:
        self.blocks.pop(cid.digest, None)

    def __iter__(self) -> Iterator[Cid]:
        return map(Cid.from_digest, self.blocks)


@dataclass
class Account:
    """Account of a pinning service (https://ipfs.github.io/pinning-services-api-spec/), and its gateway's blocks.

    It fetches what it pins from the origins it is given, recursively as IPFS does: predecessors of manifests included.
    """

    token: str = "token-of-the-account"
    store: ByHash = field(default_factory=ByHash)
    pins: dict[str, dict[str, Any]] = field(default_factory=dict)
    looks: int = 0  # polls before it begins to fetch

    def app(self) -> FastAPI:
        app = FastAPI()

        def checked(request: Request) -> None:
            if request.headers.get("authorization") != f"Bearer {self.token}":
                raise HTTPException(401)

        @app.get("/pins")
        def listed(request: Request, name: str, match: str, status: str, limit: int) -> dict[str, Any]:
            checked(request)
            assert match == "exact"
            found = [pin for pin in self.pins.values() if pin["pin"]["name"] == name and pin["status"] in status]
            return {"count": len(found), "results": found[:limit]}

        @app.post("/pins", status_code=202)
        async def add(request: Request) -> dict[str, Any]:
            checked(request)
            return self._pin(await request.json())

        @app.post("/pins/{request_id:path}", status_code=202)
        async def replace(request: Request, request_id: str) -> dict[str, Any]:
            checked(request)
            del self.pins[request_id]
            return self._pin(await request.json())

        @app.get("/pins/{request_id:path}")
        def get(request: Request, request_id: str) -> dict[str, Any]:
            checked(request)
            pin = self.pins[request_id]
            self.looks -= 1
            if self.looks < 0 and pin["status"] == "queued":
                self._fetch(pin)
            return pin

        return app

    def _pin(self, pin: dict[str, Any]) -> dict[str, Any]:
        created = {
            "requestid": f"{len(self.pins)}/{pin['cid'][-6:]}",
            "status": "queued",
            "created": "2026-01-01T00:00:00Z",
            "pin": pin,
            "delegates": [],
        }
        self.pins[created["requestid"]] = created
        return created

    def _fetch(self, pin: dict[str, Any]) -> None:
        origins = [origin.split("/") for origin in pin["pin"]["origins"]]
        urls = [f"{parts[5]}://{parts[2]}:{parts[4]}" for parts in origins]
        with HttpClient(addresses="loopback") as http:
            try:
                for cid, block in kept_with(GatewaySource(http, urls), Cid.parse(pin["pin"]["cid"])):
                    self.store.put(block, cid.codec)
                pin["status"] = "pinned"
            except KnetError as error:
                pin |= {"status": "failed", "info": {"status_details": str(error)}}
