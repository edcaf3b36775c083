"""`knet fetch` and `knet import`: content by its identifier, from wherever it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import Profile, home, load_profile
from ..errors import ConfigError, StoreError
from .common import AsJson, ProfileName, command, console, out, print_json, shown

if TYPE_CHECKING:
    from ..codec import Cid
    from ..content.layered import LayeredStore


from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from ..chain.evm import open_chain
from ..codec import RAW, Cid, decode, decode_plain, to_json
from ..content.base import BlockSource
from ..content.bundle import Bundle
from ..content.gateway import GatewaySource
from ..content.kubo import KuboStore
from ..content.layered import LayeredStore
from ..content.store import FileStore
from ..errors import ChainError, CodecError
from ..http import HttpClient
from ..records import Card, Document, Lexical, Manifest, Shard, Space

app = typer.Typer()

Gateway = Annotated[list[str] | None, typer.Option(help="Also ask this IPFS gateway, first (repeatable).")]


@app.command()
@command
def fetch(
    cid: Annotated[str, typer.Argument(metavar="CID", help="A block, such as a document's or a manifest's.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write here, not to standard output.")] = None,
    car: Annotated[bool, typer.Option("--car", help="Everything under it, as a CAR file.")] = False,
    gateway: Gateway = None,
    node: Annotated[list[int] | None, typer.Option(help="Ask only this node (repeatable).")] = None,
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Fetch content by its identifier from IPFS gateways, nodes or Kubo, check it, and keep it here."""
    from ..codec import Cid

    root = Cid.parse(cid)
    if car and as_json and output is None:
        raise ConfigError("A CAR is no JSON.", hint="Write it to a file with --output.")
    if car and output is None and sys.stdout.isatty():
        raise ConfigError("A CAR would garble the terminal.", hint="Write it to a file with --output.")
    with sources(_profile(profile, gateway), gateway or [], node or []) as source:
        with console.status("fetching ..."):
            pieces = _archive(source, root) if car else [source.get(root)]
        if output is not None:
            size = _write(output, pieces)
            result = {"cid": str(root), "path": str(output), "bytes": size}
            print_json(result) if as_json else out.print(f"{size:,} bytes in {shown(str(output))}")
        elif as_json:
            print(record_json(root, source.get(root)))
        else:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()


@app.command(name="import")
@command
def import_(
    file: Annotated[Path, typer.Argument(help="A CAR file, such as `knet node publish --pin car` writes.")],
    profile: ProfileName = None,
    as_json: AsJson = False,
) -> None:
    """Keep the blocks of a CAR file here, where questions asked with --private find them."""
    from ..content.car import import_car
    from ..content.store import FileStore

    chosen = _profile(profile, ["none"])
    store = FileStore(chosen.path("blocks") if chosen else home() / "blocks")
    try:
        with file.open("rb") as opened, store.batch():
            roots = import_car(opened, store)
    except OSError as error:
        raise StoreError(f"{file} cannot be read: {error.strerror}.") from error
    if as_json:
        print_json({"roots": [str(root) for root in roots]})
    else:
        out.print("imported " + ", ".join(map(str, roots)))


def _profile(name: str | None, elsewhere: list[str] | None) -> Profile | None:
    """The named or the default profile; none is needed where there is something ``elsewhere``."""
    try:
        return load_profile(name)
    except ConfigError:
        if name or not elsewhere:
            raise
        return None


def _archive(source: LayeredStore, root: Cid) -> Iterable[bytes]:
    from ..content.car import write_car
    from ..content.dag import fetch_dag, walk

    fetch_dag(source, root, source.local)
    return write_car([root], walk(source.local, root))


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


AT_ONCE = 16  # nodes: who has the block is not known, and of many nodes some are always away
KINDS = (Space, Document, Shard, Lexical, Card, Manifest, Bundle)


@contextmanager
def sources(profile: Profile | None, gateways: Sequence[str] = (), nodes: Sequence[int] = ()) -> Iterator[LayeredStore]:
    """The blocks kept here, then ``gateways``, then the profile's gateways, nodes (or only ``nodes``) and daemon.

    What is fetched is checked and kept here. Without a profile, only ``gateways`` are asked.
    """
    with ExitStack() as stack:
        found: list[BlockSource] = []
        if gateways:  # named by the user, not read from the chain: they may be on this machine
            found.append(GatewaySource(stack.enter_context(HttpClient(addresses="private")), gateways))
        if profile is not None:
            http = stack.enter_context(HttpClient(addresses=profile.addresses))
            found.append(GatewaySource(http, [*profile.gateways, *_endpoints(profile, nodes)], at_once=AT_ONCE))
            if profile.kubo:
                daemon = KuboStore(profile.kubo)
                stack.callback(daemon.close)
                found.append(daemon)
        yield LayeredStore(FileStore(profile.path("blocks") if profile else home() / "blocks"), *found)


def _endpoints(profile: Profile, nodes: Sequence[int]) -> list[str]:
    """Where nodes with a publication answer, as far as the chain can be asked."""
    try:
        known = open_chain(profile).registry_snapshot().nodes
    except ChainError:  # a gateway may have the block all the same
        return []
    return [entry.endpoint for entry in known.values() if entry.head and (not nodes or entry.node in nodes)]


def record_json(cid: Cid, block: bytes) -> str:
    """A record's block as JSON. Raises CodecError for a block that is no record of knet."""
    plain = decode_plain(block) if cid.codec != RAW else None
    tag = plain.get("type") if isinstance(plain, dict) else None
    for kind in KINDS:
        if kind.__struct_config__.tag == tag:
            return to_json(decode(block, kind))
    raise CodecError(f"{cid} is no record of knet.", hint="Leave out --json to get its bytes.")
