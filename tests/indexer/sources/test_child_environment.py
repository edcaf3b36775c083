"""The environment of child processes: no token of the owner reaches a document or a published signature."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from knet_indexer.sources.docstrings import Unresolved
from knet_indexer.sources.live_docstrings import import_docstrings
from knet_indexer.sources.sandbox import LIMITS, Child

CANARIES = {
    "KNET_PINNING_TOKEN": "canary-pinning",
    "KNET_RPC": "https://rpc.example.org/v3/canary-rpc",
    "AWS_SECRET_ACCESS_KEY": "canary-aws",
    "MY_PASSWORD": "canary-password",
}


@pytest.fixture(autouse=True)
def tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)


def test_signature_does_not_publish_a_variable_of_the_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threat model: owner, by mistake; a default that is read from the environment."""
    names = ", ".join(f"{name.lower()}=os.environ.get({name!r})" for name in CANARIES)
    (tmp_path / "leaky.py").write_text(f'import os\ndef connect({names}):\n    """Connect."""\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    (found,) = import_docstrings([Unresolved("leaky")])
    assert (found.path, found.doc) == ("leaky.connect", "Connect.")
    assert "my_password=None" in found.signature


@pytest.mark.skipif(not os.path.exists("/proc/self/environ"), reason="the environment of a process is read from /proc")
def test_converter_of_documents_has_no_token_of_the_owner() -> None:
    """Threat model: document; a converter that a document takes over reads the owner's environment."""
    child = Child(LIMITS.memory)
    try:
        read = child.convert(".html", b"<p>A beaver builds a dam.</p>", "a.html", LIMITS)
        environment = Path(f"/proc/{child._process.pid}/environ").read_text()
    finally:
        child.close()
    assert "beaver" in read.text
    assert "PYTHONPATH" in environment
    assert "canary" not in environment
