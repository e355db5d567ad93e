"""Place new units into a layout that is there: near the neighbours that already have a place."""

import numpy as np

TEMPERATURE = 0.05  # of the weights exp((similarity − best) ÷ temperature)
JITTER = 0.002  # of the layout's spread
ROUNDS = 5
LARGEST_FIT = 20_000  # known rows that the linear map is found from
BLOCK = 16_384  # new rows that are placed at a time


def place_new(
    coordinates: np.ndarray, known: np.ndarray, rows: np.ndarray, similarities: np.ndarray, content_hashes: list[str]
) -> np.ndarray:
    """Coordinates (n, c) where every unknown row lies at the weighted mean of its known neighbours.

    New rows without a known neighbour wait for their neighbours' places; what is left after five rounds, a group
    that knows nobody, is placed beside the layout.
    """
    placed, has_place = coordinates.copy(), known.copy()
    size = np.ptp(coordinates[known], axis=0).max(initial=0.0) if known.any() else 0.0
    for _ in range(ROUNDS):
        waiting = np.flatnonzero(~has_place)
        if not len(waiting) or not rows.shape[1]:
            break
        ready = waiting[np.concatenate([has_place[rows[part]].any(axis=1) for part in _blocks(waiting)])]
        means = [
            _weighted_mean(placed[rows[part]], similarities[part], has_place[rows[part]]) for part in _blocks(ready)
        ]
        if len(ready):
            placed[ready] = np.concatenate(means)
        has_place[ready] = True
    strangers = ~has_place
    if strangers.any():
        corner = coordinates[known].min(axis=0) - 0.05 * size if known.any() else np.zeros(coordinates.shape[1])
        placed[strangers] = corner
    new = np.flatnonzero(~known)
    placed[new] += _jitter([content_hashes[row] for row in new], coordinates.shape[1]) * JITTER * (size or 1.0)
    return placed


def _blocks(rows: np.ndarray) -> list[np.ndarray]:
    """Some rows at a time."""
    return [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]


def place_linear(coordinates: np.ndarray, known: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Coordinates where the unknown rows follow the linear map that the known rows reveal (PCA is one).

    The map is found by least squares with a small ridge.
    """
    new = np.flatnonzero(~known)
    if not len(new) or not known.any():
        return coordinates
    rows = np.flatnonzero(known)
    rows = rows[:: max(1, len(rows) // LARGEST_FIT)]
    data, target = vectors[rows].astype(np.float64), coordinates[rows].astype(np.float64)
    centre, middle = data.mean(axis=0), target.mean(axis=0)
    data -= centre
    gram = data.T @ data
    gram[np.diag_indices_from(gram)] += 1e-6 * max(np.trace(gram) / len(gram), 1e-12)
    solved = np.linalg.solve(gram, data.T @ (target - middle))
    placed = coordinates.copy()
    placed[new] = (vectors[new] - centre) @ solved + middle
    return placed


def _weighted_mean(places: np.ndarray, similarities: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Mean of `places` (m, k, c) weighted by similarity (m, k) over the usable neighbours."""
    best = np.where(usable, similarities, -np.inf).max(axis=1, keepdims=True)
    weights = np.where(usable, np.exp((similarities - best) / TEMPERATURE), 0.0)
    return (weights[:, :, None] * places).sum(axis=1) / weights.sum(axis=1)[:, None]


def _jitter(content_hashes: list[str], dimensions: int) -> np.ndarray:
    """Offsets in [−1, 1] read from the content hashes, so that a content's place does not hang on its company."""
    digits = [[int(name[8 * axis : 8 * axis + 8], 16) for axis in range(dimensions)] for name in content_hashes]
    return np.asarray(digits, dtype=np.float64).reshape(-1, dimensions) / 2.0**31 - 1.0
