"""A client's trust in nodes and accounts, as ``net.trust``."""

from __future__ import annotations

from collections.abc import Callable

from ..answer.live import LiveAnswer
from ..errors import NotRegistered
from ..rating.queue import RatingQueue
from ..routing.directory import NodeDirectory
from ..routing.follower import DirectoryFollower
from ..routing.options import MAX_K
from ..trust.history import History
from ..trust.probes import Probe, ProbeResult, evaluate_probe
from ..trust.rater_weights import TrustedAccount
from .trust_model import NodeTrust, TrustModel


class NetworkTrust:
    """Trust as this client sees it: every method reads the chain, and raises ChainUnreachable without it."""

    def __init__(
        self, follower: DirectoryFollower, model: TrustModel, ask: Callable[..., LiveAnswer], queue: RatingQueue
    ) -> None:
        self._follower = follower
        self._model = model
        self._ask = ask
        self._queue = queue

    def of(self, node: int) -> NodeTrust:
        """Return how far a node is trusted, and why. Raises NotRegistered."""
        view = self._refreshed().look_up([node])[0].get(node)
        if view is None:
            raise NotRegistered(
                f"There is no node {node} on this network that can be asked.", hint="`knet nodes` lists them."
            )
        return self._model.trusted(view)

    def all(self) -> list[NodeTrust]:
        """Return how far every node is trusted, by node; of a large network, those asked lately."""
        return [self._model.trusted(view) for _, view in sorted(self._refreshed().cached().items())]

    def people(self) -> list[TrustedAccount]:
        """Return the accounts this client trusts and why, by walks from its own ratings, most trusted first."""
        self._follower.current()
        return self._model.trusted_accounts()

    def history(self) -> list[History]:
        """Return every node's reliability on chain and its usefulness to this client over time."""
        return self._model.histories(self._follower.current().cached())

    def probe(self, probe: Probe, *, rate: bool = False) -> ProbeResult:
        """Ask every node a question whose answer is known, and learn which nodes are right.

        ``rate`` also queues ratings. Raises ConfigError for a question that cannot be asked.
        """
        answer = self._ask(probe.question, k=MAX_K, max_nodes="all", collapse=False)
        sent = [(passage.provenance.node, passage.text) for passage in answer.passages]
        result = evaluate_probe(probe, sent)
        self._model.observe(result)
        if rate:
            best = {node: number for number, (node, _) in reversed(list(enumerate(sent, 1)))}
            for node, outcome in result.outcomes.items():
                if outcome:
                    self._queue.rate(answer.record, outcome, passage=best[node])
        return result

    def finish_learning(self) -> None:
        """Wait until every answer so far has been learned from."""
        self._model.finish_learning()

    def _refreshed(self) -> NodeDirectory:
        directory = self._follower.refresh()
        self._model.refresh()
        return directory
