"""Receipts: a node's signatures of its answers, as EIP-712 typed data that `Reliability` checks on chain.

The struct hash is packed here word by word, which is several times faster than encoding typed data. The tests compare
it with eth-account's encoding and with the contract's `digestOf`. Source: https://eips.ethereum.org/EIPS/eip-712
"""

from __future__ import annotations

from functools import lru_cache

from coincurve import PrivateKey, PublicKey
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from ..errors import BadReceipt
from ..records import Receipt, SignedReceipt
from .keys import Signer

DOMAIN_NAME = "knet"
DOMAIN_VERSION = "1"
RECEIPT_TYPE = (
    "Receipt(uint256 node,bytes32 manifest,bytes32 query,bytes32 results,address client,uint64 issuedAt,bytes32 nonce)"
)
_DOMAIN_TYPEHASH = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_RECEIPT_TYPEHASH = keccak(RECEIPT_TYPE.encode())
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # of secp256k1, EIP-2


def _word(value: int, bits: int, field: str) -> bytes:
    if not 0 <= value < 1 << bits:
        raise BadReceipt(f"The receipt's {field} is not a uint{bits}.")
    return value.to_bytes(32, "big")


def _fixed(value: bytes, size: int, field: str) -> bytes:
    if len(value) != size:
        raise BadReceipt(f"The receipt's {field} has {len(value)} bytes instead of {size}.")
    return value.rjust(32, b"\0")


@lru_cache(maxsize=64)
def domain_separator(chain_id: int, contract: str) -> bytes:
    """Return the EIP-712 domain separator of one `Reliability` contract (32 bytes). Raises BadReceipt."""
    try:
        address = bytes.fromhex(contract.removeprefix("0x"))
    except ValueError as error:
        raise BadReceipt(f"{contract!r} is not a contract address.") from error
    return keccak(
        _DOMAIN_TYPEHASH
        + keccak(DOMAIN_NAME.encode())
        + keccak(DOMAIN_VERSION.encode())
        + _word(chain_id, 256, "chain id")
        + _fixed(address, 20, "contract")
    )


def receipt_digest(receipt: Receipt, chain_id: int, contract: str) -> bytes:
    """Return the 32 bytes that a node signs. Raises BadReceipt."""
    struct_hash = keccak(
        _RECEIPT_TYPEHASH
        + _word(receipt.node, 256, "node")
        + _fixed(receipt.manifest, 32, "manifest")
        + _fixed(receipt.query, 32, "query")
        + _fixed(receipt.results, 32, "results")
        + _fixed(receipt.client, 20, "client")
        + _word(receipt.issued_at, 64, "time")
        + _fixed(receipt.nonce, 32, "nonce")
    )
    return keccak(b"\x19\x01" + domain_separator(chain_id, contract) + struct_hash)


def sign_receipt(signer: Signer, receipt: Receipt, chain_id: int, contract: str) -> SignedReceipt:
    """Sign a receipt for one deployment; ``contract`` is its `Deployment.reliability`. Raises BadReceipt."""
    return SignedReceipt(receipt=receipt, signature=sign_digest(signer, receipt_digest(receipt, chain_id, contract)))


def sign_digest(signer: Signer, digest: bytes) -> bytes:
    """Return the signature of an EIP-712 digest (32 bytes): 65 bytes r || s || v."""
    compact = _private_key(bytes(signer.key)).sign_recoverable(digest, hasher=None)
    return compact[:64] + bytes((27 + compact[64],))


@lru_cache(maxsize=16)
def _private_key(secret: bytes) -> PrivateKey:
    return PrivateKey(secret)  # cached: deriving the public key takes as long as signing


@lru_cache(maxsize=1024)
def _checksum_address(address: bytes) -> str:
    return to_checksum_address(address)  # cached: hashes the address


def recover(signed: SignedReceipt, chain_id: int, contract: str) -> str:
    """Return the address (checksum) of the key that signed a receipt; compare it with `IdentityRegistry.signer_of`.

    Raises BadReceipt.
    """
    digest = receipt_digest(signed.receipt, chain_id, contract)
    return recover_digest(digest, signed.signature, f"the receipt of node {signed.receipt.node}")


def recover_digest(digest: bytes, signature: bytes, subject: str) -> str:
    """Return the address (checksum) of the key that signed a digest; errors name the ``subject``.

    Only the form of a signature that the contract accepts passes. Raises BadReceipt.
    """
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise BadReceipt(f"{subject}: the signature is not 65 bytes that end in 27 or 28.")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise BadReceipt(f"{subject}: the signature has the malleable form.")
    try:
        key = PublicKey.from_signature_and_message(
            signature[:64] + bytes((signature[64] - 27,)), digest, hasher=None
        ).format(compressed=False)
    except ValueError as error:
        raise BadReceipt(f"{subject}: no key gives this signature.") from error
    return _checksum_address(keccak(key[1:])[-20:])
