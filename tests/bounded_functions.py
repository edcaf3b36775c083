"""Functions that read foreign text, run on long runs of every kind of character: a child process of the test below.

Quadratic work on `SIZE` characters takes minutes, linear work some milliseconds. The caller limits the time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress

from knet.answer.notebook import verify_notebook
from knet.answer.writer import extract, generate
from knet.codec import Cid, decode, from_json
from knet.errors import KnetError
from knet.index.analyser import tokens
from knet.index.lexical import Statistics
from knet.index.sentences import sentences
from knet.records import Answer, Passage, Provenance, Reputation, Shard
from knet_indexer.chunking import canonical, chunk
from knet_indexer.ingest.secret_scan import find_secrets
from knet_indexer.sources.folder import _licence, _title
from knet_indexer.sources.notebooks import _markdown
from knet_indexer.sources.python_package import _DECORATION
from knet_indexer.sources.titles import first_heading
from knet_jupyter.kernel.input_transform import transform
from knet_jupyter.kernel.magic_args import parse

SIZE = 100_000
SIZES = {"chunk": 10_000, "secrets": 20_000, "generate": 50_000}  # much Python code a character, in linear time
ALL = " \t\n\r\v\0.!?,;:\"'`()[]{}<>#=-~^*_+/\\|@$%&aZ09é中。！؟।…”\u200b\u0301\ufeff\udc80\u2028\U0001f600"
PAIRS = [
    "\n ",
    " \n",
    ". ",
    " .",
    "=\n",
    "\n=",
    "a\n",
    "# ",
    "\n#",
    "`\n",
    "```\n",
    "![",
    "](",
    "[1",
    "a ",
    "<a",
    "[]",
    "\u0315\u0323",
    "eyJa.",
    "eyJ",
    "a-",
    "a=",
]
STARTS = ("eyJa.", "", "a", "[![", "a.", "x = [", "%knet a", "SPDX-License-Identifier:", "class=", "Fact. [")
CID = Cid.of(b"")


def passage(text: str) -> Passage:
    where = Provenance(node=1, manifest=CID, document=CID, shard=0, chunk=0, path=[], vector=b"")
    return Passage(
        text=text,
        start=0,
        end=len(text),
        title=text,
        uri="",
        score=1.0,
        scores={},
        reliability=Reputation(),
        provenance=where,
    )


def notebook(text: str) -> None:
    output = {"output_type": "display_data", "data": {"text/html": text, "text/markdown": [text]}}
    verify_notebook({"nbformat": 4, "cells": [{"cell_type": "code", "outputs": [output]}]}, lambda _: None)  # type: ignore[arg-type, return-value]


FUNCTIONS: dict[str, Callable[[str], object]] = {
    "sentences": sentences,
    "chunk": lambda text: chunk(
        canonical(text), count_tokens=lambda texts: [len(t) // 4 for t in texts], max_tokens=256
    ),
    "canonical": canonical,
    "tokens": tokens,
    "extract": lambda text: extract("what is a", [passage(text[:8192])] * 4, Statistics(1, 1.0, {})),
    "generate": lambda text: generate("what", [passage("a b c")], lambda _: text),
    "notebook": notebook,
    "json": lambda text: from_json(text, Answer),
    "json string": lambda text: from_json('["' + text, Answer),
    "record": lambda text: decode(text.encode(errors="surrogatepass"), Shard),
    "cid": Cid.parse,
    "heading": first_heading,
    "rst title": lambda text: _title(text, ".rst"),
    "licence": _licence,
    "cell": lambda text: _markdown("code", text, "python"),
    "secrets": find_secrets,
    "description": lambda text: _DECORATION.sub("", text),
    "transform": lambda text: transform([text]),
    "magic": lambda text: parse(text, None),
}


def main(names: list[str]) -> None:
    for name in names:
        work, size = FUNCTIONS[name], SIZES.get(name, SIZE)
        for start in STARTS:
            for unit in (*ALL, *PAIRS) if not start else " \n.!1[(=":
                print(name, ascii(start + unit), flush=True)
                with suppress(KnetError):
                    work(start + unit * (size // len(unit)) + ("" if start else "\0x"))


if __name__ == "__main__":
    main(sys.argv[1:])
    print("done")
