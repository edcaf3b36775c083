"""False publications, and tampering gateways: the node is not queried, its status names the reason, others answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from struct import pack

import numpy as np
import pytest
from msgspec.structs import replace

from knet.chain.events import ENDPOINT_KEY
from knet.chain.evm import EvmChain
from knet.codec import DAG_CBOR, Cid, encode
from knet.config import Profile
from knet.content.base import get_record, put_record
from knet.content.store import MemoryStore
from knet.records import Answer, Card, Manifest, Space, Tombstone
from tests.content.support import gateway
from tests.network.clients import PATIENT, funded_key, open_client, own_network, status_of
from tests.network.support import RunningNode, start_nodes

from .conftest import HONEST, QUESTION
from .support import Exchange, hang, impostor

UNREACHABLE = "http://127.0.0.1:9"  # the discard port, where no server listens


@dataclass
class Draft:
    """False publication in preparation; ``node`` is the id of its node."""

    store: MemoryStore
    node: int
    manifest: Manifest
    card: Card
    space: Space

    def publish(self, **changes: object) -> Cid:
        """Store the records and return the head; ``changes`` are fields of the manifest."""
        fields = {"node": self.node, "card": put_record(self.store, self.card)} | changes
        return put_record(self.store, replace(self.manifest, **fields))

    def publish_block(self, head: bytes) -> Cid:
        """Store any bytes and return them as the head."""
        return self.store.put(head, DAG_CBOR)


Lie = Callable[[Draft], Cid]


def card_with(**changes: object) -> Lie:
    def publish(draft: Draft) -> Cid:
        draft.card = replace(draft.card, **changes)
        return draft.publish()

    return publish


def manifest_with(**changes: object) -> Lie:
    return lambda draft: draft.publish(**changes)


def head_is(block: bytes) -> Lie:
    return lambda draft: draft.publish_block(block)


def space_with(**changes: object) -> Lie:
    def publish(draft: Draft) -> Cid:
        space = put_record(draft.store, replace(draft.space, **changes))
        draft.card = replace(draft.card, space=space)
        return draft.publish(space=space)

    return publish


def counting(chunks: int) -> Lie:
    """Return an attack in which card and manifest agree on a number that differs from the shard's."""

    def publish(draft: Draft) -> Cid:
        draft.card = replace(draft.card, chunks=chunks)
        return draft.publish(chunks=chunks)

    return publish


def shard_with(chunks: int, **changes: object) -> Lie:
    def publish(draft: Draft) -> Cid:
        draft.card = replace(draft.card, chunks=chunks, df=b"", terms=b"")
        return draft.publish(chunks=chunks, shards=[replace(draft.manifest.shards[0], **changes)])

    return publish


