"""Golden files of the rendering: saved notebooks are compared with it, so it changes only with its version."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from knet.answer.render import RENDERING, answer_html, answer_text
from knet.codec import Cid
from knet.records import Answer, Citation, NodeStatus, Passage, Provenance, Reputation, SearchRequest, Sentence
from tests.search.support import SPACE

RENDERED = Path(__file__).parent / "rendered"  # the answers below in each version of the rendering
HEAD = Cid.from_digest(b"\7" * 32)
DAMS = "A beaver builds a dam of branches & mud.\r\nIt raises the water\u202e.\n\n"


def passage(node: int, title: str, uri: str, text: str) -> Passage:
    return Passage(
        text=text, start=10, end=10 + len(text), title=title, uri=uri, score=0.5, scores={"dense": 0.7125, "bm25": 3.0},
        reliability=Reputation(positive=2.0, negative=0.5, count=3), sources=[5, 9] if node == 1 else [],
        provenance=Provenance(node=node, manifest=HEAD, document=HEAD, shard=0, chunk=0, path=[], vector=b""),
    )  # fmt: skip


NEW = "\U0001fae9"  # of Unicode 16, which only later Pythons know
FOUND = Answer(
    question="How does a beaver build a dam?", found=True, text="A beaver builds a dam of branches & mud. [1]",
    sentences=[Sentence("A beaver builds a dam of branches & mud.", [Citation(0, 10, 50, DAMS[:40])])],
    passages=[
        passage(1, "Beavers <b>", "https://example.org/?a=1&b=2", DAMS),
        passage(2, "", "file:dam\x1b.md", "Dams. " * 120),
    ],
    nodes=[
        NodeStatus(node=1, title="One", status="success", hits=2, milliseconds=12.4, why="its card fits"),
        NodeStatus(node=2, title=f"Two\u2066{NEW}", status="success", hits=1, milliseconds=30.6),
        NodeStatus(node=3, title='"Three"', status="error", detail="'broken'\n<i>"),
        NodeStatus(node=4, title="Four", status="skipped", why="its card does not fit"),
    ],
    receipts=[], requests=[SearchRequest(question="", client=b"", salt=b"")], spaces=[SPACE],
    chain_id=1, contract="0x", time=0, milliseconds=41.5, problem="the model was\u202e away",
)  # fmt: skip
NOTHING = replace(
    FOUND, found=False, text="The network does not know.", sentences=[], passages=[], nodes=[], problem=""
)


@pytest.mark.parametrize("name", ["found", "nothing"])
@pytest.mark.parametrize(("kind", "show"), [("html", answer_html), ("txt", answer_text)])
def test_rendering_of_each_version_equals_its_golden_file(name: str, kind: str, show: object) -> None:
    assert callable(show)
    shown = show({"found": FOUND, "nothing": NOTHING}[name])
    path = RENDERED / f"{name}-{RENDERING}.{kind}"
    assert shown + "\n" == (path.read_bytes().decode() if path.exists() else ""), (
        "The rendering of answers has changed, so that saved notebooks would fail verification. Raise RENDERING in "
        f"knet/answer/render.py, and write the new rendering to {path.name}."
    )
