"""Gradient training in torch: cross entropy of each step of each docid, with null as the target of wrong branches.

Every pair trains the steps of its docid. Every question, also a foreign one, trains one probable but wrong branch,
whose target is null. The probability masses of two branches or shards thus become comparable. In plain hierarchical
softmax each branch distributes all of its mass, so they are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import CodecError, MissingExtra
from .docids import Rows
from .examples import FOREIGN, Examples, Settings
from .model import Model

try:
    import torch
    from torch.nn.functional import cross_entropy
except ImportError as error:
    raise MissingExtra("torch", "dsi") from error

HIDDEN = ("down", "shift", "up")
ANCHORED = ("rows", "weights")  # pulled to their initial values from dense retrieval and BM25
PADDING = -1e9  # logit of the padding of short softmaxes


class Batch(NamedTuple):
    """Input of one training step. Features are flat; ``owner`` and ``entry_owner`` hold the example of each."""

    vectors: torch.Tensor
    weights: torch.Tensor
    paths: Rows  # (examples, levels), -1 for foreign questions
    features: Rows
    owner: Rows
    unknown: torch.Tensor
    entries: Rows
    entry_owner: Rows
    entry_edge: Rows


class Trainer:
    """Model in training. The same number gives the same `epoch`, so a restored training is reproducible."""

    def __init__(self, model: Model, examples: Examples, settings: Settings) -> None:
        self.model, self.examples, self.settings = model, examples, settings
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.parameters = {
            name: torch.tensor(array, device=self.device, requires_grad=True)
            for name, array in parameters_of(model).items()
        }
        self._anchors = {name: self.parameters[name].detach().clone() for name in ANCHORED}
        self.optimizer = torch.optim.Adam(
            [{"params": [parameter], "lr": self._rate(name)} for name, parameter in self.parameters.items()], fused=True
        )
        self._features = [model.lexical.find(hashes) for hashes in examples.features]
        known = np.array([len(found) for found in self._features], np.float32)
        self._unknown = np.array([len(hashes) for hashes in examples.features], np.float32) - known

    def epoch(self, number: int) -> float:
        """Train on all examples once; return the mean loss."""
        rng = np.random.default_rng([self.settings.seed, number])
        order = rng.permutation(len(self.examples.places))
        total = 0.0
        for first in range(0, len(order), self.settings.batch):
            chosen = order[first : first + self.settings.batch]
            loss = self._loss(self._batch(chosen, rng), rng)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            with torch.no_grad():
                for name, anchor in self._anchors.items():
                    self.parameters[name].lerp_(anchor, self.settings.decay)
            total += float(loss.detach()) * len(chosen)
        return total / max(len(order), 1)

    def result(self) -> Model:
        """Return the model with the current weights."""
        found: dict[str, Any] = {name: each.detach().cpu().numpy().copy() for name, each in self.parameters.items()}
        lexical = replace(self.model.lexical, **{name: found.pop(name) for name in ("weights", "null", "unknown")})
        return replace(self.model, lexical=lexical, **found)

    def state(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the state for `restore`: parameters, and Adam's moments."""
        arrays = {}
        for name, parameter in self.parameters.items():
            arrays[name] = parameter.detach().cpu().numpy()
            for moment, value in self.optimizer.state[parameter].items():
                arrays[f"{name}.{moment}"] = value.cpu().numpy()
        return arrays

    def restore(self, arrays: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """Continue from a `state`. Raises CodecError when it is of another model."""
        try:
            with torch.no_grad():
                for name, parameter in self.parameters.items():
                    parameter.copy_(torch.from_numpy(arrays[name]))
                    state = self.optimizer.state[parameter]
                    state["step"] = torch.tensor(float(arrays[f"{name}.step"].item()), device=self.device)
                    for moment in ("exp_avg", "exp_avg_sq"):
                        state[moment] = torch.from_numpy(arrays[f"{name}.{moment}"].copy()).to(self.device)
        except (KeyError, ValueError, RuntimeError) as error:
            raise CodecError(f"The checkpoint is of another model: {error}.", hint="Delete the checkpoint.") from error

    def _rate(self, name: str) -> float:
        settings = self.settings
        if name in HIDDEN:
            return settings.encoder_rate
        return settings.dense_rate if name in ("rows", "bias") else settings.lexical_rate

    def _on(self, array: npt.NDArray[np.generic]) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)

    def _batch(self, chosen: Rows, rng: np.random.Generator) -> Batch:
        """Return the examples, with noise on their vectors and dropout of their features."""
        examples, lexical, settings = self.examples, self.model.lexical, self.settings
        paths = np.full((len(chosen), self.model.trie.levels), -1)
        own = examples.places[chosen] != FOREIGN
        paths[own] = self.model.trie.paths[examples.places[chosen][own]]
        vectors = examples.vectors[chosen].astype(np.float32)
        vectors += settings.noise * rng.standard_normal(vectors.shape, dtype=np.float32)
        found = [self._features[example] for example in chosen]
        owner = np.repeat(np.arange(len(chosen)), [len(features) for features in found])
        kept = rng.random(len(owner)) >= settings.dropout
        features, owner = np.concatenate(found)[kept], owner[kept]
        entries = lexical.entries(features)
        return Batch(
            vectors=self._on(vectors),
            weights=self._on(examples.weights[chosen]),
            paths=paths,
            features=features,
            owner=owner,
            unknown=self._on(self._unknown[chosen] * np.float32(1 - settings.dropout)),
            entries=entries,
            entry_owner=np.repeat(owner, lexical.starts[features + 1] - lexical.starts[features]),
            entry_edge=lexical.edges[entries].astype(np.int64),
        )

    def _loss(self, batch: Batch, rng: np.random.Generator) -> torch.Tensor:
        trie = self.model.trie
        hidden, nulls = self._hidden(batch.vectors), self._null_lexical(batch)
        nulls = nulls + hidden @ self.parameters["rows"][trie.edges :].T + self.parameters["bias"][trie.edges :]
        examples = np.arange(len(batch.paths))
        logits = self._logits(batch, hidden, examples, np.full(len(examples), -1))
        loss = (self._step(logits, nulls[:, :1], batch.paths[:, 0]) * batch.weights).sum()
        wrong = self._sample_wrong(logits, batch.paths[:, 0], rng)
        own = np.flatnonzero(batch.paths[:, 0] >= 0)
        for level in range(1, trie.levels):
            strays = np.flatnonzero(wrong >= 0)
            examples = np.concatenate([own, strays])
            prefixes = np.concatenate([batch.paths[own, level - 1], wrong[strays]])
            logits = self._logits(batch, hidden, examples, prefixes)
            first = trie.bounds[prefixes + 1, 0]
            targets = np.concatenate([batch.paths[own, level] - first[: len(own)], np.full(len(strays), -1)])
            steps = self._step(logits, nulls[self._on(examples), level : level + 1], targets)
            loss = loss + (steps * batch.weights[self._on(examples)]).sum()
            deeper = self._sample_wrong(logits[len(own) :], np.full(len(strays), -1), rng)
            wrong[strays] = first[len(own) :] + deeper
        return loss / batch.weights.sum()

    def _hidden(self, vectors: torch.Tensor) -> torch.Tensor:
        found = self.parameters
        return vectors + torch.relu(vectors @ found["down"].T + found["shift"]) @ found["up"].T

    def _null_lexical(self, batch: Batch) -> torch.Tensor:
        null = self.parameters["null"]
        sums = torch.zeros(len(batch.paths), null.shape[1], device=self.device)
        sums = sums.index_add(0, self._on(batch.owner), null[self._on(batch.features)])
        return sums + batch.unknown[:, None] * self.parameters["unknown"]

    def _logits(self, batch: Batch, hidden: torch.Tensor, examples: Rows, prefixes: Rows) -> torch.Tensor:
        """Return ``(len(examples), children)``: logits of the codes after one prefix each, padded with `PADDING`."""
        bounds = self.model.trie.bounds[prefixes + 1]
        width = int((bounds[:, 1] - bounds[:, 0]).max(initial=1))
        lexical = self._entries(batch, examples, bounds, width)
        rows, bias = self.parameters["rows"], self.parameters["bias"]
        if (prefixes == -1).all():
            return hidden @ rows[:width].T + bias[:width] + lexical
        edges = np.minimum(bounds[:, :1] + np.arange(width), self.model.trie.edges - 1)
        at = self._on(edges)
        dense = torch.einsum("ncd,nd->nc", rows[at], hidden[self._on(examples)]) + bias[at]
        beyond = self._on(np.arange(width) >= (bounds[:, 1] - bounds[:, 0])[:, None])
        return (dense + lexical).masked_fill(beyond, PADDING)

    def _entries(self, batch: Batch, examples: Rows, bounds: Rows, width: int) -> torch.Tensor:
        """Return ``(len(examples), width)``: lexical logits. An example has a row for its path and one astray."""
        sums = torch.zeros(len(examples) * width, device=self.device)
        once = np.unique(examples, return_index=True)[1]
        for rows in (once, np.setdiff1d(np.arange(len(examples)), once)):
            slots = np.full(len(batch.paths), -1)
            slots[examples[rows]] = rows
            slot = slots[batch.entry_owner]
            inside = (slot >= 0) & (batch.entry_edge >= bounds[slot, 0]) & (batch.entry_edge < bounds[slot, 1])
            index = slot[inside] * width + batch.entry_edge[inside] - bounds[slot[inside], 0]
            sums = sums.index_add(0, self._on(index), self.parameters["weights"][self._on(batch.entries[inside])])
        return sums.view(len(examples), width)

    def _step(self, logits: torch.Tensor, null: torch.Tensor, targets: Rows) -> torch.Tensor:
        classes = np.where(targets >= 0, targets, logits.shape[1])
        return cross_entropy(torch.cat([logits, null], 1), self._on(classes), reduction="none")

    def _sample_wrong(self, logits: torch.Tensor, targets: Rows, rng: np.random.Generator) -> Rows:
        """Sample a wrong child for each example by the model's probabilities; -1 where there is none."""
        scores = logits.detach().cpu().numpy() + rng.gumbel(size=tuple(logits.shape))
        known = np.flatnonzero(targets >= 0)
        scores[known, targets[known]] = PADDING
        best = scores.argmax(axis=1)
        return np.where(np.take_along_axis(scores, best[:, None], 1)[:, 0] > PADDING / 2, best, -1)


def parameters_of(model: Model) -> dict[str, npt.NDArray[np.float32]]:
    """Return the trained arrays by name."""
    own = {name: getattr(model, name) for name in ("rows", "bias", *HIDDEN)}
    return own | {name: getattr(model.lexical, name) for name in ("weights", "null", "unknown")}
