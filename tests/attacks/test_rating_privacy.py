"""Published receipts against a reader that guesses questions.

Threat model: reader of ratings, guesses the question behind a published receipt.
"""

from __future__ import annotations

from hashlib import sha256

import pytest

from knet.codec import encode
from knet.index.collection import results_root
from knet.merkle import Tree
from knet.rating.batch import build_batch
from knet.records import Rating, Receipt, SearchRequest
from tests.search.support import Owner, embed, request_for

TEXTS = [
    "The heron stands still for an hour before it strikes.",
    "The tower of iron is 330 metres tall.",
    "Sores that do not heal may be a sign of diabetes.",
    "Ferries cross the lake twice a day in winter.",
]
QUESTION = "Why do my sores not heal, is it diabetes?"
DICTIONARY = ["How tall is the tower?", "How long does a heron stand still?", QUESTION, "When do ferries cross?"]


@pytest.fixture
def node() -> Owner:
    return Owner(1, TEXTS)


def published(node: Owner, request: SearchRequest) -> Receipt:
    """Return the receipt in the block that a rater published."""
    rating = Rating(receipt=node.reply(request).receipt, value=100)
    return build_batch([rating]).leaves[0].receipt.receipt


def guesses(node: Owner, asked: SearchRequest) -> list[tuple[str, list[bytes]]]:
    """Return each question of the dictionary with the leaves that the public node returns for it."""
    found = []
    for question in DICTIONARY:
        hits = node.collection.search(question, embed(question), asked.k)
        found.append((question, node.collection.prove(hits)[2]))
    return found


def matches(receipt: Receipt, asked: SearchRequest, question: str, leaves: list[bytes], salt: bytes) -> bool:
    """Compare a guess with both commitments of a receipt, which is all that a reader can do."""
    request = request_for(question, k=asked.k)
    same_query = sha256(encode(SearchRequest(question=question, client=receipt.client, salt=salt, k=asked.k))).digest()
    candidates = {Tree(leaves).root, results_root(leaves, salt), results_root(leaves, receipt.nonce[:16])}
    return receipt.results in candidates or receipt.query in {same_query, sha256(encode(request)).digest()}


def test_dictionary_with_the_true_question_finds_no_match(node: Owner) -> None:
    asked = SearchRequest(
        question=QUESTION, client=b"c" * 20, salt=b"\x17" * 16, k=2, vector=embed(QUESTION).astype("<f4").tobytes()
    )
    receipt = published(node, asked)
    for salt in (bytes(16), b"s" * 16, receipt.query[:16], receipt.manifest[:16]):
        for question, leaves in guesses(node, asked):
            assert not matches(receipt, asked, question, leaves, salt)


def test_owner_of_the_salt_can_prove_what_was_asked(node: Owner) -> None:
    asked = SearchRequest(
        question=QUESTION, client=b"c" * 20, salt=b"\x17" * 16, k=2, vector=embed(QUESTION).astype("<f4").tobytes()
    )
    receipt = published(node, asked)
    assert receipt.query == sha256(encode(asked)).digest()
    assert [q for q, leaves in guesses(node, asked) if results_root(leaves, asked.salt) == receipt.results] == [
        QUESTION
    ]
