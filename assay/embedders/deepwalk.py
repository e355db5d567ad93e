"""DeepWalk: random walks as sentences, nodes as words, skip-gram (Perozzi et al. 2014)."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from assay.embedders.walks import uniform_walks, words_of_walks

DIMENSION = 128
WALKS, LENGTH, WINDOW, EPOCHS = 10, 40, 10, 2  # from each node


def deepwalk(adjacency: sparse.csr_matrix, dimension: int = DIMENSION, seed: int = 0) -> NDArray[np.float32]:
    """Vectors (n, d) of length 1 of the nodes of a graph without direction; of length 0 for those without an edge."""
    walks = uniform_walks(adjacency, WALKS, LENGTH, seed)
    return words_of_walks(walks, adjacency.shape[0], dimension, WINDOW, EPOCHS, seed)
