"""The preview of sources that `knet node add` shows before anything is read."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from knet_indexer.cli import main
from knet_indexer.config import NodeConfig, load_config, save_config
from knet_indexer.ingest import preview as previews
from knet_indexer.ingest.preview import KindCount, LeftOut, SourcePreview, preview_source
from knet_indexer.sources import files, sitemap
from knet_indexer.sources.base import parse_source
from knet_indexer.state import State
from tests.indexer.sources.test_sitemap import Site, page, running
from tests.network.support import write_documents


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(State(tmp_path / "state.db")) as state:
        yield state


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_documents(
        tmp_path / "project",
        {
            "a.md": "a",
            "b.MD": "bb",
            "sub/report.txt": "t" * 2000,
            "sub/wallet.txt": "not a wallet",
            "src/password.py": "ordinary",
            ".gitignore": "*.log.md\n",
            "x.log.md": "",
            ".env": "KEY=1",
            "~$letter.docx": "",
            "node_modules/one/a.js": "",
            "node_modules/two/b.js": "",
            "photo.jpg": "",
        },
    )
    os.mkfifo(tmp_path / "project" / "pipe.md")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "project" / "socket.md"))
    (tmp_path / "project" / "link.md").symlink_to("/etc/hostname")
    return tmp_path / "project"


def of(spec: object, state: State, **options: str) -> SourcePreview:
    return preview_source(parse_source(f"folder:{spec}", **options), state)


def test_preview_counts_what_a_sync_would_read_and_leave_out(
    folder: Path, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threat model: owner, by mistake; a folder that holds more than the owner thinks."""
    monkeypatch.setattr(files, "read_below", None)  # no document is opened
    found = of(folder, state)
    assert found.first == ["a.md", "b.MD", "src/password.py", "sub/report.txt", "sub/wallet.txt"]
    assert found.first == [item.title for item in parse_source(f"folder:{folder}").items()]
    assert found.kinds == [
        KindCount(kind=".md", documents=2, bytes=3),
        KindCount(kind=".txt", documents=2, bytes=2012),
        KindCount(kind=".py", documents=1, bytes=8),
    ]
    assert (found.documents, found.bytes, found.is_complete, found.problem) == (5, 2023, True, "")
    assert found.largest[0] == ("sub/report.txt", 2000)
    assert sorted(found.left_out, key=lambda each: each.reason) == [
        LeftOut(reason=".jpg", files=1, first="photo.jpg"),
        LeftOut(reason="hidden files", files=3, first=".env"),
        LeftOut(reason="links", files=1, first="link.md"),
        LeftOut(reason="named in .gitignore", files=1, first="x.log.md"),
        LeftOut(reason="node_modules/", files=2, first="node_modules/"),
        LeftOut(reason="special files", files=2, first="pipe.md"),
    ]
    assert found.suspicious == ["sub/wallet.txt"]


def test_preview_names_files_that_are_too_large(folder: Path, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "MAX_FILE", 1 << 20)
    with (folder / "huge.txt").open("wb") as file:
        file.truncate((1 << 20) + 1)
    found = of(folder, state)
    assert LeftOut(reason="larger than 1 MiB", files=1, first="huge.txt") in found.left_out
    assert found.documents == 5


