"""Connection to one network: ask, verify and rate. `connect` opens one."""

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

from ..answer.compose import compose
from ..answer.live import LiveAnswer
from ..answer.report import VerificationReport
from ..answer.verify_answer import verify_answer
from ..answer.writer import EXTRACTIVE, Writer
from ..chain.evm import EvmChain, open_chain
from ..chain.keys import Signer, load_or_create_key
from ..codec import cid_of
from ..config import Profile, default_name, home, load_profile
from ..content.base import BlockSource
from ..content.layered import LayeredStore
from ..content.store import FileStore
from ..embed.base import Embedder
from ..embed.load import load_embedder_for
from ..errors import ChainError, ConfigError
from ..http import HttpClient
from ..rating.auditor import Auditor
from ..rating.queue import RatingQueue
from ..rating.replication import LeafSources
from ..rating.responder import DisputeResponder
from ..rating.verification import BatchVerifier
from ..records import Answer, NodeEntry, Rating, Space
from ..routing.block_sources import NodeBlockSources
from ..routing.directory import Coverage
from ..routing.follower import DirectoryFollower
from ..routing.health import NodeHealth, check_health
from ..routing.node_info import NodeInfo
from ..routing.node_view import NodeView
from ..routing.options import NODE_TIMEOUT, PASSAGES, MaxNodes, OnSelected, OnStatus, Options, check_question
from ..routing.origins import OriginBudget
from ..routing.query import Query
from ..search.dsi_scores import ModelCache, dsi_column
from ..search.first_published import FirstPublished
from ..search.merge import Features, Feedback, merge
from ..search.query_embedding import QueryEmbedders
from ..search.rerank import Reranker, rerank_columns
from ..search.session import Collector, QuerySession
from ..trust.feedback import AnsweredQuestions, PassageRatings
from .ratings import QueuedRatings
from .trust import NetworkTrust
from .trust_model import TrustModel

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from ..langchain import KnetRetriever

MODEL_SECONDS = 5.0  # private mode waits for a De-DSI model, though not as long as for a collection


