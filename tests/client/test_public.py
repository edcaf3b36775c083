"""The public names of `import knet`: their cost, and their errors without a network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

import knet
from knet import ipython
from knet.answer.live import load_answer
from knet.client import shared
from knet.client.network import Network
from knet.config import Profile, load_profile, save_profile
from knet.errors import ConfigError, MissingExtra
from tests.network.clients import PATIENT, open_client
from tests.small_network import QUESTION

HEAVY = ["web3", "torch", "numpy", "faiss", "onnxruntime", "aiohttp", "langchain_core", "pydantic", "rich"]


def test_import_of_knet_loads_no_heavy_module() -> None:
    program = f"import sys, knet; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_exists() -> None:
    for name in knet.__all__:
        assert getattr(knet, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = knet.nothing


def test_network_has_few_public_methods() -> None:
    public = [name for name in vars(Network) if not name.startswith("_")]
    assert len(public) < 15, public


def test_connect_without_a_profile_raises_an_error_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    monkeypatch.delenv("KNET_PROFILE", raising=False)
    with pytest.raises(ConfigError, match=r"No network is configured.*knet network up.*knet demo"):
        knet.connect()
    with pytest.raises(ConfigError, match="no profile 'mine'"):
        knet.connect("mine")
    monkeypatch.setenv("KNET_PROFILE", "yours")
    with pytest.raises(ConfigError, match="no profile 'yours'"):
        knet.connect()
    assert list(tmp_path.iterdir()) == [], "a failed lookup writes nothing"


def test_saved_answer_is_read_from_a_file_or_a_text(net: Network, tmp_path: Path) -> None:
    answer = net.ask(QUESTION, node_timeout=PATIENT)
    path = tmp_path / "answer.json"
    path.write_text(answer.to_json())
    assert load_answer(path) == load_answer(str(path)) == load_answer(answer.to_json())
    assert net.verify(load_answer(path)).ok
    with pytest.raises(ConfigError, match="cannot be read"):
        load_answer(tmp_path)


def test_ask_without_a_connection_shares_one(profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`knet.ask` connects to the default network once, and again when the default has changed."""
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    monkeypatch.delenv("KNET_PROFILE", raising=False)
    with pytest.raises(ConfigError, match="No network is configured"):
        knet.ask(QUESTION)
    opened: list[Network] = []

    def connect(name: str) -> Network:
        opened.append(open_client(load_profile(name), tmp_path))
        return opened[-1]

    monkeypatch.setattr("knet.client.network.connect", connect)
    save_profile(replace(profile, name="mine"), default=True)
    assert knet.ask(QUESTION, node_timeout=PATIENT).found
    assert knet.ask(QUESTION, k=1, profile="mine", node_timeout=PATIENT).verify(embed=False).ok
    assert len(opened) == 1
    save_profile(replace(profile, name="mine", gateways=["http://127.0.0.1:1"]))
    assert shared.shared_network() is shared.shared_network("mine")
    assert len(opened) == 2
    shared._close("mine")


def test_missing_magics_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is one red line: IPython prints the result of ``_render_traceback_`` instead of a traceback."""
    monkeypatch.setattr(ipython, "entry_points", lambda group: [])
    with pytest.raises(MissingExtra, match=r"pip install 'knetwork\[jupyter\]'") as caught:
        knet.load_ipython_extension(object())
    (line,) = caught.value._render_traceback_()  # type: ignore[attr-defined]
    assert line.startswith("\x1b[91mknet: knet-jupyter, ")
    assert "\n" not in line


@pytest.mark.parametrize("question", ["", " \n", "x" * 4097])
def test_invalid_question_is_refused_before_any_request(net: Network, question: str) -> None:
    with pytest.raises(ConfigError):
        net.ask(question)


def test_longest_question_and_most_passages_are_answered(net: Network) -> None:
    question = (QUESTION + " " + "dam " * 2000)[:4096]
    answer = net.ask(question, k=64, node_timeout=PATIENT)
    assert not answer.record.is_partial, [(status.status, status.detail) for status in answer.nodes]
