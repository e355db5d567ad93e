"""FastRP: random vectors averaged over ever wider neighbourhoods (Chen et al. 2019). The fastest of all.

Σ wᵢ · unit((D⁻¹ A)ⁱ L R), with R a very sparse random projection (−√3, 0, √3), and L the degrees to the power β. Good
for neighbours; a linear probe learns less from it than from the others.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from assay.embedders.prone import row_normalized
from assay.embedders.svd import unit_rows

DIMENSION = 128
WEIGHTS = (0.0, 0.0, 1.0, 1.0, 1.0, 1.0)  # of i = 1, 2, …
BETA = -0.5


def fastrp(adjacency: sparse.csr_matrix, dimension: int = DIMENSION, seed: int = 0) -> NDArray[np.float32]:
    """Vectors (n, d) of length 1 of the nodes of a graph without direction; of length 0 for those without an edge."""
    n = adjacency.shape[0]
    degree = np.asarray(adjacency.sum(axis=1), dtype=np.float64).reshape(-1)
    rng = np.random.default_rng(seed)
    drawn = rng.choice(np.array([-(3**0.5), 0.0, 3**0.5], dtype=np.float32), (n, dimension), p=(1 / 6, 2 / 3, 1 / 6))
    share = np.divide(degree, degree.sum(), out=np.zeros(n), where=degree > 0)
    scale = np.power(share, BETA, out=np.zeros(n), where=share > 0)
    spread, walk = (drawn * scale[:, None]).astype(np.float32), row_normalized(adjacency)
    total = np.zeros((n, dimension), dtype=np.float32)
    for weight in WEIGHTS:
        spread = np.asarray(walk @ spread, dtype=np.float32)
        if weight:
            total += np.float32(weight) * unit_rows(spread)
    found = unit_rows(total)
    found[degree == 0] = 0.0
    return found
