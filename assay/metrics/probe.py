"""A linear probe: multinomial logistic regression on the vectors, predicted out of fold, all folds trained at once.
Where classes do not exclude each other, one binary regression a class.

The vectors are centred, rotated to their principal axes and preconditioned by their variance, so that L-BFGS needs a
few dozen passes; the weights of all folds stand side by side in one matrix, so that a pass is two matrix products.
"""

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import polars as pl
import torch
from scipy.optimize import minimize_scalar

from assay.knn.principal import principal
from assay.metrics.training import ITERATIONS, learn, rows_to_learn_from
from assay.store.evenly import evenly

DIMENSIONS = 256  # principal axes kept
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
N_BEST = 5  # classes that are always worth a look
SMALL = 10  # rows a fold of one label, below which it begins in a fold of its own: so that folds are equally large
SMALL_FIT = 2.5e8  # logits of all folds, up to which a fit is always worth it
NEAR = 8  # passes of a fit that begins near its end; fewer err more: benchmarks/detection/worth.py
LEAST_ROWS = 10  # a class that a larger fit can afford; with fewer, class centroids take its place
DENSE = 2.5e7  # logits that are kept; more are made anew wherever they are read
BLOCK_LOGITS = 1_000_000  # made at a time
TEMPERATURE_ROWS = 100_000  # rows that choose the temperature, where logits are not kept


class Space(NamedTuple):
    """How features are made of vectors (n, d): `vectors @ turn + offset`; float32 (d, r) and (r,), the columns of
    `turn` at right angles."""

    turn: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True)
class Problem:
    """What a probe learns: row `row[j]` has class `label[j]` with weight `share[j]`; a row may have several or none.

    With `mass`, each class is told from the rest on its own (one sigmoid each). `mass` then says which rows are
    labelled, since a labelled row without an entry carries no class.
    """

    features: np.ndarray  # (n, r) float32, from `principal_axes`
    row: np.ndarray
    label: np.ndarray
    share: np.ndarray
    fold: np.ndarray  # (n,) which fold a row is held out in, −1: in none
    n_classes: int
    n_folds: int
    mass: np.ndarray | None = None  # (n,) weight of each row, 0 where unlabelled
    space: Space | None = None  # of the features

    @property
    def known(self) -> np.ndarray:
        """The labelled rows, ascending."""
        return np.flatnonzero(np.bincount(self.row) if self.mass is None else self.mass > 0)


def principal_axes(vectors: np.ndarray, dimensions: int = DIMENSIONS, sample: int = 10_000) -> np.ndarray:
    """(n, r) float32: centred vectors in their first principal axes, scaled so that rows have mean squared norm 1."""
    return in_space(vectors, principal_space(vectors, dimensions, sample))


def in_space(vectors: np.ndarray, space: Space) -> np.ndarray:
    """(n, r) float32: the features of vectors (n, d)."""
    turn, offset = torch.from_numpy(space.turn), torch.from_numpy(space.offset)
    return torch.addmm(offset, torch.from_numpy(vectors), turn).numpy()


