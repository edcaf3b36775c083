"""Rendering of answers as plain text and HTML. All text of the network is untrusted and is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from unicodedata import category
from urllib.parse import urlsplit

from ..derivation import Conflict
from ..records import Answer, NodeStatus, Passage, Sentence
from .markup import wording

if TYPE_CHECKING:
    from ..routing.node_info import NodeInfo

FORM_MARK = "AskWidget: "  # the start of the text beside every form
SAFE_SCHEMES = ("http", "https")
RENDERING = 2  # version of the rendering; raise it with every change to the output of `answer_html` or `answer_text`
NEAREST = "nearest passages, which probably do not answer it"
SHOWN_TEXT = 600  # characters of a passage on display; the record has all of it

UNASSIGNED = "Cn"  # characters that a later Python may know are kept, so that renderings do not depend on its version


def answer_text(answer: Answer) -> str:
    """Return the answer, its sources and each node's status as plain text; see `RENDERING`."""
    lines = [*map(plain, answer.text.split("\n")), ""]
    lines += [f"confidence: {confidence_text(answer)}"] if answer.confidence else []
    lines += [f"not in its sources: {plain(', '.join(unsupported(answer)))}"] if unsupported(answer) else []
    lines += [f"note: {plain(answer.problem)}"] if answer.problem else []
    lines += [f"{NEAREST}:"] if answer.passages and not answer.found else []
    for number, passage in enumerate(answer.passages, 1):
        lines.append(
            f"[{number}] {plain(passage.title or passage.uri)} {passage.start}-{passage.end}  {_facts(passage)}"
        )
    counts = answer.counts
    lines.append(
        f"{counts['answered']} of {counts['asked']} nodes asked answered, {counts['skipped']} skipped, "
        f"{answer.milliseconds:.0f} ms" + (" (partial)" if answer.is_partial else "")
    )
    lines += [f"  node {n.node} {plain(n.title)}: {n.status} {plain(n.detail)}".rstrip() for n in _troubles(answer)]
    return "\n".join(lines)


def form_text(answer: Answer | None) -> str:
    """Return the text of a form where widgets are not shown: on paper, in a diff, on a page without a kernel."""
    if answer is None:
        return f"{FORM_MARK}nothing was asked yet. Open the notebook where Jupyter widgets are shown."
    text = "\n".join(map(plain, answer.text.split("\n")))
    return f"{FORM_MARK}{plain(answer.question)}\n{text}"


def answer_html(answer: Answer) -> str:
    """Return the same as one self-contained HTML fragment, without scripts or remote resources, with text escaped.

    The fragment names its version, `RENDERING`.
    """
    sentences = " ".join(map(_sentence_html, answer.sentences))
    disagreed = "".join(f"<p><b>{safe(conflict_line(each))}</b></p>" for each in answer.conflicts)
    facts = [f"confidence: {confidence_text(answer)}"] if answer.confidence else []
    facts += [f"not in its sources: {', '.join(unsupported(answer))}"] if unsupported(answer) else []
    noted = "".join(f"<p>{safe(fact)}</p>" for fact in facts)
    passages = "".join(_passage_html(n, passage) for n, passage in enumerate(answer.passages, 1))
    nodes = "".join(_node_html(node) for node in answer.nodes)
    counts = answer.counts
    problem = f"<p>{safe(answer.problem)}</p>" if answer.problem else ""
    return (
        f'<div class="knet-answer" data-knet="{RENDERING}">{disagreed}'
        f"<p><b>{sentences or safe(answer.text)}</b></p>{noted}{problem}"
        f"<details><summary>{len(answer.passages)}{'' if answer.found else ' nearest'} passages, "
        f"each proven to be in its node's published collection"
        f"</summary><ol>{passages}</ol></details>"
        f"<details><summary>{counts['answered']} of {counts['asked']} nodes asked answered, "
        f"{answer.milliseconds:.0f} ms</summary>"
        f"<table><tr><th>node</th><th>status</th><th>hits</th><th>ms</th><th>why</th></tr>{nodes}</table>"
        "</details></div>"
    )


