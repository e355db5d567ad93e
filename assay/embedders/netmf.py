"""NetMF: what DeepWalk factorises without knowing it, factorised outright (Qiu et al. 2018).

log max(1, vol ÷ b · D^−½ U f(Λ) Uᵀ D^−½) by SVD, with U and Λ the leading eigenpairs of the normalised adjacency and
f(λ) the mean of λ, λ², … λ^T. The matrix is dense: graphs are limited to `MOST` nodes.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from assay.embedders.spectral import leading
from assay.embedders.svd import truncated_svd, unit_rows

DIMENSION = 128
WINDOW = 10  # T
NEGATIVE = 1.0  # b
PAIRS = 256  # eigenpairs
MOST = 20_000  # nodes: the matrix takes 1.6 GB


def netmf(adjacency: sparse.csr_matrix, dimension: int = DIMENSION, seed: int = 0) -> NDArray[np.float32]:
    """Vectors (n, d) of length 1 of the nodes of a graph without direction; of length 0 for those without an edge.

    Raises:
        ValueError: more than `MOST` nodes.
    """
    n = adjacency.shape[0]
    if n > MOST:
        raise ValueError(f"{n:,} nodes; netmf factorises a dense matrix, and takes at most {MOST:,}")
    values, vectors = leading(adjacency, PAIRS, seed, tau=0.0)
    degree = np.asarray(adjacency.sum(axis=1), dtype=np.float64).reshape(-1)
    scaled = vectors * np.divide(1.0, np.sqrt(degree), out=np.zeros(n), where=degree > 0)[:, None]
    powers = np.mean([values**power for power in range(1, WINDOW + 1)], axis=0)
    half = (scaled * np.sqrt(np.maximum(powers, 0))).astype(np.float32)
    matrix = (half @ half.T) * np.float32(degree.sum() / NEGATIVE)
    np.log(np.maximum(matrix, 1.0, out=matrix), out=matrix)
    left, strengths, _ = truncated_svd(matrix, dimension, seed)
    found = unit_rows(left * np.sqrt(strengths))
    found[degree == 0] = 0.0
    return found
