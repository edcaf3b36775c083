"""`knet.sqlite`: transactions, schema versions and translated errors."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest

from knet.errors import StoreError
from knet.sqlite import Database

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL)"


def opened(path: Path, version: int = 1) -> Database:
    return Database(path, SCHEMA, version=version, hint="Delete it.")


def test_committed_rows_are_read_by_a_second_connection_and_by_threads(tmp_path: Path) -> None:
    first = opened(tmp_path / "new" / "notes.db")
    with first.transaction() as db:
        db.executemany("INSERT INTO notes VALUES (?)", [("one",), ("two",)])
    found: list[object] = []
    second = opened(tmp_path / "new" / "notes.db")
    thread = Thread(target=lambda: found.extend(second.query("SELECT text FROM notes ORDER BY text")))
    thread.start()
    thread.join()
    assert found == [("one",), ("two",)]
    assert second.query("PRAGMA journal_mode") == [("wal",)]


def test_failed_transaction_is_rolled_back(tmp_path: Path) -> None:
    notes = opened(tmp_path / "notes.db")

    def write() -> None:
        with notes.transaction() as db:
            db.executemany("INSERT INTO notes VALUES (?)", [("valid",), (None,)])

    with pytest.raises(StoreError, match=r"notes\.db cannot be used: NOT NULL.*Delete it\."):
        write()
    assert notes.query("SELECT * FROM notes") == []


def test_other_schema_version_is_refused(tmp_path: Path) -> None:
    opened(tmp_path / "notes.db", version=2).close()
    with pytest.raises(StoreError, match=r"schema version 2, and this version of knet reads 1\. Delete it\."):
        opened(tmp_path / "notes.db")


def test_damaged_file_is_named_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(StoreError, match=r"notes\.db cannot be used: file is not a database\. Delete it\."):
        opened(tmp_path / "notes.db")


def test_folder_that_cannot_be_created_is_named_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file cannot be created: .*\. Delete it\."):
        opened(tmp_path / "file" / "notes.db")


def test_folder_in_place_of_the_file_is_named_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "notes.db").mkdir()
    with pytest.raises(StoreError, match=r"notes\.db cannot be used: unable to open.*Delete it\."):
        opened(tmp_path / "notes.db")
