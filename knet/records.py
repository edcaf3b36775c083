"""Frozen records that cross stages and machines; `knet.codec` encodes them as blocks and JSON.

Times are unix seconds. Offsets count Unicode code points of the canonical text. Vectors are little-endian float16
(``encoding = "f2"``): on unit vectors the error of a dot product is below 1e-4, at half the size of float32.
docs/protocol.md describes each field for other implementations.
"""

from __future__ import annotations

import hashlib
import math

import msgspec

from . import limits
from .codec import ChunkText, Cid, Description, Languages, Licence, MediaType, Name, Prefix, Scores, Title, Uri, encode
from .derivation import Confidence, Conflict, Derivation
from .first_published import EarlierRoot
from .merkle import leaf_hash
from .record import Record as Record

VECTOR_DTYPE = "<f2"


# --- records of a publication ------------------------------------------------------------------------------------


class Space(Record, frozen=True, tag_field="type", tag="knet/space/1"):
    """An embedding space: vectors are comparable only within it. Its CID is its name and changes with the weights."""

    model: Prefix
    weights: limits.ShortBytes  # sha2-256 of the model's safetensors file
    dimension: int
    pooling: Name = "mean"
    normalized: bool = True
    max_tokens: int = 256
    query_prefix: Prefix = ""
    passage_prefix: Prefix = ""


class Document(Record, frozen=True, tag_field="type", tag="knet/document/1"):
    """A source document. Its CID is its stable id: the same text with the same uri is the same document."""

    uri: Uri
    text: Cid  # raw block: the canonical text, UTF-8, NFC, "\n" line ends
    title: Title = ""
    media_type: MediaType = "text/plain"
    licence: Licence = ""
    modified: int = 0


class Leaf(Record, frozen=True):
    """The commitment of a shard's Merkle tree to one chunk."""

    document: Cid
    start: int
    end: int
    text: limits.ShortBytes  # sha2-256 of the chunk's UTF-8 text
    vector: limits.ShortBytes  # sha2-256 of the chunk's stored vector


def leaf_block(document: Cid, start: int, end: int, text: str, vector: bytes) -> bytes:
    """Return the block of one chunk's leaf."""
    digest = hashlib.sha256(text.encode()).digest()
    return encode(Leaf(document=document, start=start, end=end, text=digest, vector=hashlib.sha256(vector).digest()))


def chunk_leaf(document: Cid, start: int, end: int, text: str, vector: bytes) -> bytes:
    """Return the leaf hash (32 bytes) of one chunk."""
    return leaf_hash(leaf_block(document, start, end, text, vector))


class Shard(Record, frozen=True, tag_field="type", tag="knet/shard/1"):
    """An immutable sequence of chunks in one space.

    ``chunks`` is a raw block of ``<u4`` triples (index into ``documents``, start, end); ``vectors`` a raw block of
    ``count x dimension`` values in ``encoding``. Chunks of one document are neighbours.
    """

    space: Cid
    count: int
    dimension: int
    documents: limits.Links
    chunks: Cid
    vectors: Cid
    lexical: Cid
    encoding: Name = "f2"


class Lexical(Record, frozen=True, tag_field="type", tag="knet/lexical/1"):
    """Term statistics of one shard: ``terms`` sorted, ``df`` and ``lengths`` (one a chunk) as ``<u4``."""

    terms: limits.Terms
    df: limits.BlockBytes
    lengths: limits.BlockBytes


class Tombstone(Record, frozen=True):
    """The removal of chunks ``start`` to ``stop`` (exclusive) of a shard."""

    start: int
    stop: int


class ShardRef(Record, frozen=True):
    """A shard in a manifest, with the chunks that were removed since it was written."""

    shard: Cid
    root: limits.ShortBytes  # Merkle root over the shard's chunk leaves
    count: int
    removed: limits.Many[Tombstone] = []
    earlier: limits.Many[EarlierRoot] | msgspec.UnsetType = msgspec.UNSET  # left out where this manifest is the first

    @property
    def earlier_roots(self) -> list[EarlierRoot]:
        """The roots in ``earlier``, or an empty list."""
        return [] if isinstance(self.earlier, msgspec.UnsetType) else self.earlier


class DsiModel(Record, frozen=True, tag_field="type", tag="knet/dsi/1"):
    """A trained model of some of a node's passages (`knet.dsi`) that generates their ids from a question.

    ``weights`` are raw blocks, each a safetensors file; a tensor may continue in the next as ``name/1``, ``name/2``.
    """

    space: Cid
    documents: int
    dimension: int
    levels: int
    weights: limits.Links


