"""Tests of `knet dsi`: train on files or a node's collection, eval, show, update."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from knet.chain.keys import new_key
from knet.cli.main import app
from knet.codec import Cid, cid_of, to_json
from knet.config import DEFAULT_MODEL, Deployment, Profile, save_profile
from knet.content.base import put_record
from knet.content.store import FileStore
from knet.dsi.datasets import parse_passage_id, passage_id, read_node, read_questions
from knet.dsi.pairs import Pair, sign_pair
from knet.embed.models import find_model
from knet.errors import CodecError, ConfigError, ModelNotFound
from knet.index.card import Batch, make_card
from knet.index.shard import Chunk, encode_vector, write_shards
from knet.records import Document, Manifest
from tests.network.support import WORD_SPACE

from .support import EMBEDDER, TOPICS, pairs, passages


def dsi(*arguments: str | Path, fails: int = 0) -> Result:
    result = CliRunner().invoke(app, ["dsi", *map(str, arguments)])
    assert result.exit_code == fails, result.output
    return result


def write_lines(path: Path, lines: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    given = passages()
    return write_lines(
        tmp_path / "docs.jsonl", [{"id": name, "text": text} for name, text in zip(given.ids, given.texts, strict=True)]
    )


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write_lines(
        tmp_path / "questions.jsonl", [{"text": pair.question, "relevant": {pair.docid: 1}} for pair in pairs()]
    )


@pytest.fixture
def needs_model() -> None:
    try:
        find_model(DEFAULT_MODEL)
    except ModelNotFound as error:
        pytest.skip(str(error))


@pytest.mark.model
def test_train_eval_show_and_update(needs_model: None, documents: Path, questions: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    train = ("train", documents, "-q", questions, "--out", folder, "--shards", "2", "--workers", "1", "--epochs", "3")
    report = json.loads(dsi(*train, "--json").stdout)
    assert (report["shards"], report["passages"], report["questions"]) == (2, 60, 120)
    assert "2 models of 60 passages" in dsi(*train).stdout

    measured = json.loads(dsi("eval", folder, questions, "--json").stdout)
    assert measured["questions"] == 120
    assert measured["hit_at_1"] > 0.9
    assert "MRR" in dsi("eval", folder, questions).stdout

    shown = json.loads(dsi("show", folder, "--json").stdout)
    assert sum(shard["documents"] for shard in shown["shards"]) == 60
    assert DEFAULT_MODEL in dsi("show", folder).stdout

    new = write_lines(tmp_path / "new.jsonl", [{"id": "lamp", "text": "The lamp of the lighthouse burned whale oil."}])
    said = dsi("update", folder, "--add", new, "--remove", "heron-size").stdout
    assert "1 added, 1 removed; 60 passages" in said
    asked = write_lines(tmp_path / "asked.jsonl", [{"question": "What oil burned in the lamp?", "docid": "lamp"}])
    assert json.loads(dsi("eval", folder, asked, "--json").stdout)["hit_at_1"] == 1.0


@pytest.mark.model
def test_contributors_pairs_count_by_trust(
    needs_model: None, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNET_HOME", str(tmp_path / "home"))
    address = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    deployment = Deployment(chain_id=31337, identity=address, manifests=address, reliability=address)
    save_profile(Profile(name="here", rpc="http://127.0.0.1:1", deployment=deployment), default=True)
    friend, stranger = new_key(), new_key()
    given = tmp_path / "given.jsonl"
    given.write_text(
        "".join(
            to_json(sign_pair(key, Pair(question=f"Is the {topic} grey?", docid=f"{topic}-colour"), 31337, address))
            + "\n"
            for key in (friend, stranger)
            for topic in TOPICS
        )
    )
    train = ("train", documents, "-q", given, "--out", tmp_path / "models", "--epochs", "1", "--no-pseudo", "--json")
    report = json.loads(dsi(*train).stdout)
    assert (report["questions"], report["dropped_pairs"]) == (0, 24)
    trust = tmp_path / "trust.json"
    trust.write_text(json.dumps({friend.address: 0.8}))
    report = json.loads(dsi(*train, "--trust", trust).stdout)
    assert (report["questions"], report["dropped_pairs"]) == (12, 12)


def test_folder_without_models_names_the_command(tmp_path: Path) -> None:
    assert "knet dsi train" in dsi("show", tmp_path, fails=1).stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [("{", "line 2: not JSON"), ("[1]", "not a JSON object"), ('{"id": 5, "text": "x"}', "is not a document")],
)
def test_invalid_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "docs.jsonl"
    path.write_text('{"id": "a", "text": "one"}\n' + line + "\n")
    error = " ".join(dsi("train", path, fails=1).stderr.split())
    assert said in error
    assert "line 2" in error


def test_missing_file_is_named(tmp_path: Path) -> None:
    assert "nowhere.jsonl" in dsi("train", tmp_path / "nowhere.jsonl", fails=1).stderr


def test_questions_are_read_in_all_forms(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "questions.jsonl",
        [
            {"text": "both", "relevant": {"a": 1, "b": 2, "c": 0}},
            {"question": "one", "docid": "d"},
            {"text": "foreign"},
        ],
    )
    assert [(pair.question, pair.docid) for pair in read_questions(path).own] == [
        ("both", "a"),
        ("both", "b"),
        ("one", "d"),
        ("foreign", ""),
    ]
    with pytest.raises(ConfigError, match="line 1 is not a question"):
        read_questions(write_lines(tmp_path / "wrong.jsonl", [{"answer": 1}]))
    with pytest.raises(ConfigError, match="not a signed pair"):
        read_questions(write_lines(tmp_path / "unsigned.jsonl", [{"signature": "AA=="}]))


def test_newest_manifest_of_node_is_read(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "blocks")
    text = "Herons wade. Storks walk."
    document = Document(uri="folder:a.md", text=store.put(text.encode()))
    vectors = EMBEDDER.encode([text[:12], text[13:]])
    chunks = [
        Chunk(document=document, start=start, end=end, text=text[start:end], vector=encode_vector(vector))
        for (start, end), vector in zip([(0, 12), (13, 25)], vectors, strict=True)
    ]
    put_record(store, WORD_SPACE)
    card = put_record(
        store, make_card(WORD_SPACE, [Batch(vectors, [text[:12], text[13:]])], title="birds", documents=1)
    )
    for sequence, held in enumerate([chunks[:1], chunks], 1):
        put_record(
            store,
            Manifest(
                node=1,
                sequence=sequence,
                previous=None,
                space=cid_of(WORD_SPACE),
                shards=write_shards(store, WORD_SPACE, held),
                card=card,
                documents=1,
                chunks=len(held),
                time=7,
            ),
        )
    found, space = read_node(tmp_path)
    assert space == WORD_SPACE
    assert found.texts == ["Herons wade.", "Storks walk."]
    assert [parse_passage_id(name) for name in found.ids] == [(cid_of(document), 0, 12), (cid_of(document), 13, 25)]
    np.testing.assert_allclose(found.vectors, vectors, atol=1e-3)


def test_node_without_publication_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "blocks").mkdir()
    assert "knet node publish" in dsi("train", tmp_path, fails=1).stderr


def test_passage_id_is_parsed_and_others_are_refused() -> None:
    cid = Cid.of(b"x", 0x71)
    assert parse_passage_id(passage_id(cid, 3, 9)) == (cid, 3, 9)
    for other in ("https://example.org/#a", f"{cid}#3", "magnet:?xt=1#2-3"):
        with pytest.raises(CodecError):
            parse_passage_id(other)
