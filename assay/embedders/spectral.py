"""Leading eigenvectors of a graph's normalised adjacency, regularised (Amini et al. 2013; Qin & Rohe 2013).

Every two nodes are tied a little, by τ ÷ n with τ the mean degree, so that small parts that hang by a thread do not
take the leading places: the eigenvectors are those of D^−½ (A + τ/n) D^−½, with D the degrees and τ. Rows are of
length 1.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, eigsh

from assay.embedders.svd import unit_rows

DIMENSION = 128


def spectral(adjacency: sparse.csr_matrix, dimension: int = DIMENSION, seed: int = 0) -> NDArray[np.float32]:
    """Vectors (n, d) of length 1 of the nodes of a graph without direction; of length 0 for those without an edge."""
    values, vectors = leading(adjacency, dimension, seed)
    found = unit_rows((vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32))
    found[np.diff(adjacency.indptr) == 0] = 0.0
    return found


def leading(
    adjacency: sparse.csr_matrix, dimension: int, seed: int, tau: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The eigenvalues (k,), falling, and eigenvectors (n, k) that are largest, k at most n − 1; each vector's largest
    entry is positive. `tau`: by default the mean degree; 0 is the plain normalised adjacency."""
    n = adjacency.shape[0]
    degree = np.asarray(adjacency.sum(axis=1), dtype=np.float64).reshape(-1)
    tau = float(degree.mean()) if tau is None and n else tau or 0.0
    scale = np.divide(1.0, np.sqrt(degree + tau), out=np.zeros(n), where=degree + tau > 0)
    if n < 3 or not adjacency.nnz:
        dense = scale[:, None] * (np.asarray(adjacency.todense(), dtype=np.float64) + tau / max(n, 1)) * scale
        values, vectors = np.linalg.eigh(dense) if n else (np.zeros(0), np.zeros((0, 1)))
        return values[::-1][:dimension], vectors[:, ::-1][:, :dimension]
    wide = adjacency.astype(np.float64)

    def multiply(x: NDArray[np.float64]) -> NDArray[np.float64]:
        y = scale * x.reshape(-1)
        return scale * (wide @ y + tau / n * y.sum())

    operator = LinearOperator((n, n), matvec=multiply, dtype=np.float64)
    start = np.random.default_rng(seed).normal(size=n)
    values, vectors = eigsh(operator, k=min(dimension, n - 1), which="LA", v0=start)
    order = np.argsort(-values)
    vectors = vectors[:, order]
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    return values[order], vectors * np.where(signs == 0, 1, signs)
