"""The part of a chain that bonded raters and their auditors use: `Reliability`, but for reading scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from ..codec import Cid
from ..config import Deployment
from ..records import Reputation
from .batches import (
    AvailabilityChallenge,
    Batch,
    Delta,
    KeyPeriods,
    LeafProof,
    Reward,
    StakeStatus,
    batch_words,
    decode_batch,
    decode_proof,
    proof_words,
    rater_and_number,
)
from .events import Log, block_times, fetch_logs
from .keys import Signer
from .rpc import Rpc

MAX_NODES_PER_CALL = 1000  # `Reliability.MAX_NODES_PER_CALL`
EPOCH_SECONDS = 7 * 86_400  # `Reliability.EPOCH`
KEPT = 0.97  # of a weight after one epoch; `ScoreLib.KEPT`
WINDOW_SECONDS = 10 * 86_400  # in which a batch can be challenged; `Reliability.CHALLENGE_WINDOW`
AVAILABILITY_FEE = 10**15  # wei; `Reliability.AVAILABILITY_FEE`
SUBMITTED = "0x" + keccak(text="Submitted(address,uint32,bytes32,bytes32,uint256[])").hex()
SLASHED = "0x" + keccak(text="Slashed(address,uint32,address,uint8,uint256)").hex()
VOIDED = "0x" + keccak(text="Voided(address,uint32,address,uint256)").hex()
AVAILABILITY_CHALLENGED = "0x" + keccak(text="AvailabilityChallenged(address,uint32,address,uint256,uint256)").hex()
RESPONDED = "0x" + keccak(text="Responded(address,uint32,address,uint256)").hex()


class Reliability:
    """The reliability contract of one deployment. Safe to use from many threads."""

    def __init__(self, rpc: Rpc, deployment: Deployment) -> None:
        self._rpc = rpc
        self._start = deployment.block
        self._contract = rpc.contract("Reliability", deployment.reliability)

    # --- reading -----------------------------------------------------------------------------------------------

    def scores(self, nodes: Iterable[int]) -> dict[int, Reputation]:
        """Return each node's score as of the confirmed block; an unrated node gets the prior.

        Weights have faded by the epochs since the node was last rated. Takes one call per `MAX_NODES_PER_CALL` nodes.
        """
        found = {}
        block: int | Literal["latest"] = self._rpc.confirmed_block()[0] if self._rpc.confirmations else "latest"
        unique = list(dict.fromkeys(nodes))
        for start in range(0, len(unique), MAX_NODES_PER_CALL):
            group = unique[start : start + MAX_NODES_PER_CALL]
            sums = self._rpc.call(self._contract.functions.scores(group), "Asking for reliability", block)
            for node, (positive, negative, count, _) in zip(group, sums, strict=True):
                found[node] = Reputation(positive=positive / 100, negative=negative / 100, count=count)
        return found

    def stake(self, rater: str) -> StakeStatus:
        doing = f"Asking what {rater} has at stake"
        bond, spent, epoch, batches, last = self._rpc.call(self._contract.functions.raterOf(rater), doing)
        now = self._rpc.call(self._contract.functions.currentEpoch(), doing)
        return StakeStatus(
            bond=bond,
            spent=spent if epoch == now else 0,
            batches=batches,
            free_at=last + WINDOW_SECONDS if last else 0,
        )

    def reward(self, account: str) -> Reward:
        """What an account has earned by challenges and not claimed."""
        doing = f"Asking what {account} has earned"
        amount, epoch = self._rpc.call(self._contract.functions.rewardOf(account), doing)
        return Reward(amount=amount, free_at=(epoch + 1) * EPOCH_SECONDS if amount else 0)

    def key_history(self, node: int, account: str) -> KeyPeriods:
        found = self._rpc.call(self._contract.functions.keyHistory(node, account), f"Asking who signed for node {node}")
        return KeyPeriods(wallet_since=found[0], wallet_until=found[1], owner_since=found[2], owner_until=found[3])

    def batches(self, rater: str | None = None, *, since: int = 0) -> list[Batch]:
        """Batches from block ``since`` on, oldest first, whether they still stand or not."""
        topics = [SUBMITTED, *([_topic(rater)] if rater else [])]
        start, time_of = max(since, self._start), block_times(self._rpc)
        with self._rpc.errors("Reading the batches of ratings"):
            logs = fetch_logs(self._rpc, [self._contract.address], topics, start, self._rpc.block_number())
            return [decode_batch(log, time_of(log)) for log in logs]

    def removed(self, *, since: int = 0) -> set[tuple[str, int]]:
        """Return rater and number of every batch that was slashed or voided from block ``since`` on."""
        start = max(since, self._start)
        with self._rpc.errors("Reading the challenges of batches"):
            logs = fetch_logs(self._rpc, [self._contract.address], [[SLASHED, VOIDED]], start, self._rpc.block_number())
            return {rater_and_number(log) for log in logs}

    def is_active(self, batch: Batch) -> bool:
        """Whether a batch was not taken back."""
        call = self._contract.functions.commitmentOf(batch.rater, batch.number)
        return bool(int.from_bytes(self._rpc.call(call, f"Asking for batch {batch.number} of {batch.rater}")))

    def open_challenges(
        self, rater: str | None = None, *, challenger: str | None = None
    ) -> list[AvailabilityChallenge]:
        """Return the availability challenges without a response, of a rater or by a challenger, oldest first."""
        found: dict[tuple[str, str, str, int], AvailabilityChallenge] = {}
        with self._rpc.errors("Reading demands"):
            for log in self._demand_logs([AVAILABILITY_CHALLENGED, RESPONDED], rater, challenger):
                kind, account, number, asking = log["topics"]
                data = bytes.fromhex(log["data"][2:])
                key = (account, number, asking, int.from_bytes(data[:32]))
                if kind == RESPONDED:
                    found.pop(key, None)
                else:
                    found[key] = AvailabilityChallenge(
                        rater=_address(account),
                        number=int(number, 16),
                        challenger=_address(asking),
                        index=key[3],
                        deadline=int.from_bytes(data[32:64]),
                    )
        return list(found.values())

    def responses_to(self, challenger: str) -> list[tuple[str, int, LeafProof]]:
        """Return the rater, the batch's number and the leaf of every response to a challenger.

        Leaves out responses sent through another contract: their leaves are only in that contract's call.
        """
        found: list[tuple[str, int, LeafProof]] = []
        with self._rpc.errors("Reading what was revealed"):
            for log in self._demand_logs([RESPONDED], None, challenger):
                sent = self._rpc.web3.eth.get_transaction(log["transactionHash"])
                if sent.get("to") != self._contract.address:
                    continue
                _, arguments = self._contract.decode_function_input(sent["input"])
                found.append((_address(log["topics"][1]), int(log["topics"][2], 16), decode_proof(arguments["proof"])))
        return found

    def _demand_logs(self, kinds: list[str], rater: str | None, challenger: str | None) -> Iterator[Log]:
        topics = [kinds, _topic(rater) if rater else None, None, _topic(challenger) if challenger else None]
        latest = self._rpc.block_number()
        return fetch_logs(self._rpc, [self._contract.address], topics, self._start, latest)

    # --- writing -----------------------------------------------------------------------------------------------

    def bond(self, signer: Signer, wei: int) -> str:
        """Put wei at stake: the transaction hash."""
        return self._rpc.send(signer, self._contract.functions.bond(), f"Bonding {wei} wei", value=wei)

    def unbond(self, signer: Signer, wei: int) -> str:
        """Take wei back: the transaction hash. Raises TransactionFailed while a batch can still be challenged."""
        return self._rpc.send(signer, self._contract.functions.unbond(wei), f"Taking back {wei} wei")

    def checkpoint(self, signer: Signer, nodes: Sequence[int]) -> str:
        """Have it noted who signs for and owns nodes (256 at most) now: the transaction hash."""
        return self._rpc.send(signer, self._contract.functions.checkpoint(list(nodes)), f"Recording {len(nodes)} nodes")

    def submit(self, signer: Signer, root: bytes, content: Cid, deltas: Sequence[Delta], deadline: int) -> str:
        """Put a batch of ratings on chain: the transaction hash. It counts only if included by ``deadline``.

        One wrong leaf under ``root`` costs the whole bond; `knet.rating.batch` builds what is right.
        """
        words = [delta.word for delta in deltas]
        call = self._contract.functions.submit(root, content.digest, words, deadline)
        return self._rpc.send(signer, call, f"Submitting ratings of {len(deltas)} nodes")

    def claim(self, signer: Signer) -> str:
        """Take what was earned by challenges, from the epoch after the last one on: the transaction hash."""
        return self._rpc.send(signer, self._contract.functions.claim(), "Claiming what challenges earned")

    def challenge_leaf(self, signer: Signer, batch: Batch, proof: LeafProof) -> str:
        """Prove one leaf wrong by itself and earn half the bond: the transaction hash."""
        call = self._contract.functions.challengeLeaf(batch_words(batch), proof_words(proof))
        return self._rpc.send(signer, call, _challenging(batch))

    def challenge_sum(self, signer: Signer, batch: Batch, before: LeafProof, proof: LeafProof) -> str:
        """Prove that a leaf does not add up with its neighbour."""
        words = (batch_words(batch), proof_words(before), proof_words(proof))
        return self._rpc.send(signer, self._contract.functions.challengeSum(*words), _challenging(batch))

    def challenge_duplicate(
        self, signer: Signer, batch: Batch, proof: LeafProof, other: Batch, again: LeafProof
    ) -> str:
        """Prove that one receipt stands behind two leaves."""
        words = (batch_words(batch), proof_words(proof), batch_words(other), proof_words(again))
        return self._rpc.send(signer, self._contract.functions.challengeDuplicate(*words), _challenging(batch))

    def void_unavailable(self, signer: Signer, batch: Batch, index: int, challenger: str) -> str:
        """Have a batch removed whose leaf was not published after ``challenger`` asked for it."""
        call = self._contract.functions.voidUnavailable(batch_words(batch), index, challenger)
        return self._rpc.send(signer, call, f"Voiding {_name(batch)}")

    def reclaim_fee(self, signer: Signer, demand: AvailabilityChallenge) -> str:
        """Take the fee of a demand back whose batch was taken back: the transaction hash."""
        call = self._contract.functions.reclaimFee(demand.rater, demand.number, demand.index)
        return self._rpc.send(signer, call, f"Reclaiming the fee for leaf {demand.index} of batch {demand.number}")

    def challenge_availability(self, signer: Signer, batch: Batch, index: int) -> str:
        """Have a leaf revealed, at the price of `AVAILABILITY_FEE` if it is: the transaction hash."""
        call = self._contract.functions.challengeAvailability(batch_words(batch), index)
        return self._rpc.send(signer, call, f"Demanding leaf {index} of {_name(batch)}", value=AVAILABILITY_FEE)

    def respond(self, signer: Signer, batch: Batch, proof: LeafProof, challenger: str) -> str:
        """Reveal a leaf that ``challenger`` demanded: the transaction hash."""
        call = self._contract.functions.respond(batch_words(batch), proof_words(proof), challenger)
        return self._rpc.send(signer, call, f"Revealing leaf {proof.index} of {_name(batch)}")


def _address(topic: str) -> str:
    return to_checksum_address("0x" + topic[-40:])


def _topic(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")


def _name(batch: Batch) -> str:
    return f"batch {batch.number} of {batch.rater}"


def _challenging(batch: Batch) -> str:
    return f"Challenging {_name(batch)}"
