"""The files that a folder source lists and opens: ignore files of Git and knet, and links exchanged meanwhile."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from knet.errors import SourceError
from knet_indexer.sources import ignore, parse_source
from knet_indexer.sources.opening import read_below


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def names(folder: Path, **options: str) -> list[str]:
    """Return the listed paths, relative to ``folder``."""
    return [item.title for item in parse_source(f"folder:{folder}", **options).items()]


# --- ignore files ------------------------------------------------------------------------------------------------


def test_files_named_by_gitignore_are_not_listed(docs: Path) -> None:
    """Threat model: owner's machine, files that the owner's ``.gitignore`` names."""
    write(
        docs,
        {
            ".gitignore": "*.local.md\n/top.md\nout/\nnotes/**/private.txt\n!kept.local.md\n",
            "a.local.md": "",
            "kept.local.md": "",
            "top.md": "",
            "sub/top.md": "",
            "out/x.md": "",
            "notes/2024/may/private.txt": "",
            "public.md": "",
        },
    )
    assert names(docs) == ["kept.local.md", "public.md", "sub/top.md"]


def test_nested_ignore_file_overrides_those_above(docs: Path) -> None:
    write(
        docs,
        {
            ".gitignore": "*.txt\n",
            "a.txt": "",
            "sub/.gitignore": "!*.txt\nsecret.txt\n",
            "sub/a.txt": "",
            "sub/secret.txt": "",
            "sub/deeper/secret.txt": "",
            "sub/deeper/.knetignore": "!secret.txt\n",
            "gone/.gitignore": "*\n",
            "gone/a.md": "",
        },
    )
    assert names(docs) == ["sub/a.txt", "sub/deeper/secret.txt"]


def test_knetignore_follows_gitignore_and_exclude_follows_both(docs: Path) -> None:
    write(docs, {".gitignore": "data.txt\n", ".knetignore": "!data.txt\ndraft.md\n", "data.txt": "", "draft.md": ""})
    assert names(docs) == ["data.txt"]
    assert names(docs, exclude="data.*") == []
    assert names(docs, gitignore="no") == ["data.txt"]
    (docs / ".knetignore").unlink()
    assert names(docs) == ["draft.md"]
    assert names(docs, gitignore="no") == ["data.txt", "draft.md"]


def test_repository_around_the_folder_ignores_too(tmp_path: Path) -> None:
    repository = tmp_path / "project"
    write(
        repository,
        {
            ".git/info/exclude": "mine.md\n",
            ".gitignore": "/docs/draft.md\nbuilt.md\nother/\n",
            "docs/.gitignore": "!built.md\n",
            "docs/draft.md": "",
            "docs/mine.md": "",
            "docs/built.md": "",
            "docs/built.md.txt": "",
            "docs/other/x.md": "",
            "other/hidden.md": "",
        },
    )
    (tmp_path / ".gitignore").write_text("*\n")  # above the repository: it does not apply
    assert names(repository / "docs") == ["built.md", "built.md.txt"]
    write(repository, {"other/deep/.gitignore": "draft.md\n", "other/deep/draft.md": "", "other/deep/kept.md": ""})
    assert names(repository / "other") == ["hidden.md", "deep/kept.md"], "an owner who names the folder means it"
    assert names(repository / "other" / "deep") == ["kept.md"]


def test_linked_worktree_uses_the_exclude_file_of_its_repository(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "main/.git/info/exclude": "mine.md\n",
            "main/.git/worktrees/tree/commondir": "../..\n",
            "tree/.git": f"gitdir: {tmp_path}/main/.git/worktrees/tree\n",
            "tree/mine.md": "",
            "tree/kept.md": "",
        },
    )
    assert names(tmp_path / "tree") == ["kept.md"]


def test_listing_agrees_with_git(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    patterns = "a*.md\n!abc.md\n/x/\nb/**\nc/*\n!c/keep.md\n**/deep.md\n \\!odd.md\ntrail.md   \n#no\n[xy].md\n"
    folders = ("", "x/", "b/", "c/", "d/e/")
    plain = ("abc.md", "a.md", "keep.md", "deep.md", "trail.md", "x.md", "z.md", "!odd.md")
    write(tmp_path, {".gitignore": patterns, **{folder + name: "" for folder in folders for name in plain}})
    listed = subprocess.run(
        ["git", "-C", str(tmp_path), "ls-files", "--others", "--exclude-standard", "*.md"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(names(tmp_path)) == sorted(listed.stdout.splitlines())


def test_ignore_file_that_is_a_pipe_or_too_large_does_not_stop_or_fill_the_process(docs: Path) -> None:
    write(docs, {"kept.md": "", "sub/a.md": ""})
    os.mkfifo(docs / "sub" / ".gitignore")
    assert names(docs) == ["kept.md", "sub/a.md"]
    (docs / ".gitignore").write_bytes(b"x\n" * (1 << 20))
    with pytest.raises(SourceError, match="too large"):
        names(docs)


# --- links -------------------------------------------------------------------------------------------------------


def replace_file(docs: Path, outside: Path) -> None:
    (docs / "sub" / "a.md").unlink()
    (docs / "sub" / "a.md").symlink_to(outside / "a.md")


def replace_folder(docs: Path, outside: Path) -> None:
    (docs / "sub").rename(docs / "old")
    (docs / "sub").symlink_to(outside, target_is_directory=True)


def replace_file_by_pipe(docs: Path, outside: Path) -> None:
    (docs / "sub" / "a.md").unlink()
    os.mkfifo(docs / "sub" / "a.md")


def replace_file_by_folder(docs: Path, outside: Path) -> None:
    (docs / "sub" / "a.md").unlink()
    (docs / "sub" / "a.md").mkdir()


@pytest.mark.parametrize("exchange", [replace_file, replace_folder, replace_file_by_pipe, replace_file_by_folder])
def test_file_exchanged_after_the_listing_is_not_read(
    exchange: Callable[[Path, Path], None], docs: Path, tmp_path: Path
) -> None:
    """Threat model: owner's machine, a link exchanged between listing and reading."""
    write(docs, {"sub/a.md": "text"})
    write(tmp_path, {"outside/a.md": "secret"})
    (item,) = parse_source(f"folder:{docs}").items()
    exchange(docs, tmp_path / "outside")
    with pytest.raises(SourceError, match=r"sub/a\.md"):
        item.read()


