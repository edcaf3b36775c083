"""Tests of the errors of KuboStore. `tests/conformance` runs over it with a daemon."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from knet.codec import Cid
from knet.content.kubo import KuboStore
from knet.errors import ConfigError, MissingExtra, StoreError

from .support import gateway

CID = Cid.of(b"block")
RPC = "/api/v0"


def refusal(message: str) -> JSONResponse:
    """Return an error in Kubo's format (https://docs.ipfs.tech/reference/kubo/rpc/#http-status-codes)."""
    return JSONResponse({"Message": message, "Code": 0, "Type": "error"}, 500)


@pytest.fixture
def daemon() -> Iterator[KuboStore]:
    """Return a store over a server with Kubo's error replies."""
    app = FastAPI()
    app.post(f"{RPC}/block/stat")(lambda: refusal("block was not found locally (offline): ipld: could not find it"))
    app.post(f"{RPC}/block/get")(lambda: refusal("context deadline exceeded"))
    app.post(f"{RPC}/block/put")(lambda: {"Key": str(Cid.of(b"something else")), "Size": 5})
    app.post(f"{RPC}/block/rm")(lambda: {"Hash": str(CID), "Error": "pinned: recursive"})
    app.post(f"{RPC}/pin/rm")(lambda: refusal("not pinned or pinned indirectly"))
    with gateway(KuboStore("/ip4/127.0.0.1/tcp/9"), app) as url:
        store = KuboStore(f"/ip4/127.0.0.1/tcp/{url.rpartition(':')[2]}")
        yield store
        store.close()


def test_calls_without_daemon_name_the_start_command() -> None:
    store = KuboStore("/ip4/127.0.0.1/tcp/9")
    for call in (store.get, store.has, store.delete, store.pin, store.unpin):
        with pytest.raises(StoreError, match="Start it with `ipfs daemon`"):
            call(CID)
    with pytest.raises(StoreError, match="tcp/9"):
        store.put(b"block")
    with pytest.raises(StoreError, match="tcp/9"):
        list(store)


def test_invalid_daemon_address_is_a_config_error() -> None:
    for address in ("localhost:5001", "/ip4/127.0.0.1/udp/5001/quic", ""):
        with pytest.raises(ConfigError, match="IPFS daemon"):
            KuboStore(address)


def test_missing_ipfs_extra_names_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipfshttpclient", None)
    with pytest.raises(MissingExtra, match=r"pip install 'knetwork\[ipfs\]'"):
        KuboStore("/ip4/127.0.0.1/tcp/5001")


def test_daemon_errors_are_distinguished(daemon: KuboStore) -> None:
    assert not daemon.has(CID)
    daemon.unpin(CID)
    with pytest.raises(StoreError, match="deadline exceeded"):
        daemon.get(CID)
    with pytest.raises(StoreError, match="another hash"):
        daemon.put(b"block")
    with pytest.raises(StoreError, match="Unpin"):
        daemon.delete(CID)
    with pytest.raises(StoreError, match="refused"):
        daemon.pin(CID)  # this server knows no such command
