"""Trust model of one client: its beliefs about nodes beyond the chain's sums, learned from its own questions.

Learning runs in a background thread. No answer waits for it, so a question asked a moment later may not use it yet.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..chain.batches import Batch
from ..codec import Cid
from ..errors import ChainError, StoreError
from ..index.shard import Vectors
from ..rating.audit import Finding
from ..rating.queue import REORG_BLOCKS
from ..rating.verification import BatchVerifier
from ..records import Answer, Record, Reputation
from ..routing.node_view import NodeView
from ..routing.query import Priors
from ..search.session import QuerySession
from ..search.verify_reply import VerifiedHit
from ..trust.agreement import claim, outcomes, versions
from ..trust.history import History, on_chain, points_of
from ..trust.lineage import Identity, Lineage
from ..trust.observations import ObservationLog, Outcome
from ..trust.probes import ProbeResult
from ..trust.rater_weights import PersonalTrust, TrustedAccount
from ..trust.reliability import SourceBelief, bonus, pooled
from ..trust.usefulness import Usefulness

if TYPE_CHECKING:
    from ..chain.evm import EvmChain

FIRST_SECONDS = 1.0  # a question waits no longer for the rating history
UNKNOWN = Reputation()
REFRESH_SECONDS = 30.0  # between two requests to the chain for new batches, while questions are asked
WITHOUT_USE = ("skipped", "access_denied", "busy")  # statuses that show nothing of a node's use
ENOUGH = 20  # questions from which on it is worth telling one from another
PRIOR_TOP = 64  # nodes of a big network looked at for their name alone, whatever the question
REFIT = 10  # questions; fitting a thousand takes a second, in the background


class NodeTrust(Record, frozen=True):
    """One node as this client sees it, part by part, and in a sentence.

    Ranking uses ``reliability``: ``on_chain`` with each rater weighed by how far the client trusts it, and
    ``agreed``, the evidence of other sources in the client's answers.
    """

    node: int
    title: str
    reliability: Reputation
    on_chain: Reputation
    agreed: Reputation
    usefulness: Reputation
    score: float  # MeritRank of its owner, 0 where no walk of mine gets there
    why: str


class TrustModel:
    """Beliefs of one client, for its lifetime; close it."""

    def __init__(
        self,
        chain: EvmChain,
        me: str,
        path: Path,
        owners: Callable[[], Mapping[int, str]],
        verifier: BatchVerifier,
        *,
        views: Callable[[], Mapping[int, NodeView]] = dict,
        starting: Sequence[str] = (),
        on_findings: Callable[[Sequence[Finding]], object] = lambda findings: None,
    ) -> None:
        """``owners`` returns the owner of each node now. Only batches that ``verifier`` finds valid count.

        ``views`` returns the nodes whose cards are in memory. ``starting`` raters are trusted before this client has
        rated. ``on_findings`` is called in a thread with what is wrong with batches.
        """
        self._chain = chain
        self._owners = owners
        self._me = me
        self._memory = ObservationLog(path)
        self._lineage = Lineage(path.with_suffix(".lineage.db"))
        self._views = views
        self._verifier = verifier
        self._on_findings = on_findings
        self._starting = tuple(starting)
        self._personal = PersonalTrust(me, self._starting)
        self._weighed: Mapping[int, Reputation] = {}
        self._models: dict[Cid, tuple[list[int], Usefulness]] = {}
        self._fresh = 0  # questions that no model has learnt from yet
        self._batches: list[Batch] = []
        self._block = 0
        self._asked_chain = 0.0
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, "knet-learn")
        self._first: Future[None] | None = None
        self._last: Future[None] | None = None

    # --- what is believed --------------------------------------------------------------------------------------

    def priors(self, vectors: Mapping[Cid, Vectors]) -> Priors:
        """Return this client's priors for a query with these vectors."""
        return Priors(self._usefulness(), self.beliefs, self.expected(vectors))

    def _usefulness(self) -> dict[int, Reputation]:
        return {node: known.usefulness for node, known in list(self._memory.known.items())}

    def expected(self, vectors: Mapping[Cid, Vectors]) -> dict[int, float]:
        """Return how useful each node is expected to be for a question with these vectors, -1 to 1.

        Nodes of spaces in which too few questions were asked are left out.
        """
        found: dict[int, float] = {}
        for space, vector in vectors.items():
            model = self._models.get(space)
            if model is not None:
                nodes, usefulness = model
                found |= dict(zip(nodes, np.clip(usefulness.predict(vector[None])[0], -1, 1).tolist(), strict=True))
        return found

    def begin(self, spaces: Iterable[Cid]) -> None:
        """Start reading who rated whom, if that was never read; `beliefs` waits for it a moment."""
        if self._first is None:
            self._first = self._worker.submit(self._begin, set(spaces))

    def beliefs(self, on_chain: Mapping[int, Reputation]) -> dict[int, Reputation]:
        """Return the reliability, as this client sees it, of the nodes with these sums on chain.

        The sums themselves count for nothing: any account with a bond can write them.
        """
        if self._first is not None:
            wait([self._first], timeout=FIRST_SECONDS)
        known, inherited = self._observed(), self._inherited()
        return {
            node: _with_lineage(known.get(node, UNKNOWN), inherited.get(node, 0.0))
            for node, sums in on_chain.items()
            if sums.count or node in known or node in inherited
        }

    def _observed(self) -> dict[int, Reputation]:
        weighed, learnt = self._weighed, self._memory.known
        return {
            node: pooled(weighed.get(node, UNKNOWN), learnt.get(node, SourceBelief()).reliability)
            for node in [*weighed, *(each for each in list(learnt) if each not in weighed)]
        }

    def _inherited(self) -> dict[int, float]:
        """Return what new identities inherit from nodes that more speaks against than for."""
        shortfalls = {node: known.negative - known.positive for node, known in self._observed().items()}
        blamed = {node: short for node, short in shortfalls.items() if short > 0}
        views = self._views().values() if blamed else ()
        return self._lineage.inherited([Identity.of(view.entry, view.card) for view in views], blamed)

    def observe_identities(self, views: Iterable[NodeView]) -> None:
        """Remember nodes that answered with a valid receipt, to know them again. Raises StoreError."""
        self._lineage.observe([Identity.of(view.entry, view.card) for view in views])

    def prior_top(self, on_chain: Mapping[int, Reputation]) -> list[int]:
        """Return the nodes whose priors add most to their routing score, best first; ``on_chain`` are the sums of all
        rated nodes."""
        known = dict.fromkeys([*self._weighed, *list(self._memory.known)], Reputation()) | dict(on_chain)
        beliefs, usefulness = self.beliefs(known), self._usefulness()
        worth = {
            node: bonus(
                SourceBelief(usefulness=usefulness.get(node, Reputation()), reliability=beliefs.get(node, chain))
            )
            for node, chain in known.items()
        }
        return [node for node in nlargest(PRIOR_TOP, worth, key=lambda node: worth[node]) if worth[node] > 0]

    def trusted(self, view: NodeView) -> NodeTrust:
        """Return what is known of one node, and why it is trusted as far as it is."""
        node, known = view.entry.node, self._memory.known.get(view.entry.node, SourceBelief())
        belief = self.beliefs({node: view.reputation}).get(node, view.reputation)
        return NodeTrust(
            node=node,
            title=view.card.title,
            reliability=belief,
            on_chain=view.reputation,
            agreed=known.reliability,
            usefulness=known.usefulness,
            score=self._personal.score(view.entry.owner),
            why=self._why(view),
        )

    def trusted_accounts(self) -> list[TrustedAccount]:
        """Return the accounts this client trusts, by walks from its own ratings, most trusted first.

        Raises ChainUnreachable.
        """
        self.refresh()
        return self._personal.trusted_accounts()

    def histories(self, views: Mapping[int, NodeView]) -> list[History]:
        """Return the reliability and usefulness of every node over time, by node. Raises ChainUnreachable."""
        self.refresh()
        rated, used = on_chain(self._verifier.verified(self._batches)), self._memory.over_time("usefulness")
        return [
            History(
                node=node,
                title=view.card.title,
                reliability=rated.get(node, []),
                usefulness=points_of(used.get(node, [])),
            )
            for node, view in sorted(views.items())
        ]

    def _why(self, view: NodeView) -> str:
        owner = view.entry.owner
        if owner == self._me:
            return "it is your own."
        names = {owner: f"the owner of {view.card.title!r}"} | {self._me: "you"}
        return self._personal.why(owner, names)

    # --- learning ----------------------------------------------------------------------------------------------

    def learn(self, session: QuerySession, answer: Answer) -> None:
        """Take in, soon, what a question showed of the nodes that were asked; new ratings on chain as well."""
        self._last = self._worker.submit(self._learn, session, answer)

    def finish_learning(self) -> None:
        """Wait until everything asked so far is learnt. Raises what learning raised."""
        if self._last is not None:
            self._last.result()

    def observe(self, result: ProbeResult) -> None:
        """Learn what a probe showed. Raises StoreError."""
        self._memory.add(
            Outcome(node=node, kind="reliability", outcome=outcome) for node, outcome in result.outcomes.items()
        )

    def refresh(self) -> None:
        """Read the batches that came since. Raises ChainUnreachable."""
        with self._lock:
            removed = self._chain.reliability.removed()
            newest = self._chain.confirmed_block()
            recent = [batch for batch in self._chain.reliability.batches(since=self._block) if batch.block <= newest]
            settled = [batch for batch in self._batches if batch.block < self._block]
            kept = [b for b in (*settled, *recent) if (b.rater, b.number) not in removed]
            if not {_key(batch) for batch in self._batches} <= {_key(batch) for batch in kept}:
                self._personal = PersonalTrust(self._me, self._starting)  # some were removed, or the chain reorganised
            self._batches, self._block = kept, max(newest - REORG_BLOCKS, 0)
            findings = self._verifier.check(kept, first=self._me)
            self._personal.update(self._verifier.verified(kept), self._owners())
            self._weighed = self._personal.reputations(self._chain.time())
            self._asked_chain = time.monotonic()
        if findings:
            with suppress(RuntimeError):  # the client was closed
                self._worker.submit(self._on_findings, findings)

    def close(self) -> None:
        """Finish what is being learnt."""
        self._worker.shutdown()

    def _learn(self, session: QuerySession, answer: Answer) -> None:
        with suppress(StoreError):  # a full disk: what is learnt holds until the end of this process
            used = _used(session, answer)
            self._memory.add([*used, *self._agreed(session)])
            self._remember(session, used)
            answered = [node for node, status in session.statuses.items() if status.status == "success"]
            self.observe_identities(session.selection.views[node] for node in answered if node in session.receipts)
        if time.monotonic() - self._asked_chain > REFRESH_SECONDS:
            self._refresh_quietly()

    def _refresh_quietly(self) -> None:
        try:
            self.refresh()
        except ChainError:  # away: the sums that the view has go on being used
            self._asked_chain = time.monotonic()

    def _begin(self, spaces: Iterable[Cid]) -> None:
        self._refresh_quietly()
        for space in spaces:
            self._fit(space)

    def _fit(self, space: Cid) -> None:
        """Learn from the questions remembered which nodes are of use for what."""
        vectors, recorded = self._memory.questions(space)
        if len(vectors) < ENOUGH:
            return
        nodes = sorted({node for used in recorded for node in used})
        outcomes = np.array([[used.get(node, np.nan) for node in nodes] for used in recorded])
        self._models[space] = nodes, Usefulness.fit(vectors, outcomes)

    def _remember(self, session: QuerySession, used: Sequence[Outcome]) -> None:
        for space, vector in session.query.vectors.items():
            own = {each.node: each.outcome for each in used if session.selection.views[each.node].card.space == space}
            if own:
                self._memory.add_question(space, vector, own)
                self._fresh += 1
        if self._fresh >= REFIT:
            self._fresh = 0
            for space in session.query.vectors:
                self._fit(space)

    def _agreed(self, session: QuerySession) -> list[Outcome]:
        """Return outcomes from the agreement and contradiction of sources, without ground truth."""
        claims = [claim(hit.node, session.query.question, hit.hit.text) for hit in _comparable(session.hits)]
        on_chain = {node: view.reputation for node, view in session.selection.views.items()}
        found = outcomes(claims, on_chain | self.beliefs(on_chain))
        return [Outcome(node=node, kind="reliability", outcome=outcome) for node, outcome in found.items()]