def principal_space(vectors: np.ndarray, dimensions: int = DIMENSIONS, sample: int = 10_000) -> Space:
    """The space of `principal_axes`; one that is always zero where nothing varies."""
    n, d = vectors.shape
    step = max(1, n // sample)
    found = principal(vectors[::step])
    kept = found.variance[:dimensions] > 1e-7 * max(found.variance[0] if n else 0.0, 1e-30)
    if not kept.any():
        return Space(np.zeros((d, 1), dtype=np.float32), np.zeros(1, dtype=np.float32))
    variance = found.variance[:dimensions][kept]
    axes = found.axes[:, :dimensions][:, kept] / np.sqrt(variance.sum())
    return Space(axes.astype(np.float32), -(found.mean @ axes).astype(np.float32))


def stratified_folds(labels: np.ndarray, n_folds: int, seed: int, contents: pl.Series | None = None) -> np.ndarray:
    """(n,) fold of each row: every label spread evenly over the folds, the same for the same seed.

    Within a label, the fold of a row follows from the hash of its content: the hash's range is cut into `n_folds`
    stretches, so adding rows leaves nearly all others in their folds. Without `contents` (n,), row numbers are hashed.
    """
    named = pl.Series(range(len(labels)), dtype=pl.Int64) if contents is None else contents
    key = np.fromiter((_hashed(f"{seed}:{name}") for name in named), dtype=np.uint64, count=len(labels))
    order = np.lexsort((key, labels))
    label = labels[order]
    first = np.flatnonzero(np.r_[True, label[1:] != label[:-1]][: len(label)])
    size = np.diff(np.r_[first, len(label)])
    rank = np.arange(len(label)) - np.repeat(first, size)
    turn = [
        _hashed(f"{seed}/{code}") % n_folds if n < SMALL * n_folds else 0
        for code, n in zip(label[first], size, strict=True)
    ]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[order] = (rank * n_folds // np.repeat(size, size) + np.repeat(np.array(turn, dtype=np.int64), size)) % n_folds
    return fold


def _hashed(text: str) -> int:
    """64 bits of a text, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def fits(n: int, n_classes: int, n_folds: int, dimensions: int) -> bool:
    """Whether a probe can learn from enough of `n` rows to be worth it."""
    rows = rows_to_learn_from(n, n_classes, n_folds, dimensions)
    return n * n_classes * n_folds <= SMALL_FIT or rows >= LEAST_ROWS * n_classes


class Learner(Protocol):
    """What finds weights, as `train` does."""

    def __call__(self, problem: Problem, penalty: float | None, near: torch.Tensor | None = None, /) -> torch.Tensor:
        """`train(problem, penalty, near)`."""


class Logits:
    """float32 (n, n_classes), of each row from the probe that did not see its fold; 0 where it is held out in none.

    `logits[rows]` gives some rows, `at` some places, `best` the likeliest classes. Up to DENSE of them are kept.
    """

    def __init__(self, problem: Problem, weights: torch.Tensor) -> None:
        self._problem, self._weights, self._kept = problem, weights, None
        self.shape = (len(problem.features), problem.n_classes)
        if self.shape[0] * self.shape[1] <= DENSE:
            self._kept = self._made(np.arange(self.shape[0]))

    def _made(self, rows: np.ndarray) -> np.ndarray:
        logits = torch.zeros((len(rows), self.shape[1]), dtype=torch.float32)
        fold = self._problem.fold[rows]
        for number in range(self._problem.n_folds):
            held = np.nonzero(fold == number)[0]
            features = torch.from_numpy(self._problem.features[rows[held]])
            logits[torch.from_numpy(held)] = features @ self._weights[:-1, number] + self._weights[-1, number]
        return logits.numpy()

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return self._made(rows) if self._kept is None else self._kept[rows]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[np.arange(self.shape[0])], dtype)

    def _blocks(self, rows: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Places in `rows` with their logits, some at a time."""
        step = max(1, BLOCK_LOGITS // max(self.shape[1], 1))
        for start in range(0, len(rows), step):
            yield slice(start, start + step), self[rows[start : start + step]]

    def at(self, row: np.ndarray, label: np.ndarray) -> np.ndarray:
        """float32 (p,) the logits of some rows and classes, each row made once."""
        out = np.empty(len(row), dtype=np.float32)
        rows, place = np.unique(row, return_inverse=True)
        order = np.argsort(place, kind="stable")
        for part, logits in self._blocks(rows):
            first, last = np.searchsorted(place[order], [part.start, part.stop])
            mine = order[first:last]
            out[mine] = logits[place[mine] - part.start, label[mine]]
        return out

    def best(self) -> np.ndarray:
        """(n, a few) the classes that the probe thinks likeliest, in no order."""
        found = [best_classes(logits) for _, logits in self._blocks(np.arange(self.shape[0]))]
        return np.concatenate([np.zeros((0, min(N_BEST, self.shape[1])), dtype=np.int64), *found])

    def temperature(self) -> float:
        """`fit_temperature`, by some of the rows where they are many."""
        if self._kept is not None:
            return fit_temperature(self._kept, self._problem)
        labeled = self._problem.known
        some = labeled[evenly(len(labeled), TEMPERATURE_ROWS)]
        return fit_temperature(self[some], subset(self._problem, some))


def predict(problem: Problem, penalty: float | None = None, learner: Learner | None = None) -> Logits:
    """The logits of each row from the probe that did not see its fold; `learner` takes the place of `train`.

    Rows without a label are never trained on, but they too are predicted.
    """
    return Logits(problem, (learner or train)(problem, penalty, None))


def out_of_fold(problem: Problem, penalty: float | None = None, iterations: int = ITERATIONS) -> np.ndarray:
    """`predict` as one array."""
    weights = learn(problem, choose_penalty(problem) if penalty is None else penalty, iterations)
    return np.asarray(Logits(problem, weights))


def train(problem: Problem, penalty: float | None = None, near: torch.Tensor | None = None) -> torch.Tensor:
    """Weights (r + 1, n_folds, n_classes), the last row being the bias; fold f is trained on all rows outside fold f.

    Minimises Σ cross entropy + penalty/2 · ‖W‖², each fold by itself; see `training.py`. Without a penalty,
    `choose_penalty` chooses it. `near` are weights, of the same shape, of a problem with a few other labels: the fit
    begins there and takes NEAR passes.
    """
    penalty = choose_penalty(problem) if penalty is None else penalty
    return learn(problem, penalty) if near is None else learn(problem, penalty, NEAR, near.numpy())


def best_classes(logits: np.ndarray) -> np.ndarray:
    """(n, a few) the classes that the probe thinks likeliest, in no order."""
    count = min(N_BEST, logits.shape[1])
    return np.argpartition(-logits, count - 1, axis=1)[:, :count].copy()


def choose_penalty(problem: Problem, grid: tuple[float, ...] = PENALTIES, rows: int = 4_000) -> float:
    """The penalty of `grid` (ascending) with the least tempered cross entropy out of fold, in two folds of at
    most `rows` rows."""
    labeled = problem.known
    small = subset(problem, labeled[:: max(1, -(-len(labeled) // rows))])
    small = replace(small, fold=small.fold % 2, n_folds=2)

    @functools.cache
    def loss(place: int) -> float:
        logits = out_of_fold(small, grid[place], ITERATIONS // 2)
        return cross_entropy(logits, small, fit_temperature(logits, small))

    best = len(grid) // 2
    for step in (-1, 1):  # the loss has one valley
        while 0 <= best + step < len(grid) and loss(best + step) < loss(best):
            best += step
    return grid[best]


def subset(problem: Problem, rows: np.ndarray) -> Problem:
    """The problem of some rows, ascending."""
    kept = np.zeros(len(problem.features), dtype=bool)
    kept[rows] = True
    chosen = kept[problem.row]
    return replace(
        problem,
        features=problem.features[rows],
        row=(np.cumsum(kept) - 1)[problem.row[chosen]],
        label=problem.label[chosen],
        share=problem.share[chosen],
        fold=problem.fold[rows],
        mass=None if problem.mass is None else problem.mass[rows],
    )


def cross_entropy(logits: np.ndarray, problem: Problem, temperature: float = 1.0) -> float:
    """Mean −log p(label) over the labelled entries; of each class by itself, over the labelled rows."""
    if problem.mass is not None:
        return _binary_cross_entropy(logits, problem, temperature)
    rows = torch.from_numpy(logits[problem.row])
    label = torch.from_numpy(problem.label.astype(np.int64))
    share = torch.from_numpy(problem.share.astype(np.float32))
    loss = torch.nn.functional.cross_entropy(rows / temperature, label, reduction="none")
    return float((loss * share).sum() / share.sum())


def _binary_cross_entropy(logits: np.ndarray, problem: Problem, temperature: float) -> float:
    mass = torch.from_numpy(problem.mass).float()
    scaled = torch.from_numpy(logits) / temperature
    loss = (torch.nn.functional.softplus(scaled) * mass[:, None]).sum(dtype=torch.float64)
    own = scaled[problem.row, problem.label] * torch.from_numpy(problem.share.astype(np.float32))
    return float((loss - own.sum(dtype=torch.float64)) / mass.sum())


def fit_temperature(logits: np.ndarray, problem: Problem) -> float:
    """The temperature that minimises the out-of-fold cross entropy (Guo et al. 2017), between 0.2 and 8."""

    def loss(power: float) -> float:
        return cross_entropy(logits, problem, np.exp(power))

    found = minimize_scalar(loss, bounds=(np.log(0.2), np.log(8.0)), method="bounded", options={"xatol": 1e-3})
    return float(np.exp(found.x))
