"""The network panel with a hundred nodes and without nodes, by mouse, keyboard and screen reader."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from .driver import Driver
from .test_answers import QUESTION
from .test_comfort import THEMES, overflowing, use_theme, violations

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.network]

MANY = 100
SILENT = 7  # this one does not answer


Records = list[dict[str, Any]]


def pretend(driver: Driver, nodes: Records, overview: dict[str, Any], health: Records) -> None:
    """Replace the server's replies about the nodes after a real connection."""
    driver.ask(QUESTION)
    page = driver.page
    page.route("**/knet/nodes?*", lambda route: route.fulfill(body=json.dumps(nodes)))
    page.route("**/knet/overview?*", lambda route: route.fulfill(body=json.dumps(overview)))

    def snapshot(route: Route) -> None:
        reply = route.fetch()
        route.fulfill(response=reply, body=json.dumps(reply.json() | {"nodes": health}))

    page.route("**/knet/health?*", snapshot)


def node(number: int) -> dict[str, Any]:
    rated = number % 5
    return {
        "node": number, "title": f"Collection {number}", "description": f"Notes on subject {number}.",
        "endpoint": f"http://127.0.0.1:{4000 + number}", "documents": number, "chunks": 10 * number, "sequence": 1,
        "reliability": (1 + rated) / (2 + rated), "deviation": 0.2, "ratings": rated, "problem": "",
    }  # fmt: skip


def health(number: int) -> dict[str, Any]:
    silent = number == SILENT
    return {
        "node": number, "title": f"Collection {number}", "state": "down" if silent else "up", "milliseconds": 3.0,
        "sequence": 1, "published": 1_700_000_000, "searches": None if silent else number,
        "problem": "http://127.0.0.1:4007/v1/status cannot be reached." if silent else "",
        "advice": "Its owner has to start it again." if silent else "",
    }  # fmt: skip


def overview() -> dict[str, Any]:
    places = {number: ((number % 10) / 5 - 0.9, number // 10 / 5 - 0.9) for number in range(1, MANY + 1)}
    topics = [{"x": 0.02 * step, "y": 0.03 * step, "weight": step + 1} for step in range(8)]
    regions = [
        {"node": number, "x": x, "y": y, "topics": [t | {"x": x + t["x"], "y": y + t["y"]} for t in topics]}
        for number, (x, y) in places.items()
    ]
    moments = [{"time": step, "mean": 0.5 + step / 50, "deviation": 0.2, "ratings": 1} for step in range(20)]
    mine = {"node": 3, "positive": 2.0, "negative": 0.0, "count": 2, "trust": 0.8, "why": "You rated it well."}
    return {
        "maps": [{"model": "some/model", "explained": 0.4, "regions": regions}],
        "history": {str(number): moments for number in places if number % 5},
        "rated": [mine],
    }


@pytest.mark.parametrize("theme", THEMES)
def test_hundred_nodes_are_legible_and_searchable(driver: Driver, theme: str) -> None:
    page = driver.page
    use_theme(page, theme)
    numbers = range(1, MANY + 1)
    pretend(driver, [node(number) for number in numbers], overview(), [health(number) for number in numbers])
    network = driver.open_network()
    cards = network.locator(".jp-knet-Card[data-node]")
    expect(cards).to_have_count(MANY)
    expect(network).to_contain_text("99 of 100 answer")
    expect(page.locator(".jp-knet-Status")).to_contain_text("99 of 100 nodes answer")
    assert overflowing(page) == []
    assert violations(page) == []

    find = network.get_by_label("Find a node")
    find.fill("subject 7.")
    expect(cards).to_have_count(1)
    expect(cards).to_contain_text("Its owner has to start it again.")
    find.fill("collection 3")
    expect(network).to_contain_text("11 of 100 nodes")
    expect(cards.first).to_contain_text("I rated it: 2 right, 0 wrong.")
    expect(cards.first).to_contain_text("You rated it well.")
    expect(cards.first.get_by_role("img", name=re.compile("Reliability over 20 batches"))).to_be_visible()
    find.fill("")
    network.get_by_label("Order of the nodes").select_option(label="largest first")
    expect(cards.first).to_contain_text("Collection 100")
    network.get_by_label("Order of the nodes").select_option(label="most trusted by me first")
    expect(cards.first).to_contain_text("Collection 3")

    page.locator(".jp-knet-Label").nth(41).click()
    expect(network.locator('.jp-knet-Card[data-node="42"]')).to_be_focused()


def test_list_of_many_nodes_works_by_keyboard(driver: Driver) -> None:
    page = driver.page
    numbers = range(1, MANY + 1)
    pretend(driver, [node(number) for number in numbers], overview(), [health(number) for number in numbers])
    driver.open_network().get_by_label("Find a node").focus()
    page.keyboard.type("collection 55")
    page.keyboard.press("Tab")
    expect(driver.network.get_by_label("Order of the nodes")).to_be_focused()
    expect(driver.network.locator(".jp-knet-Card[data-node]")).to_have_count(1)


def test_network_without_nodes_shows_the_next_step(driver: Driver) -> None:
    pretend(driver, [], {"maps": [], "history": {}, "rated": []}, [])
    network = driver.open_network()
    expect(network).to_contain_text("No node has published a routing card yet.")
    expect(network).to_contain_text("Start one below to be the first.")
    assert violations(driver.page) == []
    assert overflowing(driver.page) == []


def test_failed_read_of_the_network_is_repeated(driver: Driver) -> None:
    driver.ask(QUESTION)
    page = driver.page
    page.route("**/knet/nodes*", lambda route: route.fulfill(status=503, json={"message": "It hiccups."}))
    driver.rewrite("health", lambda snapshot: snapshot | {"problem": "The chain is slow."})
    driver.run_command("knet:open-network")
    network = driver.network
    for message in ("It hiccups.", "The chain is slow."):
        expect(network.get_by_role("status").filter(has_text=message)).to_be_visible()
    driver.stop_pretending("nodes", "health")
    expect(network.locator(".jp-knet-Card[data-node]")).not_to_have_count(0)
    expect(network).not_to_contain_text("It hiccups.")
    expect(network).not_to_contain_text("The chain is slow.")
