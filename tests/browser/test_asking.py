"""Asking from the panel: the answer, its citations and its marks."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .driver import Driver

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.network]

QUESTION = "How does a beaver build a dam?"


def test_a_question_is_answered_with_sources_and_marks(driver: Driver) -> None:
    answer = driver.ask(QUESTION)
    expect(answer.locator(".jp-knet-Text")).to_contain_text("branches, mud and stones")
    first = answer.get_by_role("listitem", name="Source 1", exact=True)
    expect(first).to_contain_text("Beavers")
    for check in ("signature", "inclusion", "freshness"):
        expect(first.locator(f'[data-check="{check}"]')).to_have_attribute("data-mark", "holds")
    answer.get_by_role("button", name="Go to source 1").first.click()
    expect(first).to_be_focused()
