"""Tests of training: retrieval quality, foreign questions, restarts, and the dependency on torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from knet.dsi.checkpoints import CHECKPOINT, MODEL, load_shard, read_metadata
from knet.dsi.collection import load_models, train_collection
from knet.dsi.corpus import Passages, Questions
from knet.dsi.ensemble import DsiRetriever
from knet.dsi.evaluation import evaluate
from knet.dsi.features import features
from knet.dsi.jobs import epochs_done, train_folder
from knet.dsi.model import Model
from tests.network.support import WORD_SPACE

from .support import EMBEDDER, QUICK, asking, null_probability, pairs, passages, start_folder, starts


def weights(model: Model) -> list[np.ndarray]:
    return [model.rows, model.bias, model.up, model.lexical.weights, model.lexical.null]


def nulls(model: Model, questions: Questions) -> float:
    """Return the mean probability of null at the root."""
    each = [
        null_probability(model, vector, features(pair.question))
        for pair, vector in zip(questions.pairs, questions.vectors, strict=True)
    ]
    return float(np.mean(each))


def test_training_improves_retrieval(tmp_path: Path) -> None:
    (start,) = starts()
    folder = start_folder(tmp_path / "shard", start)
    asked = asking(pairs())
    before = evaluate(DsiRetriever([start.model]), asked)
    after = evaluate(DsiRetriever([load_shard(folder, train_folder(folder, QUICK).name).model]), asked)
    assert after.mrr > before.mrr
    assert after.hit_at_1 > 0.95


def test_shard_rejects_foreign_questions(tmp_path: Path) -> None:
    for number, start in enumerate(starts(shards=3)):
        folder = start_folder(tmp_path / f"shard-{number}", start)
        train_folder(folder, QUICK)
        model = load_shard(folder, MODEL).model
        own = [pair for pair in pairs() if pair.docid in model.places]
        foreign = [pair for pair in pairs() if pair.docid not in model.places]
        assert nulls(model, asking(own)) < 0.3
        assert nulls(model, asking(foreign)) > 0.7


def test_ensemble_is_close_to_the_right_shard(tmp_path: Path) -> None:
    train_collection(passages(), asking(pairs()), WORD_SPACE, tmp_path, shards=3, settings=QUICK)
    _, models = load_models(tmp_path)
    every = asking(pairs())
    together = evaluate(DsiRetriever(models), every)
    alone = [
        evaluate(DsiRetriever([model]), asking([pair for pair in pairs() if pair.docid in model.places])).mrr
        for model in models
    ]
    assert together.mrr >= 0.97 * np.average(alone, weights=[len(model.ids) for model in models])


KILLED = """
import os, signal, sys
from pathlib import Path
from knet.dsi.examples import Settings
from knet.dsi.jobs import train_folder

def die(done, total):
    if done == 2:
        os.kill(os.getpid(), signal.SIGKILL)

train_folder(Path(sys.argv[1]), Settings(epochs=3, batch=32), progress=die)
"""


def test_killed_training_continues_with_the_same_result(tmp_path: Path) -> None:
    (start,) = starts()
    killed, whole = (start_folder(tmp_path / name / "shard", start) for name in ("killed", "whole"))
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run([sys.executable, "-c", KILLED, str(killed)], cwd=root, env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert epochs_done(killed, QUICK) == 2
    assert not (killed / MODEL).exists()
    reported: list[tuple[int, int]] = []
    train_folder(killed, QUICK, progress=lambda done, total: reported.append((done, total)))
    assert reported == [(3, 3)]
    train_folder(whole, QUICK)
    for one, other in zip(*(weights(load_shard(folder, MODEL).model) for folder in (killed, whole)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert not (killed / CHECKPOINT).exists()


def test_training_is_repeated_for_other_questions_only(tmp_path: Path) -> None:
    train_collection(passages(), asking(pairs()), WORD_SPACE, tmp_path, settings=QUICK)
    written = (tmp_path / "shard-0" / MODEL).stat().st_mtime_ns
    train_collection(passages(), asking(pairs()), WORD_SPACE, tmp_path, settings=QUICK)
    assert (tmp_path / "shard-0" / MODEL).stat().st_mtime_ns == written
    train_collection(passages(), asking(pairs()[:50]), WORD_SPACE, tmp_path, settings=QUICK)
    assert (tmp_path / "shard-0" / MODEL).stat().st_mtime_ns != written


def test_shards_train_in_parallel_processes(tmp_path: Path) -> None:
    reported: list[tuple[int, int]] = []
    plan = train_collection(
        passages(),
        asking(pairs()),
        WORD_SPACE,
        tmp_path,
        shards=2,
        settings=QUICK,
        workers=2,
        progress=lambda done, total: reported.append((done, total)),
    )
    assert plan.shards == 2
    assert reported[-1] == (6, 6)
    assert sum(len(model.ids) for model in load_models(tmp_path)[1]) == len(passages().ids)


def test_training_without_questions_finds_by_text(tmp_path: Path) -> None:
    nothing = Questions([], np.zeros((0, 64), np.float32))
    train_collection(passages(), nothing, WORD_SPACE, tmp_path, settings=QUICK)
    assert evaluate(DsiRetriever(load_models(tmp_path)[1]), asking(pairs())).hit_at_10 > 0.9


def test_single_passage_is_a_valid_collection(tmp_path: Path) -> None:
    one = passages().take(np.array([0]))
    train_collection(one, asking(pairs()[:2]), WORD_SPACE, tmp_path, settings=QUICK)
    (found,) = DsiRetriever(load_models(tmp_path)[1]).search("anything", EMBEDDER.encode(["anything"])[0])
    assert found.docid == one.ids[0]


def test_any_text_can_be_a_docid(tmp_path: Path) -> None:
    ids = ["magnet:?xt=urn:btih:0123", "https://example.org/a?b=c#d", "bafkreia", "ein Gedicht, Seite 3"]
    some = passages().take(np.arange(4))
    train_collection(Passages(ids, some.texts, some.vectors), asking([]), WORD_SPACE, tmp_path, settings=QUICK)
    assert set(load_models(tmp_path)[1][0].ids) == set(ids)


def test_search_does_not_import_torch() -> None:
    program = "import sys, knet.dsi, knet.cli.dsi; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_training_without_torch_names_the_pip_command(tmp_path: Path) -> None:
    folder = start_folder(tmp_path / "shard", starts()[0])
    program = (
        "import sys; sys.modules['torch'] = None\nfrom pathlib import Path\nfrom knet.dsi.jobs import train_folder\n"
        "from knet.dsi.examples import Settings\nfrom knet.errors import MissingExtra\n"
        f"try: train_folder(Path({str(folder)!r}), Settings())\nexcept MissingExtra as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'knetwork[dsi]'" in done.stdout


def test_checkpoint_of_other_settings_is_ignored(tmp_path: Path) -> None:
    folder = start_folder(tmp_path / "shard", starts()[0])
    train_folder(folder, QUICK)
    assert epochs_done(folder, QUICK) == QUICK.epochs
    assert epochs_done(folder, QUICK._replace(seed=2)) == 0
    assert "stamp" in read_metadata(folder / MODEL)
