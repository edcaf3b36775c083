"""Files under one folder: the choice of documents, and the decoding of their bytes."""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from charset_normalizer import from_bytes

from knet.errors import SourceError

from .base import Item, Text, patterns
from .ignore import IgnoreRules
from .opening import read_below

MAX_FILE = 64 << 20  # bytes; larger files are data rather than documents, and take minutes to convert
SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "CVS", "_build", "build", "dist"})


def _fingerprint(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_size}"


def _current_fingerprint(path: Path) -> str:
    return _fingerprint(path.lstat())


def _walk(root: Path, suffixes: Collection[str], ignored: IgnoreRules) -> Iterator[Path]:
    """Yield files with one of these suffixes, in path order.

    Hidden files and folders, virtual environments, installed and built files, linked folders, and ignored paths are
    left out. Raises SourceError.
    """
    for folder, names, files in os.walk(root, onerror=_refuse):
        here = Path(folder)
        names[:] = sorted(name for name in names if _enters(here / name, ignored))
        for path in (here / name for name in sorted(files) if not name.startswith(".")):
            if path.suffix.lower() in suffixes and not ignored.matches(path):
                yield path


def _enters(path: Path, ignored: IgnoreRules) -> bool:
    if path.name.startswith(".") or path.name in SKIPPED_FOLDERS or path.is_symlink():
        return False
    return not os.path.exists(path / "pyvenv.cfg") and not ignored.matches(path, folder=True)


def _refuse(error: OSError) -> None:
    raise SourceError(f"{error.filename} cannot be listed: {error.strerror}.", hint="Check its permissions.") from error


class FilesSource(ABC):
    """Files under a folder. ``base`` is the prefix of their uris, ``exclude`` holds .gitignore patterns.

    With ``gitignore=no``, `.gitignore` files and the settings of the Git repository around the folder do not count.
    """

    kind: ClassVar[str]
    suffixes: ClassVar[Collection[str]]

    def __init__(self, argument: str, *, base: str = "", exclude: str = "", gitignore: str = "yes") -> None:
        self.root = Path(argument).expanduser().absolute()
        if not os.path.isdir(self.root):
            raise SourceError(f"{self.root} is not a folder.", hint="Name an existing folder.")
        self.name = f"{self.kind}:{self.root}"
        if gitignore not in ("yes", "no"):
            raise SourceError(f"{self.name}: gitignore is {gitignore!r}.", hint="Write yes or no.")
        self._git = gitignore == "yes"
        self._base = base or f"{self.kind}:{self.root.name}/"
        self._exclude = patterns(exclude)

    def items(self) -> Iterator[Item]:
        """Yield an item for each document: its uri is base and path, its fingerprint time and size.

        Links are not followed: their targets are listed in their own place, or lie outside the folder that the owner
        chose to publish. Raises SourceError when the folder cannot be listed.
        """
        ignored = IgnoreRules(self.root, self._exclude, git=self._git)
        for path in _walk(self.root, self.suffixes, ignored):
            try:
                status = path.lstat()
            except OSError:
                continue  # deleted since its folder was listed
            if stat.S_ISREG(status.st_mode):  # reading a pipe may not end
                relative = path.relative_to(self.root).as_posix()
                name = os.fsencode(relative)
                yield Item(
                    uri=self._base + quote(name),
                    fingerprint=_fingerprint(status),
                    title=name.decode("utf-8", "replace"),
                    reader=partial(_read, self.root, relative, self.read),
                    current_fingerprint=partial(_current_fingerprint, path),
                )

    @staticmethod
    @abstractmethod
    def read(data: bytes, path: Path) -> Text:
        """Return the text of a file with these bytes; ``path`` names it. Raises SourceError."""


def _read(root: Path, name: str, reader: Callable[[bytes, Path], Text]) -> Text:
    """Return a file's text. The file is opened without following links, so it is one below ``root``."""
    path = root / name
    try:
        data, status = read_below(root, name, MAX_FILE)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
    text = reader(data, path)
    return replace(text, title=text.title or path.name, modified=int(status.st_mtime))


def decode_text(data: bytes, where: str) -> str:
    """Return text in UTF-8, UTF-16 with a byte order mark, or else the most likely encoding. Raises SourceError."""
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16")
        if b"\0" in data:
            raise SourceError(f"{where} holds binary data, not text.")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        best = from_bytes(data).best()
        if best is None:
            raise SourceError(f"{where} has an unknown text encoding.", hint="Save it as UTF-8.") from error
        return str(best)


def first_heading(markdown: str) -> str:
    """Return the first ``#`` heading of a Markdown text outside of code fences, or ``""``."""
    fenced = False
    for line in markdown.splitlines():
        if line.startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced and line.startswith("#") and (title := line.lstrip("#").strip()):
            return title
    return ""
