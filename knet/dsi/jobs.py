"""Training of the folders of shards, one by one or in parallel, with restarts at the last complete epoch.

A job needs nothing but its folder. Any function that maps over folders can therefore run the jobs: the process pool
here, or a cluster with a shared file system.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from ..errors import IndexerError
from .checkpoints import CHECKPOINT, INITIAL, MODEL, load_shard, read_file, read_metadata, save_shard, write_file
from .examples import Settings
from .serialization import write_tensors

Progress = Callable[[int, int], None]  # epochs done over all shards, and their total
POLL_SECONDS = 0.2


def ignore_progress(done: int, total: int) -> None:
    """Do nothing; the default progress callback."""


def train_folder(folder: Path, settings: Settings, *, progress: Progress = ignore_progress) -> Path:
    """Train the shard that `save_shard` left in a folder; return the path of the model.

    A killed run continues after its last complete epoch. Raises MissingExtra without torch, ConfigError, CodecError,
    StoreError.
    """
    from .training import Trainer

    stamp = _stamp(folder, settings)
    if read_metadata(folder / MODEL).get("stamp") == stamp:
        return folder / MODEL
    shard = load_shard(folder)
    trainer = Trainer(shard.model, shard.examples, settings)
    done = epochs_done(folder, settings)
    if done:
        trainer.restore(read_file(folder / CHECKPOINT))
    for epoch in range(done, settings.epochs):
        trainer.epoch(epoch)
        write_file(folder / CHECKPOINT, write_tensors(trainer.state(), epoch=str(epoch + 1), stamp=stamp))
        progress(epoch + 1, settings.epochs)
    save_shard(folder, shard._replace(model=trainer.result()), MODEL, stamp=stamp)
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return folder / MODEL


def epochs_done(folder: Path, settings: Settings) -> int:
    """Return the number of complete epochs of a folder's training."""
    stamp = _stamp(folder, settings)
    if read_metadata(folder / MODEL).get("stamp") == stamp:
        return settings.epochs
    metadata = read_metadata(folder / CHECKPOINT)
    return int(metadata["epoch"]) if metadata.get("stamp") == stamp else 0


def train_folders(
    folders: Sequence[Path], settings: Settings, *, workers: int = 1, progress: Progress = ignore_progress
) -> list[Path]:
    """Train several folders, ``workers`` at a time in separate processes with one thread each.

    Raises as `train_folder`, and IndexerError when a process dies.
    """
    total = len(folders) * settings.epochs

    def report(*_: int) -> None:
        progress(sum(epochs_done(folder, settings) for folder in folders), total)

    unfinished = [folder for folder in folders if epochs_done(folder, settings) < settings.epochs]
    if workers <= 1 or len(unfinished) <= 1:
        return [train_folder(folder, settings, progress=report) for folder in folders]
    with ProcessPoolExecutor(min(workers, len(unfinished)), multiprocessing.get_context("spawn"), _one_thread) as pool:
        futures = [pool.submit(train_folder, folder, settings) for folder in folders]
        running = set(futures)
        while running:
            _, running = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            report()
        try:
            return [future.result() for future in futures]
        except BrokenProcessPool as error:
            raise IndexerError(
                "A training process was killed, probably for lack of memory.", hint="Run it again with fewer workers."
            ) from error


def _stamp(folder: Path, settings: Settings) -> str:
    """Return an identifier of a training's input and settings."""
    return f"{read_metadata(folder / INITIAL).get('digest')} {json.dumps(settings)}"


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
