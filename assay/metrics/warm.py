"""Fits that go on from the night before: a probe's weights are kept as facts, in the space of the vectors.

A fit from nothing chooses its penalty and takes up to `training.ITERATIONS` passes over the rows. One that goes on
keeps the penalty and takes a fraction of the passes towards the same point, that of the least loss; where labels or
vectors are so much others that this is far away, the fit begins with nothing. Where tonight's rows, labels and folds
are those of the fit that is kept, its result is tonight's, so a night that is done again finds the same weights.
"""

import functools
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xxhash

from assay.metrics.probe import Learner, Logits, Problem, Space, choose_penalty, cross_entropy, subset, train
from assay.metrics.training import learn
from assay.store.arrays import Head, KeptArrays
from assay.store.evenly import evenly
from assay.store.files import hash_text

VERSION = 1  # of what a fit finds: weights of another one are not gone on from
PASSES = 4  # of a fit that goes on
MOST_CHANGED = 0.2  # share of the rows that are more, or fewer, than at the last fit from nothing; beyond, it is due
MOST_FORGOTTEN = 0.2  # share of what a fit had learned that tonight's labels and vectors make worthless; likewise
SEEN_ROWS = 4_000  # that are looked at for this
MOST_BYTES = 256 * 2**20  # of weights that are kept


@dataclass(frozen=True)
class Memory:
    """Where the weights of a dataset's fits are kept, each under the name of its column or trial; and of those that are
    asked for tonight, how often they went on since they began with nothing."""

    folder: Path
    embedder: str
    nights: dict[str, int] = field(default_factory=dict)

    def learner(self, name: str, classes: Sequence[str]) -> Learner:
        """What takes the place of `probe.train` for that fit; `classes` are the names of the problem's."""
        self.nights[name] = 0
        return functools.partial(self._learn, name, classes)

    def history(self, name: str) -> str:
        """How often tonight's fit went on, in words behind others; "" where it began with nothing, or was not made."""
        nights = self.nights.get(name, 0)
        return f"; from the weights of the night before, {nights} since the fit from nothing" if nights else ""

    def forget_others(self) -> None:
        """Remove the weights of fits that nobody asked for tonight, as of a column that is no more."""
        for path in set(self.folder.glob("*")) - set(map(self._folder, self.nights)):
            shutil.rmtree(path, ignore_errors=True)

    def _folder(self, name: str) -> Path:
        return self.folder / hash_text(name)[:16]

    def _learn(
        self,
        name: str,
        classes: Sequence[str],
        problem: Problem,
        penalty: float | None,
        near: torch.Tensor | None = None,
    ) -> torch.Tensor:
        if problem.space is None:
            return train(problem, penalty, near)
        store, n = KeptArrays(self._folder(name)), len(problem.known)
        kind = {"version": VERSION, "embedder": self.embedder, "dimensions": len(problem.space.turn)}
        kind |= {"folds": problem.n_folds, "asked": "the best" if penalty is None else penalty}
        digest, head, kept = digest_of(problem, classes, penalty), store.head(), None
        if head and all(head.about.get(key) == value for key, value in kind.items()):
            kept = next(iter(store.load(head) or []), None)
        if head and kept and head.about["of"] == digest:
            self.nights[name] = head.about["nights"]
            return torch.from_numpy(kept["result"])
        if head and kept and (start := start_of(problem, classes, head.about, kept)) is not None:
            penalty, n, nights = head.about["penalty"], head.about["rows"], head.about["nights"] + 1
            weights = learn(problem, penalty, PASSES, start)
        else:  # from nothing, or from a fit much like it
            penalty, nights = choose_penalty(problem) if penalty is None else penalty, 0
            weights = train(problem, penalty, near)
        self.nights[name] = nights
        about = {**kind, "of": digest, "penalty": penalty, "rows": n, "nights": nights}
        about["loss"] = loss_of(problem, weights)
        self._keep(store, about, classes, problem.space, weights)
        return weights

    def _keep(
        self, store: KeptArrays, about: Mapping[str, Any], classes: Sequence[str], space: Space, weights: torch.Tensor
    ) -> None:
        result = weights.numpy()
        if 2 * result.nbytes <= MOST_BYTES:
            names = np.array(list(classes), dtype=np.str_)
            arrays = {"weights": turned(result, space), "classes": names, "result": result}
            store.write(Head(about), "base", arrays)


def start_of(
    problem: Problem, classes: Sequence[str], about: Mapping[str, Any], kept: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """(r + 1, folds, classes) weights to go on from; None where too much has changed."""
    if problem.space is None or abs(len(problem.known) - about["rows"]) > MOST_CHANGED * about["rows"]:
        return None
    start = turned_back(placed(kept, classes), problem.space)
    now, nothing = (loss_of(problem, torch.from_numpy(weights).float()) for weights in (start, np.zeros_like(start)))
    return start if now - about["loss"] <= MOST_FORGOTTEN * (nothing - about["loss"]) else None


def loss_of(problem: Problem, weights: torch.Tensor) -> float:
    """Mean cross entropy of weights (r + 1, folds, classes) on some rows, each in a fold that learns from it."""
    known = problem.known
    some = subset(problem, known[evenly(len(known), SEEN_ROWS)])
    some = replace(some, fold=(some.fold + 1) % problem.n_folds)
    return cross_entropy(np.asarray(Logits(some, weights)), some)


def digest_of(problem: Problem, classes: Sequence[str], penalty: float | None) -> str:
    """Of everything that a fit's result hangs on, besides where it begins."""
    found = xxhash.xxh3_128("\0".join([*classes, str(penalty), str(problem.n_folds)]).encode())
    for part in (problem.features, problem.row, problem.label, problem.share, problem.fold, problem.mass):
        found.update(np.ascontiguousarray(part).data if part is not None else b"")
    return found.hexdigest()


def turned(weights: np.ndarray, space: Space) -> np.ndarray:
    """float32 (d + 1, folds, classes): weights of features (r + 1, folds, classes) as weights of vectors."""
    flat = weights.reshape(len(weights), -1).astype(np.float64)
    own = np.concatenate([space.turn @ flat[:-1], flat[-1:] + space.offset @ flat[:-1]])
    return own.reshape(-1, *weights.shape[1:]).astype(np.float32)


def turned_back(weights: np.ndarray, space: Space) -> np.ndarray:
    """The reverse of `turned`, as near as the features come to the vectors."""
    flat = weights.reshape(len(weights), -1).astype(np.float64)
    length = np.maximum((space.turn.astype(np.float64) ** 2).sum(axis=0), 1e-30)
    own = (space.turn.T @ flat[:-1]) / length[:, None]
    own = np.concatenate([own, flat[-1:] - space.offset @ own])
    return own.reshape(-1, *weights.shape[1:])


def placed(kept: Mapping[str, np.ndarray], classes: Sequence[str]) -> np.ndarray:
    """The kept weights in the order of tonight's classes; those of a class that is new begin with nothing."""
    before = {str(name): number for number, name in enumerate(kept["classes"])}
    out = np.zeros((*kept["weights"].shape[:2], len(classes)), dtype=np.float32)
    known = [number for number, name in enumerate(classes) if name in before]
    out[:, :, known] = kept["weights"][:, :, [before[classes[number]] for number in known]]
    return out
