"""Inserts new rows into an existing kNN graph, exactly: the result equals a search among all rows.

Only products of new rows with all others are computed: 1,000 into 100,000 take a hundredth of the time of a new graph.
"""

import numpy as np
import torch

from assay.knn.blocked import query_knn, rounded

BLOCK_BYTES = 64 * 2**20  # of products


def insert_rows(vectors: np.ndarray, rows: np.ndarray, similarities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The graph of all `vectors`, given that of the first n.

    Args:
        vectors: float32 (n + m, d), rows of length 1 (or zero); the last m are new.
        rows, similarities: (n, k), the graph of the first n, as `blocked.blocked_knn` gives it.

    Returns:
        `(rows, similarities)`: int32 and float32 of shape (n + m, k).
    """
    n, k = rows.shape
    grown, similar = rows.astype(np.int32).copy(), similarities.astype(np.float32).copy()
    data = torch.from_numpy(vectors)
    new = data[n:]
    step = max(1, BLOCK_BYTES // (4 * max(1, len(new))))
    for start in range(0, n if len(new) else 0, step):
        products = rounded(data[start : min(start + step, n)] @ new.T).numpy()
        changed = np.flatnonzero((products > similar[start : start + len(products), -1:]).any(axis=1))
        if len(changed):
            _merge(grown, similar, start + changed, products[changed], n)
    own, own_similar = query_knn(vectors, np.arange(n, len(vectors)), k)
    return np.concatenate([grown, own]), np.concatenate([similar, own_similar])


def _merge(rows: np.ndarray, similarities: np.ndarray, at: np.ndarray, products: np.ndarray, n: int) -> None:
    """Put the new rows that are near enough into the lists `at`; at equal similarity the old row comes first."""
    k = rows.shape[1]
    numbers = np.broadcast_to(np.arange(n, n + products.shape[1], dtype=np.int32), products.shape)
    every, similar = np.concatenate([rows[at], numbers], axis=1), np.concatenate([similarities[at], products], axis=1)
    order = np.argsort(-similar, axis=1, kind="stable")[:, :k]
    rows[at] = np.take_along_axis(every, order, axis=1)
    similarities[at] = np.take_along_axis(similar, order, axis=1)


def nearest(vectors: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The `k` rows of `vectors` (n, d) nearest to each of `queries` (m, d), and their cosines; both of unit length."""
    data, found, similar = torch.from_numpy(vectors), [], []
    k = min(k, len(vectors))
    step = max(1, BLOCK_BYTES // (4 * max(1, len(vectors))))
    for start in range(0, len(queries), step):
        values, numbers = torch.topk(torch.from_numpy(queries[start : start + step]) @ data.T, k, dim=1)
        found.append(numbers.numpy())
        similar.append(values.numpy())
    if not found:
        return np.zeros((0, k), dtype=np.int64), np.zeros((0, k), dtype=np.float32)
    return np.concatenate(found), np.concatenate(similar)
