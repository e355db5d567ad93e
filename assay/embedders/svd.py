"""Truncated singular value decomposition of large sparse matrices, the same on every machine and every run.

Randomized subspace iteration (Halko, Martinsson & Tropp 2011), scikit-learn's, with a seed; the sign of each pair of
singular vectors makes the largest entry of the left one positive.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

FAINTEST = 1e-6  # of the largest singular value; what lies below is noise of the arithmetic
ITERATIONS = 5
MORE = 10  # columns drawn beyond those wanted


def truncated_svd(
    matrix: sparse.csr_matrix | NDArray[np.float32], dimension: int, seed: int, iterations: int = ITERATIONS
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The leading singular vectors and values of a matrix (n, m).

    Args:
        dimension: wanted, at least 1; there are no more than min(n, m).
        seed: of the random start.
        iterations: of the subspace; more are more exact.

    Returns:
        `(left, values, right)`, float32 of shapes (n, k), (k,), (k, m); values fall, k ≤ `dimension`, and k = 1 with
        zeros where the matrix is zero.
    """
    k = max(1, min(dimension, *matrix.shape))
    if min(matrix.shape) == 0 or abs(matrix).max() == 0:
        n, m = matrix.shape
        return np.zeros((n, 1), np.float32), np.zeros(1, np.float32), np.zeros((1, m), np.float32)
    left, values, right = randomized_svd(
        matrix, k, n_oversamples=MORE, n_iter=iterations, random_state=seed, flip_sign=False
    )
    signs = np.sign(left[np.abs(left).argmax(axis=0), np.arange(left.shape[1])])
    signs[signs == 0] = 1
    kept = values > FAINTEST * values[0]
    left, right = left * signs, right * signs[:, None]
    return (
        np.ascontiguousarray(left[:, kept], np.float32),
        np.ascontiguousarray(values[kept], np.float32),
        np.ascontiguousarray(right[kept], np.float32),
    )


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows (n, d) of length 1; a row of zeros stays one."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    return (vectors / np.where(lengths > 0, lengths, 1.0)[:, None]).astype(np.float32)
