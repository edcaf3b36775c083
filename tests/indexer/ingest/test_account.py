"""Account of a sync: it adds up to the number of files, and names what was not read and why."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from knet.chain.devchain import fund
from knet.config import Profile, save_profile
from knet.errors import SecretsFound
from knet_indexer.cli import common, indexing
from knet_indexer.cli.main import app
from knet_indexer.cli.status import read_status
from knet_indexer.config import SourceConfig
from knet_indexer.ingest.account import UNFINISHED, Account, last_account, short_reason
from knet_indexer.ingest.sync import plan_sync, sync
from knet_indexer.node import Node
from knet_indexer.publication.publish import publish
from knet_indexer.server.app import Service
from knet_indexer.sources import files
from knet_indexer.sources.notes import Note
from tests.network.support import make_node, write_documents

TEXT = "The valve opens at 3 bar."


def documents_of(node: Node) -> Path:
    return Path(node.config.sources[0].spec.partition(":")[2])


def files_under(folder: Path) -> int:
    """Count every file as the system lists it: links and special files too, folders and links to folders not."""
    return sum(len(names) for _, _, names in os.walk(folder))


def archive(name: str, data: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, data)
    return written.getvalue()


def fill(root: Path) -> None:
    """Write files of every kind into a folder: good, broken and hostile ones, in every kind of place."""
    suffixes = (
        "md txt rst adoc org tex html htm xhtml py js ts sol csv json yaml xml rtf odt epub eml pptx xlsx vtt qmd"
    )
    suffixes += " Rmd f90 ps1 doc png bin log MD TXT"
    write_documents(root, {f"kinds/case.{suffix}": TEXT for suffix in suffixes.split()})
    places = ("build", "node_modules/x", "__pycache__", "dist", "venv", ".git/objects", ".hidden", "_build", "drafts")
    write_documents(root, {f"{place}/{n}.md": f"{TEXT} {n}" for place in places for n in range(3)})
    write_documents(root, {"env/pyvenv.cfg": "home = /usr", "env/lib.py": "pass", "deep/er/still/a.md": TEXT})
    write_documents(
        root,
        {
            "README": TEXT,
            "empty.md": "",
            "blank.txt": " \n\t",
            ".hidden.md": TEXT,
            ".gitignore": "private.txt\n# a comment\n\n*.pem\ndrafts/\n",
            "inner/.knetignore": "left.md\n",
            "inner/left.md": TEXT,
            "inner/right.md": TEXT,
            "private.txt": "The combination of the safe is 12-34-56.",
            "server.pem": "-----BEGIN PRIVATE KEY-----",
            "token.md": "The key is AKIAIOSFODNN7EXAMPLF and the password: correct-horse-9",
            "broken.ipynb": "{",
            "bare.ipynb": "[]",
            "broken.pdf": "%PDF-1.7 and nothing else",
        },
    )
    for name, data in {
        "binary.md": b"\0\1\2" * 1000,
        "random.html": os.urandom(20_000),
        "torn.docx": b"PK\3\4 torn",
        "bomb.docx": archive("word/document.xml", b" " * (50 << 20)),
        "latin.txt": "Le café est servi à huit heures du matin, près de la gare.".encode("latin-1"),
        "umlaut-\udcfc.md": b"Ein Name in Latin-1.",
        "spaced name (1).md": TEXT.encode(),
    }.items():
        (root / os.fsencode(name).decode("utf-8", "surrogateescape")).write_bytes(data)
    os.mkfifo(root / "pipe.md")
    (root / "link.md").symlink_to("README")
    (root / "outside.md").symlink_to("/etc/hostname")
    (root / "dangling.md").symlink_to("nowhere")
    (root / "loop.md").symlink_to("loop.md")
    (root / "linked").symlink_to("inner", target_is_directory=True)
    with (root / "huge.txt").open("wb") as file:
        file.truncate(files.MAX_FILE + 1)


def total(account: Account) -> int:
    counts = account.counts
    return counts.read + counts.unreadable + counts.left_out + counts.withheld


def test_account_of_every_kind_of_file_adds_up_exactly(tmp_path: Path) -> None:
    node = make_node(tmp_path / "node", {})
    fill(documents_of(node))
    with pytest.raises(SecretsFound):
        sync(node)
    with node.open_state() as state:
        account = last_account(state)
        assert account is not None
        documents = {row.document.uri for row in state.documents()}
    assert account.files == files_under(documents_of(node)) == total(account)
    left_out, unreadable = dict(account.left_out), dict(account.unreadable)
    places = {"build/": 3, "node_modules/": 3, ".git/": 3, "env/": 2, "hidden files": 3, "links": 4}
    assert places.items() <= left_out.items()
    assert {"named in .gitignore": 5, "named in .knetignore": 1, "special files": 1}.items() <= left_out.items()
    assert account.withheld == 1
    assert account.linked_folders == 1
    assert unreadable["holds no text"] >= 2
    assert any("too large" in reason for reason in unreadable)
    assert account.read == len(documents)
    assert "folder:node-documents/deep/er/still/a.md" in documents
    assert str(account).startswith(f"{account.files} files: {account.read} read, ")
    with pytest.raises(SecretsFound):
        sync(node)
    with node.open_state() as state:
        again = last_account(state)
    assert again is not None
    assert replace(again, time=0) == replace(account, time=0), "an unchanged folder has the same account"


def test_account_of_two_sources_and_a_forgotten_document_adds_up(tmp_path: Path) -> None:
    node = make_node(tmp_path / "node", {"a.md": TEXT, "b.ipynb": "{}", "c.png": ""})
    folder = documents_of(node)
    sources = [*node.config.sources, SourceConfig(spec=f"notebooks:{folder}")]
    node.configure(sources=sources, forgotten=["folder:node-documents/a.md"])
    account = sync(node).account
    assert account.files == 2 * files_under(folder) == total(account)
    assert dict(account.left_out) == {".md": 1, ".png": 2, "taken back": 1}


def test_notes_of_unchanged_documents_stay_in_the_account(tmp_path: Path) -> None:
    node = make_node(tmp_path / "node", {"a.md": TEXT})
    sync(node)
    with node.open_state() as state, state.transaction():
        row = state.items()["folder:node-documents/a.md"]
        notes = [Note(kind="empty_pages", count=2), Note(kind="embedded_data", count=690)]
        state.replace(row, list(state.documents(row.uri)), notes)
    account = sync(node).account
    assert str(account) == "1 file: 1 read; 2 pages without text; 690 pieces of embedded data left out"


def test_folder_that_cannot_be_listed_stops_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = make_node(tmp_path / "node", {"a.md": TEXT, "deep/b.md": f"{TEXT} B", "deep/er/c.md": f"{TEXT} C"})
    sync(node)
    (documents_of(node) / "a.md").unlink()
    (documents_of(node) / "new.md").write_text("Something new is written here.")
    scan = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "deep":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "scandir", refuse)
        report = sync(node)
    assert (report.added, report.removed) == (1, 1)
    ((part, reason),) = report.account.failures
    assert part == "folder:node-documents/deep/"
    assert "Permission denied" in reason
    with node.open_state() as state:
        assert {row.document.uri.rpartition("/")[2] for row in state.documents()} == {"b.md", "c.md", "new.md"}
    assert sync(node).account.failures == []


def test_unreadable_ignore_file_stops_only_its_folder(tmp_path: Path) -> None:
    node = make_node(tmp_path / "node", {"a.md": TEXT, "deep/b.md": f"{TEXT} B"})
    sync(node)
    with (documents_of(node) / "deep/.gitignore").open("wb") as file:
        file.truncate(2 << 20)
    report = sync(node)
    assert report.removed == 0
    assert [part for part, _ in report.account.failures] == ["folder:node-documents/deep/"]


def test_source_that_lost_everything_is_emptied_only_with_consent(tmp_path: Path) -> None:
    node = make_node(tmp_path / "node", {"a.md": TEXT, "b.md": f"{TEXT} B"})
    sync(node)
    for name in ("a.md", "b.md"):
        (documents_of(node) / name).unlink()
    report = sync(node)
    assert report.removed == 0
    assert "lists none of its 2 documents" in report.account.failures[0][1]
    asked = []
    report = sync(node, may_empty=lambda source, documents: bool(asked.append((source, documents)) or True))
    assert asked == [(node.config.sources[0].spec, 2)]
    assert (report.removed, report.account.failures) == (2, [])


def test_plan_shows_changes_and_changes_nothing(tmp_path: Path) -> None:
    node = make_node(tmp_path / "node", {"a.md": TEXT, "b.md": f"{TEXT} B", "c.png": "", "d.md": f"{TEXT} D"})
    sync(node)
    (documents_of(node) / "a.md").unlink()
    (documents_of(node) / "b.md").write_text("Rewritten.")
    (documents_of(node) / "new.md").write_text("New.")
    before = (node.folder / "state.db").read_bytes()
    plan = plan_sync(node)
    uris = [[uri.rpartition("/")[2] for uri in group] for group in (plan.added, plan.changed, plan.removed)]
    assert uris == [["new.md"], ["b.md"], ["a.md"]]
    assert (plan.unchanged, plan.left_out) == (1, [(".png", 1)])
    assert (node.folder / "state.db").read_bytes() == before
    report = sync(node)
    assert (report.added, report.changed, report.removed) == (1, 1, 1)


def test_publication_of_an_unfinished_or_incomplete_sync_says_so(tmp_path: Path, devnet: Profile) -> None:
    node = make_node(tmp_path / "node", {"a.md": TEXT}, devnet)
    sync(node)
    assert publish(node).incomplete == []
    with node.open_state() as state:
        state.put_meta(UNFINISHED, b"1")
    assert "did not finish" in publish(node).incomplete[0]
    node.configure(sources=[*node.config.sources, SourceConfig(spec=f"folder:{tmp_path}/unmounted")])
    sync(node)
    assert "is not a folder" in publish(node).incomplete[0]
    assert read_status(node).account is not None
    assert not read_status(node).unfinished


def test_running_node_shows_the_account_as_status_and_metrics(tmp_path: Path, devnet: Profile) -> None:
    node = make_node(tmp_path / "node", {"a.md": TEXT, "b.png": "", "c.md": ""}, devnet)
    sync(node)
    publish(node)
    service = Service(node)
    service.watcher.refresh()
    service.metrics.set_account(service.watcher.account)
    counts = service.status.sync
    assert counts is not None
    assert (counts.files, counts.read, counts.unreadable, counts.left_out, counts.failures) == (3, 1, 1, 1, 0)
    scraped = service.metrics.render().decode()
    assert 'knet_node_files{outcome="left_out"} 1.0' in scraped
    assert "knet_node_source_failures 0.0" in scraped


@pytest.mark.parametrize(
    ("reason", "name", "short"),
    [
        (
            "/home/me/my docs/a.pdf is not a readable pdf file (PDFSyntaxError: x).",
            "a.pdf",
            "is not a readable pdf file",
        ),
        ("folder:x/a.md holds no text.", "a.md", "holds no text"),
        ("/x/a.md cannot be read: Permission denied.", "a.md", "cannot be read"),
        ("", "a.md", "cannot be read"),
    ],
)
def test_reason_is_the_same_for_files_of_one_kind(reason: str, name: str, short: str) -> None:
    assert short_reason(reason, name) == short


def run(*arguments: object, status: int = 0) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == status, done.output
    return " ".join((done.stdout if status in (0, 3) else done.stderr).split())


@pytest.fixture
def owned(tmp_path: Path, devnet: Profile, monkeypatch: pytest.MonkeyPatch) -> Node:
    """A node that the commands open."""
    monkeypatch.setenv("KNET_HOME", str(tmp_path / "home"))
    save_profile(devnet, default=True)
    node = make_node(tmp_path / "node", {"a.md": f"# Valve\n\n{TEXT}", "b.png": ""}, devnet)
    fund(devnet.rpc, node.signer.address)
    monkeypatch.setattr("knet_indexer.node.Node", lambda folder: node)
    return node


def test_commands_show_account_documents_and_their_text(owned: Node) -> None:
    line = "2 files: 1 read, 1 of kinds or places left out (.png 1)"
    home = ("--home", owned.folder)
    assert "1 to add, 0 to read again, 0 to remove" in run("sync", "--dry-run", *home)
    assert line in run("sync", *home)
    assert json.loads(run("sync", *home, "--json"))["account"]["left_out"] == [[".png", 1]]
    assert line in run("status", *home)
    assert "not published yet" in run("documents", *home)
    run("publish", *home)
    assert "folder:node-documents/a.md: Valve, 1 passages" in run("documents", *home)
    assert json.loads(run("documents", *home, "--json"))[0]["published"]
    assert TEXT in run("show", "folder:node-documents/a.md", *home)
    (document,) = json.loads(run("show", "folder:node-documents/a.md", *home, "--json"))
    assert document["text"] == f"# Valve\n\n{TEXT}"
    assert document["spans"] == [[0, len(document["text"])]]
    assert "holds no such document" in run("show", "folder:nothing", *home, status=1)
    assert "forgot folder:node-documents/a.md" in run("forget", "folder:node-documents/a.md", *home)
    assert "taken back 1" in run("sync", *home, status=0)
    assert run("forget", "--undo", "folder:node-documents/a.md", *home) == ""


def test_sync_command_ends_with_3_when_a_source_cannot_be_listed(owned: Node) -> None:
    home = ("--home", owned.folder)
    (documents_of(owned) / "torn.ipynb").write_text("{")
    run("sync", *home)
    (documents_of(owned) / "a.md").unlink()
    assert "lists none of its 1 documents any more" in run("sync", *home, status=indexing.INCOMPLETE)
    assert "1 removed" in run("sync", "--empty", *home)
    site = SourceConfig(spec="sitemap:http://127.0.0.1:9/")
    owned.configure(sources=[*owned.config.sources, site])
    assert "not listed: sitemap:http://127.0.0.1:9/" in run("sync", *home, status=indexing.INCOMPLETE)


def test_progress_lines_estimate_the_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 10.0, 40.0])
    monkeypatch.setattr(common.time, "monotonic", lambda: next(clock))
    with common.json_lines() as progress:
        for done in (0, 25, 100):
            progress("read", done, 100)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["seconds_left"] for line in lines] == [None, 30.0, 0.0]
