"""Creation of a key file: once, even by simultaneous starts, and readable by its owner only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from knet.chain.keys import load_or_create_key
from knet.errors import ConfigError


def test_simultaneous_first_starts_create_one_key(tmp_path: Path) -> None:
    path, together = tmp_path / "keys" / "client.key", Barrier(8)

    def start(_: int) -> str:
        together.wait()
        return str(load_or_create_key(path).address)

    with ThreadPoolExecutor(8) as pool:
        addresses = set(pool.map(start, range(8)))
    assert addresses == {load_or_create_key(path).address}
    assert path.stat().st_mode & 0o777 == 0o600


def test_damaged_key_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "client.key"
    path.write_text("not a key")
    with pytest.raises(ConfigError, match="64 hex digits"):
        load_or_create_key(path)
    assert path.read_text() == "not a key"
