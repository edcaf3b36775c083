"""Client of remote pinning services (https://ipfs.github.io/pinning-services-api-spec/)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from ..codec import Cid, from_json
from ..errors import BadReply, CodecError, ConfigError, StoreError
from ..http import HttpClient, quoted
from ..limits import Few, Reason, ShortText
from ..redaction import hide_keys, hide_words

T = TypeVar("T")

DEADLINE = 30.0  # seconds for each request
WAIT_SECONDS = 600.0  # seconds after which `pin` returns though the service is still fetching
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0  # seconds between two status requests
MAX_REPLY = 1 << 20
MAX_NAME = 255  # characters, by the specification
Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
IN_PROGRESS = ("queued", "pinning")


class PinInfo(msgspec.Struct, frozen=True):
    status_details: Reason = ""


class Pin(msgspec.Struct, frozen=True):
    cid: ShortText
    name: Name = ""


class PinStatus(msgspec.Struct, frozen=True):
    """Status of one pin at a service: ``status`` is queued, pinning, pinned or failed."""

    requestid: Name
    status: ShortText
    pin: Pin
    info: PinInfo = PinInfo()


class _Pins(msgspec.Struct, frozen=True):
    count: int
    results: Few[PinStatus]


class PinningService:
    """Client of one account at a service; ``endpoint`` is the API's base URL, which the service lists with the
    token."""

    def __init__(
        self, http: HttpClient, endpoint: str, token: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        if not endpoint.startswith(("https://", "http://")) or not token:
            raise ConfigError(
                "The pinning service is not configured: its URL or its token is missing or not valid.",
                hint="Set KNET_PINNING_SERVICE and KNET_PINNING_TOKEN.",
            )
        hide_words(token)
        hide_keys(endpoint)
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
        """Pin everything under ``root``, in place of the earlier pin of this name.

        ``origins`` are multiaddrs of nodes that have the blocks. Returns once it is pinned, or after ``timeout``
        seconds while the service still fetches. Raises StoreError when the service reports a failure, and
        TransportErrors.
        """
        name = name[:MAX_NAME]
        body = msgspec.json.encode({"cid": str(root), "name": name, "origins": list(origins)})
        before = self._find(name)
        path = f"/pins/{quote(before.requestid, safe='')}" if before else "/pins"
        if before and before.pin.cid == str(root) and before.status != "failed":
            status = before
        else:
            status = self._call("POST", path, PinStatus, body)
        until, pause = time.monotonic() + timeout, FIRST_PAUSE
        while status.status in IN_PROGRESS and time.monotonic() < until:
            on_status(status.status)
            self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            status = self._call("GET", f"/pins/{quote(status.requestid, safe='')}", PinStatus)
        if status.status not in (*IN_PROGRESS, "pinned"):
            reason = quoted(status.info.status_details or "no reason given")
            raise StoreError(
                f"{self._endpoint} could not pin {root}: {reason}.",
                hint="Check that others can reach the node.",
            )
        on_status(status.status)
        return status

    def _find(self, name: str) -> PinStatus | None:
        """Return the account's newest pin of a name."""
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
            return from_json(self._http.run(work), kind)
        except CodecError as error:
            raise BadReply(f"The reply of {self._endpoint}{path} does not follow the pinning API: {error}.") from error


def gateway_multiaddr(endpoint: str) -> str:
    """Return an HTTP gateway's base URL as a multiaddr; empty where it has no such form."""
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
