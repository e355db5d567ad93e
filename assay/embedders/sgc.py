"""Features propagated over the graph: `S^K X`, without any training (SGC; Wu et al. 2019).

S is the normalised adjacency with self-loops, D^−½ (A + I) D^−½. Features are weighted by their inverse document
frequency where none is below 0 (else each column about its mean, in its own spread), rows are made of length 1, and the
propagated matrix is reduced by SVD, which is told the products alone: it is never formed.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from assay.embedders.svd import truncated_svd, unit_rows

DIMENSION = 256
STEPS = 2  # K

Matrix = NDArray[np.float32]


def sgc(adjacency: sparse.csr_matrix, features: sparse.csr_matrix, dimension: int = DIMENSION, seed: int = 0) -> Matrix:
    """Vectors (n, d) of length 1 of a graph's nodes.

    Args:
        adjacency: (n, n), symmetric, nothing on the diagonal.
        features: (n, width), any numbers.
    """
    weighted = weigh(features)
    if isinstance(weighted, sparse.csr_matrix):
        _, _, right = truncated_svd(weighted, 2 * dimension, seed)
        dense = np.asarray(weighted @ right.T, dtype=np.float32)
    else:
        dense = weighted
    spread = propagate(adjacency, dense)
    left, values, _ = truncated_svd(spread, dimension, seed)
    return unit_rows(left * values)


def weigh(features: sparse.csr_matrix) -> sparse.csr_matrix | Matrix:
    """Rows of length 1: times idf, sparse, where nothing is below 0; else dense, standardised."""
    n = features.shape[0]
    if features.nnz == 0 or features.data.min() >= 0:
        frequency = np.bincount(features.indices, minlength=features.shape[1])
        idf = np.log((1 + n) / (1 + frequency)) + 1
        found = sparse.csr_matrix(features @ sparse.diags(idf)).astype(np.float32)
        lengths = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).reshape(-1))
        return sparse.csr_matrix(sparse.diags(1 / np.where(lengths > 0, lengths, 1)) @ found).astype(np.float32)
    dense = np.asarray(features.todense(), dtype=np.float32)
    deviation = dense.std(axis=0)
    return unit_rows((dense - dense.mean(axis=0)) / np.where(deviation > 0, deviation, 1))


def propagate(adjacency: sparse.csr_matrix, vectors: Matrix, steps: int = STEPS) -> Matrix:
    """`S^steps vectors`, (n, d) float32."""
    looped = sparse.csr_matrix(adjacency + sparse.identity(adjacency.shape[0], dtype=np.float32))
    scale = sparse.diags(1 / np.sqrt(np.asarray(looped.sum(axis=1)).reshape(-1)))
    walk = sparse.csr_matrix(scale @ looped @ scale).astype(np.float32)
    for _ in range(steps):
        vectors = np.asarray(walk @ vectors, dtype=np.float32)
    return vectors
