"""Access to the panels by menu, launcher, palette and shortcuts, and settings without a reload."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from benchmarks.panel import frames

from .driver import Driver
from .test_answers import QUESTION

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.network]


def test_panels_are_in_the_view_menu_and_the_launcher(driver: Driver) -> None:
    page = driver.page
    page.get_by_role("menuitem", name="View", exact=True).click()
    menu = page.locator(".lm-Menu")
    for name in ("Ask knet", "Show Provenance", "Show the Network"):
        expect(menu.get_by_text(name, exact=True)).to_be_visible()
    menu.get_by_text("Show the Network", exact=True).click()
    expect(driver.network).to_be_visible()
    page.locator(".jp-LauncherCard").filter(has_text="Ask knet").click()
    expect(driver.ask_panel.get_by_label("Your question")).to_be_focused()


def test_shortcuts_open_the_panels(driver: Driver) -> None:
    for keys, panel in (("k", driver.ask_panel), ("p", driver.provenance), ("n", driver.network)):
        driver.page.keyboard.press(f"Control+Alt+{keys}")
        expect(panel).to_be_visible()


def test_every_command_is_in_the_palette(driver: Driver) -> None:
    driver.new_notebook("palette.ipynb")
    page = driver.page
    page.keyboard.press("Control+Shift+C")
    page.locator(".lm-CommandPalette-input").fill("knet")
    items = page.locator(".lm-CommandPalette-item .lm-CommandPalette-itemLabel")
    names = "Ask the Network", "Show Provenance", "Show the Network", "Insert Answer", "Verify Answers"
    for name in names:
        expect(items.filter(has_text=name)).to_have_count(1)
    page.keyboard.press("Escape")


def test_changed_settings_take_effect_at_once(driver: Driver) -> None:
    page = driver.page
    expect(driver.ask(QUESTION).locator(".jp-knet-Passage")).to_have_count(6)
    page.evaluate("() => window.jupyterapp.commands.execute('settingeditor:open', {query: 'knet'})")
    field = page.locator("input[id$='_passages']")
    field.fill("2")
    field.press("Tab")
    try:
        driver.wait_until(lambda: driver.ask(QUESTION).locator(".jp-knet-Passage").count() == 2)
    finally:
        field.fill("8")
        field.press("Tab")
        driver.wait_until(lambda: driver.ask(QUESTION).locator(".jp-knet-Passage").count() == 6)


def test_benchmark_stopwatch_measures_a_blocked_page(driver: Driver) -> None:
    page = driver.page
    driver.open_ask()
    seconds = frames.ask(page, QUESTION)
    assert 0 < seconds["first"] <= seconds["finished"]
    frames.watch(page)
    with frames.phase(page, "hanging"):
        page.evaluate("() => { const end = performance.now() + 400; while (performance.now() < end); }")
    assert max(frames.lengths(page)["hanging"]) >= 300
