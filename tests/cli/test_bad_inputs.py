"""Invalid inputs of every command: one error line that names the input and says what to do."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner, Result

from knet.cli.main import app
from knet.codec import Cid
from knet.config import Deployment, Profile, save_profile
from knet_indexer.cli.main import app as node_app
from knet_indexer.demo.command import app as demo_app

ADDRESS = "0x" + "11" * 20
CONTRACTS = ("--identity", ADDRESS, "--manifests", ADDRESS, "--reliability", ADDRESS, "--chain-id", "1")
JOIN = "|".join(("network join|new", "--rpc", "http://127.0.0.1:9", *CONTRACTS))
CID = str(Cid.of(b"a block that is not stored"))

# The command with its arguments ({} is the data folder), and the part of them that the error names.
ROWS: list[tuple[str, str]] = [
    ("ask|How?", "No network is configured"),
    ("ask|How?|-p|nowhere", "'nowhere'"),
    ("ask|How?|-p|../evil", "'../evil'"),
    ("ask|How?|-p|broken", "broken.json"),
    ("ask|How?|-p|away", "127.0.0.1:9"),
    ("ask|How?|-k|many", "--passages"),
    ("ask", "question"),
    ("verify|{}/missing.json", "missing.json"),
    ("verify|{}/broken.json", "Answer"),
    ("verify|{}/missing.ipynb", "missing.ipynb"),
    ("verify|{}/broken.ipynb", "broken.ipynb"),
    ("rate|sideways", "'sideways'"),
    ("rate|up", "last-answer.json"),
    ("rate|up|--answer|{}/missing.json", "missing.json"),
    ("rate|up|--passage|first", "--passage"),
    ("nodes|-p|nowhere", "'nowhere'"),
    ("nodes|-p|away", "127.0.0.1:9"),
    ("export|{}/missing.json", "missing.json"),
    ("export|-f|ro-crate", "ro-crate"),
    ("export|-f|pdf", "--format"),
    ("fetch|not-a-cid", "'not-a-cid'"),
    (f"fetch|{CID}|-p|nowhere", "'nowhere'"),
    (f"fetch|{CID}|-p|away", CID),
    (f"fetch|{CID}|-p|away|--node|one", "--node"),
    ("import|{}/missing.car|-p|away", "missing.car"),
    ("import|{}/broken.json|-p|away", "broken.json"),
    ("mcp|-p|nowhere", "'nowhere'"),
    ("mcp|--http|--token|short", "5 characters"),
    ("mcp|--http|--host|0.0.0.0", "0.0.0.0"),
    ("mcp|--http|--port|70000", "--port"),
    ("network up|../evil", "'../evil'"),
    ("network up|--port|-1", "--port"),
    ("network down|../evil", "'../evil'"),
    (f"{JOIN}|--addresses|all", "'all'"),
    (f"{JOIN}|--confirmations|some", "'some'"),
    (f"{JOIN}|--chain-id|main", "--chain-id"),
    (JOIN.replace("|new|", "|a/b|"), "'a/b'"),
    ("network allow|a/model|-p|nowhere", "'nowhere'"),
    ("network list", "broken.json"),
    ("network list|--all", "--all"),
    ("trust status|-p|nowhere", "'nowhere'"),
    ("trust status|-p|keyless", "bad.key"),
    ("trust bond|much|-p|away", "'much'"),
    ("trust bond|0|-p|away", "'0'"),
    ("trust unbond|nan|-p|away", "'nan'"),
    ("trust claim|-p|keyless", "bad.key"),
    ("trust reveal|-p|away", "127.0.0.1:9"),
    ("trust audit|-p|away", "127.0.0.1:9"),
    ("trust why|one", "node"),
    ("trust why|1|-p|away", "127.0.0.1:9"),
    ("trust accounts|-p|nowhere", "'nowhere'"),
    ("trust history|-p|nowhere", "'nowhere'"),
    ("trust history|--node|one", "--node"),
    ("trust probe|{}/missing.jsonl", "missing.jsonl"),
    ("trust probe|{}/broken.json", "line 1"),
    ("dsi train|{}/missing.jsonl", "missing.jsonl"),
    ("dsi train|{}/broken.json", "broken.json"),
    ("dsi train|{}/broken.json|--epochs|few", "--epochs"),
    ("dsi eval|{}/missing|{}/missing.jsonl", "missing"),
    ("dsi show|{}/missing", "missing"),
    ("dsi update|{}/missing", "missing"),
    ("node init|new|--home|{}/broken.json", "broken.json"),
    ("node init|new|--home|{}/c|--rate|-1", "--rate"),
    ("node add|{}/docs|--node|nowhere", "nowhere"),
    ("node model|{}/docs|--node|nowhere", "is not on this machine"),
    ("node remove|{}/docs|--node|nowhere", "nowhere"),
    ("node documents|nowhere", "nowhere"),
    ("node show|a.md|--node|nowhere", "nowhere"),
    ("node forget|a.md|--node|nowhere", "nowhere"),
    ("node set|nowhere", "nowhere"),
    ("node sync|nowhere", "nowhere"),
    ("node publish|nowhere", "nowhere"),
    ("node publish|--pin|moon", "--pin"),
    ("node serve|nowhere", "nowhere"),
    ("node up|nowhere", "nowhere"),
    ("node status|nowhere", "nowhere"),
    ("node skipped|nowhere", "nowhere"),
    ("node gc|nowhere", "nowhere"),
    ("demo|--owner|unheard-of", "'unheard-of'"),
]


def mounted() -> typer.Typer:
    """Return the command with the sub-commands of the indexer, as an installation has them."""
    whole = copy.copy(app)
    whole.registered_groups = list(app.registered_groups)
    whole.add_typer(node_app, name="node")
    whole.add_typer(demo_app, name="demo")
    return whole


WHOLE = mounted()


def commands(command: object, *path: str) -> Iterator[str]:
    inner_commands = getattr(command, "commands", {})
    if inner_commands:
        for name, inner in inner_commands.items():
            yield from commands(inner, *path, name)
    else:
        yield " ".join(path)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a data folder with a profile whose chain does not run, one with a bad key, and broken files."""
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    monkeypatch.delenv("KNET_PROFILE", raising=False)
    deployment = Deployment(chain_id=1, identity=ADDRESS, manifests=ADDRESS, reliability=ADDRESS)
    away = Profile(name="away", rpc="http://127.0.0.1:9", deployment=deployment, addresses="private")
    save_profile(away)
    save_profile(Profile(name="keyless", rpc=away.rpc, deployment=deployment, key="bad.key"))
    (tmp_path / "bad.key").write_text("not a key")
    (tmp_path / "profiles" / "broken.json").write_text("{")
    (tmp_path / "broken.json").write_text('{"a": ')
    (tmp_path / "broken.ipynb").write_text('{"cells": ')
    return tmp_path


def run(line: str, home: Path, *options: str) -> Result:
    name, *arguments = line.replace("{}", str(home)).split("|")
    return CliRunner().invoke(WHOLE, [*name.split(), *arguments, *options])


def test_every_command_has_a_row_of_bad_input() -> None:
    assert {line.split("|")[0] for line, _ in ROWS} == set(commands(get_command(WHOLE)))


@pytest.mark.parametrize(("line", "named"), ROWS, ids=[line for line, _ in ROWS])
def test_bad_input_is_named_with_a_hint(line: str, named: str, home: Path) -> None:
    result = run(line, home)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.stdout == ""
    if result.exit_code == 2:  # an invalid option or a missing argument, which the parser reports
        assert named in result.stderr
        assert "--help" in result.stderr
        return
    assert result.exit_code == 1
    (error,) = result.stderr.strip().splitlines()
    assert error.startswith("error: ")
    assert named in error
    message, _, hint = error.rpartition(". ")
    assert message
    assert hint[:1].isupper() or hint[:1] == "`", "a sentence that says what to do"
    assert error.endswith(".")
    if not line.startswith(("mcp", "network list")):  # without --json; which prints names alone
        assert run(line, home, "--json").stderr == result.stderr
