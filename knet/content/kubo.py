"""A Kubo daemon as a block store, over its RPC (https://docs.ipfs.tech/reference/kubo/rpc/) by ipfshttpclient.

Kubo keeps blocks by multihash: listing them gives raw CIDs, whatever codec they were put with.

What Kubo changed since ipfshttpclient's last release (0.8.0a2, for versions 0.5 to 0.8) and where it is met, all here:

- any newer version is warned of by ``connect()`` and refused by older releases: `KuboStore.__init__` goes past it;
- ``block put`` takes ``cid-codec`` and ``mhtype``, and no ``format`` any more: `KuboStore.put`;
- ``block rm`` was left out of the library: `KuboStore.delete`;
- ``object/*`` and ``dns`` are gone, ``dht/*`` is ``routing/*``, ``pubsub`` speaks multibase: none of them is used.
"""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any

import libipld

from ..codec import DAG_CBOR, MAX_BLOCK, RAW, Cid
from ..errors import BlockNotFound, CodecError, ConfigError, MissingExtra, StoreError

DEADLINE = 30.0  # seconds; a block that nobody provides is looked for until then
_LOCAL_DEADLINE = 3.0  # seconds for what the daemon knows by itself; js-ipfs goes looking even when told not to
_CODECS = {RAW: "raw", DAG_CBOR: "dag-cbor"}
_ABSENT = ("not found", "could not find")


class KuboStore:
    """Blocks in a daemon; `get` also finds what its peers have. Blocks stay until its garbage collection: `pin` roots.

    ``multiaddr`` is the RPC's, such as ``/ip4/127.0.0.1/tcp/5001``.
    """

    def __init__(self, multiaddr: str, *, deadline: float = DEADLINE) -> None:
        self.multiaddr = multiaddr
        self.deadline = deadline
        library = _library()
        try:
            self._daemon = library.Client(multiaddr, timeout=deadline, session=True)
        except (library.exceptions.Error, ValueError) as error:
            raise ConfigError(f"{multiaddr!r} is no address of an IPFS daemon: {error}.") from error
        self._errors = library.exceptions

    def get(self, cid: Cid) -> bytes:
        """The block, checked, from the daemon or its peers. Raises BlockNotFound, BlockTampered, StoreError."""
        with self._translated(cid):
            return cid.check(self._daemon.block.get(str(cid)))

    def has(self, cid: Cid) -> bool:
        try:
            with self._translated(cid):
                self._daemon.block.stat(str(cid), offline=True, timeout=min(self.deadline, _LOCAL_DEADLINE))
        except BlockNotFound:
            return False
        return True

    def put(self, data: bytes, codec: int = RAW) -> Cid:
        """Keep a block. Raises StoreError."""
        cid = Cid.of(data, codec)
        if len(data) > MAX_BLOCK:
            raise StoreError(f"a block of {len(data)} bytes is over the limit of {MAX_BLOCK}.")
        with self._translated(cid):
            options = {"cid-codec": _CODECS[codec], "mhtype": "sha2-256"}
            kept = self._daemon.block.put(io.BytesIO(data), opts=options)["Key"]
        if libipld.decode_cid(kept)["hash"]["digest"] != cid.digest:
            raise StoreError(f"the IPFS daemon at {self.multiaddr} kept {cid} under another hash, as {kept}.")
        return cid

    def delete(self, cid: Cid) -> None:
        """Forget a block. Raises StoreError when it is pinned."""
        with self._translated(cid), self._stream("/block/rm", cid, force="true") as said:
            done = list(said)
        if failed := [item["Error"] for item in done if item.get("Error")]:
            raise StoreError(f"the IPFS daemon keeps {cid}: {failed[0]}.", hint="Unpin what leads to it first.")

    def pin(self, root: Cid) -> None:
        """Keep everything under ``root`` through garbage collection, however long it takes to go through it.

        Raises BlockNotFound when the daemon looks for a block of it in vain, and StoreError.
        """
        seen, since = 0, time.monotonic()
        with self._translated(root), self._stream("/pin/add", root, recursive="true", progress="true") as said:
            for item in said:  # with its progress, no wait is longer than until the next word
                if item.get("Pins"):
                    return
                now, count = time.monotonic(), int(item.get("Progress") or 0)
                if count > seen:
                    seen, since = count, now
                elif now - since > self.deadline:
                    raise BlockNotFound(f"the IPFS daemon at {self.multiaddr} lacks blocks of {root}.")
        raise StoreError(f"the IPFS daemon at {self.multiaddr} stopped before it had pinned {root}.")

    def unpin(self, root: Cid) -> None:
        """Let go of what was pinned; unknown roots are fine."""
        try:
            with self._translated(root):
                self._daemon.pin.rm(str(root))
        except StoreError as error:
            if "not pinned" not in str(error):
                raise

    def __iter__(self) -> Iterator[Cid]:
        with self._translated(None):
            listed = [item["Ref"] for item in self._daemon.unstable.refs.local()]
        for text in listed:
            try:
                yield Cid.parse(text)
            except CodecError:
                continue  # other people's blocks: CIDv0, other hashes

    def close(self) -> None:
        self._daemon.close()

    def _stream(self, path: str, cid: Cid, **options: str) -> AbstractContextManager[Iterator[dict[str, Any]]]:
        """What the daemon says of a command for which ipfshttpclient has no method, or none that streams."""
        answer: AbstractContextManager[Iterator[dict[str, Any]]] = self._daemon._client.request(
            path, (str(cid),), opts=options, decoder="json", stream=True
        )
        return answer

    @contextmanager
    def _translated(self, cid: Cid | None) -> Iterator[None]:
        where = f"the IPFS daemon at {self.multiaddr}"
        try:
            yield
        except self._errors.TimeoutError as error:
            if cid:
                raise BlockNotFound(f"{where} found no block {cid} in time.") from error
            raise StoreError(f"{where} did not answer in time.") from error
        except self._errors.ConnectionError as error:
            raise StoreError(f"{where} does not answer.", hint="Start it with `ipfs daemon`.") from error
        except self._errors.ErrorResponse as error:
            if any(word in str(error).lower() for word in _ABSENT):
                raise BlockNotFound(f"{where} has no block {cid}.") from error
            raise StoreError(f"{where} refused: {error}.") from error
        except (self._errors.Error, OSError) as error:
            raise StoreError(f"{where} refused: {error}.") from error


def _library() -> ModuleType:
    try:
        import ipfshttpclient
    except ImportError as error:
        raise MissingExtra("ipfshttpclient", "ipfs") from error
    # It still passes urllib3 an argument that Python 3 has no use for.
    warnings.filterwarnings("ignore", "The 'strict' parameter", FutureWarning)
    module: ModuleType = ipfshttpclient
    return module
