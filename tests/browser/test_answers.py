"""Asking from the panel: the answer, its citations and marks, and a Stop that stops."""

from __future__ import annotations

import asyncio
import threading

import pytest
from playwright.sync_api import expect

from knet.records import SearchReply, SearchRequest
from knet_indexer.service import Service
from tests.network.support import RunningNode

from .driver import Driver

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.network]

QUESTION = "How does a beaver build a dam?"


def test_a_question_is_answered_with_sources_and_marks(driver: Driver) -> None:
    answer = driver.ask(QUESTION)
    expect(answer.locator(".jp-knet-Text")).to_contain_text("branches, mud and stones")
    first = answer.get_by_role("listitem", name="Source 1", exact=True)
    expect(first).to_contain_text("Beavers")
    expect(first.locator("mark")).to_contain_text("branches, mud and stones")
    for check in ("signature", "inclusion", "freshness"):
        expect(first.locator(f'[data-check="{check}"]')).to_have_attribute("data-mark", "holds")
    answer.get_by_role("button", name="Go to source 1").first.click()
    expect(first).to_be_focused()


def test_what_the_network_does_not_know_it_says(driver: Driver) -> None:
    answer = driver.ask("What is the boiling point of tungsten hexafluoride?")
    expect(answer.locator(".jp-knet-Text")).to_have_text("The network does not know.")


def test_a_citation_can_be_copied(driver: Driver) -> None:
    answer = driver.ask(QUESTION)
    answer.get_by_role("group", name="This answer").get_by_role("button", name="Copy citation").click()
    expect(answer.get_by_role("status")).to_have_text("Copied.")
    copied = driver.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("[1] “Beavers”, folder:")
    assert "knet node" in copied
    assert "characters" in copied


@pytest.mark.parametrize("way", ["button", "Escape"])
def test_a_stopped_question_stops_on_the_server(
    way: str, driver: Driver, nodes: list[RunningNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node holds its reply back for as long as it likes; whoever asked need not wait for it."""
    asked, hold = threading.Event(), threading.Event()
    search = Service.search

    async def held(service: Service, request: SearchRequest) -> SearchReply:
        asked.set()
        while not hold.is_set():
            await asyncio.sleep(0.05)
        return await search(service, request)

    monkeypatch.setattr(Service, "search", held)
    panel = driver.open_ask()
    panel.get_by_label("Your question").fill(QUESTION)
    panel.get_by_role("button", name="Ask", exact=True).click()
    try:
        expect(panel.get_by_text("Asked 3 nodes, 0 done.")).to_be_visible()
        expect(panel.locator('.jp-knet-Progress [data-status="asking"]')).to_have_count(3)
        driver.wait_until(asked.is_set)
        with driver.page.expect_response("**/knet/stop*") as said:
            if way == "button":
                panel.get_by_role("button", name="Stop").click()
            else:
                panel.get_by_label("Your question").press(way)
        assert said.value.json() == {"stopped": True}, "the server had it under way, and not any more"
        expect(panel.locator(".jp-knet-Progress")).to_have_text("Stopped.")
        expect(panel.get_by_role("button", name="Ask", exact=True)).to_be_enabled()
    finally:
        hold.set()
    monkeypatch.undo()
    assert driver.ask(QUESTION).is_visible()


def test_filters_narrow_nodes_and_kinds(driver: Driver) -> None:
    panel = driver.open_ask()
    expect(panel.locator(".jp-knet-State")).to_contain_text("connected")
    panel.get_by_text("Filters", exact=True).click()
    panel.get_by_role("group", name="Ask only these nodes").get_by_label("node-2").check()
    answer = driver.ask(QUESTION)
    expect(answer.locator(".jp-knet-Passage").first).to_contain_text("Stars")
    panel.get_by_label("files", exact=True).uncheck()
    answer = driver.ask(QUESTION)
    expect(answer.locator(".jp-knet-Passage")).to_have_count(0)
