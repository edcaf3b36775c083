"""Reading of a file below a folder without following links, also when another process exchanges its parts meanwhile."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from knet.errors import SourceError

_FILE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FLAGS = _FILE | getattr(os, "O_NONBLOCK", 0)  # a pipe is refused after it was opened, so opening it must not wait
_FOLDER = getattr(os, "O_DIRECTORY", 0)


def read_below(root: Path, name: str, limit: int) -> tuple[bytes, os.stat_result]:
    """Return the bytes of the regular file ``name`` below ``root``, and the status of what was opened.

    Only ``root`` itself may be a link. Raises SourceError for a file of more than ``limit`` bytes or of another kind,
    and OSError where a component of ``name`` is missing or a link.
    """
    path = root / name
    with _opened(root, name) as descriptor:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{path} is not a regular file.")
        with open(descriptor, "rb", closefd=False) as file:
            data = b"" if status.st_size > limit else file.read(limit + 1)
    if max(status.st_size, len(data)) > limit:
        raise SourceError(f"{path} is too large ({status.st_size >> 20} MiB).", hint=f"The limit is {limit >> 20} MiB.")
    return data, status


@contextmanager
def _opened(root: Path, name: str) -> Iterator[int]:
    parts = Path(name).parts
    if not parts or ".." in parts or Path(name).is_absolute():
        raise SourceError(f"{name!r} is not a path below {root}.")
    with ExitStack() as stack:

        def kept(descriptor: int) -> int:
            stack.callback(os.close, descriptor)
            return descriptor

        if os.open in os.supports_dir_fd:
            folder = kept(os.open(root, os.O_RDONLY | _FOLDER))
            for part in parts[:-1]:
                folder = kept(os.open(part, _FLAGS | _FOLDER, dir_fd=folder))
            yield kept(os.open(parts[-1], _FLAGS, dir_fd=folder))
        else:  # Windows: compare what was opened with the path, resolved afterwards
            opened = kept(os.open(root / name, _FLAGS))
            expected = root.resolve() / name
            if expected.resolve() != expected or not os.path.samestat(os.fstat(opened), os.lstat(expected)):
                raise SourceError(f"{root / name} is a link, or was exchanged while it was opened.")
            yield opened
