"""Confirming image duplicates on their 32 × 32 luminance.

The measure is normalised cross-correlation: it does not see a change of brightness or contrast. A flat picture has
none to speak of, so flat ones are compared by their level, and never with a picture that shows something.
"""

import numpy as np

FLAT_LEVELS = 2.0  # standard deviation, in 8-bit levels, below which a picture shows nothing
FLAT_DIFFERENCE = 4.0  # levels: two flat pictures that differ by less are one
CHUNK = 65_536  # pairs in memory at a time


def luminance_matrix(column: list[bytes]) -> np.ndarray:
    """(n, 1024) uint8 from the `luminance` column."""
    return np.frombuffer(b"".join(column), dtype=np.uint8).reshape(len(column), 1024)


def correlation(luminance: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(m,) float64 in [0, 1]: how alike the two pictures of each pair are; below 0 counts as 0.

    Args:
        luminance: (n, 1024) uint8.
        left, right: (m,) rows.
    """
    result = np.zeros(len(left))
    for start in range(0, len(left), CHUNK):
        part = slice(start, start + CHUNK)
        result[part] = _correlation(luminance[left[part]], luminance[right[part]])
    return result


def _correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    one, other = one.astype(np.float32), other.astype(np.float32)
    level_one, level_other = one.mean(axis=1), other.mean(axis=1)
    one -= level_one[:, None]
    other -= level_other[:, None]
    spread_one, spread_other = np.sqrt((one**2).mean(axis=1)), np.sqrt((other**2).mean(axis=1))
    product = np.maximum(spread_one * spread_other, 1e-9)
    value = np.clip(np.einsum("ij,ij->i", one, other) / one.shape[1] / product, 0.0, 1.0)
    flat_one, flat_other = spread_one < FLAT_LEVELS, spread_other < FLAT_LEVELS
    difference = np.abs(level_one - level_other)
    level = np.where(difference < FLAT_DIFFERENCE, 1.0 - difference / 255.0, 0.0)
    return np.where(flat_one & flat_other, level, np.where(flat_one | flat_other, 0.0, value))


def is_flat(luminance: np.ndarray) -> np.ndarray:
    """(n,) bool: pictures that show nothing."""
    return luminance.std(axis=1) < FLAT_LEVELS
