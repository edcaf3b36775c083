"""Client of one JSON-RPC endpoint over web3: translates its errors, sends transactions and waits for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, cast

import requests
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from web3 import HTTPProvider, Web3
from web3.contract.contract import Contract, ContractConstructor, ContractFunction
from web3.exceptions import (
    BadFunctionCallOutput,
    BadResponseFormat,
    ContractLogicError,
    Web3Exception,
    Web3RPCError,
)
from web3.types import RPCEndpoint, RPCResponse, TxReceipt

from ..codec import read_json
from ..errors import ChainError, ChainUnreachable, CodecError, ConfigError, KnetError, TransactionFailed
from ..http import quoted
from ..redaction import HIDDEN, hide_keys, public_url, redact_error, redact_logs, redacted
from .abi import artifact, describe_revert
from .finality import confirmed_block
from .keys import Signer
from .sender import Sender

CONNECT_SECONDS = 3.0  # time to accept a connection
READ_SECONDS = 20.0  # a page of logs from a public RPC can take this long

READS = frozenset({"eth_call", "eth_estimateGas", "eth_getLogs", "eth_getBlockByNumber"})
_NO_STATE = ("blockoutofrange", "missing trie node", "header not found", "historical state", "pruned")
BETWEEN_BLOCKS = ("BlockOutOfRange", "header not found")
READ_PAUSES = (0.01, 0.05, 0.2, 0.5)  # seconds; a development chain is through at once, a lagging node within a block


def _reason(error: Web3Exception) -> str:
    """Return the RPC's error as text, which is the server's: without keys and control characters."""
    return quoted(redacted(_said(error)))


def _said(error: Web3Exception) -> str:
    if isinstance(error, ContractLogicError):
        with suppress(ValueError):
            if isinstance(error.data, str) and error.data.startswith("0x"):
                return describe_revert(bytes.fromhex(error.data[2:]))
        return str(error.message)
    if isinstance(error, Web3RPCError) and error.rpc_response:
        detail = error.rpc_response.get("error")
        return str(detail.get("message")) if isinstance(detail, dict) else str(detail)
    return str(error)


class _Provider(HTTPProvider):
    """HTTP provider that repeats a read when a block arrived between naming the newest block and reading it.

    Anvil refuses such a read while other accounts write; behind a load balancer a node may be a block behind.
    """

    def __str__(self) -> str:
        return f"RPC at {public_url(str(self.endpoint_uri))}"

    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> RPCResponse:
        """Return a reply's JSON. Raises BadResponseFormat, also for one that nests too deep for web3's decoder."""
        try:
            found = read_json(raw_response)
        except CodecError as error:
            raise BadResponseFormat(str(error)) from error
        if not isinstance(found, dict):
            raise BadResponseFormat(f"the reply is not an object: {str(found)[:40]}")
        return cast(RPCResponse, found)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        for pause in READ_PAUSES:
            response = super().make_request(method, params)
            if method not in READS or not any(words in str(response.get("error", "")) for words in BETWEEN_BLOCKS):
                return response
            time.sleep(pause)
        return super().make_request(method, params)


@contextmanager
def _redacted_errors() -> Iterator[None]:
    """Remove the RPC's key from exceptions, whose messages name its URL or repeat what a server says."""
    try:
        yield
    except Exception as error:
        redact_error(error)
        raise


