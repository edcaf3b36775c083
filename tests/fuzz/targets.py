"""Everything of the product that reads foreign bytes or foreign text, by name, with valid inputs of each."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from knet.answer.notebook_source import asks
from knet.answer.writer import extract, generate
from knet.codec import Cid, decode, decode_plain, encode, from_json, read_json, to_json
from knet.content.dag import links
from knet.derivation import TermStatistics
from knet.dsi.datasets import parse_passage_id, read_documents
from knet.dsi.serialization import read_tensors
from knet.index.analyser import tokens
from knet.index.lexical import Statistics
from knet.index.sentences import sentences
from knet.records import (
    Answer,
)
from knet.routing.large.segment import read_segment
from knet.routing.service_status import ServiceStatus
from knet.trust.agreement import claim, outcomes
from knet_indexer.ingest.secret_scan import find_secrets
from knet_indexer.server import negotiation
from knet_indexer.sources.files import decode_text
from knet_indexer.sources.folder import read_file
from knet_indexer.sources.html import html_text
from knet_indexer.sources.notebooks import notebook_text
from knet_indexer.sources.office import docx_text
from knet_indexer.sources.pdf.document import pdf_text
from knet_indexer.sources.titles import first_heading
from knet_jupyter.kernel.input_transform import transform
from knet_jupyter.kernel.magic_args import parse as parse_magic
from knet_jupyter.protocol import AskEvent

from . import samples
from .mutation import Form
from .readers import (
    answer_file,
    batch_block,
    batch_blocks,
    car,
    chain_logs,
    cut,
    dsi_record,
    dsi_weights,
    ignored,
    in_file,
    logs,
    node_reply,
    notebook,
    offered,
    pair_lines,
    passage,
    probe_lines,
    requests,
    rpc_call,
    rpc_replies,
    rpc_reply,
    search_request,
    signed_reply,
    sitemap,
    text_of,
    weights,
    whole_answer,
    with_block,
)


class Target(NamedTuple):
    """A function that reads one input, valid inputs, and the form of these."""

    run: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    form: Form = "bytes"


def of_json(kind: Any) -> Callable[[bytes], object]:
    return lambda data: from_json(data, kind)


def on_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(text_of(data))


def seeds(*texts: str | bytes) -> Callable[[], list[bytes]]:
    return lambda: [text if isinstance(text, bytes) else text.encode() for text in texts]


PROSE = (
    '# Apples\n\nApples grow, e.g. on trees. "Really?" said Dr. A. B. Core... Yes!\n\n- one\n\n```py\nx\n```\n',
    "Title\n=====\n\nWhat is this? It is 3.5 % of [1]. Ja; 。中文。 نعم؟ ok",
    "password = 'hunter2x9' and https://user:pa55word@example.org/ and eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.x",
)
STATUS = b'{"type":"knet/status/1","ready":true,"manifest":null,"sequence":1,"documents":1,"chunks":1,"searches":0}'
HTML = b"<html><head><title>A</title></head><body><main><h1>B</h1><p>C <a href='x'>d</a></p></main></body></html>"
MAP = (
    b'<?xml version="1.0"?><urlset xmlns="http://x"><url><loc>https://example.org/a</loc>'
    b"<lastmod>2026-01-01</lastmod></url></urlset>"
)
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>endobj 4 0 obj<</Length 20>>stream\n"
    b"BT /F 9 Tf (a) Tj ET\nendstream endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
)


def block(kind: str) -> Callable[[], list[bytes]]:
    return lambda: [samples.blocks()[kind][1]]


def answers() -> list[bytes]:
    return [to_json(samples.answer()).encode()]


TARGETS: dict[str, Target] = {
    **{
        f"block of {kind}": Target(
            with_block(kind), block(kind), "bytes" if kind in ("spans", "vectors", "text") else "cbor"
        )
        for kind in ("manifest", "space", "card", "shard", "spans", "vectors", "document", "text")
    },
    "reply": Target(node_reply, lambda: [encode(samples.reply(samples.session()))], "cbor"),
    "signed reply": Target(signed_reply, lambda: [encode(samples.reply(samples.session()))], "cbor"),
    "model record": Target(dsi_record, lambda: [samples.model()[0].get(samples.model()[1])], "cbor"),
    "model weights": Target(dsi_weights, weights, "bytes"),
    "tensors": Target(lambda data: read_tensors(data, "it"), weights),
    "car": Target(car, lambda: [samples.car()]),
    "plain": Target(decode_plain, block("manifest"), "cbor"),
    "links": Target(lambda data: links(samples.owner().head, data), block("manifest"), "cbor"),
    "cid": Target(
        on_text(Cid.parse), seeds(str(Cid.of(b"")), "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPpm4"), "text"
    ),
    "json": Target(read_json, answers, "json"),
    "status": Target(of_json(ServiceStatus), seeds(STATUS), "json"),
    "answer file": Target(answer_file, answers, "json"),
    "answer block": Target(lambda data: whole_answer(decode(data, Answer)), lambda: [encode(samples.answer())], "cbor"),
    "notebook": Target(notebook, lambda: [samples.notebook()], "json"),
    "cell source": Target(
        on_text(lambda text: asks(text, "what")),
        seeds("%knet what", "%%knet -k 3\nwhat", "net.ask('what')\n!ls\n"),
        "text",
    ),
    "event": Target(of_json(AskEvent), seeds(b'{"event":"error","reason":"a","message":"b"}'), "json"),
    "rpc reply": Target(rpc_reply, rpc_replies, "json"),
    "rpc call": Target(rpc_call, rpc_replies, "json"),
    "logs": Target(chain_logs, logs, "json"),
    "ratings block": Target(partial(batch_block, index=False), lambda: batch_blocks(False), "cbor"),
    "ratings index": Target(partial(batch_block, index=True), lambda: batch_blocks(True), "cbor"),
    "offer": Target(offered, lambda: [samples.offer()], "cbor"),
    "request": Target(partial(search_request, encoding=negotiation.DAG_CBOR), requests, "cbor"),
    "request in json": Target(
        partial(search_request, encoding=negotiation.JSON),
        lambda: [to_json(next(iter(samples.session().requests.values()))).encode()],
        "json",
    ),
    "documents": Target(
        in_file(read_documents, "d.jsonl"), seeds('{"id":"a","text":"b"}\n{"id":"c","text":"d"}'), "text"
    ),
    "zipped documents": Target(
        in_file(read_documents, "d.jsonl.gz"), lambda: [zlib.compress(b'{"id":"a","text":"b"}', wbits=31)]
    ),
    "questions": Target(
        in_file(pair_lines, "q.jsonl"),
        lambda: [samples.signed_pair(), b'{"text":"a","relevant":{"b":1}}', b'{"question":"a","docid":"b"}'],
        "json",
    ),
    "probes": Target(
        in_file(probe_lines, "p.jsonl"), seeds('{"question":"a","answers":["apple"],"wrong":["pear"]}'), "json"
    ),
    "passage id": Target(on_text(parse_passage_id), seeds(f"{Cid.of(b'')}#1-2"), "text"),
    "segment": Target(in_file(read_segment, "segment"), weights),
    "term statistics": Target(
        lambda data: Statistics.of(decode(data, TermStatistics)).idf("a"),
        lambda: [encode(TermStatistics(chunks=1, average_length=1.0, df={"a": 1}))],
        "cbor",
    ),
    "sentences": Target(on_text(sentences), seeds(*PROSE), "text"),
    "chunks": Target(cut, seeds(*PROSE), "text"),
    "tokens": Target(on_text(tokens), seeds(*PROSE), "text"),
    "extract": Target(
        on_text(lambda text: extract(text[:50], [passage(text)] * 2, Statistics(1, 1.0, {}))), seeds(*PROSE), "text"
    ),
    "generate": Target(
        on_text(lambda text: generate("a", [passage("a b")], lambda _: text)),
        seeds("Fact. [1] Other [2][1]."),
        "text",
    ),
    "claims": Target(
        on_text(lambda text: outcomes([claim(n, text[:30], text[n:]) for n in range(3)], {})), seeds(*PROSE), "text"
    ),
    "secrets": Target(on_text(find_secrets), seeds(*PROSE), "text"),
    "magic": Target(on_text(lambda text: parse_magic(text, None)), seeds("what is it", "-k 3 what", "nodes"), "text"),
    "cell": Target(
        on_text(lambda text: transform(text.splitlines(True))), seeds("? what is it\n", "x = 1\n%knet a"), "text"
    ),
    "heading": Target(on_text(first_heading), seeds(*PROSE), "text"),
    "encoding": Target(
        lambda data: decode_text(data, "it"), seeds(*PROSE, "é".encode("latin-1"), "é".encode("utf-16")), "bytes"
    ),
    "markdown file": Target(lambda data: read_file(data, Path("a.md")), seeds(*PROSE), "bytes"),
    "rst file": Target(lambda data: read_file(data, Path("a.rst")), seeds(*PROSE), "bytes"),
    "ignore file": Target(ignored, seeds("*.log\n!a\n/b/**\n# c\n[a-z]?\\ "), "bytes"),
    "sitemap": Target(sitemap, lambda: [MAP, zlib.compress(MAP, wbits=31)], "bytes"),
    "html": Target(lambda data: html_text(data, "it"), seeds(HTML), "bytes"),
    "pdf": Target(lambda data: pdf_text(data, "it"), seeds(PDF), "bytes"),
    "docx": Target(lambda data: docx_text(data, "it"), lambda: [samples.docx()], "bytes"),
    "notebook source": Target(lambda data: notebook_text(data, Path("a.ipynb")), lambda: [samples.notebook()], "json"),
}
