"""The TypeScript types, limits and defaults of the panels against the Python records."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from knet.routing.options import MAX_K, MAX_QUESTION, NODE_TIMEOUT, PASSAGES

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "jupyter_ext"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("typescript_types", ROOT / "tools" / "typescript_types.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_committed_types_are_those_of_the_records(tool: ModuleType) -> None:
    assert tool.TARGET.read_text(encoding="utf-8") == tool.generate(), "run `make types`"


def test_stale_types_fail_the_check(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "TARGET", tmp_path / "types.ts")
    assert tool.main([]) == 0
    assert tool.main(["--check"]) == 0
    (tmp_path / "types.ts").write_text(tool.generate().replace("searches: number | null", "searches: number"))
    assert tool.main(["--check"]) == 1
    assert "make types" in capsys.readouterr().err


def test_settings_and_form_have_the_limits_of_a_question() -> None:
    settings = json.loads((EXTENSION / "schema" / "plugin.json").read_text())["properties"]
    assert (settings["passages"]["default"], settings["passages"]["maximum"]) == (PASSAGES, MAX_K)
    assert settings["nodeTimeout"]["default"] == NODE_TIMEOUT
    assert f'maxlength: "{MAX_QUESTION}"' in (EXTENSION / "knet_jupyter" / "static" / "widget.js").read_text()
