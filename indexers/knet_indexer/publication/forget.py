"""`knet node forget`: documents taken back at once, from the index, the blocks, the head and the pins of a node."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from urllib.parse import urldefrag

from knet.codec import Cid
from knet.content.base import get_record
from knet.content.gateway import GatewaySource
from knet.errors import BlockNotFound, ConfigError, ContentError, KnetError, TransportError
from knet.http import HttpClient
from knet.records import Document, Record

from ..node import Node, Progress, network_of, quiet
from ..state import State
from . import manifest_log, withdrawal
from .publish import PublishReport, finish_report, publish_indexed

GATEWAY_SECONDS = 5.0  # for a gateway to answer for one text
MAX_ASKED = 3  # texts that each gateway is asked for
COPIES = (
    "Clients, gateways and peers that fetched an earlier version keep what they fetched. "
    "A secret in it is known: replace it."
)


class ForgetReport(Record, frozen=True):
    """The result of `forget`. ``published`` is None for a node that published nothing, and when it failed.

    ``pending`` is the reason why the blocks are not deleted yet; until then the node withholds the documents, and each
    publication tries again. ``unreachable`` lists the copies that the node cannot delete.
    """

    documents: list[tuple[str, Cid]]  # uri and document
    published: PublishReport | None
    pending: str
    unreachable: list[str]


def forget(node: Node, uris: Collection[str], *, progress: Progress = quiet) -> ForgetReport:
    """Take documents back: leave them out of each later sync, publish without them, delete their blocks and pins.

    A failure of the chain is reported, not raised. Raises ConfigError for a uri that the node does not hold, NodeBusy
    and StoreError.
    """
    started = time.monotonic()
    node.reload()
    with node.open_state() as state:
        items = {uri: _item(node, state, uri) for uri in uris}
    node.configure(forgotten=sorted({*node.config.forgotten, *items.values()}))
    published, pending = None, ""
    with node.lock("forget"), node.open_state() as state:
        documents = [row for item in set(items.values()) for row in _held(node, state, item)]
        texts = {text for _, _, text in documents}
        with state.transaction():
            withdrawal.forget_documents(state, [(document, text) for _, document, text in documents])
            state.remove(items.values())
        was_public = manifest_log.head(state) is not None
        try:
            if was_public:
                published = publish_indexed(node, state, progress=progress)
            else:
                withdrawal.withdraw(node, state, [document for _, document, _ in documents])
        except KnetError as error:
            pending = error.described
        copies = {Cid(row[0]) for row in state.query("SELECT DISTINCT text FROM documents")} & texts
    unreachable = []
    if published is not None:
        published = finish_report(node, published, started, progress)
        unreachable += published.unreachable
    unreachable += [f"{text}: another document of the node has the same text." for text in sorted(map(str, copies))]
    if was_public:
        unreachable += [*_ask_gateways(node, texts - copies), *_other_networks(node), COPIES]
    return ForgetReport(
        documents=sorted((uri, document) for uri, document, _ in documents),
        published=published,
        pending=pending,
        unreachable=unreachable,
    )


def remember(node: Node, uris: Collection[str]) -> None:
    """Let the next sync read forgotten documents again. Raises ConfigError for one that was not forgotten."""
    node.reload()
    if unknown := set(uris) - set(node.config.forgotten):
        raise ConfigError(f"{', '.join(sorted(unknown))}: node {node.name} did not forget it.")
    node.configure(forgotten=sorted(set(node.config.forgotten) - set(uris)))


def _item(node: Node, state: State, uri: str) -> str:
    """Return the item that a uri names, by itself or as one of its parts."""
    for item in (uri, urldefrag(uri)[0]):
        known = state.query("SELECT 1 FROM items WHERE uri = ?", item)
        if known or state.query("SELECT 1 FROM changes WHERE uri = ? OR substr(uri, 1, ?) = ?", item, *_parts(item)):
            return item
    raise ConfigError(f"{uri}: node {node.name} holds no such document.", hint="`knet node documents` lists them.")


def _parts(item: str) -> tuple[int, str]:
    """Return the length and the beginning of the uris of an item's parts."""
    prefix = f"{item}#part="
    return len(prefix), prefix


def _held(node: Node, state: State, item: str) -> Iterable[tuple[str, Cid, Cid]]:
    """Yield uri, document and text of every version of an item that is indexed or was published and not yet deleted."""
    found = {row.cid: (row.document.uri, row.document.text) for row in state.documents(item)}
    sql = "SELECT DISTINCT uri, cid FROM changes WHERE added AND (uri = ? OR substr(uri, 1, ?) = ?)"
    for uri, raw in state.query(sql, item, *_parts(item)):
        try:
            found.setdefault(Cid(raw), (uri, get_record(node.store, Cid(raw), Document).text))
        except ContentError:
            continue  # deleted with an earlier version
    return [(uri, document, text) for document, (uri, text) in found.items()]


def _ask_gateways(node: Node, texts: Collection[Cid]) -> list[str]:
    """Return the gateways of the profile that still serve one of these texts."""
    found = []
    with HttpClient(addresses=node.profile.addresses) as http:
        for url in node.profile.gateways:
            source = GatewaySource(http, [url], deadline=GATEWAY_SECONDS)
            for text in sorted(texts, key=str)[:MAX_ASKED]:
                try:
                    source.get(text)
                    found.append(f"{url} still serves {text}. Ask its operator to delete it.")
                    break
                except BlockNotFound:
                    continue
                except (TransportError, ContentError) as error:
                    found.append(f"{url} could not be asked for {text}: {error}")
                    break
    return found


def _other_networks(node: Node) -> list[str]:
    """Return the other networks on which an earlier version with the text is the head."""
    here = network_of(node)
    with node.open_state() as state:
        networks = {entry.network for entry in manifest_log.served(state)} - {here}
    return [
        f"The head on network {network} still names it. Run `knet node publish` with that network's profile."
        for network in sorted(networks)
    ]
