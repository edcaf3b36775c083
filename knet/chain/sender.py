"""Transactions that arrive once: over an RPC that drops, lags, forgets, and a chain that changes its mind.

What is sent is first written down (`knet.chain.journal`). The same signed bytes may be sent any number of times and
count once, so sending is repeated freely, and a call that is repeated takes up the transaction that was sent for it.
"""

from __future__ import annotations

import time
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import requests
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes
from msgspec.structs import replace
from web3 import Web3
from web3.contract.contract import ContractConstructor, ContractFunction
from web3.exceptions import BadResponseFormat, BlockNotFound, TransactionNotFound, Web3RPCError
from web3.types import TxParams, TxReceipt, Wei

from ..errors import TransactionFailed, TransactionPending
from .finality import confirmed_block
from .journal import Journal, PendingTransaction, hold, release, this_process
from .keys import Signer

MINED_SECONDS = 120.0  # ten blocks of the slowest chain in use
SETTLED_SECONDS = 1800.0  # twice what Ethereum takes to finalize
REVIVE_SECONDS = 5.0  # how often what is not mined is sent again, in case the RPC forgot it
BUMP_SECONDS = 30.0  # not mined by then: it pays too little
BUMP = 1.125  # nodes want a tenth more for a replacement
MAX_VERSIONS = 8  # 1.125 ** 7 is 2.3 times the first price, which itself had a margin of two
FIRST_POLL, SLOWEST_POLL = 0.004, 1.0  # seconds; a development chain has the receipt at once
SEND_PAUSES = (0.05, 0.25, 1.0)  # seconds between attempts to send the same bytes
NONCE_PAUSES = (0.05, 0.25, 1.0, 2.0)  # seconds for a lagging RPC to hear of this key's last transaction
GAS_MARGINS = (1.2, 2.4)  # state may change between the estimate and the block; the second after it ran out
FINAL_BLOCKS = 12  # deeper, no chain in use takes a block back
RESUMED_SECONDS = 3600  # what was mined untold is taken for this long to be what a repetition of its call means

_LOST = (requests.RequestException, BadResponseFormat)
_KNOWN = ("already known", "known transaction", "already imported", "already in mempool")
_TAKEN = ("nonce too low", "underpriced", "nonce is too low", "transaction already executed")
_NO_GAS = 0.98  # of the limit used by a transaction that reverted: it ran out


