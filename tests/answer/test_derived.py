"""Golden files of ranking and writing: saved answers are derived again, so results change only with their version."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
import numpy as np
import pytest

from knet.answer.writer import WRITING, extract, is_found
from knet.codec import Cid
from knet.index.lexical import Statistics
from knet.index.shard import Vectors
from knet.records import Document, Hit, Passage, Provenance, Reputation
from knet.routing.options import Options
from knet.routing.query import Query, Selection
from knet.search.merge import RANKING, RankedPassage, merge
from knet.search.verify_reply import VerifiedHit, words_of

DERIVED = Path(__file__).parent / "derived"  # the recorded inputs, and their results in each version
HEAD = Cid.from_digest(b"\7" * 32)
CLOSE = 2e-3  # as a verifier compares scores
DIMENSION = 16


class Node(NamedTuple):
    node: int
    block: int
    space: int
    positive: float
    negative: float
    texts: list[str]


class Case(NamedTuple):
    """One question with the hits of all nodes. ``lift`` is added to the cosine of each text."""

    question: str
    k: int
    lift: float
    chunks: int
    average_length: float
    df: dict[str, int]
    nodes: list[Node]


CASES = msgspec.json.decode((DERIVED / "inputs.json").read_bytes(), type=dict[str, Case])


def vector(text: str) -> Vectors:
    """Return a unit vector that depends on the text only, the same on every machine."""
    values = [crc32(f"{place} {text}".encode()) / 2**32 - 0.5 for place in range(DIMENSION)]
    return np.array(values, np.float32) / np.float32(np.linalg.norm(values))


def hits(case: Case) -> list[VerifiedHit]:
    return [
        VerifiedHit(
            node=each.node,
            space=Cid.from_digest(bytes([each.space]) * 32),
            manifest=HEAD,
            document=Document(uri=f"doc:{each.node}", text=HEAD),
            document_cid=Cid.from_digest(bytes([each.node]) * 32),
            hit=Hit(
                document=0, shard=0, chunk=place, start=place * 10_000, end=place * 10_000 + len(text), text=text,
                vector=vector(text).astype("<f2").tobytes(), path=[], scores={},
            ),
            cosine=case.lift + crc32(text.encode()) / 2**33,
            words=words_of(text),
            block=each.block or None,
        )
        for each in case.nodes
        for place, text in enumerate(each.texts)
    ]  # fmt: skip


def statistics(case: Case) -> Statistics:
    return Statistics(case.chunks, case.average_length, case.df)


def reliability(case: Case) -> dict[int, Reputation]:
    return {each.node: Reputation(positive=each.positive, negative=each.negative) for each in case.nodes}


def ranked(case: Case) -> list[RankedPassage]:
    selection = Selection((), 0, {}, reliability(case), statistics(case))
    return merge(Query(case.question, {}, Options(k=case.k)), hits(case), selection)


def ranking(case: Case) -> list[dict[str, Any]]:
    return [
        {
            "node": item.checked.node,
            "text": item.checked.hit.text,
            "sources": item.sources,
            "score": round(item.score, 6),
            "scores": item.scores,
            "shares": item.shares,
        }
        for item in ranked(case)
    ]


def writing(case: Case) -> dict[str, Any]:
    """Return what is written of all hits in the order of the file, so that it does not depend on the ranking.

    Every fourth passage is marked as a copy.
    """
    passages = [
        Passage(
            text=each.hit.text, start=each.hit.start, end=each.hit.end, title="", uri=each.document.uri, score=0.0,
            scores={"dense": each.cosine}, shares={"copied": 0.0} if number % 4 == 3 else {},
            reliability=reliability(case)[each.node],
            provenance=Provenance(
                node=each.node, manifest=HEAD, document=HEAD, shard=0, chunk=0, path=[], vector=each.hit.vector
            ),
        )
        for number, each in enumerate(hits(case))
    ]  # fmt: skip
    written = extract(case.question, passages, statistics(case))
    return {
        "found": is_found(case.question, passages, statistics(case)),
        "sentences": [[each.text, *[[c.passage, c.start, c.end] for c in each.citations]] for each in written],
    }


RESULTS = {"ranking": (RANKING, ranking), "writing": (WRITING, writing)}


def golden(kind: str) -> Path:
    return DERIVED / f"{kind}-{RESULTS[kind][0]}.json"


def rewrite() -> None:
    """Write the golden files of the present versions, after a version was raised."""
    for kind, (_, results) in RESULTS.items():
        if not golden(kind).exists():
            found = {name: results(case) for name, case in CASES.items()}  # type: ignore[operator]
            golden(kind).write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", RESULTS)
def test_results_of_each_version_equal_their_golden_file(kind: str, name: str) -> None:
    known = msgspec.json.decode(golden(kind).read_bytes()) if golden(kind).exists() else {}
    found = msgspec.to_builtins(RESULTS[kind][1](CASES[name]))  # type: ignore[operator]
    assert _near(found, known.get(name)), (
        f"The {kind} of answers has changed, so that saved answers would fail verification. Raise {kind.upper()}, and "
        "write the new file with: python -c 'from tests.answer.test_derived import rewrite; rewrite()'"
    )


def _near(found: Any, known: Any) -> bool:
    if isinstance(found, dict) and isinstance(known, dict):
        return found.keys() == known.keys() and all(_near(value, known[key]) for key, value in found.items())
    if isinstance(found, list) and isinstance(known, list):
        return len(found) == len(known) and all(map(_near, found, known))
    if isinstance(found, float) and isinstance(known, int | float):
        return abs(found - known) <= CLOSE
    return bool(found == known)
