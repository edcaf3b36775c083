"""Train one shard's folder to its end, from wherever it stopped; and several at once.

A job is a folder and nothing else, so whatever maps a function over folders can run them: the process pool here, or
a cluster that shares a file system (``run`` of `train_folders`).
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from ..errors import IndexerError
from .checkpoints import CHECKPOINT, INITIAL, MODEL, load_shard, read_file, read_notes, save_shard, write_file
from .examples import Settings

Progress = Callable[[int, int], None]  # epochs done over all shards, of how many
POLL_SECONDS = 0.2


def ignore_progress(done: int, total: int) -> None:
    """A progress callback that tells nobody."""


def train_folder(folder: Path, settings: Settings, *, progress: Progress = ignore_progress) -> Path:
    """Train what `save_shard` left in a folder: the path of the model. A killed run goes on at its last whole epoch.

    Raises MissingExtra without torch, ConfigError, CodecError, StoreError.
    """
    from .training import Trainer

    stamp = _stamp(folder, settings)
    if read_notes(folder / MODEL).get("stamp") == stamp:
        return folder / MODEL
    start = load_shard(folder)
    trainer = Trainer(start.model, start.examples, settings)
    done = epochs_done(folder, settings)
    if done:
        trainer.restore(read_file(folder / CHECKPOINT))
    for epoch in range(done, settings.epochs):
        trainer.epoch(epoch)
        write_file(folder / CHECKPOINT, trainer.state(), epoch=str(epoch + 1), stamp=stamp)
        progress(epoch + 1, settings.epochs)
    save_shard(folder, start._replace(model=trainer.result()), MODEL, stamp=stamp)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return folder / MODEL


def epochs_done(folder: Path, settings: Settings) -> int:
    """How many epochs of a folder's training are behind it."""
    stamp = _stamp(folder, settings)
    if read_notes(folder / MODEL).get("stamp") == stamp:
        return settings.epochs
    notes = read_notes(folder / CHECKPOINT)
    return int(notes["epoch"]) if notes.get("stamp") == stamp else 0


def train_folders(
    folders: Sequence[Path], settings: Settings, *, workers: int = 1, progress: Progress = ignore_progress
) -> list[Path]:
    """Train several folders, ``workers`` at a time in processes of their own, one thread each.

    Raises what `train_folder` does, and IndexerError when a process dies.
    """
    total = len(folders) * settings.epochs

    def tell(*_: int) -> None:
        progress(sum(epochs_done(folder, settings) for folder in folders), total)

    waiting_for = [folder for folder in folders if epochs_done(folder, settings) < settings.epochs]
    if workers <= 1 or len(waiting_for) <= 1:
        return [train_folder(folder, settings, progress=tell) for folder in folders]
    with ProcessPoolExecutor(min(workers, len(waiting_for)), multiprocessing.get_context("spawn"), _one_thread) as pool:
        futures = [pool.submit(partial(train_folder, folder, settings)) for folder in folders]
        waiting = set(futures)
        while waiting:
            _, waiting = wait(waiting, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            tell()
        try:
            return [future.result() for future in futures]
        except BrokenProcessPool as error:
            raise IndexerError(
                "a training process was killed, for lack of memory perhaps.", hint="Run it again with fewer workers."
            ) from error


def _stamp(folder: Path, settings: Settings) -> str:
    """What a checkpoint or a model was trained from."""
    return f"{read_notes(folder / INITIAL).get('digest')} {json.dumps(settings)}"


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
