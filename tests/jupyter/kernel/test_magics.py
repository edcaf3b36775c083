"""`%knet` in a real kernel: input lines and their outputs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from knet.answer.live import MEDIA_TYPE
from knet.config import Profile
from tests.jupyter.kernels import EVIL_TITLE, PATIENT, QUESTION, Kernel, Message, kernel, network

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def user(devnet: Profile, tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Kernel]:
    with network(devnet, tmp_path_factory.mktemp("nodes")) as profile, kernel(profile, home) as started:
        assert started.run("%load_ext knet_jupyter") == []
        yield started


def only(messages: list[Message], kind: str) -> Message:
    (found,) = [message for message in messages if message["type"] == kind]
    return found


def error_line(messages: list[Message]) -> str:
    """Return the error line of a failed cell."""
    (line,) = only(messages, "error")["traceback"]
    assert line.startswith("\x1b[91mknet: ")
    assert "\n" not in line
    return str(line)


def test_line_magic_shows_the_answer_with_its_record(user: Kernel) -> None:
    messages = user.run(f"%knet -k 3 {QUESTION}")
    data = only(messages, "execute_result")["data"]
    assert set(data) == {"text/plain", "text/html", MEDIA_TYPE}
    assert data[MEDIA_TYPE]["question"] == QUESTION
    assert len(data[MEDIA_TYPE]["passages"]) <= 3
    assert "A beaver builds a dam" in data["text/html"]
    assert "<img" not in data["text/html"]


def test_progress_is_removed_after_the_question(user: Kernel) -> None:
    messages = user.run(f"%knet --max-nodes all {QUESTION}")
    first = only(messages, "display_data")
    assert first["data"] == {"text/plain": "asking the network ..."}
    shown = [message["data"] for message in messages if message["type"] == "update_display_data"]
    assert ["1 done; " in data.get("text/plain", "") for data in shown] == [True, False, False]
    assert "2 done; " in shown[1]["text/plain"]
    assert shown[-1] == {}


def test_cell_magic_assigns_the_answer(user: Kernel) -> None:
    user.run(f"%%knet --into beavers -k 2\n\n{QUESTION}\n")
    assert user.value("beavers.record.question") == repr(QUESTION)
    assert user.value("len(beavers.passages) <= 2") == "True"
    assert user.value("beavers.verify(embed=False).ok") == "True"


def test_line_magic_can_be_assigned(user: Kernel) -> None:
    assert [m["type"] for m in user.run(f"mine = %knet {QUESTION}") if m["type"] == "execute_result"] == []
    assert user.value("mine.found") == "True"


def test_question_may_hold_any_characters(user: Kernel) -> None:
    questions = (
        "What's a beaver's \"dam\" -k?",
        "nodes of a dam?",
        "rate limits of dams?",
        "(beaver",
        "{1/0} $HOME '\\n'?",
    )
    for question in questions:
        data = only(user.run(f"%knet {question}"), "execute_result")["data"]
        assert data[MEDIA_TYPE]["question"] == question
    data = only(user.run(f'%knet --private "{QUESTION}"'), "execute_result")["data"]
    assert data[MEDIA_TYPE]["question"] == QUESTION
    assert data[MEDIA_TYPE]["private"]


def test_magic_within_a_string_stays_text(user: Kernel) -> None:
    """Text in a string or in a cell of another cell magic stays as it is."""
    assert user.value(f"""quoted = '''
%knet {QUESTION}
'''
quoted""") == repr(f"\n%knet {QUESTION}\n")
    assert only(user.run(f"%%writefile asked.txt\n%knet {QUESTION}\n"), "stream")
    assert user.value("open('asked.txt').read()") == repr(f"%knet {QUESTION}\n")
    assert only(user.run(f"if True:\n    %knet --into inside {QUESTION}\ninside.found"), "execute_result")
    assert only(user.run(f"%%time\n%knet {QUESTION}\n"), "execute_result")
    help = user.client.execute_interactive("%knet?", timeout=PATIENT)["content"]
    assert "Ask a knowledge network" in str(help["payload"])


def test_last_answer_is_rated_verified_and_sent(user: Kernel) -> None:
    user.run(f"%knet {QUESTION}")
    assert "rated node" in only(user.run("%knet rate +1 1"), "stream")["text"]
    assert "rated node" in only(user.run("%knet rate down"), "stream")["text"]
    report = only(user.run("%knet verify"), "execute_result")["data"]
    assert "0 fail" in report["text/plain"]
    assert "receipt" in report["text/html"]
    assert "on chain in 0x" in only(user.run("%knet flush"), "stream")["text"]
    assert "no ratings" in only(user.run("%knet flush"), "stream")["text"]


def test_node_table_is_escaped(user: Kernel) -> None:
    data = only(user.run("%knet nodes"), "execute_result")["data"]
    assert "node-0" in data["text/plain"]
    assert "<td>node-1</td>" in data["text/html"]
    assert EVIL_TITLE not in data["text/html"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%knet -k many dams?", "invalid int value"),
        ("%knet --into 7 dams?", "not a valid name of a variable"),
        ("%knet -k 0 dams?", "k lies between 1 and 64"),
        ("%knet --profile nowhere dams?", "no profile 'nowhere'"),
        ("%knet use nowhere", "no profile 'nowhere'"),
        ("%knet --unknown dams?", "unrecognized arguments: --unknown"),
        ("%knet rate", "needs a rating"),
        ("%knet rate 7", "-1"),
        ("%%knet what is\na dam?", "is not an option"),
        ("%%knet\n ", "question is empty"),
    ],
)
def test_error_is_one_red_line(user: Kernel, line: str, said: str) -> None:
    user.run(f"%knet {QUESTION}")
    assert said in error_line(user.run(line))


def test_rating_without_an_answer_is_refused_with_a_hint(user: Kernel) -> None:
    user.run("get_ipython().magics_manager.registry['KnetMagics'].last = None")
    assert "Ask with `%knet QUESTION` first" in error_line(user.run("%knet rate +1"))


def test_help_lists_commands_and_options(user: Kernel) -> None:
    text = only(user.run("%knet"), "stream")["text"]
    for word in ("%knet rate", "--private", "--into VARIABLE", "%%knet"):
        assert word in text


def test_selected_network_is_kept_for_later_cells(user: Kernel) -> None:
    assert "asking kernels in later cells" in only(user.run("%knet use kernels"), "stream")["text"]


@pytest.mark.parametrize(
    ("line", "offered", "withheld"),
    [
        ("%knet ", {"nodes", "rate", "--private", "-k"}, set()),
        ("%knet --pr", {"--private", "--profile"}, {"nodes"}),
        ("%knet --profile ", {"kernels", "demo"}, {"nodes"}),
        ("%knet use k", {"kernels"}, {"demo"}),
        ("%knet rate ", {"+1", "down"}, {"nodes"}),
        ("%knet -k 4 ", {"--into"}, {"+1"}),
        ("%knet --private What --", set(), {"--into", "nodes"}),
        ("%%knet ", {"--into"}, {"nodes"}),
    ],
)
def test_tab_completion_offers_matching_words(user: Kernel, line: str, offered: set[str], withheld: set[str]) -> None:
    reply = user.client.complete(line, reply=True, timeout=60)
    words = {match.split()[-1] for match in reply["content"]["matches"]}
    assert offered <= words
    assert not withheld & words


def test_extension_is_found_by_its_entry_point(user: Kernel, tmp_path: Path) -> None:
    """`%load_ext knet` loads the installed package of the entry point; without one the error names the package."""
    info = tmp_path / "knet_jupyter-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: knet-jupyter\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[knet.ipython]\nmagics = knet_jupyter.kernel.magics:load\n")
    assert user.run(f"import sys; sys.path.insert(0, {json.dumps(str(tmp_path))})") == []
    assert user.run("%load_ext knet") == []
    assert only(user.run(f"%knet {QUESTION}"), "execute_result")
