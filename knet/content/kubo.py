"""Block store on a Kubo daemon, over its RPC (https://docs.ipfs.tech/reference/kubo/rpc/) by ipfshttpclient.

Kubo stores blocks by multihash: its list gives raw CIDs, whatever codec they were put with.

Changes of Kubo since ipfshttpclient's last release (0.8.0a2, for versions 0.5 to 0.8), and the code that handles each:

- ``connect()`` warns of any newer version, and older releases refuse it: `KuboStore.__init__` does not call it;
- ``block put`` takes ``cid-codec`` and ``mhtype``, and no ``format`` any more: `KuboStore.put`;
- the library has no ``block rm``: `KuboStore.delete`;
- ``object/*`` and ``dns`` were removed, ``dht/*`` is ``routing/*``, ``pubsub`` speaks multibase: none of them is used.
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

from ..codec import DAG_CBOR, RAW, Cid
from ..errors import BlockNotFound, CodecError, ConfigError, MissingExtra, StoreError
from .store import block_cid

DEADLINE = 30.0  # seconds that the daemon looks for a block among its peers
_LOCAL_DEADLINE = 3.0  # seconds for local requests; js-ipfs queries its peers even with ``offline``
_CODECS = {RAW: "raw", DAG_CBOR: "dag-cbor"}
_ABSENT = ("not found", "could not find")


class KuboStore:
    """Block store in a daemon; `get` also fetches from its peers. Garbage collection deletes blocks without a `pin`.

    ``multiaddr`` is the RPC's, such as ``/ip4/127.0.0.1/tcp/5001``.
    """

    def __init__(self, multiaddr: str, *, deadline: float = DEADLINE) -> None:
        self.multiaddr = multiaddr
        self._name = f"The IPFS daemon at {multiaddr}"
        self.deadline = deadline
        library = _library()
        try:
            self._daemon = library.Client(multiaddr, timeout=deadline, session=True)
        except (library.exceptions.Error, ValueError) as error:
            raise ConfigError(f"{multiaddr!r} is not a valid address of an IPFS daemon: {error}.") from error
        self._errors = library.exceptions

    def get(self, cid: Cid) -> bytes:
        """Return the block, checked, from the daemon or its peers. Raises BlockNotFound, BlockTampered, StoreError."""
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
        """Store a block. Raises StoreError."""
        cid = block_cid(data, codec)
        with self._translated(cid):
            options = {"cid-codec": _CODECS[codec], "mhtype": "sha2-256"}
            kept = self._daemon.block.put(io.BytesIO(data), opts=options)["Key"]
        if libipld.decode_cid(kept)["hash"]["digest"] != cid.digest:
            raise StoreError(f"{self._name} stored {cid} under another hash, as {kept}.")
        return cid

    def delete(self, cid: Cid) -> None:
        """Delete a block. Raises StoreError when it is pinned."""
        with self._translated(cid), self._stream("/block/rm", cid, force="true") as lines:
            failed = [line["Error"] for line in lines if line.get("Error")]
        if failed:
            raise StoreError(f"{self._name} did not delete {cid}: {failed[0]}.", hint="Unpin the roots above it first.")

    def pin(self, root: Cid) -> None:
        """Protect everything under ``root`` from garbage collection, without a limit on the total time.

        Raises BlockNotFound when the daemon does not find one of the blocks, and StoreError.
        """
        seen, since = 0, time.monotonic()
        with self._translated(root), self._stream("/pin/add", root, recursive="true", progress="true") as lines:
            for line in lines:  # progress lines keep the connection from timing out
                if line.get("Pins"):
                    return
                now, count = time.monotonic(), int(line.get("Progress") or 0)
                if count > seen:
                    seen, since = count, now
                elif now - since > self.deadline:
                    raise BlockNotFound(f"{self._name} lacks blocks of {root}.")
        raise StoreError(f"{self._name} stopped before it had pinned {root}.")

    def unpin(self, root: Cid) -> None:
        """Remove a pin; unknown roots are ignored."""
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
                continue  # blocks of other programs: CIDv0, other hashes

    def close(self) -> None:
        self._daemon.close()

    def _stream(self, path: str, cid: Cid, **options: str) -> AbstractContextManager[Iterator[dict[str, Any]]]:
        """Run a command for which ipfshttpclient has no method, or none that streams; yield the reply's lines."""
        reply: AbstractContextManager[Iterator[dict[str, Any]]] = self._daemon._client.request(
            path, (str(cid),), opts=options, decoder="json", stream=True
        )
        return reply

    @contextmanager
    def _translated(self, cid: Cid | None) -> Iterator[None]:
        where = self._name
        try:
            yield
        except self._errors.TimeoutError as error:
            if cid:
                raise BlockNotFound(f"{where} did not find block {cid} in time.") from error
            raise StoreError(f"{where} did not answer in time.") from error
        except self._errors.ConnectionError as error:
            raise StoreError(f"{where} does not answer.", hint="Start it with `ipfs daemon`.") from error
        except self._errors.ErrorResponse as error:
            if any(word in str(error).lower() for word in _ABSENT):
                raise BlockNotFound(f"{where} does not have block {cid}.") from error
            raise StoreError(f"{where} refused: {error}.") from error
        except (self._errors.Error, OSError) as error:
            raise StoreError(f"{where} refused: {error}.") from error


def _library() -> ModuleType:
    try:
        import ipfshttpclient
    except ImportError as error:
        raise MissingExtra("ipfshttpclient", "ipfs") from error
    # The library passes urllib3 an argument that Python 3 ignores.
    warnings.filterwarnings("ignore", "The 'strict' parameter", FutureWarning)
    module: ModuleType = ipfshttpclient
    return module
