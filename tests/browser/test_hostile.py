"""Untrusted documents, titles and notebooks are shown as text only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from knet.answer.live import MEDIA_TYPE
from knet.answer.render import answer_html
from knet.codec import from_json
from knet.records import Answer

from .driver import Driver
from .test_answers import QUESTION
from .test_notebooks import keep_answer, saved

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.network]

EVIL = (
    '<img src="http://evil.example/pixel.png" onerror="window.owned = 1"><script>window.owned = 2</script>'
    "[run](javascript:window.owned=3) ![see](http://evil.example/see.png) "
    '<button data-commandlinker-command="terminal:create-new">press</button> <style>*{display:none}</style> '
    "</div></blockquote><iframe srcdoc='<script>parent.owned=4</script>'></iframe> \u202eexe.gpj \x1b[2J"
)
LONG = "lorem ipsum " * 420_000  # 5 MB
ADDRESSES = ["javascript:window.owned=5", "data:text/html,<script>parent.owned=6</script>", "http://evil.example/x"]


def hostile(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer with an attack in every text and one very long text."""
    answer["question"] = answer["text"] = answer["problem"] = EVIL
    passages = []
    for number, uri in enumerate(ADDRESSES):
        passages.append({**answer["passages"][0], "text": EVIL, "title": EVIL, "uri": uri, "licence": EVIL})
        passages[-1]["sources"] = [number]
    passages.append({**answer["passages"][0], "text": LONG, "title": LONG, "uri": "file:" + LONG})
    answer["passages"] = passages
    spans = [{"passage": number, "start": 0, "end": 99, "exact": EVIL} for number in (0, 3, 77)]
    answer["sentences"] = [{"text": EVIL, "citations": spans}]
    answer["nodes"] = [{**answer["nodes"][0], "title": EVIL, "detail": EVIL, "why": EVIL, "status": EVIL}]
    return answer


def write_hostile(driver: Driver) -> Path:
    notebook = saved(keep_answer(driver, "victim.ipynb"))
    cell = next(cell for cell in notebook["cells"] if cell.get("outputs"))
    data = cell["outputs"][0]["data"]
    data["text/html"] = answer_html(from_json(json.dumps(data[MEDIA_TYPE]), Answer))
    data[MEDIA_TYPE] = hostile(data[MEDIA_TYPE])
    path = driver.lab.workspace / "hostile.ipynb"
    path.write_text(json.dumps(notebook))
    driver.close_all()
    return path


def test_hostile_answer_in_a_notebook_is_shown_as_text(driver: Driver) -> None:
    """The page fixture also fails the test for every request that leaves this machine."""
    page = driver.page
    write_hostile(driver)
    panel = driver.open_notebook("hostile.ipynb")
    output = panel.locator(".jp-knet-Output")
    expect(output.locator(".jp-knet-Text")).to_contain_text("<script>window.owned = 2</script>")
    assert output.locator("img, script, iframe, style, [data-commandlinker-command], [onerror]").count() == 0
    links = output.locator("a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert links == ["http://evil.example/x"]
    assert "noopener" in str(output.locator("a").first.get_attribute("rel"))
    assert len(output.inner_text()) < 20_000
    assert "\u202e" not in output.inner_text()
    output.get_by_role("button", name="Trace source 1").click()
    expect(driver.provenance.get_by_role("combobox", name="Source")).to_be_visible()
    page.get_by_role("button", name="Verify answers").click()
    expect(page.locator(".jp-Dialog")).to_contain_text("0 of 1 answers hold")
    assert page.locator(".jp-Dialog img, .jp-Dialog script").count() == 0
    assert page.evaluate("() => window.owned") is None


def test_hostile_node_is_shown_as_text(driver: Driver) -> None:
    """The server's stream carries hostile text, as from a node that became hostile after publication."""
    page = driver.page

    def poison(route: Any) -> None:
        reply = route.fetch()
        lines = [json.loads(line) for line in reply.text().splitlines()]
        lines[-1]["answer"] = hostile(lines[-1]["answer"])
        for line in lines:
            if line["event"] == "node":
                line["node"] |= {"title": EVIL, "detail": EVIL}
        route.fulfill(response=reply, body="\n".join(json.dumps(line) for line in lines))

    page.route("**/knet/ask*", poison)
    answer = driver.ask(QUESTION)
    expect(answer).to_contain_text("<script>window.owned = 2</script>")
    assert driver.ask_panel.locator("img, script, iframe, style, [onerror]").count() == 0
    width = driver.ask_panel.evaluate("panel => panel.scrollWidth - panel.clientWidth")
    assert width <= 0
    assert page.evaluate("() => window.owned") is None


@pytest.mark.parametrize(
    "output", ["nonsense", '{"type": "knet/answer/1"}', {"type": "knet/answer/1", "passages": 5}, []]
)
def test_malformed_output_is_reported(driver: Driver, output: object) -> None:
    data = {MEDIA_TYPE: output, "text/plain": "plain words"}
    outputs = [{"output_type": "display_data", "data": data, "metadata": {}}]
    cell = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "source": "", "outputs": outputs}
    panel = driver.write_notebook("broken.ipynb", cell)
    expect(panel.locator(".jp-knet-Output")).to_have_text("This output is not a readable answer.")
