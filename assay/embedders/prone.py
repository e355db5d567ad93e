"""ProNE: vectors of a graph's nodes in two steps, a sparse factorisation and its propagation (Zhang et al. 2019).

First the matrix M with log p(j | i) − log q(j) for each edge is factorised by truncated SVD: p is the walk's step, and
q how often j is met in one step from anywhere, to the power .75. Then the vectors are smoothed by a filter of the
graph's spectrum, g(λ) = exp(−θ((λ − μ)² / 2 − 1)), which is never formed: it is a sum of Chebyshev polynomials of
sparse matrices, with Bessel functions for coefficients. Both steps cost about as many operations as there are edges.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import iv

from assay.embedders.svd import truncated_svd, unit_rows

DIMENSION = 128
POWER = 0.75  # of how often a node is met
MU, THETA = 0.2, 0.5  # the middle and the narrowness of the filter
ORDER = 10  # Chebyshev polynomials

Matrix = NDArray[np.float32]


def prone(adjacency: sparse.csr_matrix, dimension: int = DIMENSION, seed: int = 0) -> Matrix:
    """Vectors of the nodes of a graph without direction.

    Args:
        adjacency: (n, n), symmetric, weights of at least 0, nothing on the diagonal.
        dimension: wanted; fewer where the graph has no more.
        seed: of the randomized SVD.

    Returns:
        float32 (n, d), rows of length 1, and of length 0 for nodes without an edge.

    Raises:
        ValueError: the matrix is not square.
    """
    if adjacency.shape[0] != adjacency.shape[1]:
        raise ValueError(f"an adjacency of shape {adjacency.shape}; wanted a square one")
    adjacency = sparse.csr_matrix(adjacency, dtype=np.float32)
    degree = np.asarray(adjacency.sum(axis=1)).reshape(-1)
    vectors = propagate(adjacency, factorize(adjacency, dimension, seed))
    left, values, _ = truncated_svd(vectors, dimension, seed)
    vectors = unit_rows(left * np.sqrt(values))
    vectors[degree == 0] = 0.0
    return vectors


def factorize(adjacency: sparse.csr_matrix, dimension: int, seed: int) -> Matrix:
    """The first step: `U √S` of M, (n, d) float32, rows of length 1."""
    walk = row_normalized(adjacency)
    met = np.asarray(walk.sum(axis=0), dtype=np.float64).reshape(-1) ** POWER
    met /= max(met.sum(), 1e-30)
    strengths = np.log(np.maximum(walk.data, 1e-12)) - np.log(np.maximum(met[walk.indices], 1e-30))
    matrix = sparse.csr_matrix((strengths.astype(np.float32), walk.indices, walk.indptr), shape=walk.shape)
    left, values, _ = truncated_svd(matrix, dimension, seed)
    return unit_rows(left * np.sqrt(values))


def propagate(adjacency: sparse.csr_matrix, vectors: Matrix) -> Matrix:
    """The second step: `(A + I) (vectors − g(L) vectors)`, (n, d) float32, L the Laplacian of the walk on A + I."""
    n = adjacency.shape[0]
    looped = (adjacency + sparse.identity(n, dtype=np.float32, format="csr")).tocsr()
    shifted = ((1 - MU) * sparse.identity(n, dtype=np.float32, format="csr") - row_normalized(looped)).tocsr()
    before, now = vectors, 0.5 * (shifted @ (shifted @ vectors)) - vectors
    filtered = iv(0, THETA) * before - 2 * iv(1, THETA) * now
    for order in range(2, ORDER):
        before, now = now, shifted @ (shifted @ now) - 2 * now - before
        filtered += 2 * (-1) ** order * iv(order, THETA) * now
    return np.asarray(looped @ (vectors - filtered), dtype=np.float32)


def row_normalized(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Each row divided by its sum; a row of zeros stays one."""
    sums = np.asarray(matrix.sum(axis=1), dtype=np.float64).reshape(-1)
    shares = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
    return sparse.csr_matrix(sparse.diags(shares) @ matrix).astype(np.float32)
