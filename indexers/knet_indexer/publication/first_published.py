"""Proofs in a manifest that its node published texts before (`knet.first_published`).

With them neither an update nor compaction makes texts younger. A shard that stays keeps its root. For a new shard, the
texts that earlier shards of the base manifest held are looked up: of documents that changed in other places, and of all
documents after compaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from msgspec.structs import replace

from knet.codec import RAW, Cid, decode, encode
from knet.content.base import BlockStore, get_record, put_record
from knet.first_published import EarlierLeaves, EarlierRoot
from knet.index.shard import LoadedShard, read_shard
from knet.merkle import leaf_hash
from knet.records import Head, Leaf, Manifest, ShardRef, leaf_block
from knet.search.first_published import MAX_EARLIER

DIGEST = 8  # bytes of a text's digest that are enough to find it among a node's own texts


class _Proof(NamedTuple):
    """One leaf under an earlier root, with all leaf hashes of that root."""

    root: EarlierRoot
    hashes: bytes
    leaf: bytes


def dated(store: BlockStore, base: Manifest, head: Head) -> list[ShardRef]:
    """Return the shards of a manifest that is the node's head, each with the first manifest that held it."""
    raw = store.put(encode(base), RAW)
    return [
        ref
        if any(each.root == ref.root for each in ref.earlier_roots)
        else replace(ref, earlier=[EarlierRoot(manifest=raw, block=head.block, root=ref.root), *ref.earlier_roots])
        for ref in base.shards
    ]


def with_earlier(store: BlockStore, written: Sequence[ShardRef], before: Sequence[ShardRef]) -> list[ShardRef]:
    """Return new shards with the proofs that shards of the manifest before held their texts.

    ``before`` are the `dated` shards that lost chunks. Raises as `read_shard`.
    """
    places: dict[bytes, int] = {}
    for number, ref in enumerate(before if written else ()):
        for text in read_shard(store, ref).texts:
            places.setdefault(_digest(text)[:DIGEST], number)
    return [_proven(store, ref, before, places) for ref in written] if places else list(written)


def _proven(store: BlockStore, ref: ShardRef, before: Sequence[ShardRef], places: dict[bytes, int]) -> ShardRef:
    wanted = {_digest(text) for text in read_shard(store, ref).texts}
    oldest: dict[bytes, _Proof] = {}
    for number in sorted({places[digest[:DIGEST]] for digest in wanted if digest[:DIGEST] in places}):
        for digest, proof in _proofs(store, before[number], wanted):
            if digest not in oldest or proof.root.block < oldest[digest].root.block:
                oldest[digest] = proof
    leaves: defaultdict[tuple[Cid, bytes], list[_Proof]] = defaultdict(list)
    for proof in oldest.values():
        leaves[proof.root.manifest, proof.root.root].append(proof)
    most = sorted(leaves.values(), key=len, reverse=True)[:MAX_EARLIER]
    roots = [
        replace(
            proofs[0].root,
            leaves=put_record(
                store, EarlierLeaves(hashes=proofs[0].hashes, leaves=sorted({each.leaf for each in proofs}))
            ),
        )
        for proofs in most
    ]
    return replace(ref, earlier=roots) if roots else ref


def _proofs(store: BlockStore, ref: ShardRef, wanted: set[bytes]) -> list[tuple[bytes, _Proof]]:
    """Return the proofs for wanted texts that a shard of the manifest before gives, by the digest of the text."""
    loaded: LoadedShard | None = None
    found: list[tuple[bytes, _Proof]] = []
    for root in ref.earlier_roots:
        if root.leaves is not None:
            known = get_record(store, root.leaves, EarlierLeaves)
            found += [
                (leaf.text, _Proof(root, known.hashes, block))
                for block in known.leaves
                if (leaf := decode(block, Leaf)).text in wanted
            ]
        elif root.root == ref.root:
            loaded = loaded or read_shard(store, ref)
            hashes = b"".join(loaded.leaves)
            found += [
                (digest, _Proof(root, hashes, _leaf(loaded, chunk)))
                for chunk, text in enumerate(loaded.texts)
                if (digest := _digest(text)) in wanted
            ]
    return found


def _leaf(shard: LoadedShard, chunk: int) -> bytes:
    _, start, end = shard.spans[chunk].tolist()
    block = leaf_block(shard.document(chunk)[0], start, end, shard.texts[chunk], shard.vectors[chunk].tobytes())
    assert leaf_hash(block) == shard.leaves[chunk]
    return block


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()