def _with_lineage(known: Reputation, inherited: float) -> Reputation:
    """Return a belief with the inherited negative evidence, less the evidence for the node itself."""
    more = max(inherited - known.positive, 0.0)
    return pooled(known, Reputation(negative=more)) if more else known


def _used(session: QuerySession, answer: Answer) -> list[Outcome]:
    """Return 1 for each node that the answer cites, -1 for each other queried node; nothing without an answer."""
    if not answer.found:
        return []
    cited = {citation.passage for sentence in answer.sentences for citation in sentence.citations}
    passages = [answer.passages[number] for number in cited]
    used = {node for passage in passages for node in (passage.provenance.node, *passage.sources)}
    asked = [node for node, status in session.statuses.items() if status.status not in WITHOUT_USE]
    return [Outcome(node=node, kind="usefulness", outcome=1.0 if node in used else -1.0) for node in asked]


def _comparable(hits: Sequence[VerifiedHit]) -> list[VerifiedHit]:
    """Return the versions of texts that several nodes hold; the agreement of sources needs no others."""
    labels = versions([frozenset(hit.words) for hit in hits])
    holders: defaultdict[int, set[int]] = defaultdict(set)
    for label, hit in zip(labels, hits, strict=True):
        holders[label].add(hit.node)
    return [hit for label, hit in zip(labels, hits, strict=True) if len(holders[label]) > 1]


def _key(batch: Batch) -> tuple[str, int, bytes]:
    return batch.rater, batch.number, batch.root
