"""Bulk embedding against sentence-transformers' own loop: speed, and agreement of the results."""

from __future__ import annotations

import ast
import sysconfig
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from sentence_transformers import SentenceTransformer

from benchmarks.harness import data, has_data
from knet.config import DEFAULT_MODEL
from knet.embed.base import Vectors
from knet.embed.load import load_embedder
from knet.embed.models import find_model
from knet.embed.torch_backend import TorchEmbedder

PASSAGES = 384
ROUNDS = 3  # a third of the passages each, both runs in turn, so that a slow minute of the machine affects both
QUESTIONS = 100
WARM_UP = 32


def embed_part(axes: Axes) -> tuple[dict[str, float], dict[str, Any]]:
    """Measure the passages per second of the bulk backend and of SentenceTransformer.encode (batch 32, float32)."""
    source, passages, questions = texts()
    folder = str(find_model(DEFAULT_MODEL))
    plain = SentenceTransformer(folder, local_files_only=True)
    bulk = load_embedder(folder, bulk=True, notify=print)
    runs: dict[str, Callable[[list[str]], Vectors]] = {
        "SentenceTransformer.encode": lambda some: plain.encode(some, batch_size=32, normalize_embeddings=True),
        "knet, bulk": bulk.encode,
    }
    vectors, speeds = interleaved(runs, passages)
    (base, base_speeds), (own, own_speeds) = speeds.items()
    ratios = np.divide(own_speeds, base_speeds)

    expected = top_ten(plain.encode(questions, normalize_embeddings=True), vectors[base])
    found = top_ten(load_embedder(folder).encode(questions, query=True), vectors[own])
    same = float((expected == found).all(axis=1).mean())
    shared = float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(expected, found, strict=True)]))

    axes.boxplot(list(speeds.values()), tick_labels=list(speeds))
    axes.set(ylabel="passages a second", ylim=(0, None), title=f"{len(passages)} passages of {source}")
    figures = {"embed_ratio": round(float(np.median(ratios)), 3)}
    return figures, {
        "source": source,
        "passages": len(passages),
        "passages_per_second": speeds,
        "ratios": ratios.tolist(),
        "precision": bulk.precision if isinstance(bulk, TorchEmbedder) else "fp32",
        "questions": len(questions),
        "top10_same_order": same,
        "top10_shared": shared,
        "least_cosine": float((vectors[base] * vectors[own]).sum(axis=1).min()),
    }


def interleaved(
    runs: dict[str, Callable[[list[str]], Vectors]], passages: list[str]
) -> tuple[dict[str, Vectors], dict[str, list[float]]]:
    """Return vectors and passages per second in every round, for each run."""
    parts: dict[str, list[Vectors]] = {name: [] for name in runs}
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(passages[:WARM_UP])
    for number in range(ROUNDS):
        some = passages[number::ROUNDS]
        for name, run in runs.items():
            start = time.perf_counter()
            parts[name].append(run(some))
            speeds[name].append(round(len(some) / (time.perf_counter() - start), 2))
            print(f"round {number + 1}: {name} {speeds[name][-1]} passages/s", flush=True)
    return {name: np.concatenate(found) for name, found in parts.items()}, speeds


def top_ten(questions: Vectors, passages: Vectors) -> npt.NDArray[np.intp]:
    """Return the rows of the ten nearest passages, best first, for each question."""
    return np.argsort(-(questions @ passages.T), axis=1, kind="stable")[:, :10]


def texts() -> tuple[str, list[str], list[str]]:
    """Return a name, passages and questions: SQuAD where available, else docstrings of the standard library."""
    if not has_data():
        documented = list(islice(docstrings(), PASSAGES))
        return "docstrings", documented, [text.splitlines()[0] for text in documented[:QUESTIONS]]
    documents = list(data("squad_dev.docs"))
    step = max(1, len(documents) // PASSAGES)  # spread over all articles
    chosen = {document["id"]: document["text"] for document in documents[::step][:PASSAGES]}
    asked = (query["text"] for query in data("squad_dev.queries") if chosen.keys() & query["relevant"].keys())
    every = list(asked)
    return "SQuAD dev", list(chosen.values()), every[:: max(1, len(every) // QUESTIONS)][:QUESTIONS]


def docstrings() -> Iterator[str]:
    """Return docstrings of a paragraph or more from the standard library."""
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                text = ast.get_docstring(node)
                if text and len(text) > 300:
                    yield text
