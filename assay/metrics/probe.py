"""A linear probe: multinomial logistic regression on the vectors, out of fold, every fold trained at once. For classes
that do not exclude each other, as many binary ones side by side.

The vectors are centred, rotated to their principal axes and preconditioned by their variance, so that L-BFGS needs a
few dozen passes; the weights of all folds stand side by side in one matrix, so that a pass is two matrix products.
"""

import functools
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from scipy.optimize import minimize, minimize_scalar

DIMENSIONS = 256  # principal axes kept
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
N_BEST = 5  # classes that are always worth a look
ITERATIONS = 30
SMALL = 10  # rows a fold of one label, below which it begins in a fold of its own: so that folds are equally large
WORK_LIMIT = 6e12  # multiply-adds of one fit; a larger one falls back to class centroids


@dataclass(frozen=True)
class Problem:
    """What a probe learns: row `row[j]` has class `label[j]` with weight `share[j]`; rows may have several or none.

    With `mass`, each class is told from the rest by itself (a sigmoid each): `mass` says which rows are labelled, for
    one without an entry carries no class.
    """

    features: np.ndarray  # (n, r) float32, from `principal_axes`
    row: np.ndarray
    label: np.ndarray
    share: np.ndarray
    fold: np.ndarray  # (n,) which fold a row is held out in, −1: in none
    n_classes: int
    n_folds: int
    mass: np.ndarray | None = None  # (n,) weight of each row, 0 where unlabelled

    @property
    def known(self) -> np.ndarray:
        """The labelled rows, ascending."""
        return np.unique(self.row) if self.mass is None else np.nonzero(self.mass > 0)[0]


