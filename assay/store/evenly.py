"""Evenly spaced rows as a sample: of rows in some order, as files by class, every part is then represented."""

import numpy as np


def evenly(n: int, count: int) -> np.ndarray:
    """At most `count` of n row numbers, evenly spaced, ascending; int64."""
    return np.linspace(0, n - 1, min(n, count)).astype(np.int64)