class Sender:
    """Sends with any key over one RPC. ``journals`` is the folder that remembers; without it, this object does.

    ``confirmations`` is how deep a transaction must lie before its sender is told that it arrived.
    """

    def __init__(
        self, web3: Web3, journals: Path | None = None, confirmations: int | Literal["safe", "finalized"] = 0
    ) -> None:
        self._web3 = web3
        self._confirmations = confirmations
        self._journals = journals
        self._opened: dict[str, Journal] = {}

    def transact(
        self, signer: Signer, call: ContractFunction | ContractConstructor, doing: str, value: int
    ) -> TxReceipt:
        """See `Rpc.transact`; raises what web3 and requests raise, besides."""
        for margin in GAS_MARGINS:
            sent = self._send(signer, call, doing, value, margin)
            try:
                receipt = self._mined(signer, sent)
            except BaseException:
                self._journal(signer).abandon(sent)
                raise
            release(sent)
            if receipt["status"] == 1:
                return receipt
            if receipt["gasUsed"] < _NO_GAS * _fields(sent)["gas"]:
                break
        raise TransactionFailed(
            f"{doing} failed: transaction {receipt['transactionHash'].to_0x_hex()} reverted in block "
            f"{receipt['blockNumber']}.",
            hint="The chain changed between the estimate and the block; try again.",
        )

    # --- sending -----------------------------------------------------------------------------------------------

    @cached_property
    def _chain(self) -> tuple[int, str]:
        """Chain id and genesis: a development chain that was begun anew is another one."""
        genesis: Any = self._web3.eth.get_block(0).get("hash", b"")
        return self._web3.eth.chain_id, bytes(genesis).hex()[:16]

    def _journal(self, signer: Signer) -> Journal:
        if signer.address not in self._opened:
            path = None
            if self._journals is not None:
                chain_id, genesis = self._chain
                path = self._journals / f"{chain_id}-{genesis}-{signer.address}.json"
            self._opened[signer.address] = Journal(signer.address, path)
        return self._opened[signer.address]

    def _send(
        self, signer: Signer, call: ContractFunction | ContractConstructor, doing: str, value: int, margin: float
    ) -> PendingTransaction:
        """A transaction under way that makes this call: one that nobody waits for, or a new one. It is held."""
        journal = self._journal(signer)
        with journal.opened() as entries:
            entries[:] = self._standing(signer, entries)
            built = call.build_transaction(
                self._fees()
                | TxParams({"from": signer.address, "gas": 0, "nonce": 0, "value": Wei(value)})  # type: ignore[typeddict-item]
                | TxParams({"chainId": self._chain[0]})
            )
            what = sha256(repr((built.get("to"), built["data"], value)).encode()).digest()
            for number, earlier in enumerate(entries):
                if earlier.what == what and _is_left(earlier):
                    entries[number] = replace(earlier, by=this_process())
                    hold(entries[number])
                    return entries[number]
            built["gas"] = int(call.estimate_gas({"from": signer.address, "value": Wei(value)}, "pending") * margin)
            pauses = iter(NONCE_PAUSES)
            while True:
                sent = self._signed(signer, built, what, doing, self._nonce(signer, entries))
                entries.append(sent)
                journal.save(entries)
                try:
                    self._broadcast(sent.versions[-1])
                except Web3RPCError as error:  # a broken connection leaves it written down: it may have arrived
                    entries.remove(sent)
                    pause = next(pauses, None)
                    if pause is None or not _says(error, _TAKEN):
                        raise
                    time.sleep(pause)
                    continue
                entries[-1] = replace(sent, by=this_process())
                hold(sent)
                return entries[-1]

    def _nonce(self, signer: Signer, entries: list[PendingTransaction]) -> int:
        """The next one: what the RPC says, unless it has not yet heard of what was sent last."""
        counted = self._web3.eth.get_transaction_count(signer.address, "pending")
        return max([counted, *(entry.nonce + 1 for entry in entries)])

    def _signed(self, signer: Signer, built: TxParams, what: bytes, doing: str, nonce: int) -> PendingTransaction:
        raw = signer.sign_transaction(built | {"nonce": nonce}).raw_transaction  # type: ignore[arg-type]
        return PendingTransaction(nonce=nonce, what=what, doing=doing, versions=[bytes(raw)], time=int(time.time()))

    def _broadcast(self, raw: bytes) -> None:
        """Send signed bytes, again where the connection broke. Raises Web3RPCError when the RPC refuses them.

        Once a connection broke, no refusal says that they did not arrive before: what became of them, time tells.
        """
        broken = False
        for pause in (*SEND_PAUSES, None):
            try:
                self._web3.eth.send_raw_transaction(HexBytes(raw))
                return
            except _LOST:
                if pause is None:
                    raise
                broken = True
                time.sleep(pause)
            except Web3RPCError as error:
                if broken or _says(error, _KNOWN) or self._is_known(Web3.keccak(raw)):
                    return
                raise

    def _is_known(self, transaction: HexBytes) -> bool:
        """Whether the chain has it, mined or waiting: a second sending is refused in many words."""
        try:
            self._web3.eth.get_transaction(transaction)
        except TransactionNotFound:
            return False
        return True

    def _fees(self) -> TxParams:
        """EIP-1559 fees that outlive six full blocks; a plain gas price where the chain has no base fee."""
        base = self._web3.eth.get_block("latest").get("baseFeePerGas")
        if base is None:
            return {"gasPrice": self._web3.eth.gas_price}
        tip = self._web3.eth.max_priority_fee
        return {"maxFeePerGas": Wei(2 * base + tip), "maxPriorityFeePerGas": tip}

    # --- what became of it -------------------------------------------------------------------------------------

    def _standing(self, signer: Signer, entries: list[PendingTransaction]) -> list[PendingTransaction]:
        """Earlier transactions that could still count, each sent again if the chain does not have it any more."""
        left: list[PendingTransaction] = []
        gone: list[PendingTransaction] = []
        newest, count = self._web3.eth.block_number, self._web3.eth.get_transaction_count(signer.address, "latest")
        stands = False  # a reorganisation takes back the last blocks: below one that stands, all do
        for sent in sorted(entries, key=lambda entry: -entry.nonce):
            if not (stands and sent.block):
                receipt = self._receipt(sent)
                if receipt is None and count > sent.nonce and not sent.taken:
                    receipt = self._late_receipt(sent)
                taken = 0
                if receipt is not None:
                    stands = True
                elif count <= sent.nonce:
                    gone.append(sent)
                else:
                    taken = sent.taken or newest
                    if confirmed_block(self._web3, self._confirmations)["number"] >= taken:
                        continue  # another took its nonce for good
                block = receipt["blockNumber"] if receipt else 0
                since = int(time.time()) if block and not sent.block else sent.time
                sent = replace(sent, block=block, taken=taken, time=since)
            if not sent.block or newest - sent.block < FINAL_BLOCKS or _is_left(sent):
                left.append(sent)
        for sent in reversed(gone):  # the lowest nonce first: some RPCs take no others before it
            self._revive(sent)
        return left[::-1]

    def _receipt(self, sent: PendingTransaction) -> TxReceipt | None:
        for transaction in sent.hashes:
            try:
                return self._web3.eth.get_transaction_receipt(transaction)
            except TransactionNotFound:
                continue
        return None

    def _late_receipt(self, sent: PendingTransaction) -> TxReceipt | None:
        """Of one whose nonce is used up: its own, which an RPC of many servers may be slow to have."""
        for pause in NONCE_PAUSES:
            time.sleep(pause)
            receipt = self._receipt(sent)
            if receipt is not None:
                return receipt
        return None

    def _revive(self, sent: PendingTransaction) -> None:
        """Send it again if the RPC does not know what pays most: it was dropped, or its block was taken back."""
        if self._is_known(sent.hashes[0]):
            return
        try:
            self._broadcast(sent.versions[-1])
        except Web3RPCError as error:
            if not _says(error, _TAKEN):  # an earlier version stands where it would
                raise

    def _mined(self, signer: Signer, sent: PendingTransaction) -> TxReceipt:
        """Wait until its receipt is settled; send it again, and at last for more, until it is there.

        One that was mined and is taken back before it is settled is sent again like one that was dropped.
        """
        journal = self._journal(signer)
        started = time.monotonic()
        revive_at, bump_at, pause = started + REVIVE_SECONDS, started + BUMP_SECONDS, FIRST_POLL
        trouble: Exception | None = None
        receipt: TxReceipt | None = None
        while True:
            try:
                receipt = self._receipt(sent)
                if receipt is not None and self._is_settled(receipt):
                    self._done(journal, sent, receipt)
                    return receipt
                now = time.monotonic()
                if receipt is not None:
                    bump_at = now + BUMP_SECONDS
                elif now > bump_at:
                    sent, bump_at = self._bumped(signer, journal, sent), now + BUMP_SECONDS
                    self._revive(sent)
                elif now > revive_at:
                    revive_at = now + REVIVE_SECONDS
                    self._revive(sent)
                trouble = None
            except (*_LOST, Web3RPCError, BlockNotFound) as error:
                trouble = error  # the next look may see more
            patience, what = (SETTLED_SECONDS, "settled") if receipt else (MINED_SECONDS, "mined")
            if time.monotonic() - started > patience:
                if isinstance(trouble, _LOST):
                    raise trouble
                raise TransactionPending(
                    f"{sent.doing}: transaction {sent.hashes[0].to_0x_hex()} was not {what} in {patience:.0f} s.",
                    hint="It may still be; the same command takes it up again.",
                ) from trouble
            time.sleep(pause)
            pause = min(pause * 1.5, SLOWEST_POLL)

    def _is_settled(self, receipt: TxReceipt) -> bool:
        """Whether enough blocks lie above it. What reverted can be told at once: nothing of it counts."""
        if not self._confirmations or receipt["status"] != 1:
            return True
        return confirmed_block(self._web3, self._confirmations)["number"] >= receipt["blockNumber"]

    def _done(self, journal: Journal, sent: PendingTransaction, receipt: TxReceipt) -> None:
        """It is told to the caller now; kept are those that a reorganisation could still take back."""
        if receipt["status"] == 1:
            journal.update(replace(sent, block=receipt["blockNumber"], what=b""))
        else:
            journal.forget(sent)

    def _bumped(self, signer: Signer, journal: Journal, sent: PendingTransaction) -> PendingTransaction:
        """The same transaction for an eighth more, written down in the place of the one that waits; not yet sent."""
        fields = _fields(sent)
        if len(sent.versions) >= MAX_VERSIONS or "maxFeePerGas" not in fields:
            return sent
        now = self._fees()
        for name in ("maxFeePerGas", "maxPriorityFeePerGas"):
            fields[name] = max(int(fields[name] * BUMP) + 1, int(now.get(name, 0)))  # type: ignore[call-overload]
        raw = bytes(signer.sign_transaction(fields).raw_transaction)
        bumped = replace(sent, versions=[*sent.versions, raw])
        journal.update(bumped)
        return bumped


def _fields(sent: PendingTransaction) -> dict[str, Any]:
    """What the last version says, without its signature."""
    decoded = TypedTransaction.from_bytes(HexBytes(sent.versions[-1])).as_dict()
    return {name: value for name, value in decoded.items() if name not in ("v", "r", "s", "yParity")}


def _is_left(sent: PendingTransaction) -> bool:
    """Whether nobody was told what became of it, and somebody who makes the same call now means this one."""
    if not sent.what or sent.is_awaited():
        return False
    return not sent.block or time.time() - sent.time < RESUMED_SECONDS


def _says(error: Web3RPCError, words: tuple[str, ...]) -> bool:
    said = str(error).lower()
    return any(each in said for each in words)
