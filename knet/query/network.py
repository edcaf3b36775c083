"""The network as its users hold it: ask, verify, rate. Build one with `knet.connect`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from ..chain.base import Chain
from ..chain.devchain import fund
from ..chain.evm import EvmChain
from ..chain.keys import Signer, load_or_create_key
from ..codec import Cid, cid_of, from_json
from ..config import Profile, home, load_profile
from ..content.base import BlockSource, BlockStore
from ..content.gateway import GatewaySource
from ..content.kubo import KuboStore
from ..content.layered import Layered
from ..content.store import FileStore
from ..embed import load_embedder_for
from ..embed.base import Embedder
from ..errors import ChainError, ConfigError, SpaceError
from ..http import HttpClient
from ..index.shard import Vectors
from ..records import Answer, NodeEntry, NodeStatus, Rating, Record, Space
from ..trust.cost import Cost, cost_of
from ..trust.ratings import RatingQueue
from ..trust.verdicts import Verdicts
from .compose import EXTRACTIVE, compose
from .gather import ASKED, PASSAGES, Gatherer, Inquiry, OnAsking, OnStatus, Options
from .live import LiveAnswer
from .recheck import VerificationReport, verify_answer
from .route import route
from .view import NetworkView, NodeView

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from ..langchain import KnetRetriever

MAX_K = 64  # passages; nodes refuse more
MAX_QUESTION = 4096  # characters; nodes refuse longer ones too


class NodeInfo(Record, frozen=True):
    """One node as `Network.nodes` lists it."""

    node: int
    title: str
    description: str
    endpoint: str
    documents: int
    chunks: int
    sequence: int
    reliability: float
    deviation: float
    ratings: int
    problem: str = ""


class Network:
    """A connection to one knet network. Thread safe; several notebooks and tabs may share one."""

    def __init__(
        self,
        profile: Profile,
        *,
        chain: Chain,
        signer: Signer,
        http: HttpClient,
        store: FileStore,
        folder: Path,
        load_embedder: Callable[[Space], Embedder] = load_embedder_for,
    ) -> None:
        self.profile = profile
        self.chain = chain
        self._signer = signer
        self._http = http
        self._store = store
        self._daemons = [KuboStore(profile.kubo)] if profile.kubo else []
        self._view = NetworkView(chain, self._source, folder / "cache" / f"{profile.name}.json")
        self._ratings = RatingQueue(folder / "ratings" / f"{profile.name}.json")
        self._verdicts = Verdicts(folder / "verdicts" / f"{profile.name}.json")
        self._gatherer = Gatherer(http, chain.deployment)
        self._load_embedder = load_embedder
        self._embedders: dict[Cid, Embedder | SpaceError] = {}
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """The address this client asks and rates as."""
        return str(self._signer.address)

    def ask(
        self,
        question: str,
        *,
        k: int = PASSAGES,
        ask: int = ASKED,
        nodes: Sequence[int] = (),
        private: bool = False,
        min_reliability: float = 0.0,
        deadline: float | None = None,
        model: BaseChatModel | None = None,
        on_status: OnStatus | None = None,
        on_asking: OnAsking | None = None,
        stop: threading.Event | None = None,
        **options: Any,
    ) -> LiveAnswer:
        """Ask the network.

        ``k`` passages from the ``ask`` nodes most worth asking (0: all), or only from ``nodes``. ``private`` fetches
        published shards and searches them here. ``model`` writes the answer instead of the extractive default.
        ``deadline`` is seconds a node; ``on_asking`` hears whom it asks, ``on_status`` of each node as it is done with;
        setting ``stop`` withdraws the question.
        Raises ConfigError for a question that cannot be asked, Stopped; what nodes do wrong shows in ``answer.nodes``.
        """
        started = time.perf_counter()
        _check(question, k)
        chosen = Options(k=k, ask=ask, nodes=list(nodes), private=private, min_reliability=min_reliability, **options)
        if deadline is not None:
            chosen = msgspec.structs.replace(chosen, deadline=deadline)
        known = self._view.current()
        if not known and not self._view.unusable:
            raise ConfigError("This network has no nodes yet.", hint="Start one with `knet node up`.")
        vectors, views, missing = self._embed(question, known)
        inquiry = Inquiry(
            question=question,
            routes=route(question, vectors, _eligible(views, chosen), asked=chosen.ask),
            views=views,
            vectors=vectors,
            options=chosen,
            client=bytes.fromhex(self.address[2:]),
            verdicts=self._verdicts.known,
            on_status=on_status,
            on_asking=on_asking,
            stop=stop,
        )
        if private:
            self._gatherer.fetch(inquiry, lambda view: self._source(view.entry))
        else:
            self._gatherer.ask(inquiry)
        inquiry.check()
        answer = compose(
            inquiry,
            self.chain.deployment,
            started,
            writer=None if model is None else lambda prompt: str(model.invoke(prompt).text),
            writer_name=EXTRACTIVE if model is None else model.get_name(),
            further=[*missing, *self._unusable()],
        )
        return LiveAnswer(answer, self)

    async def aask(self, question: str, **options: Any) -> LiveAnswer:
        """`ask` without blocking the running event loop."""
        return await asyncio.to_thread(self.ask, question, **options)

    def _embed(
        self, question: str, known: Mapping[int, NodeView]
    ) -> tuple[dict[Cid, Vectors], dict[int, NodeView], list[NodeStatus]]:
        """The question in every space there is an embedder for; nodes of other spaces are reported, not asked."""
        vectors: dict[Cid, Vectors] = {}
        failures: dict[Cid, SpaceError] = {}
        for space in {view.card.space: view.space for view in known.values()}.values():
            embedder = self._embedder(space)
            if isinstance(embedder, SpaceError):
                failures[cid_of(space)] = embedder
            else:
                vectors[cid_of(space)] = embedder.encode([question], query=True)[0]
        views = {node: view for node, view in known.items() if view.card.space in vectors}
        missing = [
            NodeStatus(node=node, title=view.card.title, status="error", detail=str(failures[view.card.space]))
            for node, view in known.items()
            if view.card.space in failures
        ]
        return vectors, views, missing

    def _embedder(self, space: Space) -> Embedder | SpaceError:
        cid = cid_of(space)
        with self._lock:
            if cid not in self._embedders:
                try:
                    self._embedders[cid] = self._load(space)
                except SpaceError as error:
                    self._embedders[cid] = error
            return self._embedders[cid]

    def _load(self, space: Space) -> Embedder:
        if space.model not in self.profile.models:
            raise SpaceError(
                f"it embeds with {space.model[:80]!r}, which this profile does not allow.",
                hint=f"Add it to the models of profile {self.profile.name} to ask nodes of its space.",
            )
        return self._load_embedder(space)

    def _embedder_or_raise(self, space: Space) -> Embedder:
        embedder = self._embedder(space)
        if isinstance(embedder, SpaceError):
            raise embedder
        return embedder

    def _source(self, entry: NodeEntry) -> BlockSource:
        urls = [url for url in (entry.endpoint, *self.profile.gateways) if url]
        return Layered(self._store, GatewaySource(self._http, urls), *self._daemons)

    def source_of(self, node: int) -> BlockSource:
        """Where a node's blocks can be had: here, from itself, from gateways. Each is checked against its CID."""
        try:
            known = self._view.current()
        except ChainError:  # blocks may be here all the same
            known = {}
        entry = known[node].entry if node in known else NodeEntry(node=node, owner="", wallet="", endpoint="")
        return self._source(entry)

    def _unusable(self) -> list[NodeStatus]:
        return [
            NodeStatus(node=node, title=f"node {node}", status="error", detail=reason)
            for node, reason in self._view.unusable.items()
        ]

    def verify(self, answer: Answer | LiveAnswer, *, embed: bool = True) -> VerificationReport:
        """Check every claim of an answer again, from its own bytes, IPFS and the chain.

        ``embed`` also embeds each passage's text again, to hold its vector against it.
        """
        record = answer.record if isinstance(answer, LiveAnswer) else answer
        return verify_answer(record, self.chain, self.source_of, self._embedder_or_raise if embed else None)

    def rate(self, answer: Answer | LiveAnswer, value: float, *, passage: int | None = None) -> list[Rating]:
        """Queue a verdict (-1 to 1) on an answer or on one of its passages; `flush_ratings` puts it on chain.

        One on a passage is also remembered here, where it counts for that passage from now on.
        """
        record = answer.record if isinstance(answer, LiveAnswer) else answer
        queued = self._ratings.rate(record, value, passage=passage)
        if passage is not None:
            self._verdicts.add(record.passages[passage - 1].text, value)
        return queued

    def pending_ratings(self) -> list[Rating]:
        return self._ratings.pending()

    def rating_cost(self) -> Cost:
        """What `flush_ratings` takes now, at most. Raises ChainUnreachable."""
        return cost_of(self.chain, self.address, self._ratings.pending())

    def flush_ratings(self) -> list[str]:
        """Submit queued ratings: the transaction hashes. Raises ChainUnreachable, TransactionFailed or ConfigError.

        What could not be sent stays queued; what the contract would punish is named and dropped. On a development
        chain what has to be at stake is put up from nothing.
        """
        development = self.profile.addresses == "loopback"
        if self._ratings.pending() and development:
            fund(self.profile.rpc, self.address)
        stores: list[BlockStore] = [self._store]
        if self.profile.kubo:
            stores.append(KuboStore(self.profile.kubo))
        sent = self._ratings.flush(self.chain, self._signer, *stores, bond=development)
        if sent:
            self._view.refresh()
        return sent

    def views(self) -> Mapping[int, NodeView]:
        """Every node that can be asked, with its manifest and routing card. Raises ChainUnreachable."""
        return self._view.current()

    def nodes(self) -> list[NodeInfo]:
        """Every node of the network, by id, with its reliability as the chain has it now."""
        self._view.refresh()
        infos = [_info(view) for view in self._view.nodes.values()]
        infos += [_broken(node, reason) for node, reason in self._view.unusable.items()]
        return sorted(infos, key=lambda info: info.node)

    def as_retriever(self, *, k: int = 4, **options: Any) -> KnetRetriever:
        """A LangChain retriever over this network; ``options`` as for `ask`."""
        from ..langchain import KnetRetriever

        return KnetRetriever(network=self, k=k, options=options)

    def close(self) -> None:
        """Close connections. Queued ratings stay on disk."""
        for daemon in self._daemons:
            daemon.close()
        self._http.close()

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(profile: str | Profile | None = None) -> Network:
    """Connect to a network: a profile's name (None: the default one), or "demo" for an embedded one.

    Raises ConfigError when there is no such profile.
    """
    if not isinstance(profile, Profile):
        profile = _embedded(profile) or load_profile(profile)
    return Network(
        profile,
        chain=EvmChain(profile.rpc, profile.deployment),
        signer=load_or_create_key(profile.path("key")),
        http=HttpClient(addresses=profile.addresses),
        store=FileStore(profile.path("blocks")),
        folder=home(),
    )


