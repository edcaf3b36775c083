"""Driver of JupyterLab: the actions of a user, by the names on the screen."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, Route

from .lab import Lab

PATIENT = 60_000  # milliseconds; only a broken program or a dead machine takes so long
# A report without a failed claim. Once the user has rated, three claims of an answer's order are its author's word.
VERIFIED = re.compile(r"[1-9]\d* claims hold, 0 fail, [03] could not be checked")


def write_notebook(lab: Lab, name: str, *cells: dict[str, Any]) -> None:
    """Write a notebook of these cells (nbformat) into the workspace."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (lab.workspace / name).write_text(json.dumps(notebook))


@dataclass
class Driver:
    page: Page
    lab: Lab

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENT)

    def open_lab(self) -> None:
        """Open JupyterLab without documents."""
        self.page.goto(f"{self.lab.url}lab?reset&token={self.lab.token}")
        self.page.locator("#jp-MainLogo").wait_for()
        self.page.wait_for_function("() => window.jupyterapp.restored.then(() => true)")

    def run_command(self, command: str) -> None:
        """Run a command by its id, as a menu does."""
        self.page.evaluate("id => window.jupyterapp.commands.execute(id)", command)

    def palette(self, words: str) -> None:
        """Run a command from the palette with the keyboard."""
        self.page.keyboard.press("Control+Shift+C")
        box = self.page.locator(".lm-CommandPalette-input")
        box.fill(words)
        self.page.locator(".lm-CommandPalette-item.lm-mod-active").wait_for()
        self.page.keyboard.press("Enter")

    @property
    def ask_panel(self) -> Locator:
        return self.page.locator("#knet-ask")

    @property
    def provenance(self) -> Locator:
        return self.page.locator("#knet-provenance")

    @property
    def network(self) -> Locator:
        return self.page.locator("#knet-network")

    def open_ask(self) -> Locator:
        self.run_command("knet:open")
        self.ask_panel.get_by_label("Your question").wait_for()
        return self.ask_panel

    def ask(self, question: str) -> Locator:
        """Ask in the panel, and wait for the answer."""
        panel = self.open_ask()
        panel.get_by_label("Your question").fill(question)
        panel.get_by_role("button", name="Ask", exact=True).click()
        answer = panel.get_by_role("article", name="Answer")
        answer.wait_for()
        return answer

    def swell(self, count: int) -> None:
        """Extend every later answer to ``count`` passages by repeating those of the answers so far."""
        known: dict[str, Any] = {}

        def swollen(route: Route) -> None:
            reply = route.fetch()
            lines = [json.loads(line) for line in reply.text().splitlines()]
            answer = lines[-1]["answer"]
            known.update((passage["text"], passage) for passage in answer["passages"])
            found = [*answer["passages"], *known.values()]
            answer["passages"] = [found[number % len(found)] for number in range(count)]
            route.fulfill(response=reply, body="\n".join(json.dumps(line) for line in lines))

        self.page.route("**/knet/ask*", swollen)

    def rewrite(self, route: str, change: Callable[[Any], Any]) -> None:
        """Change every later JSON reply of a route."""

        def changed(route: Route) -> None:
            reply = route.fetch()
            route.fulfill(response=reply, body=json.dumps(change(reply.json())))

        self.page.route(f"**/knet/{route}*", changed)

    def pretend_state(self, **fields: Any) -> None:
        """Change the state of the network in every later reply."""
        self.rewrite("state", lambda state: state | fields)
        self.rewrite("health", lambda snapshot: snapshot | {"state": snapshot["state"] | fields})

    def stop_pretending(self, *routes: str) -> None:
        for route in routes:
            self.page.unroute(f"**/knet/{route}*")

    def open_network(self) -> Locator:
        self.run_command("knet:open-network")
        self.network.get_by_role("heading", name="Nodes", exact=True).wait_for()
        return self.network

    def new_notebook(self, name: str) -> Locator:
        """Open a new empty notebook."""
        return self.write_notebook(name)

    def write_notebook(self, name: str, *cells: dict[str, Any]) -> Locator:
        """Write a notebook of these cells (nbformat) and open it."""
        write_notebook(self.lab, name, *cells)
        return self.open_notebook(name)

    def open_notebook(self, name: str) -> Locator:
        self.page.evaluate(
            "path => window.jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'})", name
        )
        panel = self.page.locator(".jp-NotebookPanel:visible")
        panel.locator(".jp-Cell").first.wait_for()
        self.page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        return panel

    def save(self, done: Callable[[], bool]) -> None:
        """Save the current document, and wait until it is on disk."""
        self.run_command("docmanager:save")
        self.wait_until(done)

    def close_all(self) -> None:
        self.run_command("application:close-all")

    def wait_until(self, happens: Callable[[], bool]) -> None:
        """Poll until ``happens`` returns True; a node serves its own publication within a second."""
        until = time.monotonic() + PATIENT / 1000
        while not happens():
            assert time.monotonic() < until, "never happened"
            self.page.wait_for_timeout(200)

    def shot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)