class Card(Record, frozen=True, tag_field="type", tag="knet/card/1"):
    """The routing card of a node: a small summary of its content, public even if the content is not.

    ``centroids`` is ``(n, dimension)`` in float16, ``weights`` the number of chunks of each (``<u4``). ``terms`` holds
    sorted ``<u4`` term hashes and ``df`` their document frequency in chunks (``<u4``). Two fields are optional and may
    be empty: ``spreads`` is the mean cosine of each centroid with its chunks (float16); ``places`` the centroids whose
    chunks have each term (zlib; ``<u8`` a term, bit i for centroid i).
    """

    title: Title
    space: Cid
    documents: int
    chunks: int
    centroids: limits.BlockBytes
    weights: limits.BlockBytes
    terms: limits.BlockBytes
    df: limits.BlockBytes
    average_length: float  # tokens a chunk
    description: Description = ""
    languages: Languages = []
    licence: Licence = ""
    access: Name = "public"
    cost: int = 0  # wei a query
    spreads: limits.BlockBytes = b""
    places: limits.BlockBytes = b""
    analyser: int | msgspec.UnsetType = msgspec.UNSET  # `ANALYSER` of the terms; left out: 1


class Manifest(Record, frozen=True, tag_field="type", tag="knet/manifest/1"):
    """One version of a node's collection. The digest of its CID is the node's head on chain."""

    node: int
    sequence: int
    previous: Cid | None
    space: Cid
    shards: limits.Many[ShardRef]
    card: Cid
    documents: int
    chunks: int
    time: int
    licence: Licence = ""
    access: Name = "public"
    models: limits.Links | msgspec.UnsetType = msgspec.UNSET  # of `DsiModel`s; left out where there are none

    @property
    def dsi_models(self) -> list[Cid]:
        """The CIDs in ``models``, or an empty list."""
        return [] if isinstance(self.models, msgspec.UnsetType) else self.models

    @property
    def earlier_blocks(self) -> list[Cid]:
        """The blocks that prove the age of its shards, each once."""
        roots = [root for ref in self.shards for root in ref.earlier_roots]
        return list(dict.fromkeys(cid for root in roots for cid in (root.manifest, root.leaves) if cid is not None))


# --- requests of a client, replies of a node ---------------------------------------------------------------------


class SearchRequest(Record, frozen=True, tag_field="type", tag="knet/search/1"):
    """A question to any number of nodes. Its salted digest is the query commitment in each receipt."""

    question: limits.Question
    client: limits.ShortBytes  # 20 bytes, the address that may rate
    salt: limits.ShortBytes  # 16 unpredictable bytes
    k: int = 8
    space: Cid | None = None
    vector: limits.Vector = b""  # <f4, in ``space``; empty: the node embeds


class Receipt(Record, frozen=True):
    """A node's signed commitment to a reply (EIP-712, see `knet.chain.receipts`), required to rate it."""

    node: int
    manifest: limits.ShortBytes  # digest of the manifest's CID
    query: limits.ShortBytes  # sha2-256 of the SearchRequest block
    results: limits.ShortBytes  # Merkle root over the leaves of the hits, in order
    client: limits.ShortBytes
    issued_at: int
    nonce: limits.ShortBytes  # 32 random bytes


class SignedReceipt(Record, frozen=True):
    receipt: Receipt
    signature: limits.ShortBytes  # 65 bytes r || s || v


class Hit(Record, frozen=True):
    """A chunk in a node's reply, with the proof that its manifest contains it."""

    document: int  # index into SearchReply.documents
    shard: int  # index into Manifest.shards
    chunk: int  # leaf index within the shard
    start: int
    end: int
    text: ChunkText
    vector: limits.Vector
    path: limits.ProofPath
    scores: Scores  # by retriever: "dense" (cosine), "bm25" (node-local statistics)


class SearchReply(Record, frozen=True, tag_field="type", tag="knet/reply/1"):
    manifest: Cid
    documents: limits.Few[limits.BlockBytes]  # Document blocks
    hits: limits.Few[Hit]
    receipt: SignedReceipt


# --- records of the chain ----------------------------------------------------------------------------------------


class Head(Record, frozen=True):
    """A published manifest as recorded on chain."""

    manifest: Cid
    sequence: int
    block: int
    time: int
    transaction: limits.ShortText


class NodeEntry(Record, frozen=True):
    """A registered node as described by chain events."""

    node: int
    owner: limits.ShortText
    wallet: limits.ShortText  # signs receipts and heads
    endpoint: Uri
    head: Head | None = None


