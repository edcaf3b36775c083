"""The main content of an HTML page as Markdown: the part that holds most of its text, without menus and teasers."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

from knet.errors import MissingExtra, SourceError

from .base import Text
from .charset import decode
from .notes import Note
from .titles import first_heading, plain

if TYPE_CHECKING:
    from bs4 import Tag

MAX_DEPTH = 10_000  # elements within each other: far more than pages have, and some take time by its square
MAIN = "main, [role=main]"
NEVER = (
    "script, style, noscript, template, svg, iframe, object, nav, button, select, input, dialog, "
    "[hidden], [role=navigation], [role=search], [role=dialog], a.headerlink, a.skip-link"
)
ASIDE = "header, footer, aside, [role=banner], [role=contentinfo], [role=complementary]"  # around the main content
SHARE = 0.4  # of the text of a page: the least that its main element or its articles hold
MAX_LINKS = 0.6  # share of links in the text of a menu or a list of teasers
MIN_LINKS = 3
DATA = 1000  # characters of an embedded picture, beyond which it is counted

_HIDDEN = re.compile(r"display\s*+:\s*+none|visibility\s*+:\s*+hidden", re.IGNORECASE)
_EXTRA = re.compile(
    r"(?:^|[-_ ])(?:nav|navbar|menu|sidebar|breadcrumbs?|cookies?|consent|share|sharing|social|related|comments?"
    r"|advert|ads|promo|newsletter|pagination|pager|skip|popup|modal|subscribe|signup|login|toolbar|masthead|colophon"
    r"|teasers?)(?:$|[-_ ])",
    re.IGNORECASE,
)


def html_text(data: bytes, where: str, encoding: str = "") -> Text:
    """Return the main content of a page as Markdown. Raises SourceError."""
    from bs4 import BeautifulSoup

    decoded = decode(data, where, stated=encoding, markup=True)
    markup = decoded.text
    if "<frameset" in markup[:20_000].lower():
        raise SourceError(f"{where} holds frames, and no text.", hint="Index the pages that it frames.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a page that looks like XML or like an address is fine
        soup = BeautifulSoup(markup, "html.parser")
    _check_depth(soup, where)
    stated = soup.title.get_text(" ", strip=True) if soup.title else ""
    pictures = _prepare(soup)
    body = soup.body or soup
    found = _main(body)
    markdown = _markdown(found)
    has_heading = any(main.name == "h1" or main.find("h1") for main in found)
    title = (first_heading(markdown) if has_heading or not stated else "") or plain(stated)
    notes = (Note(kind="embedded_data", count=pictures),) if pictures else ()
    return Text(markdown, title, "text/markdown", notes=(*decoded.notes, *notes))


def _check_depth(soup: Any, where: str) -> None:
    """Raise SourceError for a page whose elements nest too deep."""
    depths = {id(soup): 0}
    for element in soup.descendants:
        depth = depths[id(element)] = depths[id(element.parent)] + 1
        if depth > MAX_DEPTH:
            raise SourceError(f"{where} nests more than {MAX_DEPTH} elements.", hint="Leave it out.")


def _prepare(soup: Any) -> int:
    """Drop what is never text, replace links and pictures by their text; return the number of embedded pictures."""
    for element in soup.select(NEVER):
        element.decompose()
    for element in soup.find_all(style=_HIDDEN):
        if not element.decomposed:
            element.decompose()
    pictures = 0
    for image in soup.find_all("img"):
        source = str(image.get("src") or "")
        pictures += source.startswith("data:") and len(source) > DATA
        alternative = str(image.get("alt") or "").strip()
        image.replace_with(f" {alternative} " if " " in alternative else " ")
    return pictures


def _main(body: Tag) -> list[Tag]:
    """Return the elements that hold the main content."""
    total = max(1, _size(body))
    found = _outermost(body.select(MAIN))
    if sum(map(_size, found)) < SHARE * total:
        found = _outermost(body.select("article"))
        if sum(map(_size, found)) < SHARE * total:
            found = []
    heading = _page_heading(body, found)
    if not found:
        for element in body.select(ASIDE):
            if (
                not element.decomposed
                and not _holds_most(element, total)
                and element.find_parent(["article", "main"]) is None
            ):
                _drop_around(element)
        found = [body]
    for main in found:
        _drop_extras(main, max(1, _size(main)))
    return [*heading, *found]


def _page_heading(body: Tag, found: list[Tag]) -> list[Tag]:
    """Return the heading of the page where it stands in a header before its main content."""
    if not found or any(main.find("h1") for main in found):
        return []
    before = found[0].find_previous("h1")
    return [before] if before is not None and not before.find_parent("aside") else []


def _drop_around(element: Tag) -> None:
    """Drop a header, footer or aside of the page, but for a heading in it, and for an aside of text."""
    if element.name == "aside" and _link_size(element.find_all("a")) <= MAX_LINKS * _size(element):
        return  # a footnote or a hint; `_drop_extras` drops it if its class names something else
    heading = element.find("h1") if element.name == "header" else None
    if heading is not None and len(element.get_text(" ", strip=True)) > len(heading.get_text(" ", strip=True)):
        element.replace_with(heading.extract())
    elif heading is None:
        element.decompose()


def _drop_extras(main: Tag, total: int) -> None:
    """Drop menus, lists of teasers and offers within the main content."""
    for element in main.find_all(
        ["div", "section", "article", "ul", "ol", "table", "aside", "footer", "header", "form"]
    ):
        if element.decomposed or _holds_most(element, total):
            continue
        names = " ".join([*(element.get("class") or []), str(element.get("id") or "")])
        is_extra = bool(_EXTRA.search(names))
        links = element.find_all("a")
        size = _size(element)
        if (
            (is_extra and (size < 0.15 * total or _link_size(links) > 0.4 * size))
            or (
                element.name in ("footer", "aside", "header", "form")
                and len(links) >= MIN_LINKS
                and _link_size(links) > MAX_LINKS * size
            )
            or (
                main.name == "body"
                and len(links) >= MIN_LINKS
                and _link_size(links) > MAX_LINKS * size
                and size < 0.3 * total
            )
        ):
            element.decompose()


def _outermost(elements: Any) -> list[Tag]:
    chosen: list[Tag] = []
    known: set[int] = set()
    for element in elements:
        if not any(id(parent) in known for parent in element.parents):
            chosen.append(element)
            known.add(id(element))
    return chosen


def _holds_most(element: Tag, total: int) -> bool:
    return _size(element) > SHARE * total


def _size(element: Tag) -> int:
    return len(" ".join(element.get_text(" ").split()))


def _link_size(links: Any) -> int:
    return sum(map(_size, links))


def _markdown(elements: list[Tag]) -> str:
    try:
        from markdownify import MarkdownConverter
    except ImportError as error:
        raise MissingExtra("markdownify", "node") from error
    converter = MarkdownConverter(
        heading_style="atx",
        bullets="-",
        strip=["a"],
        escape_misc=False,
        escape_asterisks=False,
        escape_underscores=False,
    )
    try:
        parts = [str(converter.convert_soup(element)) for element in elements]
    except RecursionError:
        parts = [element.get_text("\n", strip=True) for element in elements]
    lines = [line.rstrip() for part in parts for line in [*part.split("\n"), ""]]
    return "\n".join(line for line, above in zip(lines, ["", *lines], strict=False) if line or above).strip()
