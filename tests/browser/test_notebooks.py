"""Answers in notebooks: inserted, saved, opened again, verified, and changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from knet.answer.live import MEDIA_TYPE

from .driver import VERIFIED, Driver
from .test_answers import QUESTION

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.network]


def saved(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text())
    return notebook


def keep_answer(driver: Driver, name: str) -> Path:
    """Save a notebook with one answer."""
    driver.new_notebook(name)
    answer = driver.ask(QUESTION)
    answer.get_by_role("button", name="Insert as cell").click()
    expect(driver.page.locator(".jp-NotebookPanel:visible .jp-knet-Output")).to_contain_text("branches, mud")
    path = driver.lab.workspace / name
    driver.save(lambda: MEDIA_TYPE in path.read_text())
    return path


def verify(driver: Driver) -> Any:
    driver.page.get_by_role("button", name="Verify answers").click()
    dialog = driver.page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("answers hold in every claim")
    return dialog


def test_inserted_cell_names_its_sources(driver: Driver) -> None:
    path = keep_answer(driver, "inserted.ipynb")
    cell = next(cell for cell in saved(path)["cells"] if cell.get("outputs"))
    source = "".join(cell["source"])
    assert source.startswith(f'import knet\n\nknet.ask(\n    "{QUESTION}",\n    profile="')
    assert cell["metadata"]["knet"]["question"] == QUESTION
    assert cell["metadata"]["knet"]["version"] == 1
    assert any(uri.endswith("beaver.md") for uri in cell["metadata"]["knet"]["sources"])
    shown = cell["outputs"][0]["data"]
    assert {"text/plain", "text/html", MEDIA_TYPE} == shown.keys()


def test_inserted_cell_names_the_asked_network(driver: Driver) -> None:
    """The server stops answering state requests before the answer arrives."""
    driver.new_notebook("named.ipynb")
    panel = driver.open_ask()
    expect(panel.locator(".jp-knet-State")).to_contain_text("lab: connected")
    for route in ("state", "health"):
        driver.page.route(f"**/knet/{route}*", lambda route: route.fulfill(status=503, json={}))
    driver.run_command("knet:open-network")  # it polls at once
    expect(panel).to_contain_text("does not answer")
    driver.ask(QUESTION).get_by_role("button", name="Insert as cell").click()
    cell = driver.page.locator(".jp-NotebookPanel:visible .cm-content").filter(has_text="knet.ask")
    expect(cell).to_contain_text('profile="lab"')


def test_inserted_cell_asks_again_when_run(driver: Driver) -> None:
    path = keep_answer(driver, "again.ipynb")
    first = next(cell for cell in saved(path)["cells"] if cell.get("outputs"))["outputs"][0]["data"][MEDIA_TYPE]
    driver.run_command("notebook:run-cell")

    def again() -> dict[str, Any] | None:
        driver.run_command("docmanager:save")
        outputs = [output for cell in saved(path)["cells"] for output in cell.get("outputs", [])]
        answers = [output["data"][MEDIA_TYPE] for output in outputs if MEDIA_TYPE in output.get("data", {})]
        return next((answer for answer in answers if answer["milliseconds"] != first["milliseconds"]), None)

    driver.wait_until(lambda: again() is not None)
    second = again()
    assert second is not None
    assert (second["question"], second["text"]) == (QUESTION, first["text"])
    dialog = verify(driver)
    expect(dialog).to_contain_text(VERIFIED)
    dialog.get_by_role("button", name="Close").click()


def test_insert_without_a_notebook_creates_one(driver: Driver) -> None:
    driver.close_all()
    answer = driver.ask(QUESTION)
    answer.get_by_role("button", name="Insert as cell").click()
    expect(driver.page.locator(".jp-NotebookPanel:visible .jp-knet-Output")).to_contain_text("branches, mud")


def test_saved_answer_verifies_and_changed_one_fails(driver: Driver) -> None:
    path = keep_answer(driver, "kept.ipynb")
    driver.open_lab()
    panel = driver.open_notebook("kept.ipynb")
    first = panel.locator(".jp-knet-Output").get_by_role("listitem", name="Source 1", exact=True)
    expect(first.locator('[data-check="signature"]')).to_have_attribute("data-mark", "claimed")
    dialog = verify(driver)
    expect(dialog).to_contain_text(VERIFIED)
    dialog.get_by_role("button", name="Close").click()
    driver.close_all()

    notebook = saved(path)
    cell = next(cell for cell in notebook["cells"] if cell.get("outputs"))
    changed = cell["outputs"][0]["data"][MEDIA_TYPE]
    changed["passages"][0]["text"] = changed["passages"][0]["text"].replace("mud", "gold")
    path.with_name("changed.ipynb").write_text(json.dumps(notebook))
    driver.open_notebook("changed.ipynb")
    dialog = verify(driver)
    expect(dialog).to_contain_text("0 of 1 answers hold in every claim")
    expect(
        dialog.locator('.jp-knet-Claims li[data-mark="fails"]').filter(has_text="exact text and source")
    ).to_be_visible()
    dialog.get_by_role("button", name="Close").click()


def test_single_output_is_verified_in_place(driver: Driver) -> None:
    keep_answer(driver, "here.ipynb")
    output = driver.page.locator(".jp-NotebookPanel:visible .jp-knet-Output")
    output.get_by_role("button", name="Re-verify").click()
    expect(output.get_by_role("status")).to_contain_text(VERIFIED)
    first = output.get_by_role("listitem", name="Source 1", exact=True)
    expect(first.locator('[data-check="inclusion"]')).to_have_attribute("data-mark", "holds")


def test_report_is_shown_in_every_view_of_the_answer(driver: Driver) -> None:
    keep_answer(driver, "everywhere.ipynb")
    answer = driver.ask_panel.get_by_role("article", name="Answer")

    def fail(report: Any) -> Any:
        found = next(check for check in report["checks"] if (check["kind"], check["passage"]) == ("exact_text", 1))
        return report | {"checks": [*report["checks"], found | {"ok": False, "detail": "It says something else."}]}

    driver.rewrite("verify", fail)
    output = driver.page.locator(".jp-NotebookPanel:visible .jp-knet-Output")
    output.get_by_role("button", name="Re-verify").click()
    for place in (output, answer):
        expect(place.get_by_role("status")).to_contain_text("1 fail")
        first = place.get_by_role("listitem", name="Source 1", exact=True)
        expect(first.locator('[data-check="inclusion"]')).to_have_attribute("data-mark", "fails")
    answer.get_by_role("button", name="Trace source 1").click()
    expect(driver.provenance.locator(".jp-knet-Report summary")).to_contain_text("1 fail")
    document = driver.provenance.locator('.jp-knet-Custody [data-link="document"]')
    expect(document).to_have_attribute("data-mark", "fails")

    driver.stop_pretending("verify")
    driver.provenance.get_by_role("button", name="Re-verify").click()
    for place in (output, answer):
        expect(place.get_by_role("status")).to_contain_text("0 fail")
    expect(document).to_have_attribute("data-mark", "holds")
