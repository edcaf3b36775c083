"""Types of record fields with limits on their length, beside those of `knet.codec`: decoding refuses a longer value.

The limits bound the memory that one field of a foreign record takes. Other code checks exact lengths where it needs
them, with an error that names the fault.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from msgspec import Meta

from .codec import MAX_BLOCK, Cid, Name

T = TypeVar("T")

MAX_REASON = 2048  # characters of a reason for a status
MAX_MANY = 1 << 17  # entries of a list: nodes of a network, hits of an answer, shards or documents of a block
MAX_FEW = 1 << 10  # entries of a list in a reply or an answer: passages, requests, spaces

ShortBytes = Annotated[bytes, Meta(max_length=128)]  # a digest, signature, address, nonce or salt
Vector = Annotated[bytes, Meta(max_length=1 << 15)]  # 8192 dimensions of four bytes
BlockBytes = Annotated[bytes, Meta(max_length=MAX_BLOCK)]
ProofPath = Annotated[list[ShortBytes], Meta(max_length=64)]
ShortText = Annotated[str, Meta(max_length=128)]  # an account, a contract or a hash in hex
Reason = Annotated[str, Meta(max_length=MAX_REASON)]
Question = Annotated[str, Meta(max_length=1 << 16)]  # nodes and clients refuse questions of 4096 characters and more
Quotation = Annotated[str, Meta(max_length=1 << 16)]  # of a passage, or a sentence of a chat model
AnswerText = Annotated[str, Meta(max_length=1 << 22)]
Term = Annotated[str, Meta(max_length=1 << 13)]  # one token; a chunk may be a single one
Terms = Annotated[list[Term], Meta(max_length=MAX_BLOCK)]
Numbers = Annotated[dict[Name, float], Meta(max_length=64)]
Few = Annotated[list[T], Meta(max_length=MAX_FEW)]
Many = Annotated[list[T], Meta(max_length=MAX_MANY)]
Links = Annotated[list[Cid], Meta(max_length=MAX_MANY)]


def cut(reason: str) -> str:
    """Return the part of a reason that a record may hold."""
    return reason[:MAX_REASON]
