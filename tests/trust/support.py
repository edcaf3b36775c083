"""Passages and reputations for tests of trust."""

from __future__ import annotations

from knet.codec import Cid
from knet.records import Passage, Provenance, Reputation

HERE = Cid.of(b"here")


def passage(text: str, node: int = 1) -> Passage:
    return Passage(
        text=text, start=0, end=len(text), title="", uri="doc:1", score=1.0, scores={}, reliability=Reputation(),
        provenance=Provenance(node=node, manifest=HERE, document=HERE, shard=0, chunk=0, path=[], vector=b""),
    )  # fmt: skip


def rated(right: float, wrong: float) -> Reputation:
    return Reputation(positive=right, negative=wrong, count=int(right + wrong))
