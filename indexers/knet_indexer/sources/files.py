"""Files under one folder: the choice of documents, and the decoding of their bytes."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from knet.config import home
from knet.errors import SourceError

from .base import Item, Text, patterns
from .budget import Budget
from .charset import decode, known_encoding
from .ignore import IgnoreRules
from .listing import Listing
from .opening import read_below

MAX_FILE = 64 << 20  # bytes; larger files are data rather than documents, and take minutes to convert
SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "CVS", "_build", "build", "dist"})


def _fingerprint(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_size}"


def _current_fingerprint(path: Path) -> str:
    return _fingerprint(path.lstat())


class _Walk:
    """Documents under a folder, in path order, and a count of the files that are left out."""

    def __init__(self, root: Path, suffixes: Collection[str], ignored: IgnoreRules, budget: Budget) -> None:
        self._budget = budget
        self._root = root
        self._suffixes = suffixes
        self._ignored = ignored
        self.listing = Listing()
        self.failed: dict[Path, str] = {}

    def files(self) -> Iterator[Path]:
        """Yield the documents. A folder that cannot be listed is recorded. Raises SourceError for the root."""
        todo = [self._root]
        while todo and self._budget.goes_on():
            folder = todo.pop()
            try:
                with os.scandir(folder) as scanned:
                    entries = sorted(self._budget.take(scanned), key=lambda entry: entry.name)
                self._ignored.load(folder)
            except (OSError, SourceError) as error:
                self._refuse(folder, error)
                continue
            folders = []
            for entry in entries:
                if not self._budget.in_time():
                    return
                if entry.is_dir(follow_symlinks=False):
                    if not (reason := self._folder_left_out(Path(entry.path))):
                        folders.append(Path(entry.path))
                    else:
                        self._count(Path(entry.path), reason)
                elif entry.is_symlink() and os.path.isdir(entry.path):
                    self.listing.linked_folders += 1
                elif reason := self._file_left_out(entry):
                    self.listing.leave_out(reason, self._shown(entry.path))
                else:
                    yield Path(entry.path)
            todo += reversed(folders)

    def _refuse(self, folder: Path, error: OSError | SourceError) -> None:
        reason = str(error)
        if isinstance(error, OSError):
            reason = f"{folder} cannot be listed: {error.strerror or error}. Check its permissions."
        if folder == self._root:
            raise SourceError(reason) from error
        self.failed[folder] = reason

    def _folder_left_out(self, path: Path) -> str:
        if holds_own_files(path):
            return "knet's own files"
        if path.name.startswith(".") or path.name in SKIPPED_FOLDERS or os.path.exists(path / "pyvenv.cfg"):
            return f"{path.name}/"
        return self._ignored.reason(path, folder=True)

    def _file_left_out(self, entry: os.DirEntry[str]) -> str:
        path = Path(entry.path)
        if reason := self._ignored.reason(path):
            return reason
        if entry.name.startswith((".", "~$")):  # the second is Word's, beside an open document
            return "hidden files"
        if entry.is_symlink():
            return "links"
        if not entry.is_file(follow_symlinks=False):
            return "special files"  # reading a pipe may not end
        suffix = path.suffix.lower()
        return "" if suffix in self._suffixes else suffix or "no suffix"

    def _count(self, folder: Path, reason: str) -> None:
        """Count the files in a folder that is left out."""
        todo = [str(folder)]
        while todo and self._budget.goes_on():
            try:
                with os.scandir(todo.pop()) as scanned:
                    entries = self._budget.take(scanned)
            except OSError:
                continue
            folders = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
            linked = sum(entry.is_symlink() and entry.is_dir() for entry in entries)
            self.listing.leave_out(reason, self._shown(str(folder)) + "/", len(entries) - len(folders) - linked)
            self.listing.linked_folders += linked
            todo += folders

    def _shown(self, path: str) -> str:
        return os.fsencode(os.path.relpath(path, self._root)).decode("utf-8", "replace")


def holds_own_files(folder: Path) -> bool:
    """Return whether a folder is knet's home or a node's: with keys, questions and answers."""
    own = home()
    return os.path.exists(folder / "node.key") or (own.exists() and os.path.samefile(folder, own))


class FilesSource(ABC):
    """Files under a folder. ``base`` is the prefix of their uris, ``exclude`` holds .gitignore patterns.

    With ``gitignore=no``, `.gitignore` files and the settings of the Git repository around the folder do not count.
    ``encoding`` is that of every text which does not state its own.
    """

    kind: ClassVar[str]
    suffixes: ClassVar[Collection[str]]

    def __init__(
        self, argument: str, *, base: str = "", exclude: str = "", gitignore: str = "yes", encoding: str = ""
    ) -> None:
        self.root = Path(argument).expanduser().absolute()
        if not os.path.isdir(self.root):
            raise SourceError(f"{self.root} is not a folder.", hint="Name an existing folder.")
        if holds_own_files(self.root):
            raise SourceError(f"{self.root} holds knet's own keys and answers.", hint="Name another folder.")
        self.name = f"{self.kind}:{self.root}"
        if gitignore not in ("yes", "no"):
            raise SourceError(f"{self.name}: gitignore is {gitignore!r}.", hint="Write yes or no.")
        self._git = gitignore == "yes"
        self._base = base or f"{self.kind}:{self.root.name}/"
        self._exclude = patterns(exclude)
        self.listing = Listing()
        self.budget = Budget()
        self._encoding = encoding
        if encoding:
            known_encoding(encoding, self.name)

    def items(self) -> Iterator[Item]:
        """Yield an item for each document: its uri is base and path, its fingerprint time and size.

        Links are not followed: their targets are listed in their own place, or lie outside the folder that the owner
        chose to publish. `listing` then counts what was left out. Raises SourceError when the folder cannot be listed.
        """
        rules = IgnoreRules(self.root, self._exclude, git=self._git)
        walk = _Walk(self.root, self.suffixes, rules, self.budget)
        self.listing = walk.listing
        for path in walk.files():
            try:
                status = path.lstat()
            except OSError:
                continue  # deleted since its folder was listed
            relative = path.relative_to(self.root).as_posix()
            yield Item(
                uri=self._uri(relative),
                fingerprint=_fingerprint(status),
                title=os.fsencode(relative).decode("utf-8", "replace"),
                reader=partial(_read, self.root, relative, self.read, self._encoding),
                current_fingerprint=partial(_current_fingerprint, path),
                size=status.st_size,
            )
        for folder, reason in walk.failed.items():
            walk.listing.failed[self._uri(folder.relative_to(self.root).as_posix()) + "/"] = reason

    def _uri(self, relative: str) -> str:
        return self._base + quote(os.fsencode(relative))

    @staticmethod
    @abstractmethod
    def read(data: bytes, path: Path, encoding: str = "") -> Text:
        """Return the text of a file with these bytes; ``path`` names it. Raises SourceError.

        ``encoding`` is that of its text, where the owner names it.
        """


def _read(root: Path, name: str, reader: Callable[[bytes, Path, str], Text], encoding: str) -> Text:
    """Return a file's text. The file is opened without following links, so it is one below ``root``."""
    path = root / name
    try:
        data, status = read_below(root, name, MAX_FILE)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
    text = reader(data, path, encoding)
    return replace(text, title=text.title or path.name, modified=int(status.st_mtime))


def decode_text(data: bytes, where: str) -> str:
    """Return a text in the encoding that it states or that is most likely. Raises SourceError."""
    return decode(data, where).text
