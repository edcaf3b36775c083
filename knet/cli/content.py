"""`knet fetch` and `knet import`: content by its identifier, from all configured sources."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..chain.evm import open_chain
from ..codec import RAW, Cid, decode, decode_plain, to_json
from ..config import Profile, home, load_profile
from ..content.base import BlockSource
from ..content.bundle import Bundle
from ..content.car import import_car, write_car
from ..content.dag import fetch_dag, walk
from ..content.gateway import GatewaySource
from ..content.kubo import KuboStore
from ..content.layered import LayeredStore
from ..content.store import FileStore
from ..errors import ChainError, CodecError, ConfigError, StoreError
from ..http import HttpClient
from ..records import Card, Document, Lexical, Manifest, Shard, Space
from ..redaction import hide_keys
from .common import AsJson, ProfileName, command, console, out, print_json_text, print_result, shown

AT_ONCE = 16  # nodes asked at the same time: the holder of a block is unknown, and some of many nodes are offline
KINDS = (Space, Document, Shard, Lexical, Card, Manifest, Bundle)

app = typer.Typer()

Gateway = Annotated[list[str] | None, typer.Option(help="Ask this IPFS gateway first (repeatable).")]


@app.command()
@command
def fetch(
    cid: Annotated[str, typer.Argument(metavar="CID", help="The block, such as a document or a manifest.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead of standard output.")
    ] = None,
    car: Annotated[bool, typer.Option("--car", help="Fetch all linked blocks too, as a CAR file.")] = False,
    gateway: Gateway = None,
    node: Annotated[list[int] | None, typer.Option(help="Ask only this node (repeatable).")] = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Fetch content by its identifier from IPFS gateways, nodes or Kubo, verify it, and store it on this machine."""
    root = Cid.parse(cid)
    if car and output is None and (as_json or sys.stdout.isatty()):
        raise ConfigError("--car: a CAR is binary.", hint="Write it to a file with --output.")
    loaded = _profile(profile, gateway)
    endpoints = _endpoints(loaded, node or []) if loaded else []
    with sources(loaded, gateways=gateway or [], endpoints=endpoints) as source:
        with console.status("fetching ..."):
            pieces: Iterable[bytes] = [source.get(root)]
            if car:
                fetch_dag(source, root, source.local)
                pieces = write_car([root], walk(source.local, root))
        if output is not None:
            size = _write(output, pieces)
            result = {"cid": str(root), "path": str(output), "bytes": size}
            print_result(result, f"{size:,} bytes in {shown(str(output))}", as_json)
        elif as_json:
            print_json_text(record_json(root, source.get(root)))
        else:
            _print_block(pieces)


@app.command(name="import")
@command
def import_(
    file: Annotated[Path, typer.Argument(help="A CAR file, such as `knet node publish --pin car` writes.")],
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Store the blocks of a CAR file on this machine, for questions with --private."""
    store = _store(_profile(profile, ["none"]))
    try:
        with file.open("rb") as opened, store.batch():
            roots = import_car(opened, store)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.", hint="Check the file's path.") from error
    except CodecError as error:
        raise CodecError(f"{file} is not a valid CAR file: {error}", hint="Fetch or export it again.") from error
    print_result({"roots": roots}, "imported " + ", ".join(map(str, roots)), as_json)


def _print_block(pieces: Iterable[bytes]) -> None:
    """Write a block to standard output: as it is for a program, without control characters for a terminal."""
    if sys.stdout.isatty():
        lines = b"".join(pieces).decode("utf-8", "replace").split("\n")
        out.print("\n".join(shown(line) for line in lines))
        return
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _profile(name: str | None, elsewhere: list[str] | None) -> Profile | None:
    """Load the named or the default profile; the latter may be missing if there is a source ``elsewhere``."""
    try:
        return load_profile(name)
    except ConfigError:
        if name or not elsewhere:
            raise
        return None


def _write(path: Path, pieces: Iterable[bytes]) -> int:
    size = 0
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            for piece in pieces:
                size += file.write(piece)
        os.replace(partial, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return size


@contextmanager
def sources(
    profile: Profile | None, *, gateways: Sequence[str] = (), endpoints: Sequence[str] = ()
) -> Iterator[LayeredStore]:
    """Open the local blocks, then ``gateways``, then the profile's gateways, nodes' ``endpoints`` and Kubo daemon.

    Fetched blocks are verified and stored locally. Without a profile, only ``gateways`` are asked.
    """
    hide_keys(*gateways)
    with ExitStack() as stack:
        found: list[BlockSource] = []
        if gateways:  # named by the user and not read from the chain, so they may be on this machine
            found.append(GatewaySource(stack.enter_context(HttpClient(addresses="private")), gateways))
        if profile is not None:
            http = stack.enter_context(HttpClient(addresses=profile.addresses))
            found.append(GatewaySource(http, [*profile.gateways, *endpoints], at_once=AT_ONCE))
            if profile.kubo:
                daemon = KuboStore(profile.kubo)
                stack.callback(daemon.close)
                found.append(daemon)
        yield LayeredStore(_store(profile), *found)


def _store(profile: Profile | None) -> FileStore:
    return FileStore(profile.path("blocks") if profile else home() / "blocks")


def _endpoints(profile: Profile, nodes: Sequence[int]) -> list[str]:
    """Return the endpoints of nodes with a publication; none if the chain is unreachable."""
    try:
        known = open_chain(profile).registry_snapshot().nodes
    except ChainError:  # a gateway may have the block
        return []
    return [entry.endpoint for entry in known.values() if entry.head and (not nodes or entry.node in nodes)]


def record_json(cid: Cid, block: bytes) -> str:
    """Return a record's block as JSON. Raises CodecError for a block that is not a record of knet."""
    plain = decode_plain(block) if cid.codec != RAW else None
    tag = plain.get("type") if isinstance(plain, dict) else None
    for kind in KINDS:
        if kind.__struct_config__.tag == tag:
            return to_json(decode(block, kind))
    raise CodecError(f"{cid} is not a record of knet.", hint="Leave out --json to get its bytes.")
