"""The part of a chain that bonded raters and their auditors use: `Reliability`, but for reading scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3.contract.contract import Contract, ContractFunction

from ..codec import Cid
from ..config import Deployment
from .batches import (
    Batch,
    Delta,
    Demand,
    KeyHistory,
    LeafProof,
    Reward,
    StakeStatus,
    batch_of,
    batch_words,
    proof_of,
    proof_words,
    rater_and_number,
)
from .events import Log, block_times, fetch_logs
from .keys import Signer
from .rpc import Rpc

EPOCH_SECONDS = 7 * 86_400  # `Reliability.EPOCH`
KEPT = 0.97  # of a weight after one epoch; `ScoreLib.KEPT`
WINDOW_SECONDS = 10 * 86_400  # in which a batch can be challenged; `Reliability.WINDOW`
DEMAND_FEE = 10**15  # wei; `Reliability.DEMAND_FEE`
SUBMITTED = "0x" + keccak(text="Submitted(address,uint32,bytes32,bytes32,uint256[])").hex()
SLASHED = "0x" + keccak(text="Slashed(address,uint32,address,uint8,uint256)").hex()
DEMANDED = "0x" + keccak(text="Demanded(address,uint32,address,uint256,uint256)").hex()
REVEALED = "0x" + keccak(text="Revealed(address,uint32,address,uint256)").hex()


class BondedRatings:
    """Bonds, batches and challenges; `EvmChain` is one."""

    rpc: Rpc
    _deployment: Deployment
    _reliability: Contract

    # --- reading -----------------------------------------------------------------------------------------------

    def standing(self, rater: str) -> StakeStatus:
        doing = f"Asking what {rater} has at stake"
        bond, spent, epoch, batches, last = self.rpc.call(self._reliability.functions.raterOf(rater), doing)
        now = self.rpc.call(self._reliability.functions.currentEpoch(), doing)
        return StakeStatus(
            bond=bond,
            spent=spent if epoch == now else 0,
            batches=batches,
            free_at=last + WINDOW_SECONDS if last else 0,
        )

    def reward(self, account: str) -> Reward:
        """What an account has earned by challenges and not claimed."""
        doing = f"Asking what {account} has earned"
        amount, epoch = self.rpc.call(self._reliability.functions.rewardOf(account), doing)
        return Reward(amount=amount, free_at=(epoch + 1) * EPOCH_SECONDS if amount else 0)

    def tenure(self, node: int, account: str) -> KeyHistory:
        found = self.rpc.call(self._reliability.functions.tenure(node, account), f"Asking who signed for node {node}")
        return KeyHistory(wallet_since=found[0], wallet_until=found[1], owner_since=found[2], owner_until=found[3])

    def batches(self, rater: str | None = None, *, since: int = 0) -> list[Batch]:
        """Batches from block ``since`` on, oldest first, whether they still stand or not."""
        topics = [SUBMITTED, *([_topic(rater)] if rater else [])]
        start, time_of = max(since, self._deployment.block), block_times(self.rpc)
        with self.rpc.errors("Reading the batches of ratings"):
            logs = fetch_logs(self.rpc, [self._reliability.address], topics, start, self.rpc.block_number())
            return [batch_of(log, time_of(log)) for log in logs]

    def taken_back(self, *, since: int = 0) -> set[tuple[str, int]]:
        """Rater and number of every batch that was proven wrong from block ``since`` on."""
        start = max(since, self._deployment.block)
        with self.rpc.errors("Reading the challenges of batches"):
            logs = fetch_logs(self.rpc, [self._reliability.address], [SLASHED], start, self.rpc.block_number())
            return {rater_and_number(log) for log in logs}

    def stands(self, batch: Batch) -> bool:
        """Whether a batch was not taken back."""
        call = self._reliability.functions.commitmentOf(batch.rater, batch.number)
        return bool(int.from_bytes(self.rpc.call(call, f"Asking for batch {batch.number} of {batch.rater}")))

    def demands(self, rater: str | None = None, *, by: str | None = None) -> list[Demand]:
        """Leaves of a rater's batches, or those that ``by`` demanded, that were not revealed, oldest first."""
        found: dict[tuple[str, str, str, int], Demand] = {}
        with self.rpc.errors("Reading demands"):
            for log in self._demand_logs([DEMANDED, REVEALED], rater, by):
                kind, account, number, asking = log["topics"]
                data = bytes.fromhex(log["data"][2:])
                key = (account, number, asking, int.from_bytes(data[:32]))
                if kind == REVEALED:
                    found.pop(key, None)
                else:
                    found[key] = Demand(
                        rater=_address(account),
                        number=int(number, 16),
                        by=_address(asking),
                        index=key[3],
                        deadline=int.from_bytes(data[32:64]),
                    )
        return list(found.values())

    def revealed_to(self, by: str) -> list[tuple[str, int, LeafProof]]:
        """Rater, number of the batch and leaf of every demand of ``by`` that was answered with a plain transaction.

        An answer given through another contract is only in that one's call.
        """
        found: list[tuple[str, int, LeafProof]] = []
        with self.rpc.errors("Reading what was revealed"):
            for log in self._demand_logs([REVEALED], None, by):
                sent = self.rpc.web3.eth.get_transaction(log["transactionHash"])
                if sent.get("to") != self._reliability.address:
                    continue
                _, arguments = self._reliability.decode_function_input(sent["input"])
                found.append((_address(log["topics"][1]), int(log["topics"][2], 16), proof_of(arguments["proof"])))
        return found

    def _demand_logs(self, kinds: list[str], rater: str | None, by: str | None) -> Iterator[Log]:
        topics = [kinds, _topic(rater) if rater else None, None, _topic(by) if by else None]
        latest = self.rpc.block_number()
        return fetch_logs(self.rpc, [self._reliability.address], topics, self._deployment.block, latest)

    # --- writing -----------------------------------------------------------------------------------------------

    def bond(self, signer: Signer, wei: int) -> str:
        """Put wei at stake: the transaction hash."""
        return self._send(signer, self._reliability.functions.bond(), f"Bonding {wei} wei", value=wei)

    def unbond(self, signer: Signer, wei: int) -> str:
        """Take wei back: the transaction hash. Raises TransactionFailed while a batch can still be challenged."""
        return self._send(signer, self._reliability.functions.unbond(wei), f"Taking back {wei} wei")

    def witness(self, signer: Signer, nodes: Sequence[int]) -> str:
        """Have it noted who signs for and owns nodes (256 at most) now: the transaction hash."""
        return self._send(signer, self._reliability.functions.witness(list(nodes)), f"Witnessing {len(nodes)} nodes")

    def submit(self, signer: Signer, root: bytes, content: Cid, deltas: Sequence[Delta], deadline: int) -> str:
        """Put a batch of ratings on chain: the transaction hash. It counts only if included by ``deadline``.

        One wrong leaf under ``root`` costs the whole bond; `knet.rating.batch` builds what is right.
        """
        words = [delta.word for delta in deltas]
        call = self._reliability.functions.submit(root, content.digest, words, deadline)
        return self._send(signer, call, f"Submitting ratings of {len(deltas)} nodes")

    def claim(self, signer: Signer) -> str:
        """Take what was earned by challenges, from the epoch after the last one on: the transaction hash."""
        return self._send(signer, self._reliability.functions.claim(), "Claiming what challenges earned")

    def challenge_leaf(self, signer: Signer, batch: Batch, proof: LeafProof) -> str:
        """Prove one leaf wrong by itself and earn half the bond: the transaction hash."""
        call = self._reliability.functions.challengeLeaf(batch_words(batch), proof_words(proof))
        return self._send(signer, call, _challenging(batch))

    def challenge_sum(self, signer: Signer, batch: Batch, before: LeafProof, proof: LeafProof) -> str:
        """Prove that a leaf does not add up with its neighbour."""
        words = (batch_words(batch), proof_words(before), proof_words(proof))
        return self._send(signer, self._reliability.functions.challengeSum(*words), _challenging(batch))

    def challenge_duplicate(
        self, signer: Signer, batch: Batch, proof: LeafProof, other: Batch, again: LeafProof
    ) -> str:
        """Prove that one receipt stands behind two leaves."""
        words = (batch_words(batch), proof_words(proof), batch_words(other), proof_words(again))
        return self._send(signer, self._reliability.functions.challengeDuplicate(*words), _challenging(batch))

    def challenge_silence(self, signer: Signer, batch: Batch, index: int) -> str:
        """Punish a rater that did not reveal a leaf that ``signer`` demanded."""
        call = self._reliability.functions.challengeSilence(batch_words(batch), index)
        return self._send(signer, call, _challenging(batch))

    def reclaim(self, signer: Signer, demand: Demand) -> str:
        """Take the fee of a demand back whose batch was taken back: the transaction hash."""
        call = self._reliability.functions.reclaim(demand.rater, demand.number, demand.index)
        return self._send(signer, call, f"Reclaiming the fee for leaf {demand.index} of batch {demand.number}")

    def demand(self, signer: Signer, batch: Batch, index: int) -> str:
        """Have a leaf revealed, at the price of `DEMAND_FEE` if it is: the transaction hash."""
        call = self._reliability.functions.demand(batch_words(batch), index)
        return self._send(signer, call, f"Demanding leaf {index} of {_name(batch)}", value=DEMAND_FEE)

    def reveal(self, signer: Signer, batch: Batch, proof: LeafProof, by: str) -> str:
        """Reveal a leaf that ``by`` demanded: the transaction hash."""
        call = self._reliability.functions.reveal(batch_words(batch), proof_words(proof), by)
        return self._send(signer, call, f"Revealing leaf {proof.index} of {_name(batch)}")

    def _send(self, signer: Signer, call: ContractFunction, doing: str, *, value: int = 0) -> str:
        return self.rpc.transact(signer, call, doing, value=value)["transactionHash"].to_0x_hex()


def _address(topic: str) -> str:
    return to_checksum_address("0x" + topic[-40:])


def _topic(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")


def _name(batch: Batch) -> str:
    return f"batch {batch.number} of {batch.rater}"


def _challenging(batch: Batch) -> str:
    return f"Challenging {_name(batch)}"
