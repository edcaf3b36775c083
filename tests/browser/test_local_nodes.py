"""A local node over a folder of the workspace: started, asked, synced, stopped."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from .driver import Driver

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.network]


def test_folder_becomes_a_node_that_answers(driver: Driver) -> None:
    notes = driver.lab.workspace / "notes"
    notes.mkdir()
    (notes / "kiln.md").write_text("# Kiln\n\nThe pottery kiln in the cellar is fired to 1240 degrees on Thursdays.")
    network = driver.open_network()
    own = network.locator(".jp-knet-LocalNodes")
    own.get_by_text("Share a folder as a new node").click()
    own.get_by_label("Name of a new node").fill("my-notes")
    own.get_by_label("Folder of this workspace").fill("../outside")
    own.get_by_role("button", name="Start a node").click()
    expect(own.get_by_role("status")).to_contain_text("not a folder of this workspace")
    own.get_by_label("Folder of this workspace").fill("notes")
    own.get_by_role("button", name="Start a node").click()
    card = own.locator('[data-local-node="my-notes"]')
    expect(card).to_have_attribute("data-state", "serving")
    listed = network.locator(".jp-knet-Card[data-node]").filter(has_text="my-notes")
    expect(listed).to_contain_text("mine")
    expect(listed).to_contain_text("version 1")
    expect(listed).to_have_attribute("data-state", "up")

    answer = driver.ask("On which day is the pottery kiln fired?")
    expect(answer.locator(".jp-knet-Text")).to_contain_text("fired to 1240 degrees on Thursdays")

    (notes / "glaze.md").write_text("# Glaze\n\nThe celadon glaze for porcelain bowls needs two percent of iron oxide.")
    card.get_by_role("button", name="Sync: my-notes").click()
    expect(card).to_have_attribute("data-state", "syncing")
    expect(card).to_have_attribute("data-state", "serving")
    driver.wait_until(lambda: "iron oxide" in driver.ask("What does the celadon glaze need?").inner_text())

    driver.open_network()
    expect(listed).to_contain_text("version 2")
    expect(listed).to_contain_text(re.compile("[1-9][0-9]* search(es)? served"))
    status = driver.page.locator(".jp-knet-Status")
    expect(status).to_contain_text("4 nodes")
    card.get_by_role("button", name="Stop: my-notes").click()
    expect(card).to_have_attribute("data-state", "off")
    expect(listed).to_have_attribute("data-state", "down")
    expect(listed).to_contain_text("Its owner has to start it again")
    expect(status).to_contain_text("3 of 4 nodes answer")
    assert "my-notes" in (status.get_by_role("button").get_attribute("title") or "")


def test_local_node_shows_progress_and_network(driver: Driver) -> None:
    mine = {"sources": ["/notes"], "profile": "demo", "detail": "", "endpoint": "", "phase": "embedding"}
    syncing = mine | {"name": "at-work", "state": "syncing", "done": 1, "total": 4}
    driver.rewrite("health", lambda snapshot: snapshot | {"local_nodes": [syncing]})
    driver.ask("What is a kiln?")
    card = driver.open_network().locator('[data-local-node="at-work"]')
    expect(card).to_contain_text("syncing embedding 1/4 (25 %)")
    expect(card.get_by_role("progressbar", name="at-work")).to_have_attribute("value", "25")
    expect(card).to_contain_text("of the network demo")
    expect(driver.page.locator(".jp-knet-Status")).to_contain_text("syncing at-work 25 %")
