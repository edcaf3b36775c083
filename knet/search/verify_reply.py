"""Verification of replies: no hit is ranked before it is checked against the chain and the node's signature.

Checked, in this order: the receipt is for this question and this client, fresh and never seen before; the node's wallet
signed it; the manifest is the head on chain (or the one before, within the grace window); every passage is a live chunk
of that manifest, by Merkle proof; the receipt covers exactly these passages; every claimed cosine is borne out by
the committed vector.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256

import numpy as np

from ..chain.receipts import recover
from ..codec import DAG_CBOR, MAX_CHUNK, Cid, decode, is_chunk
from ..errors import BadReceipt, NotIncluded, ScoreInflated, SpaceMismatch, StaleManifest
from ..index.analyser import split_words
from ..index.collection import results_root
from ..index.shard import Vectors
from ..merkle import included
from ..records import VECTOR_DTYPE, Document, Evidence, Hit, Manifest, Receipt, Record, SearchReply, chunk_leaf
from ..routing.node_view import NodeView

CLOCK_SKEW_SECONDS = 120  # receipts dated further off are refused; ordinary clocks differ by less
SCORE_TOLERANCE = 2e-3  # float16 vectors and summation order explain a tenth of this
MAX_HITS_PER_K = 2  # the union of two retrievers' best k
REMEMBERED_NONCES = 100_000
KEPT_HITS = 2048  # passages come again from question to question; 20 MB spare half the work of reading them
KEPT_SIZE = 4096  # of a document's block or a passage: nodes cut shorter, and no node may fill the memory


class VerifiedHit(Record, frozen=True):
    """A hit that passed every check, with what the client computed itself."""

    node: int
    space: Cid
    manifest: Cid
    document: Document
    document_cid: Cid
    hit: Hit
    cosine: float
    words: tuple[str, ...]  # of its text, read while other nodes are still answering
    block: int | None = None  # of the first head on chain that is known to hold it


class ReplayGuard:
    """Nonces of recent receipts: the same one twice is a replay."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def add(self, nonce: bytes) -> None:
        """Record a nonce. Raises BadReceipt if it was seen before."""
        if nonce in self._seen:
            raise BadReceipt("replayed: this receipt was already received.")
        self._seen[nonce] = None
        if len(self._seen) > REMEMBERED_NONCES:
            self._seen.popitem(last=False)


class Question(Record, frozen=True):
    """The request that a reply must answer."""

    digest: bytes  # sha2-256 of the SearchRequest block
    salt: bytes
    client: bytes
    k: int
    chain_id: int
    contract: str


def verify_reply(
    reply: SearchReply, view: NodeView, question: Question, vector: Vectors | None, nonces: ReplayGuard
) -> tuple[list[VerifiedHit], Evidence]:
    """Return the verified hits. ``vector`` is the question in the node's space, if there is one.

    Raises BadReceipt, StaleManifest, NotIncluded, ScoreInflated, SpaceMismatch or CodecError: all of it is refused,
    since a node that lies once is not asked to be believed on the rest.
    """
    check_receipt(reply.receipt.receipt, reply.manifest, view, question)
    signer = recover(reply.receipt, question.chain_id, question.contract)
    if signer != view.entry.wallet:
        raise BadReceipt(f"signed by {signer}, not by the node's wallet {view.entry.wallet}.")
    nonces.add(reply.receipt.receipt.nonce)
    manifest = view.manifest_for(reply.manifest)
    if manifest is None:
        raise StaleManifest(f"answered from {reply.manifest}, which is not its head on chain.")
    if len(reply.hits) > question.k * MAX_HITS_PER_K:
        raise BadReceipt(f"{len(reply.hits)} hits for k = {question.k}.")
    documents = [_document(block) for block in reply.documents]
    leaves = [check_hit(hit, documents, manifest) for hit in reply.hits]
    if len(set(leaves)) != len(leaves):
        raise NotIncluded("the same passage is returned twice.")
    if results_root(leaves, question.salt) != reply.receipt.receipt.results:
        raise BadReceipt("its receipt covers other passages than it returned.")
    checked = [
        VerifiedHit(
            node=view.entry.node,
            space=view.card.space,
            manifest=reply.manifest,
            document=documents[hit.document][1],
            document_cid=documents[hit.document][0],
            hit=hit,
            cosine=cosine,
            words=words_of(hit.text),
            block=view.entry.head.block if view.entry.head else None,
        )
        for hit, cosine in zip(reply.hits, check_scores(reply.hits, vector), strict=True)
    ]
    return checked, Evidence(signed=reply.receipt, leaves=leaves)


