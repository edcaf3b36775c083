"""Exactly-once transaction sender: survives dropped RPC replies, nonce lag and reorganisations.

Each transaction is recorded in `knet.chain.journal` before it is sent. The same signed bytes count once however often
they are sent, so the sender repeats them freely. A repeated call resumes the transaction that was sent for it.
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
CONFIRMED_SECONDS = 1800.0  # twice what Ethereum takes to finalize
RESEND_SECONDS = 5.0  # interval at which an unmined transaction is sent again, in case the RPC dropped it
BUMP_SECONDS = 30.0  # if it is not mined by then, it pays too little
BUMP = 1.125  # nodes want a tenth more for a replacement
MAX_VERSIONS = 8  # 1.125 ** 7 is 2.3 times the first price, which itself had a margin of two
FIRST_POLL, SLOWEST_POLL = 0.004, 1.0  # seconds; a development chain has the receipt at once
SEND_PAUSES = (0.05, 0.25, 1.0)  # seconds between attempts to send the same bytes
NONCE_PAUSES = (0.05, 0.25, 1.0, 2.0)  # seconds for a lagging RPC to learn of this key's last transaction
GAS_MARGINS = (1.2, 2.4)  # state may change between the estimate and the block; the second is for a retry out of gas
FINAL_BLOCKS = 12  # reorganisations of chains in use are shorter
RESUMED_SECONDS = 3600  # a repeated call resumes a mined transaction that was not reported for this long

_LOST = (requests.RequestException, BadResponseFormat)
_KNOWN = ("already known", "known transaction", "already imported", "already in mempool")
_TAKEN = ("nonce too low", "underpriced", "nonce is too low", "transaction already executed")
_NO_GAS = 0.98  # share of the limit: a reverted transaction that used more ran out of gas


class Sender:
    """Sender for any key over one RPC. ``journals`` is the folder of the journals; without it they stay in memory.

    ``confirmations`` is the number of blocks above a transaction, or the tag, at which it is confirmed.
    """

    def __init__(
        self, web3: Web3, journals: Path | None = None, confirmations: int | Literal["safe", "finalized"] = 0
    ) -> None:
        self._web3 = web3
        self._confirmations = confirmations
        self._journals = journals
        self._opened: dict[str, Journal] = {}

    def transact(
        self, signer: Signer, call: ContractFunction | ContractConstructor, description: str, value: int
    ) -> TxReceipt:
        """Send a call as `Rpc.transact` describes; also raises the errors of web3 and requests."""
        for margin in GAS_MARGINS:
            pending = self._send(signer, call, description, value, margin)
            try:
                receipt = self._mined(signer, pending)
            except BaseException:
                self._journal(signer).abandon(pending)
                raise
            release(pending)
            if receipt["status"] == 1:
                return receipt
            if receipt["gasUsed"] < _NO_GAS * _fields(pending)["gas"]:
                break
        raise TransactionFailed(
            f"{description} failed: transaction {receipt['transactionHash'].to_0x_hex()} reverted in block "
            f"{receipt['blockNumber']}.",
            hint="The chain changed between the estimate and the block; try again.",
        )

    # --- sending -----------------------------------------------------------------------------------------------

    @cached_property
    def _chain(self) -> tuple[int, str]:
        """Chain id and genesis hash, which tell a restarted development chain from the one before."""
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
        self, signer: Signer, call: ContractFunction | ContractConstructor, description: str, value: int, margin: float
    ) -> PendingTransaction:
        """Resume an abandoned transaction of the same call, or send a new one. Either is then awaited."""
        journal = self._journal(signer)
        with journal.opened() as entries:
            entries[:] = self._refreshed(signer, entries)
            built = call.build_transaction(
                self._fees()
                | TxParams({"from": signer.address, "gas": 0, "nonce": 0, "value": Wei(value)})  # type: ignore[typeddict-item]
                | TxParams({"chainId": self._chain[0]})
            )
            call_digest = sha256(repr((built.get("to"), built["data"], value)).encode()).digest()
            for number, earlier in enumerate(entries):
                if earlier.call_digest == call_digest and _is_resumable(earlier):
                    entries[number] = replace(earlier, by=this_process())
                    hold(entries[number])
                    return entries[number]
            built["gas"] = int(call.estimate_gas({"from": signer.address, "value": Wei(value)}, "pending") * margin)
            pauses = iter(NONCE_PAUSES)
            while True:
                pending = self._signed(signer, built, call_digest, description, self._nonce(signer, entries))
                entries.append(pending)
                journal.save(entries)
                try:
                    self._broadcast(pending.versions[-1])
                except Web3RPCError as error:  # after a broken connection it stays recorded: it may have arrived
                    entries.remove(pending)
                    pause = next(pauses, None)
                    if pause is None or not _says(error, _TAKEN):
                        raise
                    time.sleep(pause)
                    continue
                entries[-1] = replace(pending, by=this_process())
                hold(pending)
                return entries[-1]

    def _nonce(self, signer: Signer, entries: list[PendingTransaction]) -> int:
        """Return the next nonce: the RPC's count, or one above the journal's last where the RPC lags."""
        counted = self._web3.eth.get_transaction_count(signer.address, "pending")
        return max([counted, *(entry.nonce + 1 for entry in entries)])

    def _signed(
        self, signer: Signer, built: TxParams, call_digest: bytes, description: str, nonce: int
    ) -> PendingTransaction:
        raw = signer.sign_transaction(built | {"nonce": nonce}).raw_transaction  # type: ignore[arg-type]
        return PendingTransaction(
            nonce=nonce, call_digest=call_digest, description=description, versions=[bytes(raw)], time=int(time.time())
        )

    def _broadcast(self, raw: bytes) -> None:
        """Send signed bytes, again after a broken connection. Raises Web3RPCError when the RPC refuses them.

        A refusal after a broken connection is ignored, since the bytes may have arrived before it broke.
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
        """Return True if the RPC has the transaction, mined or pending; refusals of a copy have no common text."""
        try:
            self._web3.eth.get_transaction(transaction)
        except TransactionNotFound:
            return False
        return True

    def _fees(self) -> TxParams:
        """Return EIP-1559 fees that last six full blocks; a plain gas price where the chain has no base fee."""
        base = self._web3.eth.get_block("latest").get("baseFeePerGas")
        if base is None:
            return {"gasPrice": self._web3.eth.gas_price}
        tip = self._web3.eth.max_priority_fee
        return {"maxFeePerGas": Wei(2 * base + tip), "maxPriorityFeePerGas": tip}

    # --- outcome -------------------------------------------------------------------------------------

    def _refreshed(self, signer: Signer, entries: list[PendingTransaction]) -> list[PendingTransaction]:
        """Return the earlier transactions that could still count; send those again that the chain has lost."""
        kept: list[PendingTransaction] = []
        lost: list[PendingTransaction] = []
        newest, count = self._web3.eth.block_number, self._web3.eth.get_transaction_count(signer.address, "latest")
        is_mined = False  # a reorganisation removes the last blocks: nonces below a mined one are mined
        for pending in sorted(entries, key=lambda entry: -entry.nonce):
            if not (is_mined and pending.block):
                receipt = self._receipt(pending)
                if receipt is None and count > pending.nonce and not pending.taken:
                    receipt = self._late_receipt(pending)
                taken = 0
                if receipt is not None:
                    is_mined = True
                elif count <= pending.nonce:
                    lost.append(pending)
                else:
                    taken = pending.taken or newest
                    if confirmed_block(self._web3, self._confirmations)["number"] >= taken:
                        continue  # another transaction with its nonce is confirmed
                block = receipt["blockNumber"] if receipt else 0
                since = int(time.time()) if block and not pending.block else pending.time
                pending = replace(pending, block=block, taken=taken, time=since)
            if not pending.block or newest - pending.block < FINAL_BLOCKS or _is_resumable(pending):
                kept.append(pending)
        for pending in reversed(lost):  # the lowest nonce first: some RPCs refuse others before it
            self._resend(pending)
        return kept[::-1]

    def _receipt(self, pending: PendingTransaction) -> TxReceipt | None:
        for transaction in pending.hashes:
            try:
                return self._web3.eth.get_transaction_receipt(transaction)
            except TransactionNotFound:
                continue
        return None

    def _late_receipt(self, pending: PendingTransaction) -> TxReceipt | None:
        """Return the receipt of a transaction whose nonce is used; an RPC of many servers may have it late."""
        for pause in NONCE_PAUSES:
            time.sleep(pause)
            receipt = self._receipt(pending)
            if receipt is not None:
                return receipt
        return None

    def _resend(self, pending: PendingTransaction) -> None:
        """Send the last version again if the RPC does not know it: it was dropped, or its block was replaced."""
        if self._is_known(pending.hashes[0]):
            return
        try:
            self._broadcast(pending.versions[-1])
        except Web3RPCError as error:
            if not _says(error, _TAKEN):  # an earlier version was mined
                raise

    def _mined(self, signer: Signer, pending: PendingTransaction) -> TxReceipt:
        """Wait until a transaction is confirmed and return its receipt; send it again, and later with a higher fee.

        A transaction whose block is replaced before it is confirmed is sent again like a dropped one.
        """
        journal = self._journal(signer)
        started = time.monotonic()
        resend_at, bump_at, pause = started + RESEND_SECONDS, started + BUMP_SECONDS, FIRST_POLL
        failure: Exception | None = None
        receipt: TxReceipt | None = None
        while True:
            try:
                receipt = self._receipt(pending)
                if receipt is not None and self._is_confirmed(receipt):
                    self._done(journal, pending, receipt)
                    return receipt
                now = time.monotonic()
                if receipt is not None:
                    bump_at = now + BUMP_SECONDS
                elif now > bump_at:
                    pending, bump_at = self._bumped(signer, journal, pending), now + BUMP_SECONDS
                    self._resend(pending)
                elif now > resend_at:
                    resend_at = now + RESEND_SECONDS
                    self._resend(pending)
                failure = None
            except (*_LOST, Web3RPCError, BlockNotFound) as error:
                failure = error  # the next attempt may succeed
            patience, state = (CONFIRMED_SECONDS, "confirmed") if receipt else (MINED_SECONDS, "mined")
            if time.monotonic() - started > patience:
                if isinstance(failure, _LOST):
                    raise failure
                raise TransactionPending(
                    f"{pending.description}: transaction {pending.hashes[0].to_0x_hex()} was not {state} "
                    f"in {patience:.0f} s.",
                    hint="It may still be; the same command resumes it.",
                ) from failure
            time.sleep(pause)
            pause = min(pause * 1.5, SLOWEST_POLL)

    def _is_confirmed(self, receipt: TxReceipt) -> bool:
        """Return True if enough blocks lie above the transaction, or if it reverted and so has no effect."""
        if not self._confirmations or receipt["status"] != 1:
            return True
        return confirmed_block(self._web3, self._confirmations)["number"] >= receipt["blockNumber"]

    def _done(self, journal: Journal, pending: PendingTransaction, receipt: TxReceipt) -> None:
        """Record a reported outcome; a successful transaction stays while a reorganisation could remove it."""
        if receipt["status"] == 1:
            journal.update(replace(pending, block=receipt["blockNumber"], call_digest=b""))
        else:
            journal.forget(pending)

    def _bumped(self, signer: Signer, journal: Journal, pending: PendingTransaction) -> PendingTransaction:
        """Sign and record the same transaction with an eighth higher fee; it is not sent yet."""
        fields = _fields(pending)
        if len(pending.versions) >= MAX_VERSIONS or "maxFeePerGas" not in fields:
            return pending
        now = self._fees()
        for name in ("maxFeePerGas", "maxPriorityFeePerGas"):
            fields[name] = max(int(fields[name] * BUMP) + 1, int(now.get(name, 0)))  # type: ignore[call-overload]
        raw = bytes(signer.sign_transaction(fields).raw_transaction)
        bumped = replace(pending, versions=[*pending.versions, raw])
        journal.update(bumped)
        return bumped


def _fields(pending: PendingTransaction) -> dict[str, Any]:
    """Return the fields of the last version, without its signature."""
    decoded = TypedTransaction.from_bytes(HexBytes(pending.versions[-1])).as_dict()
    return {name: value for name, value in decoded.items() if name not in ("v", "r", "s", "yParity")}


def _is_resumable(pending: PendingTransaction) -> bool:
    """Return True if the outcome was not reported, so that a repetition of the same call means this transaction."""
    if not pending.call_digest or pending.is_awaited():
        return False
    return not pending.block or time.time() - pending.time < RESUMED_SECONDS


def _says(error: Web3RPCError, words: tuple[str, ...]) -> bool:
    message = str(error).lower()
    return any(each in message for each in words)
