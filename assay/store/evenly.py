"""Some of many, evenly spaced: what stands in an order, as files by class, is then met throughout."""

import numpy as np


def evenly(n: int, count: int) -> np.ndarray:
    """At most `count` of n row numbers, evenly spaced, ascending; int64."""
    return np.linspace(0, n - 1, min(n, count)).astype(np.int64)
