"""Add and remove documents without training from nothing.

New documents get docids in the tree that is there, and their vectors and words as their first weights; a short training
on their questions, mixed with old ones, settles them. Removed documents leave the tree, so no search can find them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..errors import ConfigError
from .corpus import Passages, Questions, encode_examples
from .docids import Rows, Trie, add_suffixes, sort_order
from .examples import FOREIGN, Examples, Settings, concatenate
from .features import Hashes, features
from .model import Floats, Lexical, Model
from .sharding import DsiShard, filter_plausible
from .warm_start import SHARPNESS, passage_weights

REPLAYED = 4  # old examples for each new one in the short training: enough to forget nothing
REPLAYED_MINIMUM = 256
FINE_TUNING = Settings(epochs=3)


def remove(start: DsiShard, docids: Iterable[str]) -> DsiShard:
    """The shard without some documents; ids it does not hold are fine. Raises ConfigError when none would be left."""
    gone = set(docids)
    kept = np.array([place for place, name in enumerate(start.model.ids) if name not in gone], np.int64)
    if not len(kept):
        raise ConfigError("a shard cannot lose its last document.", hint="Drop the shard's model instead.")
    trie = Trie(start.model.trie.codes[kept])
    model = _carried(start.model, trie, tuple(start.model.ids[place] for place in kept))
    moved = np.full(len(start.model.ids) + 1, FOREIGN)  # the last is what FOREIGN stays
    moved[kept] = np.arange(len(kept))
    examples = start.examples
    about = (examples.places == FOREIGN) | (moved[examples.places] != FOREIGN)
    return start._replace(model=model, examples=_some(examples, np.flatnonzero(about), moved))


def add(start: DsiShard, passages: Passages, questions: Questions, *, seed: int = 1) -> tuple[DsiShard, Examples]:
    """The shard with more documents and questions, and what to fine-tune it on: the new pairs and a replay of old ones.

    Docids of old documents do not change. Raises ConfigError for an id that the shard holds already.
    """
    known = set(start.model.ids) & set(passages.ids)
    if known:
        raise ConfigError(f"the shard holds {sorted(known)[0]!r} already.", hint="Remove it first.")
    old = start.model
    codes = add_suffixes(start.books.codes(passages.vectors), old.trie.codes)
    everything = np.concatenate([old.trie.codes, codes])
    order = sort_order(everything)
    ids = [*old.ids, *passages.ids]
    trie = Trie(everything[order])
    model = _carried(old, trie, tuple(ids[row] for row in order))
    model = _begun(model, passages, questions)
    new = encode_examples(filter_plausible(model, questions), model.places)
    moved = np.array([*(model.places[name] for name in old.ids), FOREIGN])
    before = _some(start.examples, np.arange(len(start.examples)), moved)
    rng = np.random.default_rng([seed, len(ids)])
    count = min(len(before), max(REPLAYED_MINIMUM, REPLAYED * len(new)))
    replay = rng.choice(len(before), count, replace=False)
    tuned = concatenate([new, _some(before, replay)])
    return start._replace(model=model, examples=concatenate([before, new])), tuned


def fine_tune(start: DsiShard, examples: Examples, settings: Settings = FINE_TUNING) -> DsiShard:
    """A short training on some examples. Raises MissingExtra without torch."""
    from .training import Trainer

    trainer = Trainer(start.model, examples, settings)
    for epoch in range(settings.epochs):
        trainer.epoch(epoch)
    return start._replace(model=trainer.result())


def _some(examples: Examples, rows: Rows, moved: Rows | None = None) -> Examples:
    """Some examples; their documents are now where ``moved`` says, whose last entry is `FOREIGN`."""
    places = examples.places[rows]
    return Examples(
        examples.vectors[rows],
        [examples.features[row] for row in rows],
        places if moved is None else moved[places],
        examples.weights[rows],
    )


def _carried(model: Model, trie: Trie, ids: tuple[str, ...]) -> Model:
    """The model over another tree: edges that both have keep their weights, others have none."""
    old, lexical = model.trie, model.lexical
    new_edge = {key: edge for edge, key in enumerate(_keys(trie))}
    moved = np.array([new_edge.get(key, -1) for key in _keys(old)], np.int64)
    stays = np.flatnonzero(moved >= 0)
    rows = np.zeros((trie.edges + trie.levels, model.dimension), np.float32)
    bias = np.zeros(len(rows), np.float32)
    rows[moved[stays]], bias[moved[stays]] = model.rows[stays], model.bias[stays]
    rows[trie.edges :], bias[trie.edges :] = model.rows[old.edges :], model.bias[old.edges :]
    term = np.repeat(np.arange(len(lexical.terms)), np.diff(lexical.starts))
    edge = moved[lexical.edges]
    kept = np.flatnonzero(edge >= 0)
    lexical = _assembled(lexical, lexical.terms, term[kept], edge[kept], lexical.weights[kept], lexical.null)
    return replace(model, ids=ids, trie=trie, rows=rows, bias=bias, lexical=lexical)


def _begun(model: Model, passages: Passages, questions: Questions) -> Model:
    """First weights for new passages, by the statistics that the model still shows."""
    trie, lexical = model.trie, model.lexical
    places = np.array([model.places[name] for name in passages.ids], np.int64)
    rows = model.rows.copy()
    for place, vector in zip(places, passages.vectors, strict=True):
        for edge in trie.paths[place]:
            if not rows[edge].any():
                rows[edge] = SHARPNESS * vector
    at_leaf = lexical.edges >= trie.offsets[-2]
    term = np.repeat(np.arange(len(lexical.terms)), np.diff(lexical.starts))
    df = Counter(
        dict(
            zip(lexical.terms.tolist(), np.bincount(term[at_leaf], minlength=len(lexical.terms)).tolist(), strict=True)
        )
    )
    weights = passage_weights(trie, places, passages.texts, df, len(trie))
    for pair in questions.pairs:
        for feature in features(pair.question).tolist() if pair.docid in model.places and not pair.contributor else []:
            for edge in trie.paths[model.places[pair.docid]].tolist():
                weights.setdefault((feature, edge), 0.0)
    return replace(model, rows=rows, lexical=_with_weights(lexical, weights))


def _with_weights(lexical: Lexical, weights: dict[tuple[int, int], float]) -> Lexical:
    """The lexical head with further entries; where it has one already, that stays."""
    keys = np.array(list(weights), np.int64).reshape(-1, 2)
    terms = np.union1d(lexical.terms, keys[:, 0].astype(np.uint32))
    at = np.searchsorted(terms, lexical.terms)
    null = np.zeros((len(terms), lexical.null.shape[1]), np.float32)
    null[at] = lexical.null
    old = np.repeat(at, np.diff(lexical.starts))
    term = np.concatenate([old, np.searchsorted(terms, keys[:, 0])])
    edge = np.concatenate([lexical.edges.astype(np.int64), keys[:, 1]])
    value = np.concatenate([lexical.weights, np.array(list(weights.values()), np.float32)])
    _, first = np.unique(np.stack([term, edge], axis=1), axis=0, return_index=True)
    return _assembled(lexical, terms, term[first], edge[first], value[first], null)


def _assembled(lexical: Lexical, terms: Hashes, term: Rows, edge: Rows, value: Floats, null: Floats) -> Lexical:
    order = np.lexsort((edge, term))
    starts = np.searchsorted(term[order], np.arange(len(terms) + 1)).astype(np.int64)
    return replace(
        lexical, terms=terms, starts=starts, edges=edge[order].astype(np.int32), weights=value[order], null=null
    )


def _keys(trie: Trie) -> list[bytes]:
    """Each edge by the codes that lead to it, in order: what stays the same when the tree around it changes."""
    keys = []
    for level in range(trie.levels):
        first = np.flatnonzero(np.append(True, np.diff(trie.paths[:, level]) != 0))
        keys += [row.tobytes() for row in np.ascontiguousarray(trie.codes[first, : level + 1])]
    return keys
