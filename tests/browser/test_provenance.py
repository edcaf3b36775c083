"""The provenance panel and ratings: the chain of custody, and a number that moves on chain."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .driver import Driver
from .test_answers import QUESTION

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.network]

LINKS = ["sentence", "span", "document", "manifest", "node", "chain", "receipt"]


def test_a_passage_is_traced_to_its_transaction(driver: Driver) -> None:
    driver.ask(QUESTION).get_by_role("button", name="Trace source 1").click()
    panel = driver.provenance
    drawing = panel.get_by_role("img", name=re.compile("Chain of custody"))
    expect(drawing).to_be_visible()
    assert drawing.locator("g[data-link]").evaluate_all("all => all.map(one => one.dataset.link)") == LINKS
    expect(drawing.locator('[data-link="chain"]')).to_contain_text("0x")
    expect(panel.locator(".jp-knet-Context mark")).to_contain_text("branches, mud and stones")
    panel.get_by_role("button", name="Re-verify").click()
    expect(panel.locator(".jp-knet-Report summary")).to_contain_text("0 fail, 0 could not be checked")
    expect(drawing.locator('[data-link="chain"]')).to_have_attribute("data-mark", "holds")


def test_provenance_leaves_as_a_file(driver: Driver, tmp_path: Path) -> None:
    driver.ask(QUESTION).get_by_role("button", name="Trace source 1").click()
    for name, ending in (("Export as PROV-O JSON-LD", "jsonld"), ("Export as RO-Crate", "zip")):
        with driver.page.expect_download() as download:
            driver.provenance.get_by_role("button", name=name).click()
        assert download.value.suggested_filename.endswith(ending)
        download.value.save_as(tmp_path / ending)
    assert "@graph" in json.loads((tmp_path / "jsonld").read_text())
    assert (tmp_path / "zip").read_bytes().startswith(b"PK")


def test_a_rating_shows_its_price_and_moves_the_number(driver: Driver) -> None:
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
