"""Remote pinning: asking a service to keep what a node published (https://ipfs.github.io/pinning-services-api-spec/)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from ..codec import Cid
from ..errors import BadReply, ConfigError, StoreError
from ..http import HttpClient, quoted

T = TypeVar("T")

DEADLINE = 30.0  # seconds a request
WAIT_SECONDS = 600.0  # seconds until a service that is still fetching is left to it
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0  # seconds between two looks at how far it is
MAX_REPLY = 1 << 20
MAX_NAME = 255  # characters, by the specification
UNDER_WAY = ("queued", "pinning")


class Pin(msgspec.Struct, frozen=True):
    cid: str
    name: str = ""


class PinStatus(msgspec.Struct, frozen=True):
    """What a service says of one pin: ``status`` is queued, pinning, pinned or failed."""

    requestid: str
    status: str
    pin: Pin
    info: dict[str, Any] = {}


class _Pins(msgspec.Struct, frozen=True):
    count: int
    results: list[PinStatus]


class PinningService:
    """One account at a service; ``endpoint`` is the API's base URL, as the service gives it beside the token."""

    def __init__(
        self, http: HttpClient, endpoint: str, token: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        if not endpoint.startswith(("https://", "http://")) or not token:
            raise ConfigError(
                "a pinning service takes its URL and a token.",
                hint="Set KNET_PINNING_SERVICE and KNET_PINNING_TOKEN.",
            )
        self._http = http
        self._endpoint = endpoint.rstrip("/")
        self._token = token
        self._sleep = sleep

    def pin(
        self,
        root: Cid,
        name: str,
        origins: Sequence[str] = (),
        *,
        timeout: float = WAIT_SECONDS,
        on_status: Callable[[str], None] = lambda status: None,
    ) -> PinStatus:
        """Have everything under ``root`` kept, in the place of what this name stood for before.

        ``origins`` are multiaddrs of who has the blocks. Returns when it is pinned, or after ``timeout`` seconds of
        the service's fetching. Raises StoreError when the service says it failed, and TransportErrors.
        """
        name = name[:MAX_NAME]
        body = msgspec.json.encode({"cid": str(root), "name": name, "origins": list(origins)})
        before = self._known(name)
        path = f"/pins/{quote(before.requestid, safe='')}" if before else "/pins"
        if before and before.pin.cid == str(root) and before.status != "failed":
            status = before
        else:
            status = self._call("POST", path, PinStatus, body)
        until, pause = time.monotonic() + timeout, FIRST_PAUSE
        while status.status in UNDER_WAY and time.monotonic() < until:
            on_status(status.status)
            self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            status = self._call("GET", f"/pins/{quote(status.requestid, safe='')}", PinStatus)
        if status.status not in (*UNDER_WAY, "pinned"):
            reason = quoted(str(status.info.get("status_details") or status.info or "it gives no reason"))
            raise StoreError(f"{self._endpoint} could not pin {root}: {reason}.", hint="Is the node reachable?")
        on_status(status.status)
        return status

    def _known(self, name: str) -> PinStatus | None:
        """What the account holds under a name, the newest."""
        query = urlencode({"name": name, "match": "exact", "status": "queued,pinning,pinned,failed", "limit": 1})
        return next(iter(self._call("GET", f"/pins?{query}", _Pins).results), None)

    def _call(self, method: str, path: str, kind: type[T], body: bytes = b"") -> T:
        work = self._http.fetch(
            method,
            self._endpoint + path,
            deadline=DEADLINE,
            max_bytes=MAX_REPLY,
            body=body,
            content_type="application/json" if body else "",
            accept="application/json",
            authorization=f"Bearer {self._token}",
        )
        try:
            return msgspec.json.decode(self._http.run(work), type=kind)
        except msgspec.MsgspecError as error:
            raise BadReply(f"{self._endpoint}{path} is not what the pinning API says: {error}.") from error


def gateway_multiaddr(endpoint: str) -> str:
    """An HTTP gateway's base URL as a multiaddr, or nothing where it has no such form."""
    try:
        url = urlsplit(endpoint)
        port = url.port or (443 if url.scheme == "https" else 80)
    except ValueError:
        return ""
    host = url.hostname or ""
    if url.path.strip("/") or not host:
        return ""
    kind = "ip6" if ":" in host else "ip4" if host.replace(".", "").isdigit() else "dns"
    return f"/{kind}/{host}/tcp/{port}/{url.scheme}"
