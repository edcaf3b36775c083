"""SQuAD's questions split per paragraph, and models trained on a partition of its paragraphs."""

from __future__ import annotations

import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from benchmarks.passages import SEED, Question
from knet.dsi.checkpoints import load_shard, save_shard
from knet.dsi.corpus import Passages, Questions
from knet.dsi.docids import Rows
from knet.dsi.examples import Settings
from knet.dsi.jobs import train_folders
from knet.dsi.model import Model
from knet.dsi.pairs import WeightedPair
from knet.dsi.sharding import assign_shards, prepare_shards
from knet.embed.base import Vectors

HELD_OUT = 0.2
WORKERS = min(2, os.cpu_count() or 1)


class Ensemble(NamedTuple):
    """Models of a partition, and the shard of each passage."""

    models: list[Model]
    shard: Rows


def held_out(questions: Sequence[Question], rows: Sequence[int], share: float) -> tuple[list[int], list[int]]:
    """Return rows of ``questions`` to train on and to hold out: ``share`` of each paragraph's, fractions by chance."""
    chance = random.Random(SEED)
    paragraphs: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        paragraphs[questions[row].gold].append(row)
    kept, out = [], []
    for _, own in sorted(paragraphs.items()):
        chance.shuffle(own)
        count = int(share * len(own) + chance.random())
        out += own[:count]
        kept += own[count:]
    return kept, out


def asked(questions: Sequence[Question], vectors: Vectors, rows: Sequence[int]) -> Questions:
    """Return some questions as training pairs."""
    pairs = [WeightedPair(questions[row].text, questions[row].gold) for row in rows]
    return Questions(pairs, vectors[np.array(rows, np.int64)])


def by_kmeans(vectors: Vectors, shards: int) -> Rows:
    """Return the partition that knet uses."""
    return assign_shards(vectors, shards)


def at_random(vectors: Vectors, shards: int) -> Rows:
    """Return the paper's partition."""
    return np.random.default_rng(SEED).permutation(np.arange(len(vectors)) % shards)


def train(
    name: str,
    passages: Passages,
    questions: Questions,
    shards: int,
    split: Callable[[Vectors, int], Rows],
    settings: Settings,
) -> Ensemble:
    """Train one model for each shard, from its own passages alone."""
    began = time.monotonic()
    shard = split(passages.vectors, shards)
    with TemporaryDirectory() as home:
        folders = [Path(home) / f"shard-{number}" for number in range(shards)]
        for folder, start in zip(folders, prepare_shards(passages, questions, shard), strict=True):
            save_shard(folder, start, digest=folder.name)

        def tell(done: int, total: int) -> None:
            print(f"\r{name}: epoch {done} of {total}, {time.monotonic() - began:.0f} s ", end="", flush=True)

        files = train_folders(folders, settings, workers=WORKERS, progress=tell)
        print()
        return Ensemble([load_shard(file.parent, file.name).model for file in files], shard)
