"""How well two sequences of small grey pictures agree, at the best lag.

Two takes of one camera share their background, so the pictures' agreement alone tells little. What changes over time
must agree as well: each cell's course about its own mean. A clip in which nothing moves has its picture alone, which
must agree the better.
"""

import numpy as np
import numpy.typing as npt

OVERLAP = 0.7  # of the shorter sequence at least
LONGEST_RATIO = 4.0  # between the lengths of two copies
NOISE = 1.5  # levels that coding anew changes a cell by: movement below it proves nothing
LOOKS, STILL_LOOKS = 4.0, 16.0  # a correlation of pictures of 1 − x counts as 1 − 4 x; where nothing moves 1 − 20 x
STILL_APART = 60.0  # levels between two cells of still clips that leave nothing of an agreement; 6 leave nine tenths
FRACTIONS = (0.25, 0.5, 0.75)  # of a step, by which a lag may lie between steps
HOPELESS = 0.5  # agreement at whole steps that no part of a step makes a copy's
FEWEST = 3  # steps
EDGED = 8  # steps, from which the edges can be spared

Floats = npt.NDArray[np.float64]


def match(one: Floats, other: Floats) -> float:
    """The best agreement of two sequences (t, cells) over shifts in time, 0 … 1.

    All lags are tried that leave `OVERLAP` of the shorter, in quarters of a step. The first and the last step, which
    are means over less time, are left out of all but the shortest.
    """
    one, other = (sequence[1:-1] if len(sequence) >= EDGED else sequence for sequence in (one, other))
    short, long = (one, other) if len(one) <= len(other) else (other, one)
    if not len(short) or len(long) > LONGEST_RATIO * len(short):
        return 0.0
    best = float(agreement(short, long).max(initial=0.0))
    if best < HOPELESS or len(long) < 2:
        return best
    between = (agreement(short, long[:-1] * (1 - part) + long[1:] * part) for part in FRACTIONS)
    return max(best, *(float(values.max(initial=0.0)) for values in between))


def agreement(a: Floats, b: Floats) -> Floats:
    """Of two sequences (t, cells) at each lag, the lesser of how they look and how they move; empty without any lag."""
    least = max(min(FEWEST, len(a)), int(np.ceil(OVERLAP * len(a))))
    lags = np.arange(least - len(a), len(b) - least + 1)
    if not len(lags):
        return np.zeros(0)
    a, b = a - 128.0, b - 128.0
    from_a, from_b = np.maximum(0, -lags), np.maximum(0, lags)
    length = np.minimum(len(a) - from_a, len(b) - from_b)
    products = a @ b.T
    cross = np.array([products.trace(lag) for lag in lags.tolist()])
    mean_a, power_a = _of_windows(a, from_a, length)
    mean_b, power_b = _of_windows(b, from_b, length)
    floor = NOISE**2 * a.shape[1] * length
    shared = cross - length * np.einsum("ij,ij->i", mean_a, mean_b)
    moves = (shared + floor) / np.sqrt((power_a + floor) * (power_b + floor))
    still = floor / (floor + np.minimum(power_a, power_b))
    mean_a, mean_b = (rows - rows.mean(axis=1, keepdims=True) for rows in (mean_a, mean_b))
    looks = 1.0 - (LOOKS + STILL_LOOKS * still) * (1.0 - _correlations(mean_a, mean_b))
    apart = 1.0 - still * np.abs(mean_a - mean_b).max(axis=1) / STILL_APART
    return np.clip(np.minimum.reduce([looks, apart, moves]), 0.0, 1.0)


def _of_windows(values: Floats, start: npt.NDArray[np.int64], length: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """For each window its mean (w, cells), and the sum of squares about it (w,)."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    squares = np.concatenate([[0.0], np.cumsum(np.square(values).sum(axis=1))])
    mean = (sums[start + length] - sums[start]) / length[:, None]
    power = squares[start + length] - squares[start] - length * np.square(mean).sum(axis=1)
    return mean, np.maximum(power, 0.0)


def _correlations(a: Floats, b: Floats) -> Floats:
    """Pearson's of each pair of centred pictures (n, cells); of two flat ones 1, of a flat one and another nearly 0."""
    floor = a.shape[1]  # of one level
    norms = (np.square(rows).sum(axis=1) + floor for rows in (a, b))
    scale: Floats = np.sqrt(next(norms) * next(norms))
    return (np.einsum("ij,ij->i", a, b) + floor) / scale
