"""Outliers by direction: how far a unit extends along directions in which the others hardly vary.

A distance to neighbours weighs each direction by its variance, so a rare word or citation drowns in what all units vary
in. Three measurements see it: the Mahalanobis distance to the mean, the same to the unit's neighbours, and the residual
outside the directions that hold 99% of the variance. The covariance is shrunk (Ledoit & Wolf 2004).

Where the small directions are noise, so are these three. Noise is Gaussian; a property of few units is heavy-tailed. So
the three are used only if the median excess kurtosis along the small directions is high: it was 2.5 to 16 for vectors
of words and citations, −0.2 to 1.2 for those of pixels and networks.
"""

from dataclasses import dataclass

import numpy as np

from assay.knn.principal import principal
from assay.metrics.corpus import Corpus

SAMPLE = 20_000  # units that the covariance is taken from
MOST = 0.9  # share of the variance in the directions that are not small
REST = 0.99  # share of it outside which the residual lies
HEAVY = 1.8  # excess kurtosis from which the small directions are heard
ENOUGH = 200  # units
BLOCK = 8_192


@dataclass(frozen=True)
class Directions:
    """Principal axes, those of the greatest variance first.

    Attributes:
        mean: (d,) of the vectors.
        axes: (d, r).
        variance: (r,) shrunk, along each axis.
        n_rest: axes that hold REST of the variance.
        tails: median excess kurtosis along the axes outside those that hold MOST of it.
    """

    mean: np.ndarray
    axes: np.ndarray
    variance: np.ndarray
    n_rest: int
    tails: float


def directions(vectors: np.ndarray) -> Directions | None:
    """The directions of (n, d) vectors; None where they are too few, or all alike."""
    from scipy.stats import kurtosis  # takes a second to load, and most nights know already

    some = vectors[:: max(1, -(-len(vectors) // SAMPLE))].astype(np.float64)
    n, d = some.shape
    if n < ENOUGH:
        return None
    mean, values, axes = principal(some)
    centered = some - mean
    kept = values > 1e-12 * max(values.max(initial=0.0), 1e-30)
    if kept.sum() < 2:
        return None
    values, axes = values[kept], axes[:, kept]
    held = np.cumsum(values) / values.sum()
    along = centered @ axes
    first, rest = (min(int(np.searchsorted(held, share)) + 1, len(values) - 1) for share in (MOST, REST))
    variance = shrunk(values, float((np.einsum("ij,ij->i", centered, centered) ** 2).mean()), n, d)
    return Directions(mean, axes, variance, rest, float(np.median(kurtosis(along[:, first:]))))


def shrunk(values: np.ndarray, fourth: float, n: int, d: int) -> np.ndarray:
    """Eigenvalues (r,) of a covariance of n rows shrunk to their mean over all d directions (Ledoit & Wolf 2004);
    `fourth`: mean fourth power of the rows' lengths."""
    mean = values.sum() / d
    spread = float(((values - mean) ** 2).sum() + (d - len(values)) * mean**2)
    weight = min(1.0, max(0.0, (fourth - float((values**2).sum())) / n / max(spread, 1e-300)))
    return (1.0 - weight) * values + weight * mean


def measured(corpus: Corpus, found: Directions, neighbors: int) -> dict[str, np.ndarray]:
    """`{name: (n_units,)}`: mahalanobis, to the middle of all; mahalanobis_near, the mean to the nearest neighbours;
    residual, what lies outside the directions that hold REST of the variance. All are squared lengths."""
    scale = 1.0 / np.sqrt(found.variance)
    white = np.empty((corpus.n_units, len(scale)), dtype=np.float32)
    residual = np.empty(corpus.n_units)
    for start in range(0, corpus.n_units, BLOCK):
        along = (corpus.vectors[start : start + BLOCK] - found.mean) @ found.axes
        white[start : start + BLOCK] = along * scale
        residual[start : start + BLOCK] = (along[:, found.n_rest :] ** 2).sum(axis=1)
    near = corpus.neighbors[:, :neighbors]
    total, count = np.zeros(corpus.n_units), np.zeros(corpus.n_units)
    for column in near.T:
        rows = np.nonzero(column >= 0)[0]
        total[rows] += ((white[rows] - white[column[rows]]) ** 2).sum(axis=1)
        count[rows] += 1
    return {
        "mahalanobis": (white.astype(np.float64) ** 2).sum(axis=1),
        "mahalanobis_near": np.where(count > 0, total / np.maximum(count, 1), np.nan),
        "residual": residual,
    }
