"""Gas of a batch in knet's and the paper's contract, in steady state: every storage slot was written before."""

from __future__ import annotations

from matplotlib.figure import Figure

from benchmarks.fleet import network
from benchmarks.harness import report
from knet.chain.batches import Delta
from knet.chain.devchain import fund
from knet.chain.evm import EvmChain
from knet.chain.keys import new_key
from knet.codec import DAG_CBOR, Cid

from .paper import PaperScores

SIZES = (1, 2, 5, 10, 20, 21, 50)  # nodes a batch
FOLDED = 50  # ratings a node in the batch of many ratings
FIRST_NODE = 1000  # node ids as in a large network
STAKE = 10 * 10**18
DEADLINE = 1 << 60  # never reached


class KnetScores:
    """Bonded rater on the deployed contracts."""

    def __init__(self, chain: EvmChain) -> None:
        self._chain, self._signer, self._round = chain, new_key(), 0
        fund(chain.rpc.web3.provider.endpoint_uri, self._signer.address)  # type: ignore[attr-defined]
        chain.reliability.bond(self._signer, STAKE)
        for _ in range(2):
            self.submit(max(SIZES), 1)

    def submit(self, nodes: int, ratings: int) -> int:
        """Return the gas of a batch with ``ratings`` of each of ``nodes``, of which 70 % are positive."""
        self._round += 1
        root = Cid.of(b"root %d" % self._round).digest
        content = Cid.of(b"content %d" % self._round, DAG_CBOR)
        deltas = [
            Delta(node=FIRST_NODE + number, positive=70 * ratings, negative=30 * ratings, count=ratings)
            for number in range(nodes)
        ]
        transaction = self._chain.reliability.submit(self._signer, root, content, deltas, DEADLINE)
        return int(self._chain.rpc.web3.eth.get_transaction_receipt(transaction)["gasUsed"])  # type: ignore[arg-type]


def main() -> None:
    with network() as profile:
        chain = EvmChain(profile.rpc, profile.deployment)
        scores = KnetScores(chain)
        signer = new_key()
        fund(chain.rpc.web3.provider.endpoint_uri, signer.address)  # type: ignore[attr-defined]
        paper = PaperScores(chain.rpc, signer, max(SIZES))
        own = {size: scores.submit(size, 2) for size in SIZES}
        theirs = {size: paper.update(size) for size in SIZES}
        folded = scores.submit(20, FOLDED)
    figures = {
        "per_node_at_20": own[20] / 20,
        "marginal_node": float(own[21] - own[20]),
        "per_folded_rating": folded / (20 * FOLDED),
        "paper_per_node_at_20": theirs[20] / 20,
        "paper_marginal_node": float(theirs[21] - theirs[20]),
    }
    details = {
        "gas": {"ours": own, "paper": theirs},
        "published": {"paper_per_node_at_20": 30_376, "paper_marginal_node": 29_061},
        "folded": {"ratings_a_node": FOLDED, "gas": folded},
    }
    report("gas", figures, details, picture(own, theirs))


def picture(own: dict[int, int], theirs: dict[int, int]) -> Figure:
    figure = Figure(figsize=(6, 4))
    axes = figure.add_subplot()
    for name, gas in (("knet: receipts, bond, replay protection", own), ("Reliable-dRAG's contract", theirs)):
        axes.plot(SIZES, [gas[size] / size for size in SIZES], marker="o", label=name)
    axes.set_xlabel("nodes in a batch")
    axes.set_ylabel("gas a node, all in")
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


if __name__ == "__main__":
    main()
