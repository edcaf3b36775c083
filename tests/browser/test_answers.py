"""The ask panel: the answer, its citations and marks, and the Stop button."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from knet.records import SearchReply, SearchRequest
from knet_indexer.server.app import Service
from tests.network.support import RunningNode

from .driver import Driver

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.network]

QUESTION = "How does a beaver build a dam?"


def test_answer_shows_sources_and_marks(driver: Driver) -> None:
    answer = driver.ask(QUESTION)
    expect(answer.locator(".jp-knet-Text")).to_contain_text("branches, mud and stones")
    first = answer.get_by_role("listitem", name="Source 1", exact=True)
    expect(first).to_contain_text("Beavers")
    expect(first.locator("mark")).to_contain_text("branches, mud and stones")
    for check in ("signature", "inclusion", "freshness"):
        expect(first.locator(f'[data-check="{check}"]')).to_have_attribute("data-mark", "holds")
    answer.get_by_role("button", name="Go to source 1").first.click()
    expect(first).to_be_focused()


def test_unanswerable_question_is_reported(driver: Driver) -> None:
    answer = driver.ask("What is the boiling point of tungsten hexafluoride?")
    expect(answer.locator(".jp-knet-Text")).to_have_text("The network does not know.")


def test_citation_is_copied(driver: Driver) -> None:
    answer = driver.ask(QUESTION)
    answer.get_by_role("group", name="This answer").get_by_role("button", name="Copy citation").click()
    expect(answer.get_by_role("status")).to_have_text("Copied.")
    copied = driver.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("[1] “Beavers”, folder:")
    assert "knet node" in copied
    assert "characters" in copied


@pytest.mark.parametrize("way", ["button", "Tab", "Escape"])
def test_stopped_question_stops_on_the_server(
    way: str, driver: Driver, nodes: list[RunningNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node withholds its reply, and the panel does not wait for it."""
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
            elif way == "Tab":
                expect(panel.get_by_role("button", name="Ask", exact=True)).to_be_focused()
                driver.page.keyboard.press("Tab")
                driver.page.keyboard.press("Enter")
            else:
                panel.get_by_label("Your question").press(way)
        assert said.value.json() == {"stopped": True}, "the server had it under way, and not any more"
        expect(panel.locator(".jp-knet-Progress")).to_have_text("Stopped.")
        expect(status_text(panel)).to_have_text("Stopped.")
        expect(panel.get_by_role("button", name="Ask", exact=True)).to_be_enabled()
    finally:
        hold.set()
    monkeypatch.undo()
    assert driver.ask(QUESTION).is_visible()


def open_filters(driver: Driver) -> Locator:
    """Open the filters of the ask panel and wait for the nodes."""
    panel = driver.open_ask()
    expect(panel.locator(".jp-knet-State")).to_contain_text("connected")
    summary(panel).click()
    expect(panel.get_by_label("node-2")).to_be_visible()
    return panel


def summary(panel: Locator) -> Locator:
    return panel.locator("summary").filter(has_text="Filters")


def test_filters_narrow_nodes_and_kinds(driver: Driver) -> None:
    panel = open_filters(driver)
    panel.get_by_role("group", name="Ask only these nodes").get_by_label("node-2").check()
    answer = driver.ask(QUESTION)
    expect(answer.locator(".jp-knet-Passage").first).to_contain_text("Stars")
    panel.get_by_label("files", exact=True).uncheck()
    expect(summary(panel)).to_have_text("Filters (2)")
    answer = driver.ask(QUESTION)
    expect(answer.locator(".jp-knet-Passage")).to_have_count(0)


def test_citation_of_a_hidden_source_shows_the_source(driver: Driver) -> None:
    panel = open_filters(driver)
    panel.get_by_label("files", exact=True).uncheck()
    answer = driver.ask(QUESTION)
    sources = answer.get_by_role("heading", name="Sources")
    expect(sources).to_have_text("Sources 0 of 6")
    answer.get_by_role("button", name="Go to source 1").first.click()
    expect(answer.get_by_role("listitem", name="Source 1", exact=True)).to_be_focused()
    expect(sources).to_have_text("Sources 1 of 6")


def asked_of(driver: Driver) -> Any:
    """Return the nodes of the next question from the panel."""
    with driver.page.expect_request("**/knet/ask*") as sent:
        driver.ask(QUESTION)
    return sent.value.post_data_json["nodes"]


def test_chosen_node_stays_chosen_while_unavailable(driver: Driver) -> None:
    panel = open_filters(driver)
    box = panel.get_by_label("node-2")
    box.check()
    number = int(str(box.get_attribute("value")))
    summary(panel).click()
    driver.page.route("**/knet/nodes*", lambda route: route.fulfill(status=503, json={"message": "It hiccups."}))
    summary(panel).click()
    expect(panel.get_by_text("It hiccups.")).to_be_visible()
    summary(panel).click()
    assert asked_of(driver) == [number]

    driver.stop_pretending("nodes")
    driver.rewrite("nodes", lambda nodes: [node for node in nodes if node["node"] != number])
    summary(panel).click()
    expect(panel.get_by_label("node-2 (not available)")).to_be_checked()
    expect(summary(panel)).to_have_text("Filters (1)")
    assert asked_of(driver) == [number]


def test_chosen_nodes_are_cleared_with_another_network(driver: Driver) -> None:
    """Node numbers differ between networks."""
    panel = open_filters(driver)
    panel.get_by_label("node-2").check()
    driver.pretend_state(profile="another", state="off")
    driver.run_command("knet:open-network")  # it polls at once
    expect(panel.locator(".jp-knet-State")).to_contain_text("another: not connected")
    expect(summary(panel)).to_have_text("Filters")
    assert asked_of(driver) == []


@pytest.mark.parametrize("cut", [0, 40])
def test_incomplete_answer_is_an_error(driver: Driver, cut: int) -> None:
    """The stream ends between two lines, or within one."""
    lines = '{"event": "started", "id": "x"}\n{"event": "asking", "nodes": []}\n{"event": "answer", "answer": {'
    body = lines[: lines.rindex("\n") + 1 + cut]
    driver.page.route("**/knet/ask*", lambda route: route.fulfill(body=body))
    panel = driver.open_ask()
    panel.get_by_label("Your question").fill(QUESTION)
    panel.get_by_role("button", name="Ask", exact=True).click()
    expect(panel.locator(".jp-knet-Progress")).to_contain_text("The connection was lost before the answer")
    expect(status_text(panel)).to_contain_text("The connection was lost")
    expect(panel.get_by_role("button", name="Ask", exact=True)).to_be_enabled()


def status_text(panel: Locator) -> Locator:
    """Return the status text for screen readers."""
    return panel.locator(".jp-knet-Hidden[role=status]")


def test_answer_is_announced_and_focus_is_kept(driver: Driver) -> None:
    panel = driver.open_ask()
    panel.get_by_label("Your question").fill(QUESTION)
    go = panel.get_by_role("button", name="Ask", exact=True)
    go.press("Enter")
    expect(status_text(panel)).to_have_text("Answer with 6 sources.")
    expect(go).to_be_focused()