class Rpc:
    """A chain's JSON-RPC over HTTP. Safe to use from many threads.

    ``journals`` is the folder where transactions are recorded, to be resumed after a crash. ``confirmations`` is the
    number of blocks above a confirmed block, or its tag.
    """

    def __init__(
        self, url: str, journals: Path | None = None, confirmations: int | Literal["safe", "finalized"] = 0
    ) -> None:
        hide_keys(url)
        redact_logs()
        self.origin = public_url(url)
        if not self.origin.startswith(("http://", "https://")):
            shown = "What the profile names" if self.origin == HIDDEN else repr(self.origin)
            raise ConfigError(f"{shown} is not the http(s) URL of a chain's RPC.")
        provider = _Provider(
            url, request_kwargs={"timeout": (CONNECT_SECONDS, READ_SECONDS)}, exception_retry_configuration=None
        )
        self.web3 = Web3(provider, middleware=[])
        self.confirmations = confirmations
        self._sender = Sender(self.web3, journals, confirmations)

    @contextmanager
    def errors(self, description: str, failure: type[ChainError] = ChainError) -> Iterator[None]:
        """Translate the errors of web3 and requests, and those that a malformed reply causes.

        ``description`` completes "... failed"; ``failure`` is raised when the chain itself refuses.
        """
        try:
            with _redacted_errors():
                yield
        except KnetError:
            raise
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            kind = ChainError if 400 <= status < 500 and status != 429 else ChainUnreachable
            raise kind(f"The chain at {self.origin} answered {description} with HTTP status {status}.") from error
        except (requests.RequestException, BadResponseFormat) as error:
            raise ChainUnreachable(
                f"The chain at {self.origin} does not answer ({type(error).__name__}).",
                hint="Check the network's RPC URL; a local network is started with `knet network up`.",
            ) from error
        except BadFunctionCallOutput as error:
            raise ChainError(
                f"{description} failed: there is no such contract on the chain at {self.origin}.",
                hint="The profile's addresses belong to another chain, or the chain was reset.",
            ) from error
        except Web3Exception as error:
            raise failure(f"{description} failed: {_reason(error)}.", hint=_advice(_reason(error))) from error
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, DecodingError) as error:
            raise ChainError(
                f"{description} failed: the server at {self.origin} does not speak Ethereum's JSON-RPC.",
                hint="Check the network's RPC URL.",
            ) from error

    def contract(self, name: str, address: str) -> Contract:
        """Return a deployed contract by its artifact's name. Raises ConfigError."""
        try:
            checked = to_checksum_address(address)
        except ValueError as error:
            raise ConfigError(f"{address!r} is not the address of {name}.") from error
        found: Contract = self.web3.eth.contract(address=checked, abi=artifact(name).abi)
        return found

    def call(self, function: ContractFunction, description: str, block: int | Literal["latest"] = "latest") -> Any:
        """Call a contract's view function as of a block."""
        with self.errors(description):
            return function.call(block_identifier=block)

    def request(self, method: str, params: list[Any]) -> Any:
        """Send one raw request and return its result as JSON. Raises ChainUnreachable and ChainError."""
        with self.errors(method):
            response = self.web3.provider.make_request(RPCEndpoint(method), params)
            if "error" in response:
                detail = response["error"]
                message = detail["message"] if isinstance(detail, dict) else detail
                raise ChainError(f"{method} failed at {self.origin}: {quoted(redacted(str(message)))}.")
            return response["result"]

    def block_number(self) -> int:
        with self.errors("Reading the newest block"):
            return int(self.request("eth_blockNumber", []), 16)

    def confirmed_block(self) -> tuple[int, str]:
        """Return number and hash of the newest confirmed block."""
        with self.errors("Reading the confirmed block"):
            block = confirmed_block(self.web3, self.confirmations)
            return int(block["number"]), block["hash"].to_0x_hex()

    def block_hash(self, number: int) -> str:
        """Return the hash of the chain's present block with this number; empty if there is none."""
        with self.errors("Reading the hash of a block"):
            found = self.request("eth_getBlockByNumber", [hex(number), False])
            return str(found["hash"]) if found else ""

    def transact(
        self, signer: Signer, call: ContractFunction | ContractConstructor, description: str, *, value: int = 0
    ) -> TxReceipt:
        """Estimate, sign here, send, and wait until the transaction is confirmed; ``value`` in wei goes with it.

        Raises TransactionFailed if it will never be mined or had no effect, TransactionPending if it may yet be mined,
        and ChainUnreachable if its fate is unknown. After the last two, the same call resumes the transaction and
        sends no other.
        """
        with self.errors(description, TransactionFailed):
            return self._sender.transact(signer, call, description, value)

    def send(self, signer: Signer, call: ContractFunction, description: str, *, value: int = 0) -> str:
        """Send a call as `transact` does and return the transaction hash."""
        return self.transact(signer, call, description, value=value)["transactionHash"].to_0x_hex()


def _advice(reason: str) -> str:
    lowered = reason.lower()
    if "safe" in lowered or "finalized" in lowered:
        return "If the RPC does not know this tag, set the profile's `confirmations` to a number of blocks."
    if any(words in lowered for words in _NO_STATE):
        return "This RPC keeps no state that old. Use another RPC, or set the profile's `confirmations` lower."
    if "insufficient funds" in lowered:
        return "Send the account some ether for gas."
    if "nonce too low" in lowered or "underpriced" in lowered:
        return "Another process sends with the same key; try again."
    return ""
