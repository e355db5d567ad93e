"""Which points a browser draws: all of them, or a density-aware sample of at most `limit`.

The region is cut into cells; a cell with c points gives about a·√c of them and at least one, so that sparse regions
keep every point and dense ones stay visibly denser. Which points a cell gives is fixed by one seeded permutation:
the same request draws the same points.
"""

import numpy as np

CELLS = 384  # along each side


def thin(x: np.ndarray, y: np.ndarray, rows: np.ndarray, limit: int, priority: np.ndarray) -> np.ndarray:
    """At most `limit` of `rows`, ascending.

    Args:
        x, y: coordinates of all samples, shape (n,); finite at `rows`.
        priority: a permutation of range(n); within a cell the smallest go first.
    """
    if len(rows) <= limit:
        return rows
    if limit <= 0:
        return rows[:0]
    cell = _cells(x[rows], y[rows])
    order = np.argsort(priority[rows], kind="stable")
    order = order[np.argsort(cell[order], kind="stable")]
    sorted_cell = cell[order]
    counts = np.bincount(cell, minlength=CELLS * CELLS)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.arange(len(rows)) - starts[sorted_cell]
    chosen = order[rank < quotas(counts, limit)[sorted_cell]]
    if len(chosen) > limit:
        chosen = chosen[np.argsort(priority[rows[chosen]], kind="stable")[:limit]]
    return np.sort(rows[chosen])


def quotas(counts: np.ndarray, limit: int) -> np.ndarray:
    """How many points each cell gives: min(c, ⌈a·√c⌉) with the largest a whose sum stays within `limit`."""
    low, high = 0.0, float(np.sqrt(counts.max(initial=1))) + 1.0
    root = np.sqrt(counts)
    for _ in range(30):
        middle = (low + high) / 2
        if np.minimum(counts, np.ceil(middle * root)).sum() <= limit:
            low = middle
        else:
            high = middle
    return np.minimum(counts, np.maximum(np.ceil(low * root), counts > 0)).astype(np.int64)


def _cells(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cell number of each point, int32."""
    columns = _bin(x) * CELLS
    return (columns + _bin(y)).astype(np.int32)


def _bin(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    scaled = (values - low) * (CELLS / max(float(high - low), 1e-30))
    return np.minimum(scaled.astype(np.int32), CELLS - 1)
