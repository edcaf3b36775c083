"""Training of the models of a whole collection in a folder, and access to the trained models.

::

    dsi.json               the plan: space, numbers, digest of the training data
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
from ..errors import CodecError, ConfigError, SpaceMismatch
from ..records import Record, Space
from .checkpoints import INITIAL, MODEL, load_shard, save_shard, write_file
from .corpus import Passages, Questions
from .docids import Vectors, nearest_centroids
from .examples import Settings
from .jobs import Progress, ignore_progress, train_folders
from .model import Model
from .sharding import DsiShard, assign_shards, prepare_shards
from .update import add, fine_tune, remove

PLAN = "dsi.json"


class Plan(Record, frozen=True):
    """Description of a folder of models. ``digest`` covers passages, questions and the number of shards asked for."""

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
    """Train one model for each shard in ``folder``. The same call again continues an interrupted training.

    With ``shards`` 0, the number of passages determines their number. Questions about other ids are training examples
    of foreign questions. Raises MissingExtra, SpaceMismatch, ConfigError, StoreError, IndexerError.
    """
    if not passages.ids:
        raise ConfigError("The source has no passages to train on.", hint="Choose another file or node.")
    if len(set(passages.ids)) != len(passages.ids):
        raise ConfigError("Two passages have the same id.", hint="Give each passage its own id.")
    for vectors in (passages.vectors, questions.vectors):
        if vectors.ndim != 2 or vectors.shape[1] != space.dimension:
            raise SpaceMismatch(f"Vectors of shape {vectors.shape} do not fit a space of {space.dimension} dimensions.")
    digest = _digest(passages, questions, shards)
    if not _is_prepared(folder, digest):
        prepared = prepare_shards(passages, questions, assign_shards(passages.vectors, shards))
        for old in folder.glob("shard-*"):
            shutil.rmtree(old)
        for number, shard in enumerate(prepared):
            save_shard(folder / f"shard-{number}", shard, INITIAL, digest=f"{digest} {number}")
        save_plan(
            folder,
            Plan(
                space=space,
                shards=len(prepared),
                passages=len(passages.ids),
                questions=len(questions.pairs),
                digest=digest,
            ),
        )
    plan = load_plan(folder)
    train_folders(shard_folders(folder, plan), settings or Settings(), workers=workers, progress=progress)
    return plan


def load_plan(folder: Path) -> Plan:
    """Return the plan of a folder. Raises ConfigError."""
    try:
        return from_json((folder / PLAN).read_bytes(), Plan)
    except OSError as error:
        raise ConfigError(f"{folder} holds no trained models.", hint="Run `knet dsi train`.") from error
    except CodecError as error:
        raise ConfigError(f"{folder / PLAN} is damaged: {error}", hint="Run `knet dsi train`.") from error


def save_plan(folder: Path, plan: Plan) -> None:
    """Write the plan of a folder. Raises StoreError."""
    write_file(folder / PLAN, to_json(plan, indent=2).encode())


def shard_folders(folder: Path, plan: Plan) -> list[Path]:
    """Return the folder of each shard."""
    return [folder / f"shard-{number}" for number in range(plan.shards)]


def load_models(folder: Path) -> tuple[Space, list[Model]]:
    """Return space and trained models of a folder. Raises ConfigError before the end of training, CodecError."""
    space, shards = load_shards(folder)
    return space, [shard.model for shard in shards]


def load_shards(folder: Path) -> tuple[Space, list[DsiShard]]:
    """Return the trained models with their codebooks and examples. Raises as `load_models`."""
    plan = load_plan(folder)
    return plan.space, [load_shard(shard, MODEL) for shard in shard_folders(folder, plan)]


def _is_prepared(folder: Path, digest: str) -> bool:
    try:
        plan = load_plan(folder)
    except ConfigError:
        return False
    return plan.digest == digest and all((shard / INITIAL).is_file() for shard in shard_folders(folder, plan))


def _digest(passages: Passages, questions: Questions, shards: int) -> str:
    digest = hashlib.sha256(f"{shards}".encode())
    for name, text in zip(passages.ids, passages.texts, strict=True):
        digest.update(hashlib.sha256(f"{name}\0{text}".encode()).digest())
    for pair in questions.pairs:
        digest.update(hashlib.sha256(to_json(tuple(pair)).encode()).digest())
    for vectors in (passages.vectors, questions.vectors):
        digest.update(np.ascontiguousarray(vectors, np.float32).tobytes())
    return digest.hexdigest()


class UpdateReport(Record, frozen=True):
    """Result of an update of a folder's models, as numbers of documents."""

    added: int
    removed: int
    passages: int
    shards: int


def update_collection(
    folder: Path, new: Passages | None, questions: Questions | None, removed: Collection[str]
) -> UpdateReport:
    """Remove documents, then add new ones, each to the shard with the nearest documents, with a short training.

    Questions about earlier documents are used too. Raises ConfigError, CodecError, StoreError, and
    MissingExtra where documents are added without torch.
    """
    plan = load_plan(folder)
    folders = shard_folders(folder, plan)
    _, shards = load_shards(folder)
    before = {name for shard in shards for name in shard.model.ids}
    if new is not None and (known := (before - set(removed)) & set(new.ids)):
        raise ConfigError(f"The models already hold {sorted(known)[0]!r}.", hint="Remove it in the same update.")
    changed = {number for number, shard in enumerate(shards) if set(removed) & set(shard.model.ids)}
    shards = [remove(shard, removed) if number in changed else shard for number, shard in enumerate(shards)]
    if new is not None and new.ids:
        questions = questions or Questions([], np.zeros((0, new.vectors.shape[1]), np.float32))
        home = nearest_centroids(new.vectors, np.stack([_mean_direction(shard) for shard in shards]))
        for number in np.unique(home).tolist():
            passages = new.take(np.flatnonzero(home == number))
            own = {*passages.ids, *shards[number].model.ids}
            about = np.array([row for row, pair in enumerate(questions.pairs) if pair.docid in own], np.int64)
            shards[number] = fine_tune(*add(shards[number], passages, questions.take(about)))
            changed.add(number)
    for number in sorted(changed):
        save_shard(folders[number], shards[number], MODEL)
    total = sum(len(shard.model.ids) for shard in shards)
    save_plan(folder, msgspec.structs.replace(plan, passages=total, digest=""))
    return UpdateReport(
        added=len(new.ids) if new else 0, removed=len(before & set(removed)), passages=total, shards=plan.shards
    )


def _mean_direction(shard: DsiShard) -> Vectors:
    """Return the mean direction of a shard's documents, by the first level of their codes."""
    weights = np.bincount(shard.model.trie.codes[:, 0], minlength=len(shard.books.levels[0]))
    centre = weights @ shard.books.levels[0]
    unit: Vectors = (centre / max(float(np.linalg.norm(centre)), 1e-6)).astype(np.float32)
    return unit
