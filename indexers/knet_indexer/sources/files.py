"""Files under one folder: which of them are documents, and how their bytes become text."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

from charset_normalizer import from_bytes
from pathspec import GitIgnoreSpec

from knet.errors import SourceError

from .base import Item, Text

IGNORE_FILE = ".knetignore"  # in the folder itself, lines as in .gitignore
MAX_FILE = 64 << 20  # bytes; what is larger is data, not a document, and would take minutes to convert
SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "CVS", "_build", "build", "dist"})


def file_items(
    root: Path, suffixes: Collection[str], base: str, exclude: Collection[str], reader: Callable[[Path], Text]
) -> Iterator[Item]:
    """An item for each document under ``root``: its uri is ``base`` and its path, its fingerprint time and size.

    Links are not followed: what they lead to is either listed in its own place or lies outside of what the owner chose
    to publish. Raises SourceError when the folder cannot be listed.
    """
    for path in _walk(root, suffixes, exclude):
        try:
            status = path.lstat()
        except OSError:
            continue  # gone since its folder was listed
        if stat.S_ISREG(status.st_mode):  # a pipe would never end
            name = os.fsencode(path.relative_to(root).as_posix())
            yield Item(
                uri=base + quote(name),
                fingerprint=_fingerprint(status),
                title=name.decode("utf-8", "replace"),
                reader=partial(_read_limited, path, reader),
                current_fingerprint=partial(_tell, path),
            )


def _fingerprint(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_size}"


def _tell(path: Path) -> str:
    return _fingerprint(path.lstat())


def _walk(root: Path, suffixes: Collection[str], exclude: Collection[str] = ()) -> Iterator[Path]:
    """Files with one of these suffixes, in path order.

    Left out are hidden files and folders, virtual environments, installed and built things, linked folders, and what
    ``exclude`` or the folder's ``.knetignore`` matches. Raises SourceError.
    """
    ignored = _ignored(root, exclude)
    for folder, names, files in os.walk(root, onerror=_refuse):
        here = Path(folder)
        names[:] = sorted(name for name in names if _enters(here / name, ignored, root))
        for path in (here / name for name in sorted(files) if not name.startswith(".")):
            if path.suffix.lower() in suffixes and not ignored.match_file(path.relative_to(root).as_posix()):
                yield path


def _ignored(root: Path, exclude: Collection[str]) -> GitIgnoreSpec:
    try:
        lines = (root / IGNORE_FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{root / IGNORE_FILE} cannot be read: {error}.") from error
    try:
        return GitIgnoreSpec.from_lines([*lines, *exclude])
    except ValueError as error:
        raise SourceError(f"{root}: a pattern in {IGNORE_FILE} or exclude is wrong: {error}.") from error


def _enters(path: Path, ignored: GitIgnoreSpec, root: Path) -> bool:
    if path.name.startswith(".") or path.name in SKIPPED_FOLDERS or path.is_symlink():
        return False
    return not os.path.exists(path / "pyvenv.cfg") and not ignored.match_file(f"{path.relative_to(root).as_posix()}/")


def _refuse(error: OSError) -> None:
    raise SourceError(f"{error.filename} cannot be listed: {error.strerror}.", hint="Check its permissions.") from error


def existing_folder(argument: str) -> Path:
    """The folder a spec names, absolute. Raises SourceError."""
    root = Path(argument).expanduser().absolute()
    if not os.path.isdir(root):
        raise SourceError(f"{root} is not a folder.", hint="Name one that exists.")
    return root


def _read_limited(path: Path, reader: Callable[[Path], Text]) -> Text:
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise SourceError(f"{path} is too large ({size >> 20} MiB).", hint=f"The limit is {MAX_FILE >> 20} MiB.")
        return reader(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error


def decode_text(data: bytes, where: str) -> str:
    """Text in UTF-8, UTF-16 with a byte order mark, or else the encoding that fits best. Raises SourceError."""
    try:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16")
        if b"\0" in data:
            raise SourceError(f"{where} holds binary data, not text.")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        best = from_bytes(data).best()
        if best is None:
            raise SourceError(f"{where} is in no text encoding that can be told.", hint="Save it as UTF-8.") from error
        return str(best)


def first_heading(markdown: str) -> str:
    """The first ``#`` heading of a Markdown text outside of code fences, or nothing."""
    fenced = False
    for line in markdown.splitlines():
        if line.startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced and line.startswith("#") and (title := line.lstrip("#").strip()):
            return title
    return ""
