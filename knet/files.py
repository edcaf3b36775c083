"""Atomic replacement of files, and files and folders that no other user of the machine may read."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from pathlib import Path

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


def make_folder(path: Path) -> None:
    """Create a folder and those above it, which no other user may enter. Raises OSError."""
    missing = []
    while not path.exists():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
    if not missing:
        path.mkdir(exist_ok=True)  # raises for a file


def open_private(path: Path) -> int:
    """Return a descriptor of an empty file for writing that no other user may read. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, PRIVATE_FILE)  # it may have existed with another mode
    return descriptor


def restrict_access(root: Path) -> None:
    """Take the permissions of other users from an existing folder and everything in it, if the folder has any.

    Links are not followed. Folders of other users, the user's own home and shared folders such as ``/tmp`` stay as they
    are, and so does what cannot be changed.
    """
    with suppress(OSError):
        status = root.stat()
        mine = hasattr(os, "getuid") and status.st_uid == os.getuid()
        is_shared = status.st_mode & stat.S_ISVTX or root.resolve() in (Path.home().resolve(), Path("/"))
        if not mine or is_shared or not status.st_mode & 0o077:
            return
        os.chmod(root, status.st_mode & PRIVATE_FOLDER)  # first, so that no path below it can be entered any more
        for folder, folders, files in os.walk(root):
            for path in (os.path.join(folder, name) for name in (*folders, *files)):
                with suppress(OSError):
                    mode = os.lstat(path).st_mode
                    if not stat.S_ISLNK(mode) and mode & 0o077:
                        os.chmod(path, stat.S_IMODE(mode) & PRIVATE_FOLDER)


def write_atomically(path: Path, data: bytes, mode: int = PRIVATE_FILE, *, durable: bool = True) -> None:
    """Replace a file completely or not at all, also with concurrent writers. Raises OSError.

    ``durable``: the file also survives a power cut.
    """
    make_folder(path.parent)
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(partial, path)
        if durable:
            fsync_path(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def fsync_path(path: Path) -> None:
    """Flush a file or folder to the disk, so that its new content or names survive a power cut; only on POSIX."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