def principal_axes(vectors: np.ndarray, dimensions: int = DIMENSIONS, sample: int = 10_000) -> np.ndarray:
    """(n, r) float32: centred vectors in their first principal axes, scaled so that rows have mean squared norm 1."""
    n, d = vectors.shape
    step = max(1, n // sample)
    some = torch.from_numpy(vectors[::step])
    mean = some.mean(dim=0)
    centered = some - mean
    values, axes = covariance_axes(centered)
    order = torch.argsort(values, descending=True)[: min(dimensions, d)]
    order = order[values[order] > 1e-7 * values.max().clamp_min(1e-30)]
    if not len(order):
        return np.zeros((n, 1), dtype=np.float32)
    axes = (axes[:, order] / values[order].sum().sqrt()).float()
    return torch.addmm(-(mean @ axes), torch.from_numpy(vectors), axes).numpy()


def covariance_axes(centered: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues (r,), ascending, and eigenvectors (d, r) of the covariance of centred rows (n, d). Where there are
    fewer rows than dimensions, in float64 by way of the rows' products: d × d takes minutes from 10,000 on."""
    n, d = centered.shape
    if n >= d:
        return torch.linalg.eigh((centered.T @ centered) / n)
    wide = centered.double()
    values, left = torch.linalg.eigh(wide @ wide.T / max(n, 1))
    return values, wide.T @ left / (n * values).clamp_min(1e-300).sqrt()


def stratified_folds(labels: np.ndarray, n_folds: int, seed: int, contents: pl.Series | None = None) -> np.ndarray:
    """(n,) fold of each row: every label spread evenly over the folds, the same for the same seed.

    Within its label a row's fold follows from the hash of its content, the label's rows cut into `n_folds` stretches
    of the hash's range; so rows that are added leave nearly all others where they are. Without `contents` (n,), a row
    is known by its number.
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
    """Whether `out_of_fold` is affordable for this size."""
    work = 2.0 * n * n_classes * n_folds * dimensions * ITERATIONS
    return work <= WORK_LIMIT and n * n_classes * n_folds <= 2.5e8


def out_of_fold(problem: Problem, penalty: float, iterations: int = ITERATIONS) -> np.ndarray:
    """(n, n_classes) float32 logits of each row from the probe that did not see its fold.

    Rows without a label are never trained on, and are predicted out of fold all the same.
    """
    features = torch.from_numpy(problem.features)
    weights = train(problem, penalty, iterations)
    logits = torch.empty((len(features), problem.n_classes), dtype=torch.float32)
    for fold in range(problem.n_folds):
        held = torch.from_numpy(np.nonzero(problem.fold == fold)[0])
        logits[held] = features[held] @ weights[:-1, fold] + weights[-1, fold]
    return logits.numpy()


def train(problem: Problem, penalty: float, iterations: int = ITERATIONS) -> torch.Tensor:
    """(r + 1, n_folds, n_classes) weights, the last row the bias; fold f is trained on all rows outside fold f.

    Minimises Σ cross entropy + penalty/2 · ‖W‖², each fold by itself.
    """
    keep = problem.known
    place = np.full(len(problem.features), -1, dtype=np.int64)
    place[keep] = np.arange(len(keep))
    features = torch.from_numpy(problem.features[keep])
    n, r = features.shape
    scale = 1.0 / torch.sqrt(0.25 * (features * features).sum(dim=0) / max(problem.n_classes, 2) * 2 + penalty)
    scaled = torch.cat([features * scale, torch.full((n, 1), 1.0 / max(n, 1) ** 0.5)], dim=1)
    row, label = torch.from_numpy(place[problem.row]), torch.from_numpy(problem.label.astype(np.int64))
    share = torch.from_numpy(problem.share.astype(np.float32))
    fold = torch.from_numpy(problem.fold[keep])
    mask = (fold[:, None] != torch.arange(problem.n_folds)[None, :]).float()
    exclusive = problem.mass is None
    counted = torch.zeros(n).index_add_(0, row, share)
    mass = counted if problem.mass is None else torch.from_numpy(problem.mass[keep]).float()
    decay = torch.cat([penalty * scale**2, torch.zeros(1)])[:, None]
    shape = (r + 1, problem.n_folds * problem.n_classes)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = torch.from_numpy(flat.astype(np.float32)).view(shape)
        logits = (scaled @ weights).view(n, problem.n_folds, problem.n_classes)
        pull = share[:, None] * mask[row]
        weight = (mask * mass[:, None])[:, :, None]
        if exclusive:
            log_p = torch.log_softmax(logits, dim=2)
            value = -(log_p[row, :, label] * pull).sum(dtype=torch.float64)
            gradient = log_p.exp_().mul_(weight)
        else:
            value = -(logits[row, :, label] * pull).sum(dtype=torch.float64)
            value += (torch.nn.functional.softplus(logits) * weight).sum(dtype=torch.float64)
            gradient = torch.sigmoid_(logits).mul_(weight)
        gradient[row, :, label] -= pull  # a row has a label once, so no two of these meet
        slope = scaled.T @ gradient.view(n, -1) + decay * weights
        value += 0.5 * (decay * weights * weights).sum(dtype=torch.float64)
        return float(value), slope.view(-1).double().numpy()

    options: dict[str, Any] = {"maxiter": iterations, "maxfun": 2 * iterations, "maxcor": 8, "ftol": 1e-6, "gtol": 1e-3}
    start = np.zeros(shape[0] * shape[1])
    if not exclusive:  # at the classes' own odds
        rate = torch.zeros(problem.n_classes).index_add_(0, label, share).add_(0.5) / (mass.sum() + 1.0)
        odds = torch.logit(rate.clamp(1e-6, 1 - 1e-6)) * max(n, 1) ** 0.5
        start[-shape[1] :] = odds.repeat(problem.n_folds).numpy()
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    weights = torch.from_numpy(found.x.astype(np.float32)).view(shape)
    unscaled = weights * torch.cat([scale, torch.full((1,), 1.0 / max(n, 1) ** 0.5)])[:, None]
    return unscaled.view(r + 1, problem.n_folds, problem.n_classes)


def best_classes(logits: np.ndarray) -> np.ndarray:
    """(n, a few) the classes that the probe thinks likeliest, in no order."""
    count = min(N_BEST, logits.shape[1])
    return np.argpartition(-logits, count - 1, axis=1)[:, :count]


def choose_penalty(problem: Problem, grid: tuple[float, ...] = PENALTIES, rows: int = 4_000) -> float:
    """The penalty of `grid` (ascending) with the least tempered cross entropy out of fold, in two folds of at
    most `rows` rows."""
    labeled = problem.known
    kept = np.zeros(len(problem.features), dtype=bool)
    kept[labeled[:: max(1, -(-len(labeled) // rows))]] = True
    chosen = kept[problem.row]
    place = np.cumsum(kept) - 1
    small = Problem(
        problem.features[kept],
        place[problem.row[chosen]],
        problem.label[chosen],
        problem.share[chosen],
        problem.fold[kept] % 2,
        problem.n_classes,
        2,
        None if problem.mass is None else problem.mass[kept],
    )

    @functools.cache
    def loss(place: int) -> float:
        logits = out_of_fold(small, grid[place], ITERATIONS // 2)
        return cross_entropy(logits, small, fit_temperature(logits, small))

    best = len(grid) // 2
    for step in (-1, 1):  # the loss has one valley
        while 0 <= best + step < len(grid) and loss(best + step) < loss(best):
            best += step
    return grid[best]


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
