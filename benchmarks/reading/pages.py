"""HTML pages whose main text is known: the share of its words that is read, and the share of words from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from knet_indexer.sources.html import html_text

from .made_pdfs import prose
from .words import compare, words

MENU = "".join(
    f'<li><a href="/{name}">{name}</a></li>' for name in ("Home", "Products", "Prices", "Contact", "Careers")
)
NAV = f"<nav><ul>{MENU}</ul></nav>"
FOOT = (
    '<footer><p>Imprint Privacy</p><ul><li><a href="/x">Sitemap</a></li><li><a href="/y">Terms</a></li></ul></footer>'
)
SCRIPT = "<script>var tracker = function (event) { return event.target }</script><style>.a { color: red }</style>"
COOKIES = '<div class="cookie-consent"><p>We use cookies to improve your visit.</p><button>Accept</button></div>'
SIDE = '<div id="sidebar"><h3>Related</h3><ul><li><a href="/1">Ten tips for gardeners</a></li></ul></div>'
SHARE = '<div class="social-share"><a href="/f">Share</a><a href="/t">Tweet</a><a href="/m">Mail</a></div>'
TEASERS = "".join(f'<article class="teaser"><a href="/{n}"><h4>Teaser number {n}</h4></a></article>' for n in range(4))
ROUNDS = 4


def body(seed: int) -> tuple[str, str]:
    """Return the markup of a main text, and its words: headings, paragraphs, a list, a table, code, a note."""
    text = prose(200 + seed, 260)
    said = [" ".join(text[start : start + 30]) for start in range(0, 240, 30)]
    cells = text[240:252]
    rows = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells[at : at + 3])}</tr>" for at in (0, 3, 6, 9)
    )
    parts = [html.escape(part) for part in said]
    markup = (
        f"<p>{parts[0]}</p><p>{parts[1]} <a href='/more'>{' '.join(text[252:256])}</a></p>"
        f"<h2>{' '.join(text[256:260])}</h2>"
        f"<p>{parts[2]}</p><ul><li>{parts[3]}</li><li>{parts[4]}</li></ul><table>{rows}</table>"
        f"<pre><code>{parts[5]}</code></pre><blockquote><p>{parts[6]}</p></blockquote>"
        f'<aside class="footnote"><p>{parts[7]}</p></aside>'
    )
    return markup, " ".join([*said, *text[240:260]])


def page(inner: str) -> str:
    return f"<!DOCTYPE html><html><head><title>Site</title>{SCRIPT}</head><body>{inner}</body></html>"


TEMPLATES: dict[str, Callable[[str], str]] = {
    "main": lambda main: page(f"<header>{NAV}</header><main><h1>Valve handbook</h1>{main}</main>{FOOT}"),
    "article": lambda main: page(f"{NAV}{COOKIES}<article><h1>Valve handbook</h1>{main}{SHARE}</article>{SIDE}{FOOT}"),
    "header in article": lambda main: page(
        f"{NAV}<article><header><h1>Valve handbook</h1></header>{main}</article>{FOOT}"
    ),
    "teasers before": lambda main: page(f"{NAV}<div>{TEASERS}</div><main><h1>Valve handbook</h1>{main}</main>{FOOT}"),
    "teasers after": lambda main: page(f"{NAV}<div class='body'><h1>Valve handbook</h1>{main}</div>{TEASERS}{FOOT}"),
    "no semantics": lambda main: page(
        f'<div id="nav"><ul>{MENU}</ul></div><div id="content"><h1>Valve handbook</h1>{main}</div>{SIDE}'
        '<div class="footer-menu"><a href="/a">About</a> <a href="/b">Legal</a> <a href="/c">Press</a></div>'
    ),
    "two articles": lambda main: page(
        f"{NAV}<div><article><h1>Valve handbook</h1>{main[: main.index('<h2>')]}</article>"
        f"<article>{main[main.index('<h2>') :]}</article></div>{FOOT}"
    ),
    "one form": lambda main: page(
        f"<form id='f'>{NAV}<div><h1>Valve handbook</h1>{main}</div><input value='q'>{FOOT}</form>"
    ),
    "table layout": lambda main: page(
        f"<table><tr><td><ul>{MENU}</ul></td><td><h1>Valve handbook</h1>{main}</td></tr></table>{FOOT}"
    ),
    "sphinx": lambda main: page(
        f'<div class="related" role="navigation"><ul>{MENU}</ul></div>'
        f'<div class="document"><div class="body" role="main">'
        f'<h1>Valve handbook<a class="headerlink" href="#x">¶</a></h1>{main}</div></div>'
        f'<div class="sphinxsidebar" role="navigation">{SIDE}</div>{FOOT}'
    ),
}


def pages_part(axes: Axes) -> tuple[dict[str, float], dict[str, Any]]:
    """Read pages of ten layouts with four main texts each."""
    recalls: dict[str, float] = {}
    noises: dict[str, float] = {}
    for name, template in TEMPLATES.items():
        found = []
        for seed in range(ROUNDS):
            markup, right = body(seed)
            read = html_text(template(markup).encode(), name)
            found.append(compare(read.text, f"Valve handbook {right}"))
            assert words(read.title), name
        recalls[name] = float(np.mean([one.recall for one in found]))
        noises[name] = float(np.mean([one.extra for one in found]))
    axes.barh(list(recalls), list(recalls.values()), label="recall")
    axes.barh(list(noises), list(noises.values()), label="noise")
    axes.invert_yaxis()
    axes.set(xlabel="share of words", title="HTML pages")
    axes.legend()
    figures = {
        "html_recall": round(float(np.mean(list(recalls.values()))), 4),
        "html_noise": round(float(np.mean(list(noises.values()))), 4),
    }
    return figures, {"recall": recalls, "noise": noises}
