"""Records from which a reader derives an answer again, see `knet.answer.derivation`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .codec import ChunkText, Cid, Name
from .limits import Few, Many, ProofPath, Quotation, Reason, ShortBytes, Term, Vector
from .record import Record


class Confidence(Record, frozen=True):
    """Probability that the passages answer the question, and the grade that follows (`knet.answer.selector`)."""

    grade: Name  # answered | may be answered | not found
    probability: float


class Claim(Record, frozen=True):
    """One side of a conflict: a sentence of a passage, as an exact span of its document."""

    passage: int  # index into Answer.passages
    node: int
    start: int
    end: int
    exact: Quotation
    words: Quotation  # the words that the other side says otherwise
    reliability: float  # mean of the node's rated reliability, as in `Passage.reliability`


class Conflict(Record, frozen=True):
    """Two sources that say different things about what was asked."""

    kind: Name  # negation | number | name | opposite
    first: Claim
    second: Claim


class TermStatistics(Record, frozen=True):
    """Term statistics of the network for the terms of one question, see `knet.index.lexical.Statistics`."""

    chunks: int
    average_length: float
    df: Annotated[dict[Term, int], Meta(max_length=1 << 16)]


class Place(Record, frozen=True):
    """The place of a chunk in its manifest, with the Merkle path that proves it."""

    shard: int
    chunk: int
    path: ProofPath


class Candidate(Record, frozen=True):
    """A verified hit that was ranked and is not shown; its receipt covers it."""

    receipt: int  # index into Answer.receipts
    document: Cid
    start: int
    end: int
    text: ChunkText
    vector: Vector
    place: Place | None = None  # only of a text that another node holds with few other words


class NodeBelief(Record, frozen=True):
    """The reliability of one node as the author believes it; see `knet.records.Reputation`."""

    node: int
    positive: float
    negative: float
    count: int


class Derivation(Record, frozen=True):
    """Inputs of ranking and writing beside the passages, from which a reader derives the answer again.

    The salt of each request commits to ``asked``, see `knet.search.verify_reply.request_salt`.
    """

    writer: int  # `knet.answer.writer.WRITING`, the version of the extractive writer
    ranking: int  # `knet.search.merge.RANKING`, the version of the ranking
    statistics: TermStatistics
    asked: Many[int]  # ids of the nodes that the question was sent to
    nonce: ShortBytes  # 16 random bytes in each request's salt
    candidates: Many[Candidate] | None = None  # None: not held, since there are too many, or no receipt covers them
    beliefs: Many[NodeBelief] = []  # of nodes with any evidence
    published: Many[Many[int]] = []  # for each receipt, the block in which each of its passages was first published
    personal: Few[Reason] = []  # other inputs that only the author has, such as own ratings of passages
