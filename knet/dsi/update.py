"""Addition and removal of documents without a new training.

New documents get docids in the existing tree, and initial weights from their vectors and words. A short training on
their questions, mixed with earlier ones, adjusts the weights. Removed documents leave the tree, so no search finds
them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..errors import ConfigError
from .corpus import Passages, Questions, encode_examples
from .docids import Trie, add_suffixes, sort_order
from .examples import FOREIGN, Examples, Settings, concatenate
from .features import features
from .model import Lexical, Model
from .sharding import DsiShard, filter_plausible
from .warm_start import SHARPNESS, passage_weights

REPLAYED = 4  # earlier examples for each new one in the short training: prevents forgetting
REPLAYED_MINIMUM = 256
FINE_TUNING = Settings(epochs=3)


def remove(shard: DsiShard, docids: Iterable[str]) -> DsiShard:
    """Return the shard without some documents; unknown ids are ignored. Raises ConfigError when none would be left."""
    removed = set(docids)
    kept = np.array([place for place, name in enumerate(shard.model.ids) if name not in removed], np.int64)
    if not len(kept):
        raise ConfigError("A shard cannot lose its last document.", hint="Delete the shard's model instead.")
    trie = Trie(shard.model.trie.codes[kept])
    model = _transfer(shard.model, trie, tuple(shard.model.ids[place] for place in kept))
    moved = np.full(len(shard.model.ids) + 1, FOREIGN)  # the last one maps FOREIGN to itself
    moved[kept] = np.arange(len(kept))
    places = shard.examples.places
    rows = np.flatnonzero((places == FOREIGN) | (moved[places] != FOREIGN))
    return shard._replace(model=model, examples=shard.examples.take(rows, moved[places]))


def add(shard: DsiShard, passages: Passages, questions: Questions, *, seed: int = 1) -> tuple[DsiShard, Examples]:
    """Return the shard with more documents and questions, and examples for `fine_tune`: new ones, and some earlier
    ones.

    Docids of earlier documents do not change. Raises ConfigError for an id that the shard holds already.
    """
    old = shard.model
    known = set(old.ids) & set(passages.ids)
    if known:
        raise ConfigError(f"The shard already holds {sorted(known)[0]!r}.", hint="Remove it first.")
    codes = np.concatenate([old.trie.codes, add_suffixes(shard.books.codes(passages.vectors), old.trie.codes)])
    order = sort_order(codes)
    ids = [*old.ids, *passages.ids]
    model = _transfer(old, Trie(codes[order]), tuple(ids[row] for row in order))
    model = _initialize(model, passages, questions)
    new = encode_examples(filter_plausible(model, questions), model.places)
    moved = np.array([*(model.places[name] for name in old.ids), FOREIGN])
    places = moved[shard.examples.places]
    before = shard.examples.take(np.arange(len(places)), places)
    rng = np.random.default_rng([seed, len(ids)])
    count = min(len(before), max(REPLAYED_MINIMUM, REPLAYED * len(new)))
    replay = rng.choice(len(before), count, replace=False)
    tuning = concatenate([new, before.take(replay, places)])
    return shard._replace(model=model, examples=concatenate([before, new])), tuning


def fine_tune(shard: DsiShard, examples: Examples, settings: Settings = FINE_TUNING) -> DsiShard:
    """Train the shard's model briefly on some examples. Raises MissingExtra without torch."""
    from .training import Trainer

    trainer = Trainer(shard.model, examples, settings)
    for epoch in range(settings.epochs):
        trainer.epoch(epoch)
    return shard._replace(model=trainer.result())


def _transfer(model: Model, trie: Trie, ids: tuple[str, ...]) -> Model:
    """Return the model over another tree: common edges keep their weights, new edges have none."""
    old, lexical = model.trie, model.lexical
    new_edge = {key: edge for edge, key in enumerate(_edge_keys(trie))}
    moved = np.array([new_edge.get(key, -1) for key in _edge_keys(old)], np.int64)
    common = np.flatnonzero(moved >= 0)
    rows = np.zeros((trie.edges + trie.levels, model.dimension), np.float32)
    bias = np.zeros(len(rows), np.float32)
    rows[moved[common]], bias[moved[common]] = model.rows[common], model.bias[common]
    rows[trie.edges :], bias[trie.edges :] = model.rows[old.edges :], model.bias[old.edges :]
    edge = moved[lexical.edges]
    kept = np.flatnonzero(edge >= 0)
    lexical = Lexical.build(
        lexical.terms,
        lexical.entry_features[kept],
        edge[kept],
        lexical.weights[kept],
        lexical.null,
        lexical.unknown,
    )
    return replace(model, ids=ids, trie=trie, rows=rows, bias=bias, lexical=lexical)


def _initialize(model: Model, passages: Passages, questions: Questions) -> Model:
    """Return the model with initial weights for new passages, by the statistics that it still contains."""
    trie, lexical = model.trie, model.lexical
    places = np.array([model.places[name] for name in passages.ids], np.int64)
    rows = model.rows.copy()
    for place, vector in zip(places, passages.vectors, strict=True):
        for edge in trie.paths[place]:
            if not rows[edge].any():
                rows[edge] = SHARPNESS * vector
    at_leaf = lexical.edges >= trie.offsets[-2]
    counts = np.bincount(lexical.entry_features[at_leaf], minlength=len(lexical.terms))
    df = dict(zip(lexical.terms.tolist(), counts.tolist(), strict=True))
    weights = passage_weights(trie, places, passages.texts, df, len(trie))
    for pair in questions.pairs:
        for feature in features(pair.question).tolist() if pair.docid in model.places and not pair.contributor else []:
            for edge in trie.paths[model.places[pair.docid]].tolist():
                weights.setdefault((feature, edge), 0.0)
    return replace(model, rows=rows, lexical=_with_weights(lexical, weights))


def _with_weights(lexical: Lexical, weights: dict[tuple[int, int], float]) -> Lexical:
    """Return the lexical head with further entries; existing entries keep their weights."""
    new_features, new_edges = np.array(list(weights), np.int64).reshape(-1, 2).T
    terms = np.union1d(lexical.terms, new_features.astype(np.uint32))
    at = np.searchsorted(terms, lexical.terms)
    null = np.zeros((len(terms), lexical.null.shape[1]), np.float32)
    null[at] = lexical.null
    feature = np.concatenate([at[lexical.entry_features], np.searchsorted(terms, new_features)])
    edge = np.concatenate([lexical.edges.astype(np.int64), new_edges])
    value = np.concatenate([lexical.weights, np.array(list(weights.values()), np.float32)])
    _, first = np.unique(np.stack([feature, edge], axis=1), axis=0, return_index=True)
    return Lexical.build(terms, feature[first], edge[first], value[first], null, lexical.unknown)


def _edge_keys(trie: Trie) -> list[bytes]:
    """Return the codes on the path to each edge, in order; they identify an edge in every tree."""
    keys = []
    for level in range(trie.levels):
        first = np.flatnonzero(np.append(True, np.diff(trie.paths[:, level]) != 0))
        keys += [row.tobytes() for row in np.ascontiguousarray(trie.codes[first, : level + 1])]
    return keys