def _embedded(name: str | None) -> Profile | None:
    """The profile of a network that an installed package starts on demand (entry points ``knet.networks``)."""
    found = entry_points(group="knet.networks", name=name) if name else ()
    for entry in found:
        start: Callable[[], Profile] = entry.load()
        return start()
    return None


def load_answer(source: str | Path) -> Answer:
    """An answer from a file, or from its JSON. Raises ConfigError, CodecError."""
    if isinstance(source, str) and source.lstrip().startswith("{"):
        return from_json(source, Answer)
    try:
        return from_json(Path(source).read_bytes(), Answer)
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror}.") from error


def _eligible(views: Mapping[int, NodeView], options: Options) -> list[NodeView]:
    return [
        view
        for node, view in views.items()
        if (not options.nodes or node in options.nodes)
        and view.reputation.mean >= options.min_reliability
        and view.card.chunks > 0
    ]


def _check(question: str, k: int) -> None:
    if not question.strip():
        raise ConfigError("The question is empty.")
    if len(question) > MAX_QUESTION:
        raise ConfigError(f"The question has {len(question)} characters; {MAX_QUESTION} is the limit.")
    if not 1 <= k <= MAX_K:
        raise ConfigError(f"k lies between 1 and {MAX_K}: {k}.")


def _info(view: NodeView) -> NodeInfo:
    return NodeInfo(
        node=view.entry.node,
        title=view.card.title,
        description=view.card.description,
        endpoint=view.entry.endpoint,
        documents=view.card.documents,
        chunks=view.card.chunks,
        sequence=view.manifest.sequence,
        reliability=view.reputation.mean,
        deviation=view.reputation.deviation,
        ratings=view.reputation.count,
    )


def _broken(node: int, reason: str) -> NodeInfo:
    return NodeInfo(
        node=node, title="", description="", endpoint="", documents=0, chunks=0, sequence=0,
        reliability=0.5, deviation=0.0, ratings=0, problem=reason,
    )  # fmt: skip
