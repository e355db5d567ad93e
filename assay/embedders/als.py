"""ALS for implicit feedback: users and items as factors whose products say who takes what (Hu, Koren & Volinsky 2008).

Minimises Σ c (p − x·y)² + λ (Σ ‖x‖² + Σ ‖y‖²) over all pairs of user and item: p is 1 where the user took the item and
0 elsewhere, c = 1 + α where p is 1 and 1 elsewhere. With the items held, each user's factor is a least squares problem
of its own, and the other way round.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

ALPHA = 20.0  # weight of what was taken
PENALTY = 5.0  # λ
SWEEPS = 12
BLOCK = 4_096  # interactions whose outer products are in memory at a time

Matrix = NDArray[np.float32]


def als(adjacency: sparse.csr_matrix, side: NDArray[np.bool_], dimension: int = 32, seed: int = 0) -> Matrix:
    """Factors of users and items, float32 (n, dimension).

    Args:
        adjacency: (n, n), symmetric, nothing between two users or two items.
        side: (n,) the users.
        dimension: numbers of a factor.
        seed: of the items' first factors.
    """
    taken = sparse.csr_matrix(adjacency[side][:, ~side])
    takers = sparse.csr_matrix(taken.T)
    items = np.random.default_rng(seed).normal(scale=0.01, size=(taken.shape[1], dimension))
    users = np.zeros((taken.shape[0], dimension))
    for _ in range(SWEEPS):
        users = solve(taken, items)
        items = solve(takers, users)
    vectors = np.zeros((len(side), dimension), dtype=np.float32)
    vectors[side], vectors[~side] = users, items
    return vectors


def solve(taken: sparse.csr_matrix, factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best factors of the rows of `taken` (n, m) with those of its columns (m, d) held; (n, d)."""
    d = factors.shape[1]
    shared = factors.T @ factors + PENALTY * np.eye(d)
    out = np.zeros((taken.shape[0], d))
    starts, rows = taken.indptr, np.flatnonzero(np.diff(taken.indptr))
    ends = np.cumsum(np.diff(starts)[rows])
    for part in np.split(rows, np.flatnonzero(np.diff(ends // BLOCK)) + 1):
        if not len(part):
            continue
        mine = factors[taken.indices[starts[part[0]] : starts[part[-1] + 1]]]
        first = starts[part] - starts[part[0]]
        square = shared + ALPHA * _sums_of_squares(mine, first)
        wanted = (1 + ALPHA) * np.add.reduceat(mine, first, axis=0)
        out[part] = np.linalg.solve(square, wanted[:, :, None])[:, :, 0]
    return out


def _sums_of_squares(rows: NDArray[np.float64], first: NDArray[np.int32]) -> NDArray[np.float64]:
    """(k, d, d) sums of the outer products of stretches of rows, some rows at a time."""
    ends = np.append(first[1:], len(rows))
    return np.stack([rows[a:b].T @ rows[a:b] for a, b in zip(first, ends, strict=True)])
