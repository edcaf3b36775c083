"""The form in a cell of JupyterLab, of Notebook 7, and in a page with only a widget manager."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ipfs.peers import install, node_program

from .conftest import PROFILE
from .driver import PATIENT, VERIFIED, Driver, write_notebook
from .lab import Lab
from .test_answers import QUESTION

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.network]

PLAIN = Path(__file__).parent / "plain"
# A kernel that uses the server's client needs neither the libraries of the chain nor those of the models.
NOTHING_HEAVY = "import sys\nassert not {'web3', 'faiss', 'torch', 'onnxruntime'} & sys.modules.keys()"
CELL = "from knet_jupyter.widget import AskWidget\nw = AskWidget()\nw"


def code(name: str, source: str) -> dict[str, Any]:
    return {"cell_type": "code", "id": name, "metadata": {}, "source": source, "outputs": [], "execution_count": None}


@pytest.fixture(scope="module")
def bundle() -> str:
    """The script of the page as one bundle."""
    install(PLAIN, "ci")
    esbuild = PLAIN / "node_modules" / "esbuild" / "bin" / "esbuild"
    command = [node_program(), esbuild, "main.js", "--bundle", "--format=esm", "--log-level=warning"]
    return subprocess.run(command, cwd=PLAIN, check=True, capture_output=True, text=True).stdout


def try_out(widget: Locator) -> None:
    """Ask, read, rate and verify with the form's own buttons."""
    widget.get_by_role("textbox", name="Question").fill(QUESTION)
    widget.get_by_role("button", name="Ask", exact=True).click()
    expect(widget.locator(".knet-said")).to_contain_text("branches, mud")
    expect(widget.get_by_text(re.compile(r"^\d nodes$"))).to_be_visible()
    widget.get_by_role("button", name="passage 1 is right").click()
    expect(widget.get_by_role("status")).to_contain_text("1 rated; not on chain yet")
    widget.get_by_role("button", name="Verify").click()
    expect(widget.get_by_role("status")).to_contain_text("0 fail,")


def test_form_works_in_lab(driver: Driver) -> None:
    panel = driver.write_notebook("widget.ipynb", code("form", CELL))
    driver.run_command("notebook:run-cell")
    try_out(panel.locator(".knet-widget"))


def test_form_and_panels_work_in_notebook_7(page: Page, lab: Lab) -> None:
    page.set_default_timeout(PATIENT)
    ask = f"import knet\n\nanswer = knet.ask({QUESTION!r}, profile={PROFILE!r})\n{NOTHING_HEAVY}\nanswer"
    write_notebook(lab, "seven.ipynb", code("form", CELL), code("ask", ask))
    page.goto(f"{lab.url}notebooks/seven.ipynb?token={lab.token}")
    page.wait_for_function(
        "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    page.locator(".jp-Cell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    try_out(page.locator(".knet-widget"))
    page.locator(".jp-Cell .cm-content").nth(1).click()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-knet-Output")).to_contain_text("branches, mud")
    page.get_by_role("button", name="Verify answers").click()
    expect(page.locator(".jp-Dialog")).to_contain_text(VERIFIED)  # a form's needs saving
    page.locator(".jp-Dialog").get_by_role("button", name="Close").click()
    page.get_by_role("menuitem", name="View", exact=True).click()
    page.locator(".lm-Menu").get_by_text("Ask knet", exact=True).click()
    panel = page.locator("#knet-ask")
    panel.get_by_label("Your question").fill(QUESTION)
    panel.get_by_role("button", name="Ask", exact=True).click()
    expect(panel.get_by_role("article", name="Answer")).to_contain_text("branches, mud")
    panel.get_by_role("button", name="Trace source 1").click()
    expect(page.locator("#knet-provenance")).to_contain_text("beaver.md")


def test_form_works_outside_jupyterlab(page: Page, lab: Lab, bundle: str) -> None:
    """The page has only Jupyter's widget manager and loads anywidget by name, as VS Code and Colab do."""
    page.set_default_timeout(PATIENT)
    empty = "<!doctype html><title>plain</title>"
    page.route(f"{lab.url}plain", lambda route: route.fulfill(body=empty, content_type="text/html"))
    page.goto(f"{lab.url}plain")
    page.add_script_tag(content=bundle, type="module")
    page.wait_for_function("() => globalThis.runCell")
    done = page.evaluate_handle("([url, token, code]) => runCell(url, token, code)", [lab.url, lab.token, CELL])
    try:
        try_out(page.locator(".knet-widget"))
    finally:
        done.evaluate("shutdown => shutdown()")
