"""How the probe's weights are found: by L-BFGS, over rows whose logits are made a block at a time.

If the logits of all folds fit into memory, there is one block. Otherwise blocks are as large as fits into a cache, and
are made again in each pass. Folds train together while the matrix of their classes is not too wide. If there are more
rows than can be afforded, evenly spaced ones take part, with their share of the penalty. A fit that is large enough is
made on a GPU, where there is one: its features stay there, and blocks are as large as its memory likes.
"""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.optimize import minimize

from assay.store.evenly import evenly
from assay.store.executor import in_order
from assay.store.progress import Progress

if TYPE_CHECKING:
    from assay.metrics.probe import Problem

ITERATIONS = 30
WHOLE = 5e7  # logits of all folds, up to which all rows are one block
BLOCK_LOGITS, LEAST_BLOCK = 2_000_000, 256  # of a block, beyond; and rows of it
WHOLE_FEATURES = 1e8  # numbers in all rows, up to which they may be one block
BLOCK_ROWS = 16_384  # of a block, at most
SCALED_ROWS = 65_536  # that are scaled at a time
AHEAD = 8  # blocks that are in work before they are added up
WIDE = 2_500  # columns of folds and classes that are trained together, beyond
MOST_ROWS = 1_250_000  # a million in each of five folds
WORK_LIMIT = 2e13  # multiply-adds of one fit
GPU_FROM = 1e8  # logits times dimensions of one pass, from which a GPU pays
GPU_BLOCK_LOGITS = 200_000_000


@dataclass(frozen=True)
class Block:
    """Some rows: `scaled` (b, r + 1), and which fold each is held out in and its weight; and their entries."""

    scaled: torch.Tensor
    mask: torch.Tensor
    mass: torch.Tensor
    row: torch.Tensor
    label: torch.Tensor
    share: torch.Tensor


def is_whole(n: int, n_classes: int, n_folds: int) -> bool:
    """Whether the logits of all folds fit into memory at once."""
    return n * n_classes * n_folds <= WHOLE


def rows_to_learn_from(n: int, n_classes: int, n_folds: int, dimensions: int) -> int:
    """How many of `n` rows a fit can afford."""
    if is_whole(n, n_classes, n_folds):
        return n
    return min(n, MOST_ROWS, int(WORK_LIMIT / (2.0 * ITERATIONS * n_classes * n_folds * dimensions)))


