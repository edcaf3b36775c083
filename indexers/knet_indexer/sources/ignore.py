"""Ignore files: ``.gitignore`` and ``.knetignore`` in every folder, and those of the Git repository around it.

Git's rules apply (https://git-scm.com/docs/gitignore): the deepest file with a matching pattern decides, its last
match counts, and nothing below an ignored folder is listed. Within a folder, ``.knetignore`` follows ``.gitignore``,
so that ``!name`` in it lists what Git ignores. Outside of a repository, ``.gitignore`` files count too. An owner who
names a folder that the repository around it ignores means that folder: only the files in and below it count then.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection
from pathlib import Path

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from knet.errors import SourceError

IGNORE_FILES = (".gitignore", ".knetignore")  # later files have precedence
MAX_IGNORE_FILE = 1 << 20  # bytes; longer files are not lists of patterns
_IGNORE_FILE_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)  # opening a pipe may hang
_ANY_FOLDERS = "(?:/.+)?/"  # pathspec's expression for "/**/"
_REPEATED_STARS = re.compile(r"(?:\[\^/\]\*){2,}")
_BETWEEN_STARS = re.compile(
    r"\[\^/\]\*((?:\\.|\[(?!\^/\][*+])\^?\]?[^\]]*+\]|[^\\\[(/*+])++)(?=\[\^/\]\*)"  # in one name
)


class IgnoreRules:
    """The patterns that apply below ``root``. ``exclude`` holds further patterns, which no file overrides.

    Without ``git`` only ``.knetignore`` files below the root count.
    """

    def __init__(self, root: Path, exclude: Collection[str] = (), *, git: bool = True) -> None:
        self._exclude = _spec(exclude, "exclude", root)
        self._root = root
        self._names = IGNORE_FILES if git else IGNORE_FILES[1:]
        self._folds = ignores_case(root)
        self._above = _around(root, self._folds) if git else []
        self._specs: dict[Path, _FolderRules | None] = {}

    def load(self, folder: Path) -> None:
        """Read the ignore files of a folder below the root. Raises SourceError."""
        self._spec_in(folder)

    def reason(self, path: Path, *, folder: bool = False) -> str:
        """Return the rule that ignores a path below the root, empty for none; its parent folders are not ignored.

        Raises SourceError.
        """
        slash = "/" if folder else ""
        if self._exclude.match_file(path.relative_to(self._root).as_posix() + slash):
            return "exclude"
        for above in (path.parent, *path.parent.parents):
            if (spec := self._spec_in(above)) is not None:
                found = spec.reason(path.relative_to(above).as_posix() + slash)
                if found is not None:
                    return found
            if above == self._root:
                break
        return _ignored_by(path, slash, self._above)

    def _spec_in(self, folder: Path) -> _FolderRules | None:
        if folder not in self._specs:
            rules = _FolderRules(folder, self._names, self._folds)
            self._specs[folder] = rules if rules.lines else None
        return self._specs[folder]


class _FolderRules:
    """The patterns of some files in one folder, of which later ones have precedence; ``folds`` ignores case."""

    def __init__(self, folder: Path, names: Collection[str], folds: bool) -> None:
        self._folds = folds
        self.origins = [(name, line) for name in names for line in _lines(folder / name) if line]
        self.lines = [line for _, line in self.origins]
        self._spec = _spec([line.lower() for line in self.lines] if folds else self.lines, " or ".join(names), folder)

    def reason(self, path: str) -> str | None:
        """Return the file that ignores a path, empty where one includes it, None when no pattern matches."""
        result = self._spec.check_file(path.lower() if self._folds else path)
        if result.include is None:
            return None
        return f"named in {Path(self.origins[result.index or 0][0]).name}" if result.include else ""


def ignores_case(folder: Path) -> bool:
    """Return whether a folder's file system ignores case, as on macOS and Windows, where Git's patterns do, too."""
    other = folder.with_name(folder.name.swapcase())
    try:
        return other != folder and os.path.samefile(other, folder)
    except OSError:
        return False


def _around(root: Path, folds: bool) -> list[tuple[Path, _FolderRules]]:
    """Return the patterns of the repository that holds ``root``, from its top down; none outside of a repository."""
    parents = [root, *root.parents]
    top = next((number for number, folder in enumerate(parents) if os.path.lexists(folder / ".git")), None)
    if top is None:
        return []
    repository = parents[top]
    own = _owners_file()  # of all repositories: the lowest precedence
    found = [(repository, _FolderRules(own.parent, [own.name], folds))]
    found.append((repository, _FolderRules(_git_folder(repository), ["info/exclude"], folds)))
    found += [(folder, _FolderRules(folder, IGNORE_FILES, folds)) for folder in reversed(parents[1 : top + 1])]
    return [] if root != repository and _ignored_by(root, "/", found) else found


def _ignored_by(path: Path, slash: str, specs: list[tuple[Path, _FolderRules]]) -> str:
    for base, rules in reversed(specs):
        found = rules.reason(path.relative_to(base).as_posix() + slash)
        if found is not None:
            return found
    return ""


def _owners_file() -> Path:
    """Return the owner's ignore file for all repositories: Git's ``core.excludesFile``, or its default."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "git"
    named = ""
    for path in (folder / "config", Path.home() / ".gitconfig"):  # the second has precedence
        section = ""
        for line in map(str.strip, _lines(path)):
            key, _, value = line.partition("=")
            if line.startswith("["):
                section = line.lower()
            elif section == "[core]" and key.strip().lower() == "excludesfile":
                named = value.strip().strip('"')
    return Path(named).expanduser() if named else folder / "ignore"


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


class _BoundedPattern(GitIgnoreSpecPattern):
    """A pattern of Git without backtracking over several stars: the first match of what follows one is enough."""

    @classmethod
    def pattern_to_regex(cls, pattern: str | bytes) -> tuple[str | bytes | None, bool | None]:  # type: ignore[override]
        regex, include = super().pattern_to_regex(pattern)
        return (_without_backtracking(regex) if isinstance(regex, str) else regex), include


def _without_backtracking(regex: str) -> str:
    regex = _BETWEEN_STARS.sub(r"(?>[^/]*?\1)", _REPEATED_STARS.sub("[^/]*", regex))
    first, *others = regex.split(_ANY_FOLDERS)
    if not others:
        return regex
    if first.startswith(start := "^(?:.+/)?"):
        first = f"^(?>(?:.+?/)??{first.removeprefix(start)}(?=/))"
    between = [f"(?>(?:/.+?)??/{folders}(?=/))" for folders in others[:-1]]
    return "".join([first, *between, _ANY_FOLDERS, others[-1]])


def _spec(lines: Collection[str], source: str, folder: Path) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(lines, _BoundedPattern, backend="simple")  # others know no atomic groups
    except (ValueError, re.error) as error:
        raise SourceError(f"{folder}: a pattern in {source} is not valid: {error}.") from error
