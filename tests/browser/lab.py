"""A real JupyterLab with this checkout's extension and a real network."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from knet_indexer.demo.network import _free_ports

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "jupyter_ext"
BUILT = EXTENSION / "knet_jupyter" / "labextension"
MODELS = ROOT / ".cache" / "models"  # files derived from a model's weights take 20 s to make
START_SECONDS = 180.0
BASE_URL = "/user/abc/"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-features=LocalNetworkAccessChecks", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip


@dataclass
class Lab:
    """A running JupyterLab: its URL, token, workspace folder and log."""

    url: str
    token: str
    workspace: Path
    log: Path


def missing(what: str) -> None:
    """Skip a test that lacks a tool; fail in CI, which has every tool."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def environment(folder: Path) -> dict[str, str]:
    """Return an environment with private folders for Jupyter and knet and with the extension of this checkout."""
    if not (BUILT / "package.json").is_file():
        missing("the extension is not built: run `make setup`")
    data, config = folder / "data", folder / "config"
    extensions = data / "labextensions"
    extensions.mkdir(parents=True)
    (extensions / "knet-jupyter").symlink_to(BUILT)
    (config / "labconfig").mkdir(parents=True)
    disabled = {"@jupyterlab/apputils-extension:announcements": True}
    (config / "labconfig" / "page_config.json").write_text(json.dumps({"disabledExtensions": disabled}))
    patient = {"knet-jupyter:plugin": {"nodeTimeout": 60}}
    (config / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(patient))
    MODELS.mkdir(parents=True, exist_ok=True)
    home = folder / "knet"
    home.mkdir()
    (home / "models").symlink_to(MODELS)
    return {
        **os.environ,
        "HOME": str(folder),
        "KNET_HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(data),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_PREFER_ENV_PATH": "0",
        "IPYTHONDIR": str(folder / "ipython"),
        "PYTHONPATH": os.pathsep.join(str(path) for path in (ROOT, ROOT / "indexers", EXTENSION)),
    }


@contextmanager
def running_lab(folder: Path, env: Mapping[str, str], profile: str) -> Iterator[Lab]:
    """Run JupyterLab under a base URL with a token and XSRF checks, as a hub does."""
    workspace = folder / "workspace"
    workspace.mkdir(exist_ok=True)
    port, token = _free_ports(1)[0], secrets.token_hex(16)
    lab = Lab(f"http://127.0.0.1:{port}{BASE_URL}", token, workspace, folder / "lab.log")
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
        "--ServerApp.port_retries=0", f"--ServerApp.base_url={BASE_URL}", f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={workspace}", "--ServerApp.allow_unauthenticated_access=False",
        "--ServerApp.jpserver_extensions={'knet_jupyter': True, 'notebook': True}",
        f"--KnetExtension.profile={profile}", "--LabApp.extension_manager=readonly",
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with lab.log.open("wb") as output:
        process = subprocess.Popen(command, env=dict(env), stdout=output, stderr=output, cwd=folder)
    try:
        _wait(lab, process)
        yield lab
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(lab: Lab, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{lab.url}api", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start: {lab.log.read_text(errors='replace')[-2000:]}")


def chromium() -> str:
    """Return the path of the browser; skips the test without one."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing("there is no Chromium here: install it, on Debian with `apt-get install chromium`")
    assert found is not None
    return found


def errors_in(log: Path) -> list[str]:
    """Return the errors in a server's log: exceptions, and knet routes without authentication."""
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if re.search(r"Traceback|Exception in|registered for .*/knet/", line)]