def _sentence_html(sentence: Sentence) -> str:
    lines = "<br>".join(map(safe, sentence.text.split("\n")))
    return lines + "".join(f" <sup>[{n}]</sup>" for n in dict.fromkeys(c.passage + 1 for c in sentence.citations))


def confidence_text(answer: Answer) -> str:
    """Return the grade of an answer and its probability, empty for answers of earlier versions."""
    given = answer.confidence
    return f"{plain(given.grade)} (probability {given.probability:.2f})" if given else ""


def unsupported(answer: Answer) -> list[str]:
    """Return the numbers and names of a chat model's sentences that no passage they cite holds."""
    return list(dict.fromkeys(each for sentence in answer.sentences for each in sentence.unsupported))


def conflict_line(conflict: Conflict) -> str:
    """Return a conflict in words: what each side says, which node, and its reliability."""
    said = [
        f"node {side.node} (reliability {side.reliability:.2f}) says “{wording(side.words)}” [{side.passage + 1}]"
        for side in (conflict.first, conflict.second)
    ]
    return f"Sources disagree: {'; '.join(said)}."


def _passage_html(number: int, passage: Passage) -> str:
    text = passage.text if len(passage.text) <= SHOWN_TEXT else passage.text[:SHOWN_TEXT] + "…"
    lines = "\n".join(safe(line) for line in text.split("\n"))
    return (
        f'<li value="{number}">{_source_html(passage)} <small>{safe(_facts(passage))}</small>'
        f"<blockquote>{lines}</blockquote></li>"
    )


def _source_html(passage: Passage) -> str:
    title = safe(passage.title or passage.uri)
    if _is_link(passage.uri):
        return f'<a href="{escape(passage.uri)}" rel="noopener noreferrer nofollow" target="_blank">{title}</a>'
    return f"{title} <code>{safe(passage.uri)}</code>"


def _is_link(uri: str) -> bool:
    try:
        return urlsplit(uri).scheme in SAFE_SCHEMES and plain(uri) == uri
    except ValueError:  # not a URL
        return False


def _facts(passage: Passage) -> str:
    rated = passage.reliability
    also = f", also held by {len(passage.sources)} more" if passage.sources else ""
    return (
        f"node {passage.provenance.node}, similarity {passage.scores.get('dense', 0.0):.2f}, "
        f"reliability {rated.mean:.2f} ± {rated.deviation:.2f} ({rated.count} ratings){also}"
    )


def _node_html(node: NodeStatus) -> str:
    cells = (
        f"{node.node} {node.title}",
        f"{node.status} {node.detail}",
        node.hits,
        f"{node.milliseconds:.0f}",
        node.why,
    )
    return "<tr>" + "".join(f"<td>{safe(str(cell))}</td>" for cell in cells) + "</tr>"


def _troubles(answer: Answer) -> list[NodeStatus]:
    return [node for node in answer.nodes if node.status not in ("success", "skipped")]


NODE_COLUMNS = ("node", "title", "documents", "chunks", "version", "reliability", "ratings", "problem")


def node_cells(info: NodeInfo) -> tuple[str, ...]:
    """Return the row of a node in a table with `NODE_COLUMNS`, as plain text."""
    return (
        str(info.node), plain(info.title), str(info.documents), str(info.chunks), str(info.sequence),
        f"{info.reliability:.2f} ± {info.deviation:.2f}", str(info.ratings), plain(info.problem),
    )  # fmt: skip


def safe(text: str) -> str:
    """Return text escaped for HTML, without control and formatting characters."""
    return escape(plain(text))


def plain(text: str) -> str:
    """Replace control and formatting characters by blanks, so that text cannot control a terminal or its direction."""
    return "".join(c if c.isprintable() or category(c) == UNASSIGNED else " " for c in text)
