"""The network as its users hold it: ask, verify, rate. Build one with `knet.connect`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from ..answer.compose import compose
from ..answer.live import LiveAnswer
from ..answer.report import VerificationReport
from ..answer.verify_answer import verify_answer
from ..answer.writer import EXTRACTIVE, Writer
from ..chain.devchain import fund
from ..chain.evm import EvmChain, open_chain
from ..chain.keys import Signer, load_or_create_key
from ..codec import Cid
from ..config import Profile, default_name, home, load_profile
from ..content.base import BlockSource
from ..content.layered import LayeredStore
from ..content.store import FileStore
from ..embed import load_embedder_for
from ..embed.base import Embedder
from ..errors import ChainError, ConfigError, NotRegistered
from ..http import HttpClient
from ..rating.queue import RatingQueue
from ..rating.responder import DisputeResponder
from ..rating.stake import ANY_WEI, Cost, cost_of
from ..records import Answer, NodeEntry, Rating, Space
from ..routing.block_sources import NodeBlockSources
from ..routing.directory import NetworkView
from ..routing.health import NodeHealth, look_at
from ..routing.node_info import NodeInfo
from ..routing.node_view import NodeView
from ..search.dsi_scores import ModelCache, dsi_column
from ..search.limits import MAX_K, PASSAGES, OnAsking, OnStatus
from ..search.query_embedding import QueryEmbedders
from ..search.rerank import Reranker, rerank_columns
from ..search.session import Collector, Options, QuerySession, check_question
from ..trust.feedback import AnsweredQuestions, PassageRatings
from ..trust.history import History
from ..trust.probes import Probe, ProbeResult, evaluate_probe
from ..trust.rater_weights import TrustedAccount
from .selection import choose_far, select_nodes, unavailable_statuses
from .trust_model import NodeTrust, TrustModel

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from ..langchain import KnetRetriever

MODEL_SECONDS = 5.0  # private mode waits for a model as it waits for collections, though not as long


class Network:
    """A connection to one knet network. Thread safe; several notebooks and tabs may share one."""

    def __init__(
        self,
        profile: Profile,
        *,
        chain: EvmChain,
        signer: Signer,
        http: HttpClient,
        store: FileStore,
        folder: Path,
        load_embedder: Callable[[Space], Embedder] = load_embedder_for,
    ) -> None:
        self.profile = profile
        self.chain = chain
        self.folder = folder  # where this client keeps what it knows
        self._signer = signer
        self._http = http
        self._sources = NodeBlockSources(profile, http, store, folder / "cache" / "cards")
        self._ratings = RatingQueue(folder / "ratings" / f"{profile.name}.json")
        self._promises = DisputeResponder(chain, signer, LayeredStore(*self._sources.stores))
        self._verdicts = PassageRatings(folder / "passage_ratings" / f"{profile.name}.json")
        self._standings = TrustModel(
            chain, self.address, folder / "learnt" / f"{profile.name}.db", lambda: self._view.owners()
        )
        self._view = NetworkView(
            chain,
            self._card_source,
            self._sources.glance,
            folder / "cache" / f"{profile.name}.json",
            self._standings.favoured,
        )
        self._answered = AnsweredQuestions(folder / "answered" / f"{profile.name}.json")
        self._models = ModelCache()
        self._gatherer = Collector(http, chain.deployment)
        self._spaces = QueryEmbedders(profile, load_embedder)

    @property
    def address(self) -> str:
        """The address this client asks and rates as."""
        return str(self._signer.address)

    def ask(
        self,
        question: str,
        *,
        k: int = PASSAGES,
        ask: int | None = None,
        nodes: Sequence[int] = (),
        private: bool = False,
        min_reliability: float = 0.0,
        deadline: float | None = None,
        model: BaseChatModel | None = None,
        thorough: bool = False,
        reranker: Reranker | None = None,
        on_status: OnStatus | None = None,
        on_asking: OnAsking | None = None,
        stop: threading.Event | None = None,
        **options: Any,
    ) -> LiveAnswer:
        """Ask the network.

        ``k`` passages from the ``ask`` nodes most worth asking (None: as many as matter, 0: all), or only from
        ``nodes``. ``private`` fetches published shards and searches them here. ``model`` writes the answer instead of
        the extractive default. ``thorough`` also embeds the best candidates sentence by sentence, which takes longer;
        ``reranker``, such as a cross-encoder, is given the question and their texts, and says how well each answers it.
        ``deadline`` is seconds a node; ``on_asking`` hears whom it asks, ``on_status`` of each node as it is done with;
        setting ``stop`` withdraws the question.
        Raises ConfigError for a question that cannot be asked, Cancelled; failures of nodes are in ``answer.nodes``.
        """
        started = time.perf_counter()
        chosen = Options(k=k, ask=ask, nodes=list(nodes), private=private, min_reliability=min_reliability, **options)
        if deadline is not None:
            chosen = msgspec.structs.replace(chosen, deadline=deadline)
        check_question(question, chosen)
        known = self._view.current()
        if not known and not self._view.unusable and self._view.crowd is None:
            raise ConfigError("This network has no nodes yet.", hint="Start one with `knet node up`.")
        if self._view.crowd is None:
            choice = select_nodes(question, known, chosen, self._spaces, self._standings)
        else:
            choice = choose_far(question, self._view, self._view.crowd, chosen, self._spaces, self._standings)
        views, vectors = choice.views, choice.vectors
        inquiry = QuerySession(
            question=question,
            routes=choice.routes,
            views=views,
            vectors=vectors,
            options=choice.options,
            client=bytes.fromhex(self.address[2:]),
            verdicts=self._verdicts.known,
            beliefs=choice.beliefs,
            known=self._answered.known,
            statistics=choice.statistics,
            closer=rerank_columns(views, vectors, self._spaces.embedder if thorough else None, reranker),
            on_status=on_status,
            on_asking=on_asking,
            stop=stop,
        )
        inquiry.models = self._models.ready(
            inquiry.asked, lambda view: self._sources.of(view.entry), wait=MODEL_SECONDS if private else 0.0
        )
        if inquiry.models:
            inquiry.further = {"dsi": dsi_column(inquiry.models, views, vectors)}
        if private:
            self._gatherer.fetch(inquiry, lambda view: self._sources.of(view.entry))
        else:
            self._gatherer.ask(inquiry)
        inquiry.check()
        answer = compose(
            inquiry,
            self.chain.deployment,
            started,
            writer=_writer(model),
            writer_name=EXTRACTIVE if model is None else model.get_name(),
            further=[*choice.missing, *unavailable_statuses(self._view.unusable)],
        )
        self._standings.learn(inquiry, answer)
        self._promises.respond_in_background()
        return LiveAnswer(answer, self)

    async def aask(self, question: str, **options: Any) -> LiveAnswer:
        """`ask` without blocking the running event loop."""
        return await asyncio.to_thread(self.ask, question, **options)

    def _card_source(self, entry: NodeEntry) -> BlockSource:
        return self._sources.of(entry) if self._view.crowd is None else self._sources.in_bounds(entry)

    def source_of(self, node: int) -> BlockSource:
        """Where this client reads a node's blocks, each checked: kept here, then the node, gateways and Kubo."""
        with suppress(ChainError):  # blocks may be here all the same
            self._view.current()
        entry = self._view.entry(node) or NodeEntry(node=node, owner="", wallet="", endpoint="")
        return self._sources.of(entry)

    def verify(self, answer: Answer | LiveAnswer, *, embed: bool = True) -> VerificationReport:
        """Check every claim of an answer again, from its own bytes, IPFS and the chain.

        ``embed`` also embeds each passage's text again, to hold its vector against it.
        """
        record = answer.record if isinstance(answer, LiveAnswer) else answer
        return verify_answer(record, self.chain, self.source_of, self._spaces.embedder if embed else None)

    def rate(
        self,
        answer: Answer | LiveAnswer,
        value: float,
        *,
        passage: int | None = None,
        model: BaseChatModel | None = None,
    ) -> list[Rating]:
        """Queue a verdict (-1 to 1) on an answer or on one of its passages; `flush_ratings` puts it on chain.

        One on a passage is also remembered here, where it counts for that passage from now on. One on an answer falls
        on its passages by how much each adds to it; where a chat model wrote it, ``model`` finds that out in one call a
        cited passage, and citations are counted without. Raises ConfigError where there is nothing to rate.
        """
        record = answer.record if isinstance(answer, LiveAnswer) else answer
        queued = self._ratings.rate(record, value, passage=passage, writer=_writer(model))
        self._promises.respond_in_background()
        if passage is not None:
            self._verdicts.add(record.passages[passage - 1].text, value)
            self._answered.add(record.question, record.passages[passage - 1].text, value)
        return queued

    def pending_ratings(self) -> list[Rating]:
        return self._ratings.pending()

    def rating_cost(self) -> Cost:
        """What `flush_ratings` takes now, at most. Raises ChainUnreachable."""
        return cost_of(self.chain, self.address, self._ratings.pending())

    def withdraw_rating(self, receipt: Cid) -> None:
        """Take back a verdict that waits, by the CID of its receipt. Raises ConfigError when it does not wait."""
        self._ratings.withdraw(receipt)

    def flush_ratings(self, *, bond: int = 0) -> list[str]:
        """Submit queued ratings: the transaction hashes. Raises ChainUnreachable, TransactionFailed or ConfigError.

        What could not be sent stays queued; what the contract would punish is named and dropped. ``bond`` is the most
        wei to put up where stake is missing (`rating_cost` says how much); on a development chain it is no matter.
        """
        development = self.profile.addresses == "loopback"
        if self._ratings.pending() and development:
            fund(self.profile.rpc, self.address)
        self._promises.try_respond()
        sent = self._ratings.flush(
            self.chain, self._signer, *self._sources.stores, bond=ANY_WEI if development else bond
        )
        if sent:
            self._view.refresh()
            self._standings.refresh()
        return sent

    def probe(self, probe: Probe, *, rate: bool = False) -> ProbeResult:
        """Ask every node a question whose answer one knows, and learn who was right; ``rate`` queues the verdicts too.

        Raises ConfigError for a question that cannot be asked.
        """
        answer = self.ask(probe.question, k=MAX_K, ask=0, collapse=False)
        sent = [(passage.provenance.node, passage.text) for passage in answer.passages]
        judged = evaluate_probe(probe, sent)
        self._standings.observe(judged)
        if rate:
            best = {node: number for number, (node, _) in reversed(list(enumerate(sent, 1)))}
            for node, outcome in judged.outcomes.items():
                if outcome:
                    self._ratings.rate(answer.record, outcome, passage=best[node])
        return judged

    def trusted(self, node: int) -> NodeTrust:
        """How far a node is trusted here, and why. Raises NotRegistered, ChainUnreachable."""
        self._view.refresh()
        self._standings.refresh()
        view = self.view(node)
        if view is None:
            raise NotRegistered(
                f"There is no node {node} on this network that can be asked.", hint="`knet nodes` lists them."
            )
        return self._standings.trusted(view)

    def everybody_trusted(self) -> list[NodeTrust]:
        """How far every node is trusted here, and why, by node; of a big network, those asked lately.

        Raises ChainUnreachable.
        """
        self._view.refresh()
        self._standings.refresh()
        return [self._standings.trusted(view) for _, view in sorted(self._view.at_hand().items())]

    def people(self) -> list[TrustedAccount]:
        """The accounts this client trusts and why, by walks from its own ratings, most first. Raises
        ChainUnreachable."""
        self._view.current()
        return self._standings.people()

    def histories(self) -> list[History]:
        """Every node's reliability on chain and usefulness here over time. Raises ChainUnreachable."""
        self._view.current()
        return self._standings.histories(self._view.at_hand())

    def settle(self) -> None:
        """Wait until everything asked so far is learnt from."""
        self._standings.settle()

    def views(self) -> Mapping[int, NodeView]:
        """Every node that can be asked, with its manifest and routing card; of a big network, those asked lately.

        Raises ChainUnreachable.
        """
        self._view.current()
        return self._view.at_hand()

    def view(self, node: int) -> NodeView | None:
        """One node with its manifest and routing card, fetched if need be. Raises ChainUnreachable."""
        self._view.current()
        return self._view.look_up([node])[0].get(node)

    def coverage(self) -> tuple[int, int]:
        """How many nodes can be asked by now, and how many are published: the first connection to a big network goes on
        reading in the background. Raises ChainUnreachable."""
        self._view.current()
        return self._view.coverage

    @property
    def filling(self) -> bool:
        """Whether that reading goes on; never in a network of few nodes."""
        return self._view.crowd is not None and self._view.crowd.filling

    def nodes(self) -> list[NodeInfo]:
        """Every node of the network, by id, with its reliability as the chain has it now."""
        self._view.refresh()
        return self._view.infos()

    def health(self) -> list[NodeHealth]:
        """Whether each node answers now, when it published last, how much it was asked. Raises ChainUnreachable."""
        return self._http.run(look_at(self._http, self._view.current(), self._view.unusable))

    def as_retriever(self, *, k: int = 4, **options: Any) -> KnetRetriever:
        """A LangChain retriever over this network; ``options`` as for `ask`."""
        from ..langchain import KnetRetriever

        return KnetRetriever(network=self, k=k, options=options)

    def close(self) -> None:
        """Finish learning, close connections. Queued ratings stay on disk."""
        self._promises.close()
        self._standings.close()
        self._view.close()
        self._sources.close()
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
        name = profile or default_name()
        profile = _embedded(name) or load_profile(name)
    return Network(
        profile,
        chain=open_chain(profile),
        signer=load_or_create_key(profile.path("key")),
        http=HttpClient(addresses=profile.addresses),
        store=FileStore(profile.path("blocks")),
        folder=home(),
    )


def _embedded(name: str) -> Profile | None:
    """The profile of a network that an installed package starts on demand (entry points ``knet.networks``)."""
    found = entry_points(group="knet.networks", name=name) if name else ()
    for entry in found:
        start: Callable[[], Profile] = entry.load()
        return start()
    return None


def _writer(model: BaseChatModel | None) -> Writer | None:
    return None if model is None else lambda prompt: str(model.invoke(prompt).text)