def learn(
    problem: "Problem", penalty: float, iterations: int = ITERATIONS, start: np.ndarray | None = None
) -> torch.Tensor:
    """(r + 1, n_folds, n_classes) weights as `probe.train`; `start` are weights to begin with, of the same shape."""
    known, classes, folds = problem.known, problem.n_classes, problem.n_folds
    count = rows_to_learn_from(len(known), classes, folds, problem.features.shape[1])
    rows = known if count == len(known) else known[evenly(len(known), count)]
    step = folds if is_whole(len(rows), classes, folds) else max(1, WIDE // classes)
    together = np.split(np.arange(folds), range(step, folds, step))
    drawn = penalty * len(rows) / max(len(known), 1)
    progress = Progress("passes of the label probe", len(together) * iterations, brief=True)
    weights = []
    for some in together:
        given = None if start is None else start[:, some]
        weights.append(_Fit(problem, rows, some, drawn).minimise(iterations, progress, given))
    progress.finish()
    return torch.cat(weights, dim=1)


def _device(work: float) -> torch.device:
    return torch.device("cuda" if work >= GPU_FROM and torch.cuda.is_available() else "cpu")


class _Fit:
    """Σ cross entropy + penalty/2 · ‖W‖² of some rows and folds, in coordinates of about even curvature."""

    def __init__(self, problem: "Problem", rows: np.ndarray, folds: np.ndarray, penalty: float) -> None:
        self._problem, self._rows = problem, rows
        self._device = _device(len(rows) * problem.n_classes * len(folds) * problem.features.shape[1])
        self._folds = self._here(folds)
        self._data = self._here(problem.features) if self._device.type == "cuda" else None
        place = np.full(len(problem.features), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        at = place[problem.row]
        order = np.arange(len(at)) if self._is_whole else np.argsort(at, kind="stable")
        order = order[at[order] >= 0]
        self._at, self._label, self._share = at[order], problem.label[order], problem.share[order]
        n, classes = len(rows), problem.n_classes
        scale = 1.0 / torch.sqrt(0.25 * self._squares() / max(classes, 2) * 2 + penalty)
        self._scale = torch.cat([scale, torch.full((1,), 1.0 / max(n, 1) ** 0.5, device=self._device)])
        self._decay = torch.cat([penalty * scale**2, torch.zeros(1, device=self._device)])[:, None]
        self._kept = self._block(slice(0, n)) if self._is_whole else None
        self._pool: ThreadPoolExecutor | None = None

    @property
    def _is_whole(self) -> bool:
        n, dimensions = len(self._rows), self._problem.features.shape[1]
        return is_whole(n, self._problem.n_classes, len(self._folds)) and n * dimensions <= WHOLE_FEATURES

    def _parts(self) -> Iterator[slice]:
        wide = self._problem.n_classes * len(self._folds)
        logits = BLOCK_LOGITS if self._device.type == "cpu" else GPU_BLOCK_LOGITS
        most = BLOCK_ROWS if self._device.type == "cpu" else len(self._rows)
        step = len(self._rows) if self._is_whole else max(LEAST_BLOCK, min(logits // wide, most))
        return (slice(start, start + step) for start in range(0, len(self._rows), max(step, 1)))

    def _here(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)

    def _features(self, part: slice) -> torch.Tensor:
        rows = self._rows[part]
        return self._here(self._problem.features[rows]) if self._data is None else self._data[self._here(rows)]

    def _squares(self) -> torch.Tensor:
        """(r,) sums of the squares of each feature."""
        squares = torch.zeros(self._problem.features.shape[1], device=self._device)
        for part in self._parts():
            features = self._features(part)  # a copy
            squares += features.mul_(features).sum(dim=0)
        return squares

    def _scaled(self, part: slice, n: int) -> torch.Tensor:
        """(n, r + 1) the features of a part, scaled, and a bias; made some rows at a time, so that no second copy of
        them is held."""
        scaled = torch.empty((n, len(self._scale)), device=self._device)
        scaled[:, -1] = self._scale[-1]
        for start in range(0, n, SCALED_ROWS):
            some = slice(part.start + start, min(part.start + start + SCALED_ROWS, part.start + n))
            torch.mul(self._features(some), self._scale[:-1], out=scaled[start : start + SCALED_ROWS, :-1])
        return scaled

    def _block(self, part: slice) -> Block:
        problem, rows = self._problem, self._rows[part]
        some = slice(None)
        if not self._is_whole:
            some = slice(*np.searchsorted(self._at, [part.start, part.start + len(rows)]))
        row = self._here(self._at[some] - part.start)
        share = self._here(self._share[some].astype(np.float32))
        n = len(rows)
        counted = torch.zeros(n, device=self._device).index_add_(0, row, share)
        mass = counted if problem.mass is None else self._here(problem.mass[rows]).float()
        mask = (self._here(problem.fold[rows])[:, None] != self._folds[None, :]).float()
        return Block(self._scaled(part, n), mask, mass, row, self._here(self._label[some].astype(np.int64)), share)

    def _side_by_side(self, work: Callable[[slice], Any]) -> Iterator[Any]:
        """The results of `work` for each block, in the order of the blocks, so that sums do not depend on which ended
        first."""
        return map(work, self._parts()) if self._pool is None else in_order(self._pool, work, self._parts(), AHEAD)

    def _loss(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = self._here(flat.astype(np.float32)).view(len(self._scale), -1)
        value, slope = torch.zeros((), dtype=torch.float64, device=self._device), torch.zeros_like(weights)

        def work(part: slice) -> tuple[torch.Tensor, torch.Tensor]:
            return self._of_block(self._kept or self._block(part), weights)

        for lost, steep in self._side_by_side(work):
            value += lost
            slope += steep
        slope += self._decay * weights
        value += 0.5 * (self._decay * weights * weights).sum(dtype=torch.float64)
        return float(value), slope.view(-1).double().cpu().numpy()

    def _of_block(self, block: Block, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss of some rows, and its gradient by the weights."""
        row, label = block.row, block.label
        logits = (block.scaled @ weights).view(len(block.scaled), len(self._folds), self._problem.n_classes)
        pull = block.share[:, None] * block.mask[row]
        weight = (block.mask * block.mass[:, None])[:, :, None]
        if self._problem.mass is None:
            log_p = torch.log_softmax(logits, dim=2)
            value = -(log_p[row, :, label] * pull).sum(dtype=torch.float64)
            gradient = log_p.exp_().mul_(weight)
        else:
            value = -(logits[row, :, label] * pull).sum(dtype=torch.float64)
            value += (torch.nn.functional.softplus(logits) * weight).sum(dtype=torch.float64)
            gradient = torch.sigmoid_(logits).mul_(weight)
        gradient[row, :, label] -= pull  # a row has a label once, so no two of these meet
        return value, block.scaled.T @ gradient.view(len(gradient), -1)

    @contextlib.contextmanager
    def _threads(self) -> Iterator[None]:
        """A pool of threads, each of which lets torch use one: the products of a block are too small to be split."""
        workers = torch.get_num_threads()
        if self._is_whole or workers == 1 or self._device.type != "cpu":
            yield
            return
        try:
            with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as self._pool:
                yield
        finally:
            torch.set_num_threads(workers)
            self._pool = None

    def _start(self) -> np.ndarray:
        """Weights to begin with: none; of classes by themselves their own odds."""
        problem, folds = self._problem, len(self._folds)
        start = np.zeros((len(self._scale), folds * problem.n_classes))
        if problem.mass is not None:
            share = torch.from_numpy(self._share.astype(np.float32))
            rate = torch.zeros(problem.n_classes).index_add_(0, torch.from_numpy(self._label.astype(np.int64)), share)
            rate = rate.add_(0.5) / (torch.from_numpy(problem.mass[self._rows]).float().sum() + 1.0)
            odds = torch.logit(rate.clamp(1e-6, 1 - 1e-6)) / float(self._scale[-1])
            start[-1] = odds.repeat(folds).numpy()
        return start.ravel()

    def minimise(self, iterations: int, progress: Progress, start: np.ndarray | None = None) -> torch.Tensor:
        """(r + 1, folds, n_classes) weights, the last row the bias; `start` of the same shape."""
        first = self._start() if start is None else (start / self._scale.cpu().numpy()[:, None, None]).ravel()
        options: dict[str, Any] = {"maxiter": iterations, "maxfun": 2 * iterations, "maxcor": 8}
        options |= {"ftol": 1e-6, "gtol": 1e-3}
        with self._threads():
            told = {"jac": True, "callback": lambda _: progress.advance()}
            found = minimize(self._loss, first.astype(np.float64), method="L-BFGS-B", options=options, **told)
        weights = torch.from_numpy(found.x.astype(np.float32)).view(len(self._scale), -1)
        unscaled = weights * self._scale.cpu()[:, None]
        return unscaled.view(len(self._scale), len(self._folds), self._problem.n_classes)
