"""node2vec: DeepWalk with walks that stay near or lead away (Grover & Leskovec 2016).

p = q = ¼ prefers steps back and away to steps among common neighbours. `embed.model` says how nodes are learned:
`skipgram` (the default) or `cbow`, which takes a quarter of the time.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from assay.embedders.walks import biased_walks, words_of_walks

DIMENSION = 128
WALKS, LENGTH, WINDOW, EPOCHS = 10, 40, 10, 2  # from each node
P, Q = 0.25, 0.25


def node2vec(
    adjacency: sparse.csr_matrix, dimension: int = DIMENSION, seed: int = 0, model: str = "skipgram"
) -> NDArray[np.float32]:
    """Vectors (n, d) of length 1 of the nodes of a graph without direction; of length 0 for those without an edge."""
    walks = biased_walks(adjacency, WALKS, LENGTH, P, Q, seed)
    return words_of_walks(walks, adjacency.shape[0], dimension, WINDOW, EPOCHS, seed, skip_gram=model != "cbow")
