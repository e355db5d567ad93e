"""How truly a projection shows the vectors' neighbourhoods: trustworthiness and continuity (Venna and Kaski, 2001)."""

import numpy as np


def trustworthiness_continuity(vectors: np.ndarray, places: np.ndarray, k: int) -> tuple[float, float]:
    """Both in [0, 1], 1 is perfect.

    Trustworthiness = 1 − 2 ÷ (n k (2n − 3k − 1)) · Σᵢ Σ_{j near i in the picture, not in the vectors} (rank(i, j) − k),
    where rank counts the neighbours of i in the vectors. Continuity is the same with the two spaces exchanged: what is
    near in the vectors should be near in the picture.

    Args:
        vectors: unit-length rows (n, d), so that the order by distance is that by cosine.
        places: coordinates (n, 2 or 3) of the same rows.
        k: neighbours looked at, below n ÷ 2.
    """
    from sklearn.manifold import trustworthiness

    wide, seen = vectors.astype(np.float64), places.astype(np.float64)
    return float(trustworthiness(wide, seen, n_neighbors=k)), float(trustworthiness(seen, wide, n_neighbors=k))
