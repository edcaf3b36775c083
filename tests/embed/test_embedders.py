"""Every backend of one space gives the same vectors."""

from __future__ import annotations

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from knet.config import DEFAULT_MODEL
from knet.embed import onnx_cache as graphs
from knet.embed.base import MIN_BACKEND_COSINE, Embedder
from knet.embed.load import is_bulk, load_embedder, load_embedder_for
from knet.embed.models import find_model, read_space
from knet.embed.onnx_backend import OnnxEmbedder
from knet.embed.onnx_cache import model_home, onnx_graph, read_graph_record
from knet.embed.pipeline import batches
from knet.embed.probes import PROBES, min_cosine
from knet.errors import MissingExtra, ModelNotFound, SpaceMismatch, StoreError

from .conftest import build_model

TEXTS = ["who asks the node?", "", "hash " * 200, "the index", "what is a chain, of the node", "?"] * 3


@pytest.fixture(params=["onnx", "torch"])
def embedder(request: pytest.FixtureRequest, small_model: Path) -> Embedder:
    return load_embedder(str(small_model), bulk=request.param == "torch")


def test_vectors_have_unit_length_and_keep_the_order_of_texts(embedder: Embedder) -> None:
    vectors = embedder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.space.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([embedder.encode([text]) for text in TEXTS])
    assert min_cosine(vectors, alone) >= MIN_BACKEND_COSINE


def test_empty_input_gives_no_vectors(embedder: Embedder) -> None:
    assert embedder.encode([]).shape == (0, embedder.space.dimension)


def test_progress_counts_every_text_once(embedder: Embedder) -> None:
    done: list[int] = []
    embedder.encode(TEXTS, progress=done.append)
    assert sum(done) == len(TEXTS)


def test_threads_share_one_embedder(embedder: Embedder) -> None:
    expected = embedder.encode(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(lambda _: embedder.encode(TEXTS), range(8)):
            assert min_cosine(vectors, expected) >= MIN_BACKEND_COSINE


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_backends_agree_with_sentence_transformers(tmp_path: Path, pooling: str) -> None:
    from sentence_transformers import SentenceTransformer

    folder = build_model(tmp_path / "model", pooling=pooling, normalize=False)
    expected = SentenceTransformer(str(folder), device="cpu").encode(TEXTS, normalize_embeddings=True)
    for bulk in (False, True):
        assert min_cosine(load_embedder(str(folder), bulk=bulk).encode(TEXTS), expected) >= MIN_BACKEND_COSINE


def test_queries_and_passages_get_their_own_prefix(tmp_path: Path) -> None:
    folder = build_model(tmp_path / "model", prompts={"query": "query: ", "passage": "text: "})
    embedder = load_embedder(str(folder))
    plain = load_embedder(str(build_model(tmp_path / "plain")))
    assert min_cosine(embedder.encode(["the node"], query=True), plain.encode(["query: the node"])) > 0.99999
    assert min_cosine(embedder.encode(["the node"]), plain.encode(["text: the node"])) > 0.99999


def test_batches_have_similar_lengths_and_every_row_once() -> None:
    lengths = [3, 250, 9, 9, 40, 1, 250, 7]
    found = list(batches(lengths, 256))
    assert sorted(np.concatenate(found).tolist()) == list(range(len(lengths)))
    assert all(len(rows) * max(lengths[row] for row in rows) <= 256 for rows in found)
    assert [max(lengths[row] for row in rows) for rows in found] == sorted([250, 250, 40], reverse=True)
    assert list(batches([], 256)) == []


# --- the export ----------------------------------------------------------------------------------------------------


def test_concurrent_loads_export_graph_once(small_model: Path) -> None:
    space = read_space(small_model)
    messages: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: onnx_graph(small_model, space, messages.append), range(4)))
    assert paths == {model_home(space) / "model.onnx"}
    assert len(messages) == 1
    assert "Exporting small to ONNX" in messages[0]
    record = read_graph_record(paths.pop())
    assert record is not None
    assert record.cosine is not None
    assert record.cosine >= 0.9999


def test_graph_that_differs_from_model_is_refused(small_model: Path, tmp_path: Path) -> None:
    claimed = read_space(build_model(tmp_path / "cls", pooling="cls"))
    with pytest.raises(SpaceMismatch, match="disagrees with torch"):
        onnx_graph(small_model, claimed)
    assert list(model_home(claimed).glob("*.onnx")) == []
    assert list(model_home(claimed).glob(".*")) == []


def test_export_without_torch_names_the_pip_command(small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'knetwork\[export\]'"):
        load_embedder(str(small_model))


def test_published_graph_with_known_digest_is_used_without_torch(
    small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "published"
    shutil.copytree(small_model, folder)
    space = read_space(folder)
    (folder / "onnx").mkdir()
    shutil.move(onnx_graph(folder, space), folder / "onnx" / "model.onnx")
    digest = graphs._sha256(folder / "onnx" / "model.onnx")

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(graphs.PINNED_GRAPHS, space.weights.hex(), "0" * 64)
    with pytest.raises(MissingExtra, match="to check it"):
        onnx_graph(folder, space)
    monkeypatch.setitem(graphs.PINNED_GRAPHS, space.weights.hex(), digest)
    record = read_graph_record(onnx_graph(folder, space))
    assert record is not None
    assert (record.source, record.sha256) == ("hub", digest)


def test_damaged_graph_is_a_knet_error(small_model: Path, tmp_path: Path) -> None:
    graph = tmp_path / "model.onnx"
    graph.write_bytes(b"not a graph")
    with pytest.raises(ModelNotFound, match="cannot be loaded"):
        OnnxEmbedder(small_model, read_space(small_model), graph)


def test_home_without_write_access_is_a_knet_error(
    small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("KNET_HOME", str(tmp_path / "file"))
    folder = shutil.copytree(small_model, tmp_path / "model")
    for bulk in (False, True):
        with pytest.raises(StoreError, match="cannot be written"):
            load_embedder(str(folder), bulk=bulk)


# --- choosing ------------------------------------------------------------------------------------------------------


def test_bulk_measurement_is_stored_for_this_machine(small_model: Path) -> None:
    from knet.embed.autotune import bulk_embedder

    space = read_space(small_model)
    first = bulk_embedder(small_model, space)
    written = (model_home(space) / "backend.json").read_bytes()
    assert bulk_embedder(small_model, space).precision == first.precision
    assert (model_home(space) / "backend.json").read_bytes() == written


def test_bulk_backend_needs_thousands_of_texts() -> None:
    assert not is_bulk(1)
    assert is_bulk(10_000)


def test_embedder_is_loaded_for_a_space(small_model: Path) -> None:
    space = read_space(small_model)
    assert load_embedder_for(space, model=str(small_model)).space == space


@pytest.mark.model
def test_default_model_ranks_answer_first_without_torch(tmp_path: Path) -> None:
    from knet.embed.torch_backend import Precision, TorchEmbedder

    embedder, folder = load_embedder(DEFAULT_MODEL), find_model(DEFAULT_MODEL)
    question = embedder.encode(["How does HNSW choose neighbours?"], query=True)
    assert int((embedder.encode(PROBES) @ question.T).argmax()) == 2
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for precision in precisions:
        other = TorchEmbedder(folder, embedder.space, precision=precision, device="cpu")
        assert min_cosine(other.encode(PROBES), embedder.encode(PROBES)) >= MIN_BACKEND_COSINE
    program = (
        "import sys; from knet.embed.load import load_embedder\n"
        "load_embedder().encode(['x']); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
