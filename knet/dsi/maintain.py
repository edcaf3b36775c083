"""Keep a folder of trained models in step with a collection that changes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec
import numpy as np

from ..errors import ConfigError
from ..records import Record
from .collection import load_plan, load_starts, save_plan, shard_folders
from .corpus import Passages, Questions
from .docids import Vectors, nearest
from .files import MODEL, save_start
from .shards import Start
from .update import add, fine_tune, remove


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
    _, starts = load_starts(folder)
    before = {name for start in starts for name in start.model.ids}
    if new is not None and (known := (before - set(gone)) & set(new.ids)):
        raise ConfigError(f"{sorted(known)[0]!r} is in these models already.", hint="Remove it in the same update.")
    changed = {number for number, start in enumerate(starts) if set(gone) & set(start.model.ids)}
    starts = [remove(start, gone) if number in changed else start for number, start in enumerate(starts)]
    if new is not None and new.ids:
        home = nearest(new.vectors, np.stack([_centre(start) for start in starts]))
        for number in np.unique(home).tolist():
            starts[number] = _grown(starts[number], new.take(np.flatnonzero(home == number)), questions)
            changed.add(number)
    for number in sorted(changed):
        save_start(folders[number], starts[number], MODEL)
    passages = sum(len(start.model.ids) for start in starts)
    save_plan(folder, msgspec.structs.replace(plan, passages=passages, digest=""))
    return UpdateReport(
        added=len(new.ids) if new else 0, removed=len(before & set(gone)), passages=passages, shards=plan.shards
    )


def _grown(start: Start, new: Passages, questions: Questions | None) -> Start:
    questions = questions or Questions([], np.zeros((0, new.vectors.shape[1]), np.float32))
    own = set(new.ids) | set(start.model.ids)
    about = np.array([row for row, pair in enumerate(questions.pairs) if pair.docid in own], np.int64)
    grown, examples = add(start, new, questions.take(about))
    return fine_tune(grown, examples)


def _centre(start: Start) -> Vectors:
    """The direction of a shard's documents, by the first level of its codes."""
    weights = np.bincount(start.model.trie.codes[:, 0], minlength=len(start.books.levels[0]))
    centre = weights @ start.books.levels[0]
    unit: Vectors = (centre / max(float(np.linalg.norm(centre)), 1e-6)).astype(np.float32)
    return unit
