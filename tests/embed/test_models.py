"""Tests of finding a model's files and reading the space that they define."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
from pathlib import Path

import msgspec
import pytest
from huggingface_hub import constants

from knet.config import DEFAULT_MODEL
from knet.embed import models
from knet.embed.load import load_embedder_for
from knet.embed.models import find_model, load_tokenizer, read_space
from knet.errors import ModelNotFound, SpaceError, SpaceMismatch

from .conftest import build_model, write


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an empty hub cache, without the hub."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def test_space_holds_all_settings_of_the_model(tmp_path: Path) -> None:
    folder = build_model(tmp_path / "prefixed", pooling="cls", prompts={"query": "query: ", "document": "text: "})
    space = read_space(folder, "someone/prefixed")
    assert space.model == "someone/prefixed"
    assert space.weights == hashlib.sha256((folder / "model.safetensors").read_bytes()).digest()
    assert (space.dimension, space.pooling, space.max_tokens) == (32, "cls", 48)
    assert (space.query_prefix, space.passage_prefix) == ("query: ", "text: ")


def test_space_of_folder_has_no_private_path(small_model: Path) -> None:
    assert read_space(small_model, str(small_model)).model == "small"


def test_pooling_of_newer_configurations_is_read(small_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "newer"
    shutil.copytree(small_model, folder)
    write(folder / "1_Pooling" / "config.json", {"embedding_dimension": 32, "pooling_mode": "mean"})
    assert read_space(folder).pooling == "mean"


@pytest.mark.parametrize("mode", ["max", ["cls", "mean"], "lasttoken"])
def test_unsupported_pooling_is_refused(small_model: Path, tmp_path: Path, mode: object) -> None:
    folder = tmp_path / "other"
    shutil.copytree(small_model, folder)
    write(folder / "1_Pooling" / "config.json", {"embedding_dimension": 32, "pooling_mode": mode})
    with pytest.raises(SpaceError, match="pools by mean"):
        read_space(folder)


def test_pipeline_with_further_layers_is_refused(small_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dense"
    shutil.copytree(small_model, folder)
    modules = msgspec.json.decode((folder / "modules.json").read_bytes())
    modules[2]["type"] = "sentence_transformers.models.Dense"
    write(folder / "modules.json", modules)
    with pytest.raises(SpaceError, match="Dense"):
        read_space(folder)


def test_replaced_weights_are_detected(small_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "trained"
    shutil.copytree(small_model, folder)
    before = read_space(folder)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights + b"\0")
    assert read_space(folder) != before
    with pytest.raises(SpaceMismatch, match="another space"):
        load_embedder_for(before, model=str(folder))


def test_folder_without_weights_names_missing_files(small_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "partial"
    shutil.copytree(small_model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(ModelNotFound, match=r"lacks model\.safetensors"):
        find_model(str(folder))
    with pytest.raises(ModelNotFound, match="cannot be read"):
        read_space(folder)


def test_damaged_tokenizer_is_a_knet_error(small_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(small_model, folder)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ModelNotFound, match=r"tokenizer\.json"):
        load_tokenizer(folder)


def test_snapshot_in_hub_cache_comes_first(small_model: Path, hub_cache: Path) -> None:
    repository = hub_cache / f"models--{DEFAULT_MODEL.replace('/', '--')}"
    shutil.copytree(small_model, repository / "snapshots" / "abc123")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc123")
    assert find_model(DEFAULT_MODEL) == repository / "snapshots" / "abc123"


def test_missing_model_offline_names_the_command(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "OFFLINE_PACKAGE", "no_such_package")
    with pytest.raises(ModelNotFound, match=r"pip install 'knetwork\[offline\]'"):
        find_model(DEFAULT_MODEL)
    with pytest.raises(ModelNotFound, match="Go online once"):
        find_model("someone/another-model")


def test_invalid_model_name_is_not_found(hub_cache: Path) -> None:
    with pytest.raises(ModelNotFound):
        find_model("no such // model")


def test_offline_package_with_other_weights_is_refused(
    small_model: Path, hub_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "impostor"
    shutil.copytree(small_model, package / "model")
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(models, "OFFLINE_PACKAGE", "impostor")
    with pytest.raises(ModelNotFound, match="other weights"):
        find_model(DEFAULT_MODEL)


@pytest.mark.model
def test_offline_package_has_the_public_weights(hub_cache: Path) -> None:
    if importlib.util.find_spec(models.OFFLINE_PACKAGE) is None:
        pytest.skip("the offline extra is not installed")
    folder = find_model(DEFAULT_MODEL)
    space = read_space(folder, str(folder))
    assert space.model == DEFAULT_MODEL
    assert space.weights.hex() == models.PINNED_WEIGHTS[DEFAULT_MODEL]
    assert (space.dimension, space.pooling, space.max_tokens) == (384, "mean", 256)
