"""Train the models of a whole collection into a folder, and open them again.

::

    dsi.json               what was trained from what
    shard-0/  shard-1/ ... see `knet.dsi.checkpoints`
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path

import msgspec
import numpy as np

from ..codec import from_json, to_json
from ..errors import CodecError, ConfigError, SpaceMismatch, StoreError
from ..files import write_atomically
from ..records import Record, Space
from .checkpoints import INITIAL, MODEL, load_shard, save_shard
from .corpus import Passages, Questions
from .docids import Vectors, nearest_centroids
from .examples import Settings
from .jobs import Progress, ignore_progress, train_folders
from .model import Model
from .sharding import DsiShard, assign_shards, prepare_shards
from .update import add, fine_tune, remove

PLAN = "dsi.json"


class Plan(Record, frozen=True):
    """What a folder of models was trained from. ``digest`` is over passages, questions and how they were split."""

    space: Space
    shards: int
    passages: int
    questions: int
    digest: str


def train_collection(
    passages: Passages,
    questions: Questions,
    space: Space,
    folder: Path,
    *,
    shards: int = 0,
    settings: Settings | None = None,
    workers: int = 1,
    progress: Progress = ignore_progress,
) -> Plan:
    """Train one model a shard into ``folder``. The same call again goes on where it was stopped.

    ``shards`` 0 makes as many as the number of passages asks for. Questions about ids that are not among the passages
    teach the models what is foreign. Raises MissingExtra, SpaceMismatch, ConfigError, StoreError, IndexerError.
    """
    if not passages.ids:
        raise ConfigError("there are no passages to train on.")
    if len(set(passages.ids)) != len(passages.ids):
        raise ConfigError("two passages have the same id.")
    for vectors in (passages.vectors, questions.vectors):
        if vectors.ndim != 2 or vectors.shape[1] != space.dimension:
            raise SpaceMismatch(f"vectors of shape {vectors.shape} are not of a space of {space.dimension} dimensions.")
    digest = _digest(passages, questions, shards)
    if not _stands(folder, digest):
        shard = assign_shards(passages.vectors, shards)
        starts = prepare_shards(passages, questions, shard)
        for old in folder.glob("shard-*"):
            shutil.rmtree(old)
        for number, start in enumerate(starts):
            save_shard(folder / f"shard-{number}", start, INITIAL, digest=f"{digest} {number}")
        save_plan(
            folder,
            Plan(
                space=space,
                shards=len(starts),
                passages=len(passages.ids),
                questions=len(questions.pairs),
                digest=digest,
            ),
        )
    plan = load_plan(folder)
    train_folders(shard_folders(folder, plan), settings or Settings(), workers=workers, progress=progress)
    return plan


def load_plan(folder: Path) -> Plan:
    """What was trained in a folder. Raises ConfigError."""
    try:
        return from_json((folder / PLAN).read_bytes(), Plan)
    except OSError as error:
        raise ConfigError(f"{folder} holds no trained models.", hint="Run `knet dsi train`.") from error
    except CodecError as error:
        raise ConfigError(f"{folder / PLAN} is damaged: {error}", hint="Run `knet dsi train`.") from error


def save_plan(folder: Path, plan: Plan) -> None:
    """Write what was trained. Raises StoreError."""
    try:
        write_atomically(folder / PLAN, to_json(plan, indent=2).encode())
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}.") from error


def shard_folders(folder: Path, plan: Plan) -> list[Path]:
    """The folder of each shard."""
    return [folder / f"shard-{number}" for number in range(plan.shards)]


def load_models(folder: Path) -> tuple[Space, list[Model]]:
    """The trained models of a folder and their space. Raises ConfigError when training has not finished, CodecError."""
    space, starts = load_shards(folder)
    return space, [start.model for start in starts]


def load_shards(folder: Path) -> tuple[Space, list[DsiShard]]:
    """The trained models, with what they were trained on and go on from. Raises as `load_models`."""
    plan = load_plan(folder)
    return plan.space, [load_shard(shard, MODEL) for shard in shard_folders(folder, plan)]


def _stands(folder: Path, digest: str) -> bool:
    try:
        plan = load_plan(folder)
    except ConfigError:
        return False
    return plan.digest == digest and all((shard / INITIAL).is_file() for shard in shard_folders(folder, plan))


def _digest(passages: Passages, questions: Questions, shards: int) -> str:
    found = hashlib.sha256(f"{shards}".encode())
    for name, text in zip(passages.ids, passages.texts, strict=True):
        found.update(hashlib.sha256(f"{name}\0{text}".encode()).digest())
    for pair in questions.pairs:
        found.update(hashlib.sha256(to_json(tuple(pair)).encode()).digest())
    for vectors in (passages.vectors, questions.vectors):
        found.update(np.ascontiguousarray(vectors, np.float32).tobytes())
    return found.hexdigest()


class UpdateReport(Record, frozen=True):
    """What an update did to the documents of a folder's models."""

    added: int
    removed: int
    passages: int
    shards: int


def update_collection(
    folder: Path, new: Passages | None, questions: Questions | None, gone: Collection[str]
) -> UpdateReport:
    """Remove documents, then add others, each to the shard whose documents are nearest, with a short training.

    Questions about documents that were there before count too. Raises ConfigError, CodecError, StoreError, and
    MissingExtra where documents are added without torch.
    """
    plan = load_plan(folder)
    folders = shard_folders(folder, plan)
    _, starts = load_shards(folder)
    before = {name for start in starts for name in start.model.ids}
    if new is not None and (known := (before - set(gone)) & set(new.ids)):
        raise ConfigError(f"{sorted(known)[0]!r} is in these models already.", hint="Remove it in the same update.")
    changed = {number for number, start in enumerate(starts) if set(gone) & set(start.model.ids)}
    starts = [remove(start, gone) if number in changed else start for number, start in enumerate(starts)]
    if new is not None and new.ids:
        home = nearest_centroids(new.vectors, np.stack([_centre(start) for start in starts]))
        for number in np.unique(home).tolist():
            starts[number] = _grown(starts[number], new.take(np.flatnonzero(home == number)), questions)
            changed.add(number)
    for number in sorted(changed):
        save_shard(folders[number], starts[number], MODEL)
    passages = sum(len(start.model.ids) for start in starts)
    save_plan(folder, msgspec.structs.replace(plan, passages=passages, digest=""))
    return UpdateReport(
        added=len(new.ids) if new else 0, removed=len(before & set(gone)), passages=passages, shards=plan.shards
    )


def _grown(start: DsiShard, new: Passages, questions: Questions | None) -> DsiShard:
    questions = questions or Questions([], np.zeros((0, new.vectors.shape[1]), np.float32))
    own = set(new.ids) | set(start.model.ids)
    about = np.array([row for row, pair in enumerate(questions.pairs) if pair.docid in own], np.int64)
    grown, examples = add(start, new, questions.take(about))
    return fine_tune(grown, examples)


def _centre(start: DsiShard) -> Vectors:
    """The direction of a shard's documents, by the first level of its codes."""
    weights = np.bincount(start.model.trie.codes[:, 0], minlength=len(start.books.levels[0]))
    centre = weights @ start.books.levels[0]
    unit: Vectors = (centre / max(float(np.linalg.norm(centre)), 1e-6)).astype(np.float32)
    return unit