def _document(block: bytes) -> tuple[Cid, Document]:
    return _kept_document(block) if len(block) <= KEPT_SIZE else _read_document(block)


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a passage."""
    return _kept_words(text) if len(text) <= KEPT_SIZE else _read_words(text)


def _read_document(block: bytes) -> tuple[Cid, Document]:
    return Cid.of(block, DAG_CBOR), decode(block, Document)


def _read_words(text: str) -> tuple[str, ...]:
    return tuple(split_words(text))


_kept_document = lru_cache(KEPT_HITS)(_read_document)
_kept_words = lru_cache(KEPT_HITS)(_read_words)


def check_receipt(receipt: Receipt, manifest: Cid, view: NodeView, question: Question) -> None:
    """Check that the receipt is for this exchange. Raises BadReceipt."""
    if receipt.node != view.entry.node:
        raise BadReceipt(f"a receipt of node {receipt.node}.")
    if receipt.query != question.digest:
        raise BadReceipt("a receipt for another question.")
    if receipt.client != question.client:
        raise BadReceipt("a receipt for another client.")
    if receipt.manifest != manifest.digest:
        raise BadReceipt("a receipt for another manifest than the reply names.")
    if abs(time.time() - receipt.issued_at) > CLOCK_SKEW_SECONDS:
        raise BadReceipt(f"issued at {receipt.issued_at}, more than {CLOCK_SKEW_SECONDS} s off.")


def check_hit(hit: Hit, documents: list[tuple[Cid, Document]], manifest: Manifest) -> bytes:
    """Return the leaf of a hit that is a live chunk of the manifest. Raises NotIncluded."""
    if not 0 <= hit.document < len(documents) or not 0 <= hit.shard < len(manifest.shards):
        raise NotIncluded("a hit names a document or shard that does not exist.")
    ref = manifest.shards[hit.shard]
    cid = documents[hit.document][0]
    leaf = chunk_leaf(cid, hit.start, hit.end, hit.text, hit.vector)
    if not included(leaf, hit.chunk, ref.count, hit.path, ref.root):
        raise NotIncluded(f"chunk {hit.chunk} of document {cid} is not in shard {ref.shard} of its manifest.")
    if any(gone.start <= hit.chunk < gone.stop for gone in ref.removed):
        raise NotIncluded(f"chunk {hit.chunk} of shard {ref.shard} was removed by its owner.")
    if not is_chunk(hit.text):
        raise NotIncluded(f"chunk {hit.chunk} of shard {ref.shard} has more than {MAX_CHUNK} bytes.")
    if len(hit.text) != hit.end - hit.start:
        raise NotIncluded(f"chunk {hit.chunk} of shard {ref.shard} is not as long as its span.")
    return leaf


def check_scores(hits: Sequence[Hit], vector: Vectors | None) -> list[float]:
    """Return the cosines of the committed vectors. Raises SpaceMismatch; ScoreInflated for other claimed ones."""
    if vector is None or not hits:
        return [0.0] * len(hits)
    cosines = cosines_of([hit.vector for hit in hits], vector)
    for hit, cosine in zip(hits, cosines, strict=True):
        claimed = hit.scores.get("dense", cosine)
        if not abs(claimed - cosine) <= SCORE_TOLERANCE:
            raise ScoreInflated(f"claimed a similarity of {claimed:.4f}; the committed vector gives {cosine:.4f}.")
    return cosines


def cosines_of(stored: Sequence[bytes], vector: Vectors) -> list[float]:
    """Return cosines of stored vectors (float16) and a unit query vector. Raises SpaceMismatch, ScoreInflated."""
    size = len(vector) * np.dtype(VECTOR_DTYPE).itemsize
    for one in stored:
        if len(one) != size:
            raise SpaceMismatch(f"a vector of {len(one)} bytes in a space of {len(vector)} dimensions.")
    rows = np.frombuffer(b"".join(stored), VECTOR_DTYPE).reshape(-1, len(vector)).astype(np.float32)
    for norm in np.einsum("ij,ij->i", rows, rows).tolist():
        if not 0.98 < norm < 1.02:
            raise ScoreInflated(f"a committed vector of squared length {norm:.3f}; unit length is the rule.")
    cosines: list[float] = np.einsum("ij,j->i", rows, vector).tolist()  # row by row: equal vectors, equal cosines
    return cosines


def cosine_of(stored: bytes, vector: Vectors) -> float:
    """Return the cosine of one vector, as `cosines_of`."""
    return cosines_of([stored], vector)[0]


def query_digest(block: bytes) -> bytes:
    """Return the commitment to a question: sha2-256 of its SearchRequest block, which carries a random salt."""
    return sha256(block).digest()


def request_salt(nonce: bytes, space: Cid, asked: Iterable[int]) -> bytes:
    """Return the salt (16 bytes) of a request, which commits to the nodes that the question is sent to.

    Each receipt signs the request, so an author cannot deny afterwards that it asked one of them. ``nonce`` is random.
    """
    nodes = b"".join(node.to_bytes(32) for node in sorted(asked))
    return sha256(nonce + space.raw + nodes).digest()[:16]
