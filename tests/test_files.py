"""Files and folders of the user, which no other user of the machine may read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from knet import config
from knet.chain.keys import load_or_create_key
from knet.content.store import FileStore
from knet.files import make_folder, open_private, restrict_access, write_atomically
from knet.sqlite import Database
from knet_indexer.ingest.sync import sync
from knet_indexer.node import Node
from tests.network.support import make_node

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")


@pytest.fixture(autouse=True)
def lenient_umask() -> Iterator[None]:
    before = os.umask(0)  # every permission that the code does not refuse is granted
    yield
    os.umask(before)


def loose(folder: Path) -> list[str]:
    """Return the paths below a folder, and the folder, that other users have a permission for."""
    return sorted(
        str(path.relative_to(folder)) for path in (folder, *folder.rglob("*")) if path.lstat().st_mode & 0o077
    )


def test_new_files_are_for_this_user_alone(tmp_path: Path) -> None:
    """Threat model: other user of the machine, reads questions, answers, keys and databases."""
    home = tmp_path / "home"
    write_atomically(home / "answers" / "a", b"text")
    load_or_create_key(home / "keys" / "client.key")
    FileStore(home / "blocks").put(b"block")
    database = Database(home / "deep" / "er" / "x.db", "CREATE TABLE IF NOT EXISTS t (x)", version=1, hint="")
    with database.transaction() as transaction:
        transaction.execute("INSERT INTO t VALUES (1)")
    os.close(open_private(home / "node.log"))
    assert {path.name for path in home.rglob("*.db*")} == {"x.db", "x.db-wal", "x.db-shm"}
    assert loose(home) == []
    database.close()


def test_home_of_a_node_is_for_this_user_alone(tmp_path: Path) -> None:
    node = make_node(tmp_path / "node", {"a.md": "A moth flies at night."})
    sync(node)
    assert stat.S_IMODE(node.folder.stat().st_mode) == 0o700
    assert loose(node.folder) == []


def test_existing_home_is_restricted_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threat model: other user of the machine, reads a home that an earlier version created."""
    home, outside = tmp_path / "home", tmp_path / "outside"
    for path in (home / "answers" / "a", home / "tools" / "anvil", outside):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")
        path.chmod(0o755)
    (home / "link").symlink_to(outside)
    monkeypatch.setenv("KNET_HOME", str(home))
    config._restrict_once.cache_clear()
    config.home()
    assert [path for path in loose(home) if path != "link"] == []
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert os.access(home / "tools" / "anvil", os.X_OK), "the owner's own permissions stay"
    assert stat.S_IMODE(outside.stat().st_mode) == 0o755, "links are not followed"


def test_existing_node_is_restricted_when_it_is_opened(tmp_path: Path) -> None:
    folder = make_node(tmp_path / "node", {"a.md": "A moth."}).folder
    for path in (folder, folder / "node.json"):
        path.chmod(0o777)
    Node(folder)
    assert loose(folder) == []


def test_shared_folders_and_the_users_home_keep_their_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, own = tmp_path / "tmp", tmp_path / "own"
    for folder, mode in ((shared, 0o1777), (own, 0o755)):
        folder.mkdir()
        folder.chmod(mode)
    monkeypatch.setenv("HOME", str(own))
    for folder, mode in ((shared, 0o1777), (own, 0o755)):
        restrict_access(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == mode


def test_file_in_the_place_of_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")
