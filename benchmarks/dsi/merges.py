"""Merging of several models' results: their own lists, the paper's merge, and knet's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from benchmarks.dsi.split import Ensemble
from knet.dsi.corpus import Questions
from knet.dsi.ensemble import DsiRetriever
from knet.dsi.evaluation import rank_metrics
from knet.dsi.features import features
from knet.dsi.search import beam_search

PAPER_BEAM = 5
BEAM = 50  # deep enough for the rank of nearly every answer


def measured(ensemble: Ensemble, questions: Questions, homes: Sequence[int]) -> dict[str, dict[str, float]]:
    """Return scores of each merge; ``homes`` is the shard of each question's paragraph, which only the oracle knows."""
    together = DsiRetriever(ensemble.models)
    ranks: defaultdict[str, list[int]] = defaultdict(list)
    for pair, vector, home in zip(questions.pairs, questions.vectors, homes, strict=True):
        own = DsiRetriever([ensemble.models[home]])
        for name, retriever in (("oracle shard", own), ("ours", together)):
            found = [each.docid for each in retriever.search(pair.question, vector, k=BEAM, beam=BEAM)]
            ranks[name].append(rank(found, pair.docid))
        ranks["softmax sum"].append(rank(softmax_sum(ensemble, pair.question, vector), pair.docid))
    return {name: {key: round(value, 4) for key, value in rank_metrics(found).items()} for name, found in ranks.items()}


def softmax_sum(ensemble: Ensemble, question: str, vector: np.ndarray) -> list[str]:
    """Merge as in De-DSI, section 3.2: each model's beam scores through a softmax, summed over the models."""
    votes: defaultdict[str, float] = defaultdict(float)
    for model in ensemble.models:
        found = beam_search(model, vector, features(question), PAPER_BEAM)
        share = np.exp(found.scores - np.logaddexp.reduce(found.scores))
        for place, vote in zip(found.places, share, strict=True):
            votes[model.ids[place]] += float(vote)
    return sorted(votes, key=lambda name: -votes[name])


def rank(found: Sequence[str], gold: str) -> int:
    """Return the rank from 1; 0 if not found."""
    return found.index(gold) + 1 if gold in found else 0
