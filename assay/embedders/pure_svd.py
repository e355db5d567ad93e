"""PureSVD: users and items as the leading singular vectors of who took what (Cremonesi, Koren & Turrin 2010).

A user's vector times an item's is the strength with which the one is likely to take the other.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from assay.embedders.svd import truncated_svd


def pure_svd(
    adjacency: sparse.csr_matrix, side: NDArray[np.bool_], dimension: int = 32, seed: int = 0
) -> NDArray[np.float32]:
    """Vectors of users and items: `U √S` and `V √S` of the users × items part of the adjacency.

    Args:
        adjacency: (n, n), symmetric, nothing between two users or two items.
        side: (n,) the users.
        dimension: wanted; fewer where there are no more.
        seed: of the randomized SVD.

    Returns:
        float32 (n, d).
    """
    left, values, right = truncated_svd(sparse.csr_matrix(adjacency[side][:, ~side]), dimension, seed)
    vectors = np.zeros((len(side), len(values)), dtype=np.float32)
    vectors[side], vectors[~side] = left * np.sqrt(values), right.T * np.sqrt(values)
    return vectors
