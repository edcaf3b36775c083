"""A node with a hostile owner: its publication is signed and verified, and shown as text only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.sync_api import expect

from knet.config import DEFAULT_MODEL, Profile, save_profile
from knet.embed.load import load_embedder
from knet.index.sentences import Span
from tests.network.clients import own_network
from tests.network.support import RunningNode, start_nodes

from .conftest import PROFILE as EVERYBODYS
from .driver import Driver
from .test_answers import QUESTION
from .test_hostile import EVIL

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.network]

PROFILE = "hostile"
SENTENCE = "A beaver builds a dam of branches, mud and stones."
LONG = f"{SENTENCE} " + "lorem ipsum " * 420_000  # 5 MB
COLLECTIONS = [{"evil.md": f"# Beavers {EVIL}\n\n{SENTENCE} {EVIL}"}, {"long.md": LONG}]


def whole(text: str) -> list[Span]:
    return [Span(0, len(text))]


@pytest.fixture(scope="module")
def hostile_nodes(
    devnet: Profile, env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[RunningNode]]:
    """Hostile nodes on a separate network, with one passage a document."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KNET_HOME", env["KNET_HOME"])
        profile = replace(own_network(devnet, PROFILE), models=(DEFAULT_MODEL,))
        save_profile(profile)
        folder: Path = tmp_path_factory.mktemp("hostile")
        words = {"name": EVIL, "description": EVIL, "licence": EVIL}
        with start_nodes(folder, profile, COLLECTIONS, embedder=load_embedder(), cut=whole, **words) as nodes:
            yield nodes


def test_published_markup_is_shown_as_text(driver: Driver, hostile_nodes: list[RunningNode]) -> None:
    """The page fixture also fails the test for every request that leaves this machine."""
    page = driver.page
    page.evaluate("() => window.jupyterapp.commands.execute('settingeditor:open', {query: 'knet'})")
    field = page.locator("input[id$='_profile']")
    field.fill(PROFILE)
    field.press("Tab")
    try:
        expect(driver.open_ask()).to_contain_text(PROFILE)
        answer = driver.ask(QUESTION)
        expect(answer.get_by_role("listitem", name="Source 1", exact=True)).to_contain_text("<script>window.owned = 2")
        answer.get_by_text("1 of 2 nodes answered").click()
        expect(answer).to_contain_text("does not have block")
        answer.get_by_role("button", name="Trace source 1").click()
        driver.provenance.get_by_text("All values in full").click()
        network = driver.open_network()
        expect(network.locator(".jp-knet-Card[data-node]")).to_have_count(2)
        for panel in (driver.ask_panel, driver.provenance, network):
            assert panel.locator("img, script, iframe, style, [onerror], [data-commandlinker-command]").count() == 0
            assert panel.evaluate("panel => panel.scrollWidth - panel.clientWidth") <= 0
            assert len(panel.inner_text()) < 20_000
            assert "\u202e" not in panel.inner_text()
        assert page.evaluate("() => window.owned") is None
    finally:
        field.fill(EVERYBODYS)
        field.press("Tab")
        expect(driver.open_ask()).to_contain_text(f"{EVERYBODYS}: connected")