class Reputation(Record, frozen=True):
    """Rated weight for and against a node or passage, and the number of ratings."""

    positive: float = 0.0
    negative: float = 0.0
    count: int = 0

    @property
    def mean(self) -> float:
        """Mean of the Beta(1 + positive, 1 + negative) posterior."""
        return (1 + self.positive) / (2 + self.positive + self.negative)

    @property
    def deviation(self) -> float:
        """Standard deviation of the same posterior."""
        total = 2 + self.positive + self.negative
        return math.sqrt(self.mean * (1 - self.mean) / (total + 1))

    @property
    def is_distrusted(self) -> bool:
        """True if it is more likely wrong than right by more than a standard deviation."""
        return self.mean + self.deviation < 0.5


class Rating(Record, frozen=True):
    """A rating of the reply that a receipt commits to: -100 (wrong) to 100 (right)."""

    receipt: SignedReceipt
    value: int


# --- records of an answer ----------------------------------------------------------------------------------------


class Provenance(Record, frozen=True):
    """The origin of a passage, sufficient to verify it from its own bytes, IPFS and the chain."""

    node: int
    manifest: Cid
    document: Cid
    shard: int
    chunk: int
    path: limits.ProofPath
    vector: limits.Vector
    receipt: int | None = None  # index into Answer.receipts; None when searched in fetched shards


class Passage(Record, frozen=True):
    text: ChunkText
    start: int
    end: int
    title: Title
    uri: Uri
    score: float
    scores: Scores  # recomputed by the client from text and vector
    reliability: Reputation
    provenance: Provenance
    licence: Licence = ""
    sources: limits.Many[int] = []  # other nodes that hold a near-duplicate
    shares: Scores = {}  # the part of `score` from each of `scores` and from "trust"; they sum to it


class Citation(Record, frozen=True):
    """An exact span: offsets into the document's canonical text."""

    passage: int
    start: int
    end: int
    exact: limits.Quotation


class Sentence(Record, frozen=True):
    text: limits.Quotation
    citations: limits.Few[Citation]
    unsupported: limits.Few[limits.Term] = []  # a chat model's numbers and names that no cited passage holds


class NodeStatus(Record, frozen=True):
    """Outcome at one node: success | timeout | busy | error | access_denied | unverified | skipped."""

    node: int
    title: Title
    status: Name
    hits: int = 0
    milliseconds: float = 0.0
    detail: limits.Reason = ""
    why: limits.Reason = ""  # the router's reason to ask it, or not
    evidence: limits.Numbers = {}  # the same in numbers, see `knet.routing.router.Route`


class Evidence(Record, frozen=True):
    """A receipt with the leaves that its results root commits to."""

    signed: SignedReceipt
    leaves: limits.Few[limits.ShortBytes]


class Answer(Record, frozen=True, tag_field="type", tag="knet/answer/1"):
    """An answer with all its evidence.

    Its JSON (`knet.codec.to_json`) is ``application/vnd.knet.answer+json``, from which it can be verified.
    """

    question: limits.Question
    found: bool
    text: limits.AnswerText
    sentences: limits.Few[Sentence]
    passages: limits.Few[Passage]
    nodes: limits.Many[NodeStatus]
    receipts: limits.Many[Evidence]
    requests: limits.Few[SearchRequest]  # one a space; each receipt names one by its digest
    spaces: limits.Few[Space]
    chain_id: int
    contract: limits.ShortText  # the EIP-712 verifying contract of the receipts
    time: int
    milliseconds: float
    private: bool = False
    writer: limits.ShortText = "extractive"  # or the name of the chat model that wrote the sentences
    problem: limits.Reason = ""  # the reason why the requested chat model did not write them
    derivation: Derivation | None = None  # None in answers of earlier versions
    confidence: Confidence | None = None  # the same; see `knet.answer.selector`
    conflicts: limits.Few[Conflict] = []  # disagreements of sources about what the answer says

    @property
    def counts(self) -> dict[str, int]:
        """``{total, asked, answered, skipped}`` over the nodes."""
        total = len(self.nodes)
        answered = sum(node.status == "success" for node in self.nodes)
        skipped = sum(node.status == "skipped" for node in self.nodes)
        return {"total": total, "asked": total - skipped, "answered": answered, "skipped": skipped}

    @property
    def is_partial(self) -> bool:
        """True if a node that was asked gave no verified reply."""
        return self.counts["answered"] < self.counts["asked"]