@pytest.mark.parametrize("place", ["", "node_modules/", "deep/" * 30, "many{}/"])
def test_preview_of_a_huge_folder_looks_at_a_part_of_it(
    place: str, tmp_path: Path, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threat model: owner, by mistake; a home folder of millions of files as a source."""
    monkeypatch.setattr(previews, "ENTRIES", 40)
    write_documents(tmp_path / "home", {f"{place.format(number % 50)}{number}.md": "" for number in range(200)})
    looked = 0
    is_dir = os.scandir

    class Counting:
        def __init__(self, path: str) -> None:
            self.inner = is_dir(path)

        def __enter__(self) -> Counting:
            return self

        def __exit__(self, *_: object) -> None:
            self.inner.close()

        def __iter__(self) -> Iterator[os.DirEntry[str]]:
            nonlocal looked
            for entry in self.inner:
                looked += 1
                yield entry

    monkeypatch.setattr(os, "scandir", Counting)
    found = of(tmp_path / "home", state)
    assert not found.is_complete
    assert found.documents <= 40
    assert looked <= 100, "one entry beyond the limit is seen in each open folder"


def test_preview_ends_when_its_time_is_over(folder: Path, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "SECONDS", 0.0)
    found = of(folder, state)
    assert (found.documents, found.is_complete) == (0, False)


def test_folder_that_cannot_be_listed_is_a_problem_of_its_preview(folder: Path, state: State) -> None:
    (folder / ".knetignore").write_bytes(b"x\n" * (1 << 20))
    assert "too large" in of(folder, state).problem


def test_preview_of_a_site_reads_few_sitemaps_and_no_page(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threat model: web page; a site of any size, which is not crawled for its preview."""
    with running(Site()) as site:
        parts = "".join(f"<sitemap><loc>SITE/{number}.xml</loc></sitemap>" for number in range(20))
        site.put_sitemap(parts, kind="sitemapindex")
        for number in range(20):
            site.put_sitemap(page(f"/{number}/a.pdf"), page(f"/{number}/private"), path=f"/{number}.xml")
        site.put("/robots.txt", "User-agent: *\nDisallow: /*private\nDisallow: /1/private\n")
        found = preview_source(parse_source(f"sitemap:{site.url}"), state)
        assert site.requested == ["/robots.txt", "/sitemap.xml", "/0.xml", "/1.xml"]
        assert not found.is_complete
        assert found.network == "private", "the owner is told that it is a site of this network"
        assert found.first[0] == "/0/a.pdf"
        assert ".pdf" in [kind.kind for kind in found.kinds]
        assert LeftOut(reason="forbidden by robots.txt", files=1, first=f"{site.url}/1/private") in found.left_out


def test_preview_of_a_site_that_is_slow_ends(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = preview_source(parse_source(f"sitemap:http://127.0.0.1:{silent.getsockname()[1]}"), state)
    assert "did not answer" in found.problem
    assert sitemap.DEADLINE > 10


@pytest.mark.parametrize("name", ["ＷＡＬＬＥＴ.txt", "wal\u200blet.txt", "Wallet.TXT", "ID_RSA.txt"])
def test_secret_name_is_found_in_other_letters(name: str, tmp_path: Path, state: State) -> None:
    write_documents(tmp_path / "docs", {name: "x"})
    assert of(tmp_path / "docs", state).suspicious == [name]


# --- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Path:
    save_config(tmp_path / "node", NodeConfig(name="mine"))
    return tmp_path / "node"


def add(home: Path, *arguments: object, typed: str = "", fails: int = 0) -> Result:
    result = CliRunner().invoke(main.app, ["add", "--home", str(home), *map(str, arguments)], input=typed)
    assert result.exit_code == fails, result.output
    return result


def test_script_gets_the_preview_as_json_and_is_not_asked(folder: Path, home: Path) -> None:
    printed = json.loads(add(home, f"folder:{folder}", "--json").stdout)
    assert [source["spec"] for source in printed["sources"]] == [f"folder:{folder}"]
    assert [(each["documents"], each["suspicious"]) for each in printed["preview"]] == [(5, ["sub/wallet.txt"])]
    printed = json.loads(add(home, "python:json", "--json", "--dry-run").stdout)
    assert len(printed["sources"]) == 1, "a dry run adds nothing"
    shown = add(home, "notebooks:" + str(folder), "--yes")
    assert "no documents" in shown.stderr
    assert len(load_config(home).sources) == 2


@pytest.mark.parametrize(("typed", "added"), [("y\n", True), ("\n", True), ("n\n", False)])
def test_person_is_asked_after_the_preview(
    typed: str, added: bool, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "can_ask", lambda: True)
    result = add(home, f"folder:{folder}", typed=typed, fails=0 if added else 1)
    assert "5 documents of 2.0 kB: .md (2), .txt (2), .py (1)" in result.stderr
    assert "left out: 2 node_modules/, such as node_modules/" in result.stderr
    assert "seem to hold secrets, at which a sync stops: sub/wallet.txt" in result.stderr
    assert bool(load_config(home).sources) == added


def test_control_characters_of_file_names_are_not_printed(tmp_path: Path, home: Path) -> None:
    """Threat model: document; terminal escapes in the name of a file."""
    evil = "a\x1b]0;owned\x07\u202e\x9b2J[bold].md"
    write_documents(tmp_path / "docs", {evil: "x", "b\x1b[2J.jpg": "", "wallet\x1b[2J.md": "x", "c\x1b/d.md": ""})
    result = add(home, f"folder:{tmp_path / 'docs'}")
    assert [c for c in result.output if not c.isprintable() and c != "\n"] == []
    assert "[bold]" in result.stderr
    assert json.loads(add(home, f"folder:{tmp_path / 'docs'}", "--json").stdout)["preview"][0]["first"][0] == evil