class Network:
    """Connection to one knet network. Thread safe; several notebooks and tabs may share one.

    ``ratings`` holds the ratings that are not on chain yet, ``trust`` the client's trust in nodes and accounts.
    """

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
        """``folder`` keeps what this client knows."""
        self.profile = profile
        self.chain = chain
        self.folder = folder
        self._signer = signer
        self._http = http
        self._budget = OriginBudget(folder / "cache" / f"{profile.name}.origins.json")
        self._sources = NodeBlockSources(profile, http, store, folder / "cache" / "cards", self._budget)
        self._queue = RatingQueue(folder / "ratings" / f"{profile.name}.json")
        self._responder = DisputeResponder(chain, signer, LayeredStore(*self._sources.stores))
        self._passage_ratings = PassageRatings(folder / "passage_ratings" / f"{profile.name}.json")
        self._answered = AnsweredQuestions(folder / "answered" / f"{profile.name}.json")
        self._leaves = LeafSources(
            http, store, lambda: self._follower.published(), *self._sources.shared, budget=self._budget
        )
        learnt = folder / "learnt"
        self._auditor = Auditor(chain, signer, profile.audit_budget, learnt / f"{profile.name}.audits.db")
        self._trust_model = TrustModel(
            chain,
            self.address,
            learnt / f"{profile.name}.db",
            lambda: self._follower.owners(),
            BatchVerifier(chain, self._leaves.of, learnt / f"{profile.name}.batches.db"),
            views=lambda: self._follower.cached(),
            starting=profile.raters,
            on_findings=self._auditor.act_quietly,
        )
        self._follower = DirectoryFollower(
            chain,
            self._sources,
            folder / "cache" / f"{profile.name}.json",
            self._trust_model.prior_top,
            lambda space: self._embedders.refusal(space),
        )
        self._models = ModelCache()
        self._collector = Collector(http, chain.deployment, self._budget)
        self._first_published = FirstPublished(chain.manifests.published_in)
        self._embedders = QueryEmbedders(profile, load_embedder)
        self.ratings = QueuedRatings(
            profile, chain, signer, self._queue, self._sources.stores, self._responder, self._leaves, self._refresh
        )
        self.trust = NetworkTrust(self._follower, self._trust_model, self.ask, self._queue)

    @property
    def address(self) -> str:
        """The address this client asks and rates as."""
        return str(self._signer.address)

    def ask(
        self,
        question: str,
        *,
        k: int = PASSAGES,
        max_nodes: MaxNodes = "auto",
        nodes: Sequence[int] = (),
        private: bool = False,
        min_reliability: float = 0.0,
        node_timeout: float = NODE_TIMEOUT,
        model: BaseChatModel | None = None,
        rerank_sentences: bool = False,
        reranker: Reranker | None = None,
        on_status: OnStatus | None = None,
        on_selected: OnSelected | None = None,
        cancel: threading.Event | None = None,
        **options: Any,
    ) -> LiveAnswer:
        """Ask the network, and return the answer over the best ``k`` passages.

        ``max_nodes`` limits the nodes asked: "auto" (as many as are likely to matter), "all", or a number; ``nodes``
        restricts them by id. ``private`` fetches published shards and searches them here. ``model`` writes the answer
        instead of the extractive default. ``rerank_sentences`` also embeds the best candidates sentence by sentence,
        which takes longer. ``reranker``, such as a cross-encoder, takes the question and the candidates' texts, and
        returns a score for each. ``node_timeout`` is in seconds a node. ``on_selected`` is called with the nodes about
        to be asked, ``on_status`` with each node's outcome; setting ``cancel`` withdraws the question.
        Raises ConfigError for a question that cannot be asked, and Cancelled; nodes' failures are in ``answer.nodes``.
        """
        started = time.perf_counter()
        chosen = Options(
            k=k, max_nodes=max_nodes, nodes=list(nodes), private=private, min_reliability=min_reliability,
            node_timeout=node_timeout, **options,
        )  # fmt: skip
        check_question(question, chosen)
        directory = self._follower.current()
        if not directory.coverage.published:
            raise ConfigError("This network has no nodes yet.", hint="Start one with `knet node up`.")
        query = self._query(question, chosen, directory.spaces)
        selection = directory.select(query, self._trust_model.priors(query.vectors))
        session = QuerySession(
            query=query,
            selection=selection,
            feedback=Feedback(self._passage_ratings.known, self._answered.known),
            on_status=on_status,
            on_selected=on_selected,
            cancel=cancel,
        )
        session.models = self._models.ready(session.asked, self._source_for, wait=MODEL_SECONDS if private else 0.0)
        session.features = Features(
            {"dsi": dsi_column(session.models, query.vectors)} if session.models else {},
            rerank_columns(
                selection.views, query.vectors, self._embedders.embedder if rerank_sentences else None, reranker
            ),
        )
        if private:
            self._collector.fetch(session, self._source_for)
        else:
            self._collector.ask(session)
        session.check()
        session.hits, session.contested = self._first_published.dated(session.hits, selection.views, self._source_for)
        ranked = merge(query, session.hits, selection, session.feedback, session.features)
        name = EXTRACTIVE if model is None else model.get_name()
        answer = compose(session, ranked, self.chain.deployment, started, writer=_writer(model), writer_name=name)
        self._trust_model.learn(session, answer)
        self._responder.respond_in_background()
        return LiveAnswer(answer, self)

    async def aask(self, question: str, **options: Any) -> LiveAnswer:
        """Ask as `ask` does, without blocking the running event loop."""
        return await asyncio.to_thread(self.ask, question, **options)

    def _query(self, question: str, options: Options, spaces: Sequence[Space]) -> Query:
        self._trust_model.begin(map(cid_of, spaces))
        vectors, unembedded = self._embedders.embed(question, spaces)
        return Query(question, vectors, options, bytes.fromhex(self.address[2:]), unembedded)

    def _source_for(self, view: NodeView) -> BlockSource:
        return self._sources.of(view.entry)

    def source_of(self, node: int) -> BlockSource:
        """Return the source of a node's blocks, each checked: this machine, then the node, gateways and Kubo."""
        with suppress(ChainError):  # blocks may be here all the same
            self._follower.current()
        entry = self._follower.entry(node) or NodeEntry(node=node, owner="", wallet="", endpoint="")
        return self._sources.of(entry)

    def verify(self, answer: Answer | LiveAnswer, *, embed: bool = True) -> VerificationReport:
        """Check every claim of an answer again, from its own bytes, IPFS and the chain.

        ``embed`` also embeds each passage's text again, to compare it with its vector.
        """
        record = answer.record if isinstance(answer, LiveAnswer) else answer
        embedder_for = self._embedders.embedder if embed else None
        return verify_answer(record, self.chain, self.source_of, embedder_for, self._first_published)

    def rate(
        self,
        answer: Answer | LiveAnswer,
        value: float,
        *,
        passage: int | None = None,
        model: BaseChatModel | None = None,
    ) -> list[Rating]:
        """Queue a rating (-1 to 1) of an answer or of one of its passages; `ratings.flush` puts it on chain.

        A passage's rating is also remembered here, and counts for that passage from now on. An answer's rating is
        shared among its passages by how much each adds to it. Where a chat model wrote the answer, ``model`` measures
        that in one call a cited passage; without it, citations are counted. Raises ConfigError where there is nothing
        to rate.
        """
        record = answer.record if isinstance(answer, LiveAnswer) else answer
        queued = self._queue.rate(record, value, passage=passage, writer=_writer(model))
        self._responder.respond_in_background()
        if passage is not None:
            self._passage_ratings.add(record.passages[passage - 1].text, value)
            self._answered.add(record.question, record.passages[passage - 1].text, value)
        return queued

    def views(self) -> Mapping[int, NodeView]:
        """Return every node that can be asked, with its manifest and routing card; of a large network, those cached.

        Raises ChainUnreachable.
        """
        return self._follower.current().cached()

    def view(self, node: int) -> NodeView | None:
        """Return one node with its manifest and routing card, fetched if need be. Raises ChainUnreachable."""
        return self._follower.current().look_up([node])[0].get(node)

    def coverage(self) -> Coverage:
        """Return how many nodes can be asked by now, and how many are published. Raises ChainUnreachable.

        The first connection to a large network goes on reading in the background.
        """
        return self._follower.current().coverage

    def nodes(self) -> list[NodeInfo]:
        """Return one line about every node, by id, with its reliability on chain now. Raises ChainUnreachable."""
        return sorted(self._follower.refresh().infos(), key=lambda info: info.node)

    def health(self) -> list[NodeHealth]:
        """Return the health of every node now, and how often it was asked. Raises ChainUnreachable."""
        directory = self._follower.current()
        return self._http.run(check_health(self._http, directory.cached(), directory.unusable, budget=self._budget))

    def as_retriever(self, *, k: int = 4, **options: Any) -> KnetRetriever:
        """Return a LangChain retriever over this network; ``options`` as for `ask`."""
        from ..langchain import KnetRetriever

        return KnetRetriever(network=self, k=k, options=options)

    def close(self) -> None:
        """Finish learning, and close connections. Queued ratings stay on disk."""
        self._responder.close()
        self._trust_model.close()
        self._follower.close()
        self._sources.close()
        self._http.close()

    def _refresh(self) -> None:
        self._follower.refresh()
        self._trust_model.refresh()

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
    """Return the profile of a network that an installed package starts on demand (entry points ``knet.networks``)."""
    found = entry_points(group="knet.networks", name=name) if name else ()
    for entry in found:
        start: Callable[[], Profile] = entry.load()
        return start()
    return None


def _writer(model: BaseChatModel | None) -> Writer | None:
    return None if model is None else lambda prompt: str(model.invoke(prompt).text)
