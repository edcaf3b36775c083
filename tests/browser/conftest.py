"""One JupyterLab, one network and one browser for all tests of a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from knet.config import DEFAULT_MODEL, Profile, save_profile
from knet.embed.load import load_embedder
from tests.network.clients import own_network
from tests.network.support import RunningNode, start_nodes

from .driver import PATIENT, Driver
from .lab import FLAGS, ROOT, Lab, chromium, environment, errors_in, running_lab

SHOTS = ROOT / ".cache" / "screenshots"
PROFILE = "lab"
COLLECTIONS = [
    {
        "beaver.md": "# Beavers\n\nA beaver builds a dam of branches, mud and stones across a stream to raise its "
        "water. The pond behind the dam keeps the entrance of its lodge under water, where wolves do not follow.",
        "teeth.md": "# Teeth\n\nThe front teeth of a beaver are orange, since iron makes their enamel hard.",
    },
    {
        "otter.md": "# Otters\n\nAn otter builds no dam. It lives in burrows along the stream and eats fish.",
        "heron.md": "# Herons\n\nA grey heron stands still in shallow water and waits for fish to come near.",
    },
    {
        "stars.md": "# Stars\n\nA neutron star is what is left of a massive star after a supernova. "
        "A teaspoon of it weighs as much as a mountain.",
        "comet.md": "# Comets\n\nThe tail of a comet points away from the sun, pushed by light and the solar wind.",
    },
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all of them in one worker, since each worker would start its own network and server."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="session")
def env(folder: Path) -> dict[str, str]:
    return environment(folder)


@pytest.fixture(scope="session")
def nodes(devnet: Profile, env: dict[str, str], folder: Path) -> Iterator[list[RunningNode]]:
    """Three real nodes with the real model, and their network saved as the profile that the Lab server uses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KNET_HOME", env["KNET_HOME"])
        profile = replace(own_network(devnet, PROFILE), models=(DEFAULT_MODEL,))
        save_profile(profile, default=True)
        with start_nodes(folder / "nodes", profile, COLLECTIONS, embedder=load_embedder()) as nodes:
            yield nodes


@pytest.fixture(scope="session")
def lab(nodes: list[RunningNode], env: dict[str, str], folder: Path) -> Iterator[Lab]:
    with running_lab(folder, env, PROFILE) as lab:
        yield lab
    assert errors_in(lab.log) == []


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENT)
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def context(browser: Browser) -> BrowserContext:
    """One browser profile, so that JupyterLab's scripts are fetched and compiled once."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    return context


@pytest.fixture
def page(context: BrowserContext, lab: Lab, request: pytest.FixtureRequest) -> Iterator[Page]:
    """An empty page. Foreign requests and errors of our code fail the test."""
    page = context.new_page()
    foreign: list[str] = []
    page.on("request", lambda sent: foreign.append(sent.url) if not _is_ours(sent.url, lab) else None)
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)) if _may_be_ours(error) else None)
    yield page
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{request.node.name}.png")
    page.close()
    assert foreign == []
    assert thrown == []


@pytest.fixture
def driver(page: Page, lab: Lab) -> Driver:
    driver = Driver(page, lab)
    driver.open_lab()
    return driver


def _may_be_ours(error: Error) -> bool:
    """Return False for the errors that Notebook 7.6 throws for plugins whose settings load late."""
    return "/static/notebook/" not in (error.stack or "") or "/knet-jupyter/" in str(error.stack)


def _is_ours(url: str, lab: Lab) -> bool:
    return url.startswith((lab.url, "data:", "blob:"))
