"""Accessibility and layout: keyboard, screen reader, light and dark themes, narrow panels, long answers."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from .driver import Driver
from .lab import EXTENSION, missing
from .test_answers import QUESTION
from .test_notebooks import keep_answer

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.network]

AXE = EXTENSION / "node_modules" / "axe-core" / "axe.min.js"
OURS = [".jp-knet-Panel", ".jp-knet-Status"]
THEMES = ["JupyterLab Light", "JupyterLab Dark"]


def violations(page: Page) -> list[str]:
    """Return the violations that axe finds in the panels."""
    if not AXE.is_file():
        missing("axe-core is not installed: run `npm ci` in jupyter_ext")
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "async ours => (await axe.run({include: ours.filter(one => document.querySelector(one))})).violations", OURS
    )
    return [f"{one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in found for node in one["nodes"]]


def use_theme(page: Page, theme: str) -> None:
    page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)


def overflowing(page: Page) -> list[str]:
    """Return the panels that overflow their width."""
    found: list[str] = page.evaluate(
        "() => [...document.querySelectorAll('.jp-knet-Panel')].filter(one => one.scrollWidth > one.clientWidth + 1)"
        ".map(one => one.id || one.className)"
    )
    return found


@pytest.mark.parametrize("theme", THEMES)
def test_panels_have_no_accessibility_violations(driver: Driver, theme: str) -> None:
    page = driver.page
    use_theme(page, theme)
    keep_answer(driver, f"{theme}.ipynb")
    driver.ask_panel.get_by_text("Filters", exact=True).click()
    driver.ask_panel.get_by_role("button", name="Trace source 1").click()
    driver.provenance.get_by_role("button", name="Re-verify").click()
    expect(driver.provenance.locator(".jp-knet-Report summary")).to_be_visible()
    driver.provenance.locator(".jp-knet-Report summary").click()
    driver.provenance.get_by_text("All values in full").click()
    assert violations(page) == []
    assert overflowing(page) == []
    driver.open_network()
    assert violations(page) == []
    assert overflowing(page) == []
    page.get_by_role("button", name="Verify answers").click()
    expect(page.locator(".jp-Dialog")).to_contain_text("1 of 1 answers hold")
    assert violations(page) == []


def test_panels_work_by_keyboard(driver: Driver) -> None:
    page = driver.page
    driver.new_notebook("keys.ipynb")
    driver.palette("Ask the Network")
    question = driver.ask_panel.get_by_label("Your question")
    expect(question).to_be_focused()
    page.keyboard.type(QUESTION)
    tab_to(page, "Filters")
    page.keyboard.press("Enter")
    tab_to(page, "files")
    page.keyboard.press("Space")
    expect(driver.ask_panel.locator("summary").filter(has_text="Filters")).to_have_text("Filters (1)")
    page.keyboard.press("Space")
    tab_to(page, "Ask", back=True)
    page.keyboard.press("Enter")
    answer = driver.ask_panel.get_by_role("article", name="Answer")
    expect(answer).to_be_visible()
    tab_to(page, "Go to source 1")
    page.keyboard.press("Enter")
    expect(answer.get_by_role("listitem", name="Source 1", exact=True)).to_be_focused()
    tab_to(page, "Rate source 2 as right")
    page.keyboard.press("Enter")
    expect(answer.get_by_role("status")).to_contain_text("waits")
    tab_to(page, "Trace source 2", back=True)
    page.keyboard.press("Enter")
    expect(driver.provenance.get_by_role("combobox", name="Source")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(driver.provenance.locator("select")).to_have_value("3")
    tab_to(page, "Re-verify")
    page.keyboard.press("Enter")
    expect(driver.provenance.locator(".jp-knet-Report summary")).to_contain_text("0 fail")
    page.route("**/knet/ratings/flush*", lambda route: route.fulfill(json={"transactions": ["0x12"]}))
    tab_to(page, "Send 1 rating")
    page.keyboard.press("Enter")
    waiting = driver.provenance.locator(".jp-knet-Ratings")
    expect(waiting).to_contain_text("On chain in 0x12")
    back = waiting.get_by_role("button", name="Take back")
    tab_to(page, str(back.get_attribute("aria-label")), back=True)
    page.keyboard.press("Enter")
    expect(waiting).to_contain_text("None.")
    expect(waiting).to_be_focused()
    driver.palette("Insert Answer as Cell")
    expect(page.locator(".jp-NotebookPanel:visible .jp-knet-Output")).to_be_visible()
    driver.palette("Verify Answers in This Notebook")
    expect(page.locator(".jp-Dialog")).to_contain_text("1 of 1 answers hold")
    page.keyboard.press("Escape")
    expect(page.locator(".jp-Dialog")).to_have_count(0)


def tab_to(page: Page, name: str, *, back: bool = False) -> None:
    """Press Tab until the control of that name has the focus."""
    for _ in range(60):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        reached = page.locator("*:focus").evaluate("one => one.ariaLabel || (one.labels?.[0] ?? one).textContent")
        if reached == name:
            return
    pytest.fail(f"{name!r} cannot be reached with Tab")


def test_starting_network_is_announced_once(driver: Driver) -> None:
    """The progress is visible but not announced, since it changes every second."""
    driver.pretend_state(state="starting", phases=[{"title": "node-7", "phase": "indexing", "done": 1, "total": 9}])
    driver.open_lab()
    state = driver.open_ask().locator(".jp-knet-State")
    expect(state).to_contain_text("node-7: indexing 1/9")
    expect(state.get_by_role("status")).to_have_text("lab: starting …")


def test_panel_with_two_hundred_passages_stays_responsive(driver: Driver) -> None:
    """The test counts drawn sources; `make bench NAME=panel` measures time."""
    driver.swell(200)
    answer = driver.ask(QUESTION)
    shown = answer.locator(".jp-knet-Passage")
    expect(shown).to_have_count(20)
    assert driver.ask_panel.evaluate("panel => panel.querySelectorAll('*').length") < 1500
    answer.get_by_role("button", name="Show 20 more").press("Enter")
    expect(shown).to_have_count(40)
    expect(shown.nth(20)).to_be_focused()
    driver.ask_panel.get_by_label("Your question").fill("typing still works")
    expect(driver.ask_panel.get_by_label("Your question")).to_have_value("typing still works")
    answer.get_by_role("button", name="Show all 200").click()
    expect(shown).to_have_count(200)
    expect(answer.get_by_role("button", name="Show all 200")).to_have_count(0)
    seen = shown.locator("blockquote").evaluate_all(
        "quotes => quotes.filter(quote => quote.checkVisibility({contentVisibilityAuto: true})).length"
    )
    assert 0 < seen < 50, "passages far below the fold are laid out"


def test_narrow_panels_do_not_overflow(driver: Driver) -> None:
    driver.ask(QUESTION)
    driver.open_network()
    for width in (900, 640):
        driver.page.set_viewport_size({"width": width, "height": 700})
        assert overflowing(driver.page) == []
