"""How truly a projection shows the vectors' neighbourhoods: trustworthiness and continuity (Venna and Kaski, 2001)."""

import numpy as np


def trustworthiness_continuity(vectors: np.ndarray, places: np.ndarray, k: int) -> tuple[float, float]:
    """Both in [0, 1], 1 is perfect.

    Trustworthiness = 1 − 2 ÷ (n k (2n − 3k − 1)) · Σᵢ Σ_{j near i in the picture, not in the vectors} (rank(i, j) − k),
    where rank counts the neighbours of i by cosine. Continuity is the same with the two spaces exchanged: what is
    near in the vectors should be near in the picture.

    Args:
        vectors: unit-length rows (n, d).
        places: coordinates (n, 2 or 3) of the same rows.
        k: neighbours looked at, below n ÷ 2.
    """
    true_ranks = _ranks(-(vectors @ vectors.T))
    seen_ranks = _ranks(_squared_distances(places))
    return _faith(true_ranks, seen_ranks, k), _faith(seen_ranks, true_ranks, k)


def _ranks(distances: np.ndarray) -> np.ndarray:
    """Rank of j among the neighbours of i, from 1; i itself has rank n."""
    distances = distances.astype(np.float64)
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, len(order) + 1)[None, :], axis=1)
    return ranks


def _faith(judging: np.ndarray, judged: np.ndarray, k: int) -> float:
    n = len(judging)
    intruders = (judged <= k) & (judging > k)
    return float(1.0 - 2.0 / (n * k * (2 * n - 3 * k - 1)) * (judging[intruders] - k).sum())


def _squared_distances(places: np.ndarray) -> np.ndarray:
    places = places.astype(np.float64)
    square = np.square(places).sum(axis=1)
    return square[:, None] + square[None, :] - 2.0 * places @ places.T
