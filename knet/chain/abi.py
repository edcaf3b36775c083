"""Compiled contracts, written by `contracts/build.py`, and descriptions of their errors."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import msgspec
from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import abi_to_signature
from eth_utils.crypto import keccak

from ..records import Record

CONTRACTS = ("IdentityRegistry", "ManifestRegistry", "Reliability")
_STANDARD_ERRORS = (
    {"type": "error", "name": "Error", "inputs": [{"name": "message", "type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)


class Artifact(Record, frozen=True):
    """A compiled contract: its ABI and its creation code (0x-hex)."""

    abi: list[dict[str, Any]]
    bytecode: str


@cache
def artifact(name: str) -> Artifact:
    """Return the artifact of one of `CONTRACTS`."""
    return msgspec.json.decode(
        (resources.files(__package__) / "artifacts" / f"{name}.json").read_bytes(), type=Artifact
    )


@cache
def _errors() -> dict[bytes, Any]:
    entries = [*_STANDARD_ERRORS, *(entry for name in CONTRACTS for entry in artifact(name).abi)]
    return {keccak(text=abi_to_signature(entry))[:4]: entry for entry in entries if entry["type"] == "error"}  # type: ignore[arg-type]


def _plain(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def describe_revert(data: bytes) -> str:
    """Return revert data as ``Name(argument=value, ...)``; as hex if no knet contract has that error."""
    entry = _errors().get(data[:4])
    if entry is None:
        return f"an unknown error (0x{data.hex()[:128]})" if data else "no reason"
    try:
        values = abi_decode([field["type"] for field in entry["inputs"]], data[4:])
    except DecodingError:
        return f"{entry['name']}(undecodable)"
    names = [field["name"] for field in entry["inputs"]]
    arguments = ", ".join(f"{name}={_plain(value)}" for name, value in zip(names, values, strict=True))
    return f"{entry['name']}({arguments})"