def df_above_all(draft: Draft) -> Cid:
    return card_with(df=np.full(len(draft.card.df) // 4, 2**32 - 1, "<u4").tobytes())(draft)


def centroids_of(value: float) -> Lie:
    def publish(draft: Draft) -> Cid:
        return card_with(centroids=np.full(len(draft.card.centroids) // 2, value, "<f2").tobytes())(draft)

    return publish


def not_a_number(draft: Draft) -> Cid:
    """Publish an infinite length; the codec writes no infinity, so the encoded bytes are changed."""
    block = encode(draft.card).replace(pack(">d", draft.card.average_length), pack(">d", float("inf")))
    return draft.publish(card=draft.store.put(block, DAG_CBOR))


def spelt_differently(draft: Draft) -> Cid:
    block = encode(replace(draft.manifest, node=draft.node))
    return draft.publish_block(bytes((0xB8, block[0] & 0x1F)) + block[1:])


def never_stored(draft: Draft) -> Cid:
    return Cid.from_digest(b"\7" * 32)


MILLIONS = 1 << 40
LIES = {
    "a head that is not a manifest": (head_is(b"\x82\x01\x02"), "not a Manifest"),
    "a head of random bytes": (head_is(bytes(range(200))), "not"),
    "a head nested a thousand deep": (head_is(b"\x81" * 1000 + b"\x00"), "nests"),
    "a head that is not canonical": (spelt_differently, "canonical"),
    "a head without a block": (never_stored, "does not have block"),
    "the head of another node": (manifest_with(node=1), "a manifest of node 1, not its own"),
    "a head with another sequence number": (manifest_with(sequence=9), "a manifest of node"),
    "a card without a block": (manifest_with(card=Cid.from_digest(b"\7" * 32)), "does not have block"),
    "a card of another space": (card_with(space=Cid.from_digest(b"\7" * 32)), "another space"),
    "a card that counts other chunks": (card_with(chunks=77), "numbers of documents or chunks differ"),
    "a card with fewer than no chunks": (counting(-100), "number of chunks differs"),
    "more chunks than its shards hold": (counting(MILLIONS), "number of chunks differs"),
    "a shard larger than a block": (shard_with(MILLIONS, count=MILLIONS), "would hold"),
    "a shard of less than nothing": (shard_with(-5, count=-5), "would hold"),
    "tombstones that overlap": (
        shard_with(-2, removed=[Tombstone(start=0, stop=2), Tombstone(start=0, stop=2)]), "tombstones",
    ),
    "an average length that is not a number": (not_a_number, "not|average length"),
    "an average length below nothing": (card_with(average_length=-1e300), "average length"),
    "an average length beyond any block": (card_with(average_length=1e300), "average length"),
    "centroids that are not numbers": (centroids_of(float("nan")), "not a number"),
    "endless centroids": (centroids_of(float("inf")), "not a number"),
    "centroids of half a row": (card_with(centroids=b"\0" * 7), "cannot be true"),
    "centroids without weights": (card_with(weights=b""), "one weight per centroid"),
    "a sketch with terms missing": (card_with(terms=b""), "cannot be true"),
    "words in more chunks than there are": (df_above_all, "in more chunks than there are"),
    "a space without dimensions": (space_with(dimension=0), "0 dimensions"),
    "a space of fewer than none": (space_with(dimension=-1), "-1 dimensions"),
    "a space of a thousand million": (space_with(dimension=10**9), "1000000000 dimensions"),
    "a model of its choice": (space_with(model="evil/model"), "'evil/model', which this profile does not allow"),
    "a path of this machine as model": (space_with(model="/etc"), "'/etc', which this profile does not allow"),
}  # fmt: skip
ENDPOINTS = {
    "the cloud's metadata": ("http://169.254.169.254", "169.254.169.254 is outside the address policy"),
    "the cloud's metadata, mapped": ("http://[::ffff:169.254.169.254]", "outside the address policy"),
    "the home network": ("http://10.0.0.1", "10.0.0.1 is outside the address policy"),
    "the home network by another name": ("http://0x0a000001", "outside the address policy"),
    "nowhere": (UNREACHABLE, "cannot be reached"),
    "a name with a password": ("http://user:secret@127.0.0.1:9", "announces no valid address"),
    "nothing": ("", "announces no valid address"),
    "a file": ("file:///etc/passwd", "announces no valid address"),
    "no host": ("http://", "announces no valid address"),
    "a port out of range": ("http://127.0.0.1:99999", "not a URL|not contacted"),
    "control characters": ("http://127.0.0.1:9/\x1b[2J", "announces no valid address"),
}


def tampers(exchange: Exchange) -> None:
    """Serve blocks with one bit changed."""
    status, body = exchange.forward()
    exchange.send(bytes((body[0] ^ 1,)) + body[1:], status)


def tampers_with_cards(exchange: Exchange) -> None:
    """Serve cards with one bit changed, and the manifest unchanged."""
    status, body = exchange.forward()
    lies = b"knet/card/1" in body
    exchange.send(body[:-1] + bytes((body[-1] ^ 1,)) if lies else body, status)


def bursts(exchange: Exchange) -> None:
    exchange.send(bytes(3 << 20))


def redirects(exchange: Exchange) -> None:
    exchange.send(b"", 302, Location="http://169.254.169.254/")


PROXIES = {
    "a gateway that turns a bit": (tampers, "does not match its CID"),
    "a gateway that turns a bit of the card": (tampers_with_cards, "does not match its CID"),
    "a gateway that sends three times what a block can hold": (bursts, "more than 1048576 bytes"),
    "a gateway that sends on to the cloud's metadata": (redirects, "redirects to http://169.254.169.254/"),
    "a gateway that hangs": (hang, "did not arrive within"),
}


class Story:
    """Two honest nodes and each hostile node of this module on one network; ``liars`` are ids by name of the attack."""

    def __init__(self, profile: Profile, nodes: list[RunningNode]) -> None:
        self.profile = profile
        self.honest = nodes
        self.chain = EvmChain(profile.rpc, profile.deployment)
        self.key = funded_key(profile)
        self.store = MemoryStore()
        self.liars: dict[str, int] = {}
        self.answer: Answer | None = None

    def _announce(self, node: int, endpoint: str) -> None:
        """Announce any text as the endpoint; the contract accepts what the client refuses."""
        registry = self.chain.rpc.contract("IdentityRegistry", self.profile.deployment.identity)
        call = registry.functions.setMetadata(node, ENDPOINT_KEY, endpoint.encode())
        self.chain.rpc.transact(self.key, call, f"Announcing {endpoint}")

    def add(self, name: str, endpoint: str, lie: Lie) -> None:
        node = self.chain.identity.register(self.key, UNREACHABLE)
        self._announce(node, endpoint)
        source = self.honest[0].node.store
        head = self.chain.manifests.heads(self.honest[0].identity)[-1].manifest
        manifest = get_record(source, head, Manifest)
        space, card = get_record(source, manifest.space, Space), get_record(source, manifest.card, Card)
        put_record(self.store, space)
        draft = Draft(self.store, node, manifest, card, space)
        self.chain.manifests.publish(self.key, node, 1, lie(draft))
        self.liars[name] = node


@pytest.fixture(scope="module")
def story(devnet: Profile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    profile = own_network(devnet, "publications")
    with start_nodes(tmp_path_factory.mktemp("publications"), profile, HONEST) as nodes, ExitStack() as stack:
        story = Story(profile, nodes)
        endpoint = stack.enter_context(gateway(story.store))
        for name, (lie, _) in LIES.items():
            story.add(name, endpoint, lie)
        for name, (address, _) in ENDPOINTS.items():
            story.add(name, address, manifest_with())
        for name, (behave, _) in PROXIES.items():
            proxy = stack.enter_context(impostor(endpoint, behave))
            story.add(name, proxy.url, card_with(title=name))  # blocks that the client gets from no other node
        with open_client(profile, tmp_path_factory.mktemp("client")) as net:
            story.answer = net.ask(QUESTION, node_timeout=PATIENT, max_nodes="all").record
        yield story


def test_honest_nodes_answer_among_all_hostile_ones(story: Story) -> None:
    assert story.answer is not None
    assert story.answer.found
    for node in story.honest:
        assert status_of(story.answer.nodes, node.identity).status == "success"
    assert {passage.provenance.node for passage in story.answer.passages} == {n.identity for n in story.honest}
    assert story.answer.milliseconds < PATIENT * 1000


REASONS = {name: named for table in (LIES, ENDPOINTS, PROXIES) for name, (_, named) in table.items()}


@pytest.mark.parametrize("name", REASONS)
def test_unusable_node_is_reported_with_its_reason(story: Story, name: str) -> None:
    assert story.answer is not None
    status = status_of(story.answer.nodes, story.liars[name])
    assert status.status == "error", status
    assert re.search(REASONS[name], status.detail), status.detail
    assert status.detail.isprintable(), "the interfaces show it"


def test_public_network_contacts_no_address_of_this_machine(story: Story, tmp_path: Path) -> None:
    with open_client(replace(story.profile, addresses="public"), tmp_path) as net:
        answer = net.ask(QUESTION, node_timeout=PATIENT).record
    assert not answer.found
    for node in story.honest:
        assert "127.0.0.1 is outside the address policy 'public'" in status_of(answer.nodes, node.identity).detail
