"""`AskWidget`: a form with buttons to ask, rate and verify, which shows untrusted text as text."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from playwright.sync_api import Page, sync_playwright

from knet.answer.live import LiveAnswer
from knet.answer.notebook import verify_notebook
from knet.answer.notebook_output import BUTTON_MESSAGE
from knet.codec import to_plain
from knet.config import Profile
from tests.network.clients import PATIENT, open_client

from . import kernels
from .kernels import QUESTION, ROOT, Kernel, Message, kernel, network

pytestmark = pytest.mark.network
FORM = ROOT / "jupyter_ext" / "knet_jupyter" / "static" / "widget.js"
FRONT_ENDS = {
    "bare light": "body { background: #fff; color: #111; }",
    "bare dark": "body { background: #111; color: #eee; }",
    "dark, and says so": ":root { color-scheme: dark; } body { background: #121212; color: #eee; }",
    "VS Code dark": "body { background: #1e1e1e; --vscode-foreground: #ccc; --vscode-textLink-foreground: #3794ff; }",
    "VS Code light": "body { background: #fff; --vscode-foreground: #333; --vscode-textLink-foreground: #006ab1; }",
}
EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def profile(devnet: Profile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Profile]:
    with network(devnet, tmp_path_factory.mktemp("nodes")) as profile:
        yield profile


@pytest.fixture(scope="module")
def user(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with kernel(profile, tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture
def comm(user: Kernel) -> str:
    """A new widget in the kernel, called ``w``."""
    assert user.run("from knet_jupyter.widget import AskWidget\nw = AskWidget(k=3)") is not None
    return user.value("w.model_id").strip("'")


def until_idle(user: Kernel, comm: str) -> Message:
    """Return the changes of state from a click until the widget is idle."""
    changes: Message = {}
    for state in user.states(comm):
        changes |= state
        if state.get("busy") is False:
            break
    return changes


def test_form_is_a_standard_widget(user: Kernel, comm: str) -> None:
    (shown,) = [message for message in user.run("w") if message["type"] in ("execute_result", "display_data")]
    view = shown["data"]["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == comm
    assert user.value("(w._model_module, w._view_module)") == "('anywidget', 'anywidget')"
    user.run("w.layout.width = '50%'")
    assert user.value("w.layout.width") == "'50%'"


def test_ask_button_shows_every_node(user: Kernel, comm: str) -> None:
    user.run("seen = []; w.observe(lambda change: seen.append((change.name, change.new)), ['busy', 'nodes', 'answer'])")
    user.click(comm, {"do": "ask", "question": QUESTION})
    changes = until_idle(user, comm)
    assert changes["answer"]["question"] == QUESTION
    assert changes["passages"] == changes["answer"]["passages"]
    assert {node["status"] for node in changes["nodes"]} == {"success"}
    assert user.value("[name for name, _ in seen][:4]") == "['busy', 'nodes', 'nodes', 'answer']", "node by node"
    assert user.value("[len(new) for name, new in seen if name == 'nodes'][:2]") == "[1, 2]"
    assert user.value("w.live.verify(embed=False).ok") == "True"


def test_buttons_rate_verify_and_send(user: Kernel, comm: str) -> None:
    user.run(f"w.ask({QUESTION!r})")
    for asked, said in (
        ({"do": "verify"}, "0 fail"),
        ({"do": "rate", "value": -1, "passage": 2}, "1 rated; not on chain yet"),
        ({"do": "flush"}, "on chain in 0x"),
    ):
        user.click(comm, asked)
        message = until_idle(user, comm)["message"]
        assert said in message
        assert BUTTON_MESSAGE.fullmatch(message), "a saved message does not fail the verification"
    assert user.value(f"w.ask({QUESTION!r}); w.rate(+1); w.message").endswith(" rated; not on chain yet'")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"do": "ask", "question": " "}, "The question is empty"),
        ({"do": "verify"}, "There is no answer yet"),
        ({"do": "rate", "value": 1, "passage": None}, "There is no answer yet"),
    ],
)
def test_error_is_shown_in_the_form(user: Kernel, comm: str, content: Message, said: str) -> None:
    user.click(comm, content)
    for state in user.states(comm):
        if state.get("error"):
            assert said in state["error"]
            break
    assert user.value("w.busy") == "False"


def test_unknown_messages_are_ignored(user: Kernel, comm: str) -> None:
    for content in ({"do": "exec", "code": "1"}, {"do": "rate", "value": "x"}, {"do": "ask"}, {}, {"do": ["ask"]}):
        user.click(comm, content)
    assert user.value("(w.busy, w.error, w.answer)") == "(False, '', None)"


def test_second_question_is_refused_while_busy(user: Kernel, comm: str) -> None:
    user.run("w.set_trait('busy', True)")
    (failed,) = [message for message in user.run("w.ask('dams?')") if message["type"] == "error"]
    assert "busy" in failed["evalue"]


def test_saved_notebook_with_the_widget_verifies(profile: Profile, tmp_path: Path, user: Kernel) -> None:
    """nbclient saves the widget's state as Jupyter does, and the saved state is verified."""
    ask = f"from knet_jupyter.widget import AskWidget\nw = AskWidget()\nw.ask({QUESTION!r})\nw"
    cells = [nbformat.v4.new_code_cell(code) for code in (kernels.WITH_TEST_EMBEDDER, ask)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    environment = kernels.environment(tmp_path)
    kernels.join(profile, tmp_path)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute(env=environment)
    with open_client(profile, tmp_path / "reader") as net:
        saved = json.loads(nbformat.writes(notebook))
        (report,) = verify_notebook(saved, net.verify)
        assert (report.cell, report.ok) == (1, True), report.failed


@pytest.fixture(scope="module")
def answer(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> LiveAnswer:
    with open_client(profile, tmp_path_factory.mktemp("client")) as net:
        return net.ask(QUESTION, node_timeout=PATIENT)


def test_untrusted_text_is_shown_as_text(answer: LiveAnswer, tmp_path: Path) -> None:
    """The form's JavaScript runs in a real browser, with attacks in every text that a node controls."""
    record = to_plain(answer.record)
    for passage in record["passages"]:
        passage |= {"text": EVIL, "title": EVIL, "uri": "javascript:document.title='owned'"}
    record["passages"][0]["uri"] = "https://example.org/dam"
    record["sentences"][0]["text"] = EVIL
    record["nodes"][0] |= {"title": EVIL, "detail": EVIL}
    state = {"question": EVIL, "answer": record, "passages": record["passages"], "nodes": record["nodes"]}
    state |= {"busy": False, "message": EVIL, "error": EVIL}
    with open_page(state, tmp_path) as page:
        page.wait_for_selector("blockquote", state="attached")
        assert page.title() == "quiet"
        assert page.locator("#form img, #form script").count() == 0
        assert page.locator("blockquote").first.text_content() == EVIL
        links = page.locator("#form a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        assert links == ["https://example.org/dam"]
        page.get_by_label("Question").fill("And now?")
        page.get_by_role("button", name="Ask").click()
        page.get_by_label("passage 1 is wrong").click()
        page.get_by_role("button", name="Verify").click()
        assert page.evaluate("window.sent") == [
            {"do": "ask", "question": "And now?"},
            {"do": "rate", "value": -1, "passage": 1},
            {"do": "verify"},
        ]
        page.evaluate("window.change('busy', true)")
        assert page.get_by_role("button", name="Ask").is_disabled()


@pytest.mark.parametrize("theme", FRONT_ENDS)
def test_form_is_legible_in_any_front_end(answer: LiveAnswer, tmp_path: Path, theme: str) -> None:
    """A page with nothing of Jupyter's but a model as anywidget's contract has it (get, set, on, off, save_changes,
    send): the form fits in, axe finds nothing wrong with it, and it asks for nothing that the contract lacks."""
    axe = ROOT / "jupyter_ext" / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.is_file():
        pytest.skip("axe-core is not installed: run `npm ci` in jupyter_ext")
    record = to_plain(answer.record)
    state = {"question": QUESTION, "answer": record, "passages": record["passages"], "nodes": record["nodes"]}
    state |= {"busy": False, "message": "checked", "error": "The chain does not answer."}
    state["passages"][0] |= {"uri": "https://example.org/dam"}
    style = f"<style>{FRONT_ENDS[theme]} {FORM.with_suffix('.css').read_text()}</style>"
    with open_page(state, tmp_path, head=style) as page:
        page.wait_for_selector("blockquote", state="attached")
        page.evaluate(axe.read_text())
        found = page.evaluate("async () => (await axe.run('#form')).violations")
        assert [(one["id"], node["html"]) for one in found for node in one["nodes"]] == []
        assert page.evaluate("window.strange") == []
        page.get_by_label("Question").fill("And now?")
        page.keyboard.press("Enter")
        assert page.evaluate("window.sent") == [{"do": "ask", "question": "And now?"}]
        page.evaluate("window.change('message', 'asking the network ...')")
        assert page.get_by_role("status").text_content() == "asking the network ..."
        page.evaluate("window.leave()")
        assert page.evaluate("Object.values(window.heard).flat().length") == 0, "it goes on listening when it is gone"


def test_form_without_widget_support_is_text(user: Kernel, comm: str) -> None:
    assert "nothing was asked yet" in user.value("repr(w)")
    assert "branches" in user.value(f"w.ask({QUESTION!r}); repr(w)")


BROWSER = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PAGE = """<!doctype html><html lang="en"><title>quiet</title>HEAD<main id="form"></main><script type="module">
import widget from "./widget.js";
const state = STATE, heard = {};
window.sent = [];
window.strange = [];
window.heard = heard;
const contract = {
  get: (name) => state[name],
  set: (name, value) => { state[name] = value; },
  save_changes: () => {},
  on: (event, update) => (heard[event] ??= []).push(update),
  off: (event, update) => { heard[event] = (heard[event] ?? []).filter((one) => one !== update); },
  send: (message) => window.sent.push(message),
};
const model = new Proxy(contract, {
  get: (target, name) => { if (!(name in target)) window.strange.push(String(name)); return target[name]; },
});
window.change = (name, value) => { state[name] = value; heard[`change:${name}`].forEach((update) => update()); };
await widget.initialize?.({ model });
window.leave = widget.render({ model, el: document.getElementById("form") });
</script></html>"""


@contextmanager
def open_page(state: dict[str, Any], folder: Path, head: str = "") -> Iterator[Page]:
    """Open the form's JavaScript in a real browser with this state."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium to run the form in: install chromium")
    text = json.dumps(state).replace("<", "\\u003c")
    (folder / "page.html").write_text(PAGE.replace("HEAD", head).replace("STATE", text))
    (folder / "widget.js").write_text(FORM.read_text())
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=BROWSER)
        page = chromium.new_page()
        page.route("http://knet.test/**", lambda route: route.fulfill(path=folder / route.request.url.split("/")[-1]))
        page.goto("http://knet.test/page.html")
        yield page
        chromium.close()
