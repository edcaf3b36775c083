"""Pins of a node's publication that outlive the node's machine: a Kubo daemon, a CAR file, a pinning service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from knet.codec import Cid
from knet.content.base import get_record
from knet.content.bundle import bundle_blocks, put_bundle
from knet.content.car import write_car
from knet.content.dag import walk
from knet.content.kubo import KuboStore
from knet.content.pinning import PinningService, gateway_multiaddr
from knet.errors import ConfigError, IndexerError, StoreError
from knet.records import Manifest, Record

from ..node import Node, Progress, network_of, quiet
from . import manifest_log
from .manifest_log import LoggedManifest


class PinReport(Record, frozen=True):
    """One copy of a publication. ``status`` is ``pinned``, or the progress that a service reports."""

    where: str
    manifest: Cid
    root: Cid  # the pinned CID
    blocks: int = 0
    bytes: int = 0
    status: str = "pinned"


def pin_kubo(node: Node, multiaddr: str, *, progress: Progress = quiet) -> PinReport:
    """Copy every block of the head to a Kubo daemon, pin it there, and unpin this node's earlier publications.

    Raises ConfigError, IndexerError for a node that published nothing, StoreError and MissingExtra.
    """
    head = _published(node)
    root = put_bundle(node.store, head.manifest)
    daemon = KuboStore(multiaddr)
    try:
        blocks = size = 0
        for cid, data in _blocks(node, head):
            if not daemon.has(cid):
                daemon.put(data, cid.codec)
            blocks, size = blocks + 1, size + len(data)
            progress("pin", blocks, 0)
        with _roots_at(node, multiaddr, root) as before:
            daemon.pin(root)
            for earlier in before:
                daemon.unpin(earlier)
    finally:
        daemon.close()
    return PinReport(where=multiaddr, manifest=head.manifest, root=root, blocks=blocks, bytes=size)


def export_car(node: Node, path: Path, *, progress: Progress = quiet) -> PinReport:
    """Write the head as a CAR file, whole or not at all; `knet import` and any IPFS tool read it.

    Raises ConfigError, IndexerError for a node that published nothing, and StoreError.
    """
    head = _published(node)
    root = put_bundle(node.store, head.manifest)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    blocks = 0
    try:
        with partial.open("wb") as file:
            for piece in write_car([head.manifest, root], _blocks(node, head)):
                file.write(piece)
                blocks += 1
                progress("pin", blocks, 0)
        size = partial.stat().st_size
        os.replace(partial, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.", hint="Choose another --car.") from error
    finally:
        partial.unlink(missing_ok=True)
    return PinReport(where=str(path), manifest=head.manifest, root=root, blocks=blocks - 1, bytes=size)


def pin_service(node: Node, service: PinningService, name: str, *, progress: Progress = quiet) -> PinReport:
    """Have a pinning service fetch the head from this node, which must be serving, and pin it.

    Raises ConfigError, IndexerError for a node that published nothing, StoreError when the service fails,
    TransportErrors.
    """
    head = _published(node)
    root = put_bundle(node.store, head.manifest)
    reached = gateway_multiaddr(node.config.public_endpoint)
    origins = [reached] if reached else []
    status = service.pin(root, f"knet {node.name}", origins, on_status=lambda _: progress("pin", 0, 0))
    return PinReport(where=name, manifest=head.manifest, root=root, status=status.status)


def _published(node: Node) -> LoggedManifest:
    """Return the head on this network."""
    with node.open_state() as state:
        head = manifest_log.head(state, network_of(node))
    if head is None:
        raise IndexerError(f"node {node.name} has published nothing.", hint="Run `knet node publish` first.")
    if get_record(node.store, head.manifest, Manifest).access != "public":
        raise ConfigError(
            f"node {node.name} is not public: its blocks cannot be pinned on IPFS.", hint="Publish without --pin."
        )
    return head


@contextmanager
def _roots_at(node: Node, multiaddr: str, root: Cid) -> Iterator[list[Cid]]:
    """Yield the roots of this network that a daemon may keep besides ``root``; at the end it keeps only ``root``.

    ``root`` is recorded before it is pinned, so that a crash leaves no pin that is not recorded.
    """
    key = f"pinned {network_of(node)} {multiaddr}"
    with node.open_state() as state:
        kept = [Cid.parse(each) for each in state.meta(key).decode().split()]
        before = [each for each in kept if each != root]
        state.put_meta(key, " ".join(map(str, [*before, root])).encode())
        yield before
        state.put_meta(key, str(root).encode())


def _blocks(node: Node, head: LoggedManifest) -> Iterator[tuple[Cid, bytes]]:
    """Yield every block of the head under its CID, then the blocks of the bundle that links to them."""
    yield from walk(node.store, head.manifest)
    for cid in bundle_blocks(node.store, head.manifest):
        yield cid, node.store.get(cid)
