"""Pins of a node's publication that outlive the node's machine: a Kubo daemon, a CAR file, a pinning service.

Each pin is recorded in the node's state, so that a later publication can replace one that holds withdrawn text.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from knet.codec import RAW, Cid
from knet.content.base import get_record
from knet.content.bundle import bundle_blocks, put_bundle
from knet.content.car import write_car
from knet.content.dag import links, walk
from knet.content.kubo import KuboStore
from knet.content.pinning import WAIT_SECONDS, PinningService, gateway_multiaddr
from knet.errors import BlockNotFound, ConfigError, IndexerError, KnetError, StoreError
from knet.http import HttpClient
from knet.records import Manifest, Record

from ..node import Node, Progress, network_of, quiet
from . import manifest_log
from .manifest_log import LoggedManifest
from .withdrawal import PINS_DUE

TOKEN = "KNET_PINNING_TOKEN"  # the variable with the token of a pinning service, which is not stored  # noqa: S105  the name of a variable
RENEWAL_SECONDS = 60.0  # for a service to fetch the head when a pin is renewed


class PinReport(Record, frozen=True):
    """One copy of a publication. ``status`` is ``pinned``, or the progress that a service reports."""

    where: str
    manifest: Cid
    root: Cid  # the pinned CID
    blocks: int = 0
    bytes: int = 0
    status: str = "pinned"


def pin_kubo(node: Node, multiaddr: str, *, progress: Progress = quiet) -> PinReport:
    """Copy every block of the head to a Kubo daemon, pin it there, and delete this node's earlier publications there.

    Blocks that another pin of the daemon holds stay. Raises ConfigError, IndexerError for a node that published
    nothing, StoreError and MissingExtra.
    """
    head = _published(node)
    root = put_bundle(node.store, head.manifest)
    daemon = KuboStore(multiaddr)
    try:
        blocks = size = 0
        kept = set()
        for cid, data in _blocks(node, head):
            if not daemon.has(cid):
                daemon.put(data, cid.codec)
            kept.add(cid)
            blocks, size = blocks + 1, size + len(data)
            progress("pin", blocks, 0)
        with _roots_at(node, _key(node, "", multiaddr), root) as before:
            daemon.pin(root)
            for earlier in before:
                obsolete = list(_only_under(daemon, earlier, kept))
                daemon.unpin(earlier)
                for cid in obsolete:
                    with suppress(StoreError):  # another root of the daemon pins it
                        daemon.delete(cid)
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
        with _roots_at(node, _key(node, "-car", str(path.absolute())), root):
            os.replace(partial, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.", hint="Choose another --car.") from error
    finally:
        partial.unlink(missing_ok=True)
    return PinReport(where=str(path), manifest=head.manifest, root=root, blocks=blocks - 1, bytes=size)


def pin_service(
    node: Node, service: PinningService, name: str, *, progress: Progress = quiet, timeout: float = WAIT_SECONDS
) -> PinReport:
    """Have a pinning service fetch the head from this node, which must be serving, and pin it.

    Raises ConfigError, IndexerError for a node that published nothing, StoreError when the service fails,
    TransportErrors.
    """
    head = _published(node)
    root = put_bundle(node.store, head.manifest)
    reached = gateway_multiaddr(node.config.public_endpoint)
    origins = [reached] if reached else []
    with _roots_at(node, _key(node, "-service", name), root):
        status = service.pin(
            root, f"knet {node.folder.name}", origins, timeout=timeout, on_status=lambda _: progress("pin", 0, 0)
        )
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
def _roots_at(node: Node, key: str, root: Cid) -> Iterator[list[Cid]]:
    """Yield the roots that a recorded place may keep besides ``root``; at the end it keeps only ``root``.

    ``root`` is recorded before it is pinned, so that a crash leaves no pin that is not recorded.
    """
    with node.open_state() as state:
        kept = [Cid.parse(each) for each in state.meta(key).decode().split()]
        before = [each for each in kept if each != root]
        state.put_meta(key, " ".join(map(str, [*before, root])).encode())
        yield before
        state.put_meta(key, str(root).encode())
        state.drop_meta(PINS_DUE + key)


def _key(node: Node, kind: str, place: str) -> str:
    """Return the key of a pin's record: ``pinned`` for a Kubo daemon, ``pinned-car`` or ``pinned-service``."""
    return f"pinned{kind} {network_of(node)} {place}"


def renew_pins(node: Node, *, progress: Progress = quiet) -> tuple[list[str], list[str]]:
    """Replace the recorded pins that may hold withdrawn text by pins of the head.

    Returns the places where that succeeded, and the others, each with the reason: the owner has to act there.
    """
    with node.open_state() as state:
        due = [key.removeprefix(PINS_DUE) for key in state.metas(PINS_DUE)]
    renewed, failed = [], []
    for key in due:
        kind, network, place = key.split(" ", 2)
        if network != network_of(node):
            failed.append(f"{place}: it holds a publication on network {network}. Publish there with its --profile.")
            continue
        try:
            _RENEWALS[kind](node, place, progress)
            renewed.append(place)
        except KnetError as error:
            failed.append(f"{place}: {error.described}")
    return renewed, failed


def _renew_car(node: Node, place: str, progress: Progress) -> None:
    if not os.path.exists(place):
        raise StoreError(f"{place} is not there any more.", hint="Delete each copy of this CAR file.")
    export_car(node, Path(place), progress=progress)


def _renew_service(node: Node, place: str, progress: Progress) -> None:
    with HttpClient(addresses="private") as http:  # the owner chose the URL; it was not read from the chain
        service = PinningService(http, place, os.environ.get(TOKEN, ""))
        report = pin_service(node, service, place, progress=progress, timeout=RENEWAL_SECONDS)
    if report.status != "pinned":
        hint = f"Keep the node running, then run `knet node publish {node.name} --pin service` again."
        raise StoreError(f"{place} has not fetched the new version yet: it is {report.status}.", hint=hint)


_RENEWALS: dict[str, Callable[[Node, str, Progress], object]] = {
    "pinned": lambda node, place, progress: pin_kubo(node, place, progress=progress),
    "pinned-car": _renew_car,
    "pinned-service": _renew_service,
}


def _only_under(daemon: KuboStore, root: Cid, kept: Collection[Cid]) -> Iterator[Cid]:
    """Yield the blocks under a root in a daemon that are not ``kept``, without those that it does not hold."""
    todo, seen = [root], set(kept)
    while todo:
        cid = todo.pop()
        if cid in seen:
            continue
        seen.add(cid)
        if not daemon.has(cid):
            continue
        yield cid
        if cid.codec != RAW:
            with suppress(BlockNotFound):
                todo += links(cid, daemon.get(cid))


def _blocks(node: Node, head: LoggedManifest) -> Iterator[tuple[Cid, bytes]]:
    """Yield every block of the head under its CID, then the blocks of the bundle that links to them."""
    yield from walk(node.store, head.manifest)
    for cid in bundle_blocks(node.store, head.manifest):
        yield cid, node.store.get(cid)
