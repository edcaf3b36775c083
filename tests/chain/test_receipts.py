"""Signatures of receipts: EIP-712 digests, recovery of the signer, and malformed fields."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from knet.chain.evm import EvmChain
from knet.chain.keys import new_key
from knet.chain.receipts import receipt_digest, recover, sign_receipt
from knet.errors import BadReceipt
from knet.records import Receipt, SignedReceipt

from .support import new_receipt

CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
FIELDS = {
    "node": "uint256",
    "manifest": "bytes32",
    "query": "bytes32",
    "results": "bytes32",
    "client": "address",
    "issuedAt": "uint64",
    "nonce": "bytes32",
}
digests = st.binary(min_size=32, max_size=32)
receipts = st.builds(
    Receipt,
    node=st.integers(0, 2**256 - 1),
    manifest=digests,
    query=digests,
    results=digests,
    client=st.binary(min_size=20, max_size=20),
    issued_at=st.integers(0, 2**64 - 1),
    nonce=digests,
)


def typed_data(receipt: Receipt, chain_id: int) -> Any:
    domain = {"name": "knet", "version": "1", "chainId": chain_id, "verifyingContract": CONTRACT}
    values = dict(zip(FIELDS, [getattr(receipt, name) for name in receipt.__struct_fields__], strict=True))
    types = {"Receipt": [{"name": name, "type": kind} for name, kind in FIELDS.items()]}
    return encode_typed_data(domain, types, values | {"client": "0x" + receipt.client.hex()})


@given(receipts, st.integers(1, 2**64))
def test_signature_equals_that_of_a_wallet(receipt: Receipt, chain_id: int) -> None:
    key = new_key()
    expected = key.sign_message(typed_data(receipt, chain_id))
    signed = sign_receipt(key, receipt, chain_id, CONTRACT)
    assert receipt_digest(receipt, chain_id, CONTRACT) == bytes(expected.message_hash)
    assert signed.signature == bytes(expected.signature)
    assert recover(signed, chain_id, CONTRACT) == key.address


def test_receipt_digest_equals_the_contracts_digest(chain: EvmChain) -> None:
    receipt, deployment = new_receipt(7, new_key().address), chain.deployment
    reliability = chain.rpc.contract("Reliability", deployment.reliability)
    fields = [getattr(receipt, name) for name in receipt.__struct_fields__]
    fields[4] = reliability.w3.to_checksum_address(receipt.client)
    on_chain = reliability.functions.digestOf(tuple(fields)).call()
    assert receipt_digest(receipt, deployment.chain_id, deployment.reliability) == on_chain


def test_receipt_is_invalid_elsewhere_or_when_changed() -> None:
    key = new_key()
    signed = sign_receipt(key, new_receipt(1, key.address), 1, CONTRACT)
    assert recover(signed, 2, CONTRACT) != key.address
    assert recover(signed, 1, "0x" + "11" * 20) != key.address
    for field in ("manifest", "query", "results", "nonce"):
        changed = replace(signed, receipt=replace(signed.receipt, **{field: bytes(32)}))
        assert recover(changed, 1, CONTRACT) != key.address


def test_mirrored_signature_is_refused() -> None:
    """The contract refuses the mirrored signature, so a client must not accept a receipt that cannot be rated."""
    key = new_key()
    signed = sign_receipt(key, new_receipt(1, key.address), 1, CONTRACT)
    r, s, v = signed.signature[:32], int.from_bytes(signed.signature[32:64], "big"), signed.signature[64]
    mirrored = r + (ORDER - s).to_bytes(32, "big") + bytes((55 - v,))
    with pytest.raises(BadReceipt, match="malleable"):
        recover(replace(signed, signature=mirrored), 1, CONTRACT)


@pytest.mark.parametrize(
    "signature",
    [b"", bytes(65), bytes(64) + b"\x1b", b"\xff" * 32 + bytes(31) + b"\x01\x1b", b"\x01" * 64 + b"\x1d", b"\x01" * 66],
    ids=["empty", "zero", "zero-r-s", "r-off-curve", "recovery-id", "long"],
)
def test_malformed_signature_raises_bad_receipt(signature: bytes) -> None:
    signed = SignedReceipt(receipt=new_receipt(1, new_key().address), signature=signature)
    with pytest.raises(BadReceipt):
        recover(signed, 1, CONTRACT)


@pytest.mark.parametrize(
    "change",
    [{"node": -1}, {"node": 2**256}, {"issued_at": 2**64}, {"client": b"\x01"}, {"nonce": bytes(33)}, {"query": b""}],
    ids=lambda change: next(iter(change)),
)
def test_receipt_field_out_of_range_raises_bad_receipt(change: dict[str, Any]) -> None:
    receipt = replace(new_receipt(1, new_key().address), **change)
    with pytest.raises(BadReceipt):
        recover(SignedReceipt(receipt=receipt, signature=b"\x01" * 64 + b"\x1b"), 1, CONTRACT)


def test_malformed_contract_address_raises_bad_receipt() -> None:
    signed = SignedReceipt(receipt=new_receipt(1, new_key().address), signature=b"\x01" * 64 + b"\x1b")
    for contract in ("", "0x12", "nonsense"):
        with pytest.raises(BadReceipt):
            recover(signed, 1, contract)
