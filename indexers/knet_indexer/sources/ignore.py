"""Ignore files: ``.gitignore`` and ``.knetignore`` in every folder, and those of the Git repository around it.

Git's rules apply (https://git-scm.com/docs/gitignore): the deepest file with a matching pattern decides, its last
match counts, and nothing below an ignored folder is listed. Within a folder, ``.knetignore`` follows ``.gitignore``,
so that ``!name`` in it lists what Git ignores. Outside of a repository, ``.gitignore`` files count too. An owner who
names a folder that the repository around it ignores means that folder: only the files in and below it count then.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path

from pathspec import GitIgnoreSpec

from knet.errors import SourceError

IGNORE_FILES = (".gitignore", ".knetignore")  # later files have precedence
MAX_IGNORE_FILE = 1 << 20  # bytes; longer files are not lists of patterns
_IGNORE_FILE_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)  # opening a pipe may hang


class IgnoreRules:
    """The patterns that apply below ``root``. ``exclude`` holds further patterns, which no file overrides.

    Without ``git`` only ``.knetignore`` files below the root count.
    """

    def __init__(self, root: Path, exclude: Collection[str] = (), *, git: bool = True) -> None:
        self._exclude = _spec(exclude, "exclude", root)
        self._root = root
        self._names = IGNORE_FILES if git else IGNORE_FILES[1:]
        self._above = _around(root) if git else []
        self._specs: dict[Path, GitIgnoreSpec | None] = {}

    def matches(self, path: Path, *, folder: bool = False) -> bool:
        """Return True if a path below the root is ignored; its parent folders are not. Raises SourceError."""
        slash = "/" if folder else ""
        if self._exclude.match_file(path.relative_to(self._root).as_posix() + slash):
            return True
        for above in (path.parent, *path.parent.parents):
            if (spec := self._spec_in(above)) is not None:
                found = spec.check_file(path.relative_to(above).as_posix() + slash).include
                if found is not None:
                    return found
            if above == self._root:
                break
        return _is_ignored(path, slash, self._above)

    def _spec_in(self, folder: Path) -> GitIgnoreSpec | None:
        if folder not in self._specs:
            lines = [line for name in self._names for line in _lines(folder / name)]
            self._specs[folder] = _spec(lines, " or ".join(self._names), folder) if lines else None
        return self._specs[folder]


def _around(root: Path) -> list[tuple[Path, GitIgnoreSpec]]:
    """Return the patterns of the repository that holds ``root``, from its top down; none outside of a repository."""
    parents = [root, *root.parents]
    top = next((number for number, folder in enumerate(parents) if os.path.lexists(folder / ".git")), None)
    if top is None:
        return []
    repository = parents[top]
    found = [(repository, _spec(_lines(_git_folder(repository) / "info" / "exclude"), ".git/info/exclude", repository))]
    for folder in reversed(parents[1 : top + 1]):
        lines = [line for name in IGNORE_FILES for line in _lines(folder / name)]
        found.append((folder, _spec(lines, " or ".join(IGNORE_FILES), folder)))
    return [] if root != repository and _is_ignored(root, "/", found) else found


def _is_ignored(path: Path, slash: str, specs: list[tuple[Path, GitIgnoreSpec]]) -> bool:
    for base, spec in reversed(specs):
        found = spec.check_file(path.relative_to(base).as_posix() + slash).include
        if found is not None:
            return found
    return False


def _git_folder(repository: Path) -> Path:
    """Return the folder with ``info/exclude``, which the file ``.git`` of a linked worktree or submodule names."""
    git = repository / ".git"
    if git.is_dir():
        return git
    for line in _lines(git):
        if line.startswith("gitdir:"):
            git = repository / line.removeprefix("gitdir:").strip()
    common = "".join(_lines(git / "commondir")).strip()
    return git / common if common else git


def _lines(path: Path) -> list[str]:
    """Return the lines of an ignore file; none where it is missing or not a regular file. Raises SourceError."""
    try:
        with open(os.open(path, _IGNORE_FILE_FLAGS), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return []
            data = file.read(MAX_IGNORE_FILE + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return []
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.", hint="Check its permissions.") from error
    if len(data) > MAX_IGNORE_FILE:
        raise SourceError(f"{path} is too large.", hint=f"The limit is {MAX_IGNORE_FILE >> 20} MiB.")
    return os.fsdecode(data.removeprefix(b"\xef\xbb\xbf")).splitlines()


def _spec(lines: Collection[str], source: str, folder: Path) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise SourceError(f"{folder}: a pattern in {source} is not valid: {error}.") from error
