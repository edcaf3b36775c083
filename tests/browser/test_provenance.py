"""The provenance panel and ratings: the chain of custody, and the reliability on chain."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from .driver import VERIFIED, Driver
from .test_answers import QUESTION
from .test_notebooks import keep_answer

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.network]

LINKS = ["sentence", "span", "document", "manifest", "node", "chain", "receipt"]


def test_passage_is_traced_to_its_transaction(driver: Driver) -> None:
    driver.ask(QUESTION).get_by_role("button", name="Trace source 1").click()
    panel = driver.provenance
    drawing = panel.get_by_role("img", name=re.compile("Chain of custody"))
    expect(drawing).to_be_visible()
    assert drawing.locator("g[data-link]").evaluate_all("all => all.map(one => one.dataset.link)") == LINKS
    expect(drawing.locator('[data-link="chain"]')).to_contain_text("0x")
    expect(panel.locator(".jp-knet-Context mark")).to_contain_text("branches, mud and stones")
    panel.get_by_role("button", name="Re-verify").click()
    expect(panel.locator(".jp-knet-Report summary")).to_contain_text(VERIFIED)
    expect(drawing.locator('[data-link="chain"]')).to_have_attribute("data-mark", "holds")


def test_provenance_is_exported_as_a_file(driver: Driver, tmp_path: Path) -> None:
    driver.ask(QUESTION).get_by_role("button", name="Trace source 1").click()
    for name, ending in (("Export as PROV-O JSON-LD", "jsonld"), ("Export as RO-Crate", "zip")):
        with driver.page.expect_download() as download:
            driver.provenance.get_by_role("button", name=name).click()
        assert download.value.suggested_filename.endswith(ending)
        download.value.save_as(tmp_path / ending)
    assert "@graph" in json.loads((tmp_path / "jsonld").read_text())
    assert (tmp_path / "zip").read_bytes().startswith(b"PK")


def test_rating_shows_its_cost_and_changes_the_reliability(driver: Driver) -> None:
    answer = driver.ask("What colour are the front teeth of a beaver?")
    expect(answer.get_by_role("listitem", name="Source 1", exact=True)).to_contain_text("Teeth")
    answer.get_by_role("button", name="Rate source 1 as right").click()
    expect(answer.get_by_role("status")).to_contain_text("waits")
    network = driver.open_network()
    number = driver.page.evaluate("() => document.querySelector('#knet-ask .jp-knet-Passage').dataset.node")
    node = network.locator(f'.jp-knet-Card[data-node="{number}"]')
    expect(node).to_contain_text("not rated yet")
    waiting = network.locator(".jp-knet-Ratings")
    expect(waiting).to_contain_text(re.compile(r"up to [\d,]+ gas"))
    expect(waiting).to_contain_text("a bond of 0.01 ETH")
    waiting.get_by_role("button", name=re.compile("^Send")).click()
    expect(waiting).to_contain_text("On chain in 0x")
    expect(node).to_contain_text("0.67 ±")
    expect(node).to_contain_text("I rated it: 1 right, 0 wrong.")
    expect(node.get_by_role("img", name=re.compile("Reliability over 1 batches"))).to_be_visible()


def test_cell_is_traced_from_its_record_until_connected(driver: Driver) -> None:
    """Selecting a cell must not start a network."""
    keep_answer(driver, "offline.ipynb")
    driver.close_all()
    asked: list[str] = []
    driver.page.on("request", lambda sent: asked.append(sent.url) if "/knet/" in sent.url else None)
    driver.pretend_state(state="off")
    driver.open_lab()
    driver.run_command("knet:open-provenance")
    driver.open_notebook("offline.ipynb").locator(".jp-knet-Output").click()
    panel = driver.provenance
    drawing = panel.get_by_role("img", name=re.compile("Chain of custody"))
    expect(drawing.locator('[data-link="document"]')).to_contain_text("Beavers")
    expect(drawing.locator('[data-link="chain"]')).to_contain_text("not looked up")
    expect(panel).to_contain_text("Not connected: shown from the record of the answer only.")
    panel.get_by_role("combobox", name="Source").select_option("2")
    expect(drawing.locator('[data-link="chain"]')).to_have_attribute("data-mark", "unknown")
    assert {url.split("/knet/")[1].split("?")[0] for url in asked} <= {"state", "health"}

    driver.stop_pretending("state", "health")
    panel.get_by_role("button", name="Connect").click()
    expect(drawing.locator('[data-link="chain"]')).to_contain_text("0x")
    expect(panel.locator(".jp-knet-State")).to_contain_text("connected")


def rate(driver: Driver) -> Locator:
    """Queue a rating in the provenance panel."""
    answer = driver.ask(QUESTION)
    answer.get_by_role("button", name="Trace source 1").click()
    waiting = driver.provenance.locator(".jp-knet-Ratings")
    driver.provenance.get_by_role("button", name="Rate this source as right").click()
    expect(waiting.get_by_role("button", name="Send 1 rating")).to_be_enabled()
    return waiting


def test_queued_rating_is_withdrawn(driver: Driver) -> None:
    waiting = rate(driver)
    waiting.get_by_role("button", name=re.compile("^Take back the rating of")).press("Enter")
    expect(waiting).to_contain_text("Taken back.")
    expect(waiting).to_contain_text("None.")
    expect(waiting).to_be_focused()
    expect(waiting.get_by_role("button")).to_have_count(0)


def test_ratings_with_unknown_cost_are_not_sent(driver: Driver) -> None:
    waiting = rate(driver)
    send = waiting.get_by_role("button", name="Send 1 rating")
    driver.rewrite("ratings", lambda pending: pending | {"cost": None, "problem": "The chain does not answer."})
    driver.open_network()
    driver.run_command("knet:open-provenance")
    expect(waiting).to_contain_text("The chain does not answer.")
    expect(waiting.get_by_role("button", name=re.compile("^Take back"))).to_be_enabled()
    expect(send).to_have_count(0)

    driver.stop_pretending("ratings")
    driver.page.route("**/knet/ratings*", lambda route: route.fulfill(status=503, json={"message": "It hiccups."}))
    driver.open_network()
    driver.run_command("knet:open-provenance")
    expect(waiting).to_contain_text("It hiccups.")
    expect(waiting).not_to_contain_text("None.")

    driver.stop_pretending("ratings")
    driver.pretend_state(profile="another", state="off")
    driver.run_command("knet:open-network")
    driver.run_command("knet:open-provenance")
    expect(waiting).to_contain_text("Shown once the network is connected.")
    driver.stop_pretending("state", "health")
    driver.open_network()
    driver.run_command("knet:open-provenance")
    driver.page.route("**/knet/ratings/flush*", lambda route: route.fulfill(json={"transactions": []}))
    expect(send).to_be_enabled()
    send.click()
    expect(waiting).to_contain_text("No rating was left")
    waiting.get_by_role("button", name=re.compile("^Take back")).click()
    expect(waiting).to_contain_text("None.")
