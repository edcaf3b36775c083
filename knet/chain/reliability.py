"""Wrapper of the reliability contract: scores, bonds, batches of ratings and challenges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

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
from .events import Log, block_times, fetch_logs, topic_address
from .keys import Signer
from .rpc import Rpc

MAX_NODES_PER_CALL = 1000  # `Reliability.MAX_NODES_PER_CALL`
EPOCH_SECONDS = 7 * 86_400  # `Reliability.EPOCH`
KEPT = 0.97  # share of a weight after one epoch; `ScoreLib.KEPT`
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
            sums = self._rpc.call(self._contract.functions.scores(group), "Reading the scores", block)
            for node, (positive, negative, count, _) in zip(group, sums, strict=True):
                found[node] = Reputation(positive=positive / 100, negative=negative / 100, count=count)
        return found

    def stake(self, rater: str) -> StakeStatus:
        """Return the bond and the influence of a rater."""
        description = f"Reading the stake of {rater}"
        bond, spent, epoch, batches, last = self._rpc.call(self._contract.functions.raterOf(rater), description)
        now = self._rpc.call(self._contract.functions.currentEpoch(), description)
        return StakeStatus(
            bond=bond,
            spent=spent if epoch == now else 0,
            batches=batches,
            free_at=last + WINDOW_SECONDS if last else 0,
        )

    def reward(self, account: str) -> Reward:
        """Return the rewards of challenges that an account has not claimed."""
        description = f"Reading the rewards of {account}"
        amount, epoch = self._rpc.call(self._contract.functions.rewardOf(account), description)
        return Reward(amount=amount, free_at=(epoch + 1) * EPOCH_SECONDS if amount else 0)

    def key_history(self, node: int, account: str) -> KeyPeriods:
        """Return the recorded periods of an account at a node."""
        found = self._rpc.call(
            self._contract.functions.keyHistory(node, account), f"Reading the key history of node {node}"
        )
        return KeyPeriods(wallet_since=found[0], wallet_until=found[1], owner_since=found[2], owner_until=found[3])

    def batches(self, rater: str | None = None, *, since: int = 0) -> list[Batch]:
        """Return all batches, or one rater's, from block ``since`` on, oldest first, removed ones included."""
        topics = [SUBMITTED, *([_topic(rater)] if rater else [])]
        start, time_of = max(since, self._start), block_times(self._rpc)
        with self._rpc.errors("Reading the batches of ratings"):
            logs = fetch_logs(self._rpc, [self._contract.address], topics, start, self._rpc.block_number())
            return [decode_batch(log, time_of(log)) for log in logs]

    def removed(self) -> set[tuple[str, int]]:
        """Return rater and number of every batch that was slashed or voided."""
        with self._rpc.errors("Reading the challenges of batches"):
            latest = self._rpc.block_number()
            logs = fetch_logs(self._rpc, [self._contract.address], [[SLASHED, VOIDED]], self._start, latest)
            return {rater_and_number(log) for log in logs}

    def is_active(self, batch: Batch) -> bool:
        """Return True if no challenge removed the batch."""
        call = self._contract.functions.commitmentOf(batch.rater, batch.number)
        return bool(int.from_bytes(self._rpc.call(call, f"Reading batch {batch.number} of {batch.rater}")))

    def open_challenges(
        self, rater: str | None = None, *, challenger: str | None = None
    ) -> list[AvailabilityChallenge]:
        """Return the availability challenges without a response, of a rater or by a challenger, oldest first."""
        found: dict[tuple[str, str, str, int], AvailabilityChallenge] = {}
        with self._rpc.errors("Reading availability challenges"):
            for log in self._challenge_logs([AVAILABILITY_CHALLENGED, RESPONDED], rater, challenger):
                kind, account, number, address = log["topics"]
                data = bytes.fromhex(log["data"][2:])
                key = (account, number, address, int.from_bytes(data[:32]))
                if kind == RESPONDED:
                    found.pop(key, None)
                else:
                    found[key] = AvailabilityChallenge(
                        rater=topic_address(account),
                        number=int(number, 16),
                        challenger=topic_address(address),
                        index=key[3],
                        deadline=int.from_bytes(data[32:64]),
                    )
        return list(found.values())

    def responses_to(self, challenger: str) -> list[tuple[str, int, LeafProof]]:
        """Return the rater, the batch's number and the leaf of every response to a challenger.

        Leaves out responses sent through another contract: their leaves are only in that contract's call.
        """
        found: list[tuple[str, int, LeafProof]] = []
        with self._rpc.errors("Reading responses to availability challenges"):
            for log in self._challenge_logs([RESPONDED], None, challenger):
                sent = self._rpc.web3.eth.get_transaction(log["transactionHash"])
                if sent.get("to") != self._contract.address:
                    continue
                _, arguments = self._contract.decode_function_input(sent["input"])
                found.append((*rater_and_number(log), decode_proof(arguments["proof"])))
        return found

    def _challenge_logs(self, kinds: list[str], rater: str | None, challenger: str | None) -> Iterator[Log]:
        topics = [kinds, _topic(rater) if rater else None, None, _topic(challenger) if challenger else None]
        latest = self._rpc.block_number()
        return fetch_logs(self._rpc, [self._contract.address], topics, self._start, latest)

    # --- writing -----------------------------------------------------------------------------------------------

    def bond(self, signer: Signer, wei: int) -> str:
        """Add wei to the signer's bond and return the transaction hash."""
        return self._rpc.send(signer, self._contract.functions.bond(), f"Bonding {wei} wei", value=wei)

    def unbond(self, signer: Signer, wei: int) -> str:
        """Withdraw wei from the signer's bond and return the transaction hash.

        Raises TransactionFailed while a batch of the signer can be challenged.
        """
        return self._rpc.send(signer, self._contract.functions.unbond(wei), f"Withdrawing {wei} wei")

    def checkpoint(self, signer: Signer, nodes: Sequence[int]) -> str:
        """Record the present wallets and owners of nodes (256 at most) and return the transaction hash."""
        return self._rpc.send(signer, self._contract.functions.checkpoint(list(nodes)), f"Recording {len(nodes)} nodes")

    def submit(self, signer: Signer, root: bytes, content: Cid, deltas: Sequence[Delta], deadline: int) -> str:
        """Submit a batch of ratings and return the transaction hash.

        The contract refuses it after ``deadline`` (unix seconds). One wrong leaf under ``root`` costs the whole bond;
        `knet.rating.batch` builds correct batches.
        """
        words = [delta.word for delta in deltas]
        call = self._contract.functions.submit(root, content.digest, words, deadline)
        return self._rpc.send(signer, call, f"Submitting ratings of {len(deltas)} nodes")

    def claim(self, signer: Signer) -> str:
        """Withdraw the rewards of earlier epochs and return the transaction hash."""
        return self._rpc.send(signer, self._contract.functions.claim(), "Claiming rewards")

    def challenge_leaf(self, signer: Signer, batch: Batch, proof: LeafProof) -> str:
        """Prove that one leaf is wrong by itself, earn half the bond, and return the transaction hash."""
        call = self._contract.functions.challengeLeaf(batch_words(batch), proof_words(proof))
        return self._rpc.send(signer, call, _challenging(batch))

    def challenge_sum(self, signer: Signer, batch: Batch, before: LeafProof, proof: LeafProof) -> str:
        """Prove that a leaf does not add up with the leaf before it, and return the transaction hash."""
        words = (batch_words(batch), proof_words(before), proof_words(proof))
        return self._rpc.send(signer, self._contract.functions.challengeSum(*words), _challenging(batch))

    def challenge_duplicate(
        self, signer: Signer, batch: Batch, proof: LeafProof, other: Batch, again: LeafProof
    ) -> str:
        """Prove that two leaves use one receipt, and return the transaction hash."""
        words = (batch_words(batch), proof_words(proof), batch_words(other), proof_words(again))
        return self._rpc.send(signer, self._contract.functions.challengeDuplicate(*words), _challenging(batch))

    def void_unavailable(self, signer: Signer, batch: Batch, index: int, challenger: str) -> str:
        """Have a batch removed whose leaf was not published after ``challenger`` asked for it."""
        call = self._contract.functions.voidUnavailable(batch_words(batch), index, challenger)
        return self._rpc.send(signer, call, f"Voiding {_name(batch)}")

    def reclaim_fee(self, signer: Signer, challenge: AvailabilityChallenge) -> str:
        """Reclaim the fee of a challenge whose batch was removed, and return the transaction hash."""
        call = self._contract.functions.reclaimFee(challenge.rater, challenge.number, challenge.index)
        return self._rpc.send(
            signer, call, f"Reclaiming the fee for leaf {challenge.index} of batch {challenge.number}"
        )

    def challenge_availability(self, signer: Signer, batch: Batch, index: int) -> str:
        """Require the rater to publish a leaf, for `AVAILABILITY_FEE`, and return the transaction hash."""
        call = self._contract.functions.challengeAvailability(batch_words(batch), index)
        return self._rpc.send(
            signer, call, f"Challenging the availability of leaf {index} of {_name(batch)}", value=AVAILABILITY_FEE
        )

    def respond(self, signer: Signer, batch: Batch, proof: LeafProof, challenger: str) -> str:
        """Publish a leaf whose availability was challenged, and return the transaction hash."""
        call = self._contract.functions.respond(batch_words(batch), proof_words(proof), challenger)
        return self._rpc.send(signer, call, f"Publishing leaf {proof.index} of {_name(batch)}")


def _topic(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")


def _name(batch: Batch) -> str:
    return f"batch {batch.number} of {batch.rater}"


def _challenging(batch: Batch) -> str:
    return f"Challenging {_name(batch)}"
