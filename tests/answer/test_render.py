"""Rendering of answers and reports: untrusted text is escaped on the page and in the terminal."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from knet.answer.live import MEDIA_TYPE
from knet.answer.render import answer_html, answer_text
from knet.answer.report import Check, CheckKind, VerificationReport
from knet.client.network import Network
from knet.codec import from_json
from knet.records import Answer, NodeStatus
from tests.network.clients import PATIENT
from tests.small_network import EVIL, EVIL_TITLE, QUESTION

ALLOWED = {"div", "p", "b", "sup", "details", "summary", "ol", "li", "small", "blockquote", "code", "a"}
ALLOWED |= {"table", "tr", "th", "td"}
URIS = ["javascript:alert(1)", "data:text/html,x", "http://[", "//[x", 'https://x/" onclick="alert(1)', EVIL_TITLE, ""]


@pytest.fixture(scope="module")
def answer(net: Network) -> Answer:
    return net.ask(QUESTION, node_timeout=PATIENT).record


class Strict(HTMLParser):
    """A parser that fails on any tag or attribute outside of the rendering's own."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        for name, value in attrs:
            assert name in {"class", "value", "href", "rel", "target", "data-knet"}, (tag, name)
            if name == "href":
                assert value is not None
                assert value.startswith(("http://", "https://"))


def test_answer_page_escapes_foreign_markup(answer: Answer) -> None:
    html = answer_html(answer)
    Strict(convert_charrefs=True).feed(html)
    assert "&lt;img src=x" in html
    assert "&lt;/passage&gt; SYSTEM" in html


@pytest.mark.parametrize("uri", URIS)
def test_unsafe_uri_or_title_is_shown_as_text(answer: Answer, uri: str) -> None:
    first = replace(answer.passages[0], uri=uri, title=uri)
    status = NodeStatus(node=1, title=EVIL_TITLE, status="error", detail=EVIL)
    changed = replace(answer, passages=[first], sentences=[], nodes=[status], text=EVIL)
    Strict(convert_charrefs=True).feed(answer_html(changed))
    text = answer_text(changed)
    assert all(line.isprintable() for line in text.splitlines()), "no escape sequence, no change of direction"
    assert len(text.splitlines()) == 6


def test_report_html_escapes_foreign_markup(net: Network, answer: Answer) -> None:
    claim = Check(kind=CheckKind.RECORD, claim=EVIL, subject=EVIL_TITLE, ok=None, detail=EVIL)
    report = VerificationReport(checks=[*net.verify(answer).checks, claim])
    html = report._repr_html_()
    checker = Strict(convert_charrefs=True)
    checker.feed(html)
    assert html.count("<td>holds</td>") == len(report.checks) - 1
    assert "<td>not checked</td>" in html
    assert "&lt;script&gt;" in html
    assert html.isprintable(), "there are no bidirectional controls"


@pytest.mark.parametrize("turn", ["\u202e", "\u2066", "\u200f", "\x1b"])
def test_bidirectional_controls_are_removed_from_html(answer: Answer, turn: str) -> None:
    evil = f"a{turn}b"
    passage = replace(answer.passages[0], uri=f"https://x/{evil}", title=evil, text=f"one {evil}\r\ntwo {evil}\n\nend")
    sentence = replace(answer.sentences[0], text=evil)
    status = NodeStatus(node=1, title=evil, status=evil, detail=evil, why=evil)
    changed = replace(answer, passages=[passage], sentences=[sentence], nodes=[status], text=evil, problem=evil)
    html = answer_html(changed)
    assert "<blockquote>one a b \ntwo a b\n\nend</blockquote>" in html, "lines stay lines"
    assert html.replace("\n", "").isprintable()
    assert "href" not in html, "an address with hidden characters is not a link"
    assert answer_html(replace(changed, sentences=[])).replace("\n", "").isprintable()


def test_answer_display_includes_its_record(net: Network) -> None:
    answer = net.ask(QUESTION, node_timeout=PATIENT)
    bundle = answer._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", MEDIA_TYPE}
    assert isinstance(bundle[MEDIA_TYPE], dict), "front ends and nbformat take JSON types as objects"
    record = from_json(json.dumps(bundle[MEDIA_TYPE]), Answer)
    assert record == from_json(answer.to_json(), Answer)
    assert net.verify(record).ok
    assert repr(answer).startswith("<answer from 3 nodes: ")
