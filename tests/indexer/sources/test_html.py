"""The main content of HTML pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from knet.errors import SourceError
from knet_indexer.sources.base import Text
from knet_indexer.sources.folder import read_file

FACT = "The valve opens at 3 bar."


def read(body: str, title: str = "Site name") -> Text:
    return read_file(f"<html><head><title>{title}</title></head><body>{body}</body></html>".encode(), Path("a.html"))


def test_teaser_in_an_article_is_not_the_main_content() -> None:
    found = read(f"<article><p>Read our newsletter.</p></article><main><h1>Valve</h1><p>{FACT}</p></main>")
    assert (found.title, FACT in found.text) == ("Valve", True)
    long = f"<p>{FACT} It closes at two bar, and is greased every year by hand.</p>"
    assert FACT in read(f"<article><p>Read our newsletter.</p></article><div><h1>Valve</h1>{long}</div>").text


def test_all_articles_of_a_page_are_read() -> None:
    text = read(
        f"<article><h2>One</h2><p>{FACT}</p></article><article><h2>Two</h2><p>Another opens at 5.</p></article>"
    )
    assert FACT in text.text
    assert "Another opens at 5." in text.text


def test_header_and_footnotes_of_an_article_are_read() -> None:
    found = read(
        f"<article><header><h1>Valve handbook</h1><p>{FACT}</p></header><p>Body.</p>"
        "<aside class='footnote'><p>Measured in Bern.</p></aside><footer><p>Revised by Ann.</p></footer></article>"
    )
    assert found.title == "Valve handbook"
    assert all(part in found.text for part in (FACT, "Body.", "Measured in Bern.", "Revised by Ann."))


def test_page_inside_one_form_is_read() -> None:
    found = read(f"<form id='f'><div><h1>Valve</h1><p>{FACT}</p><input value='x'><button>Send</button></div></form>")
    assert (found.title, found.text) == ("Valve", f"# Valve\n\n{FACT}")


def test_menus_hidden_text_and_scripts_are_left_out() -> None:
    menu = "".join(f"<li><a href='/{name}'>{name}</a></li>" for name in ("Home", "Shop", "Contact", "Press"))
    found = read(
        f"<nav>{menu}</nav><div class='menu'><ul>{menu}</ul></div><div style='display: none'>HIDDEN</div>"
        f"<div><h1>Valve</h1><p>{FACT} It closes at 2 bar. <a href='/x'>More about valves</a></p></div>"
        f"<div class='cookie-banner'>We use cookies.</div><script>let x = 1</script><footer>Imprint</footer>"
    )
    assert found.text == f"# Valve\n\n{FACT} It closes at 2 bar. More about valves"


def test_heading_in_the_header_of_a_page_is_its_title() -> None:
    found = read(f"<header><h1>Valve</h1><p>Buy now</p></header><main><p>{FACT}</p></main>")
    assert (found.title, found.text) == ("Valve", f"# Valve\n\n{FACT}")


def test_page_without_a_main_heading_has_the_title_of_the_page() -> None:
    assert read(f"<main><h2>◆ open()</h2><p>{FACT}</p></main>", "Valves: open").title == "Valves: open"
    assert read(f"<main><h2>One</h2><p>{FACT}</p></main>", "").title == "One"


def test_table_and_code_keep_their_form() -> None:
    text = read(
        "<main><table><tr><th>Part</th><th>Bar</th></tr><tr><td>Valve</td><td>3</td></tr></table>"
        "<pre><code>open(3)\nclose(2)</code></pre></main>"
    ).text
    assert "| Part | Bar |" in text
    assert "open(3)\nclose(2)" in text


def test_page_of_frames_says_so() -> None:
    with pytest.raises(SourceError, match="holds frames"):
        read_file(b"<html><frameset><frame src=a.html></frameset></html>", Path("a.html"))