def test_folder_itself_may_be_a_link(docs: Path, tmp_path: Path) -> None:
    write(docs, {"a.md": "text"})
    (tmp_path / "link").symlink_to(docs, target_is_directory=True)
    (item,) = parse_source(f"folder:{tmp_path / 'link'}").items()
    assert item.read().text == "text"


@pytest.mark.parametrize("name", ["../outside.md", "sub/../../outside.md", "/etc/hostname", ""])
def test_path_outside_of_the_folder_is_refused(name: str, docs: Path, tmp_path: Path) -> None:
    write(tmp_path, {"outside.md": "secret", "docs/sub/a.md": ""})
    with pytest.raises(SourceError, match="is not a path below"):
        read_below(docs, name, 100)


def test_links_are_refused_without_dir_fd_as_well(docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(docs, {"sub/a.md": "text"})
    write(tmp_path, {"outside/a.md": "secret"})
    monkeypatch.setattr(os, "supports_dir_fd", set())
    assert read_below(docs, "sub/a.md", 100)[0] == b"text"
    replace_folder(docs, tmp_path / "outside")
    with pytest.raises(SourceError, match="is a link"):
        read_below(docs, "sub/a.md", 100)


# --- files that no owner means -----------------------------------------------------------------------------------


def test_homes_of_knet_and_its_nodes_are_not_listed(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threat model: owner, by mistake; a folder that holds knet's keys, questions and answers."""
    monkeypatch.setenv("KNET_HOME", str(docs / "knet-data"))
    write(
        docs, {"a.md": "", "knet-data/notes.md": "a question", "node/node.key": "", "node/b.md": "", "other/c.md": ""}
    )
    assert names(docs) == ["a.md", "other/c.md"]
    source = parse_source(f"folder:{docs}")
    list(source.items())
    assert source.listing.left_out["knet's own files"] == 3  # type: ignore[attr-defined]
    (docs / "link").symlink_to(docs / "knet-data")
    for own in ("knet-data", "node", "link"):
        with pytest.raises(SourceError, match="knet's own keys"):
            parse_source(f"folder:{docs / own}")


def test_backups_and_locks_of_editors_are_not_listed(docs: Path) -> None:
    """Threat model: owner, by mistake; copies of secrets that editors leave, and Git's own folder."""
    kept = ("notes.md",)
    left = (
        *(
            ".env~",
            ".env.bak",
            ".notes.md.swp",
            "notes.md~",
            "#notes.md#",
            "notes.md.orig",
            "env.bak",
            "wallet.txt.bak",
        ),
        *("~$letter.docx", "._notes.md", ".git/COMMIT_EDITMSG.md", ".git/logs/a.txt", ".ipynb_checkpoints/a.ipynb"),
        *("secrets.zip", "backup.tar.gz", "notes.7z", "keys.tar"),
    )
    write(docs, dict.fromkeys((*kept, *left), ""))
    assert names(docs) == list(kept)


def test_patterns_ignore_case_where_the_file_system_does(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threat model: owner, by mistake; ``Secret.md`` beside a pattern ``secret.md``, on macOS and Windows."""
    write(docs, {".gitignore": "secret.md\nDrafts/\n[a-c].txt\n", "Secret.MD": "", "drafts/a.md": "", "B.txt": ""})
    assert names(docs) == ["B.txt", "Secret.MD", "drafts/a.md"], "Git lists them here, too"
    monkeypatch.setattr(ignore, "ignores_case", lambda folder: True)
    assert names(docs) == []
    monkeypatch.undo()
    (docs.parent / "DOCS").symlink_to(docs, target_is_directory=True)
    assert ignore.ignores_case(docs), "two names of one folder tell"


def test_file_that_grows_while_it_is_read_is_bounded(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threat model: process on the owner's machine; a file that grows without end."""
    write(docs, {"log.txt": "x" * 100})
    real = os.fstat

    def grows(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        with (docs / "log.txt").open("a") as file:
            file.write("y" * 5000)
        return status

    monkeypatch.setattr(os, "fstat", grows)
    with pytest.raises(SourceError, match="is too large"):
        read_below(docs, "log.txt", 1000)


def test_ignore_file_of_the_owner_counts_in_repositories(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threat model: owner, by mistake; files that Git ignores by the owner's own settings."""
    home = docs.parent / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    write(home, {".config/git/ignore": "*.mine.md\n"})
    write(docs, {"a.mine.md": "", "b.local.md": "", "c.md": ""})
    assert len(names(docs)) == 3, "outside of a repository Git has no settings"
    subprocess.run(["git", "init", "-q", str(docs)], check=True)
    assert names(docs) == ["b.local.md", "c.md"]
    settings = '[user]\n\texcludesFile = no\n[core]\n\texcludesFile = "~/own ignore"\n'
    write(home, {".gitconfig": settings, "own ignore": "*.local.md"})
    assert names(docs) == ["a.mine.md", "c.md"]
    write(docs, {".gitignore": "!b.local.md\n"})
    assert names(docs) == ["a.mine.md", "b.local.md", "c.md"]
