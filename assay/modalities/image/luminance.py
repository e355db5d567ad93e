"""Confirming image duplicates of one framing on their 32 × 32 luminance, pixel by pixel.

The measure is correlation, of the luminance and of its gradients: it does not see a change of brightness or contrast.
A flat picture has no structure to correlate, so flat ones are compared by their level, and never with a picture that
shows something.
"""

import numpy as np

SIDE = 32
FLAT_LEVELS = 0.75  # standard deviation, in 8-bit levels, below which a picture shows nothing
FLAT_DIFFERENCE = 4.0  # levels: two flat pictures that differ by less are one
CHUNK = 8_192  # pairs in memory at a time


def luminance_matrix(column: list[bytes]) -> np.ndarray:
    """(n, 1024) uint8 from the `luminance` column."""
    return np.frombuffer(b"".join(column), dtype=np.uint8).reshape(len(column), 1024)


def similarity_in_place(luminance: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(m,) float64 in [0, 1]: 1 − √((1 − c)(1 − g)), with the correlations c of luminance and g of its gradients.

    Args:
        luminance: (n, 1024) uint8.
        left, right: (m,) rows.
    """
    result = np.zeros(len(left))
    for start in range(0, len(left), CHUNK):
        part = slice(start, start + CHUNK)
        result[part] = _similarity(*(luminance[ends[part]].astype(np.float32) for ends in (left, right)))
    return result


def mean_difference(luminance: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(m,) float64: mean absolute difference of pairs of rows, in levels."""
    result = np.zeros(len(left))
    for start in range(0, len(left), CHUNK):
        part = slice(start, start + CHUNK)
        one, other = (luminance[ends[part]].astype(np.int16) for ends in (left, right))
        result[part] = np.abs(one - other).mean(axis=1)
    return result


def _similarity(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    level_one, level_other = one.mean(axis=1, keepdims=True), other.mean(axis=1, keepdims=True)
    luminance = _cosine(one - level_one, other - level_other)
    gradient = _cosine(_gradients(one), _gradients(other))
    value = 1.0 - np.sqrt((1.0 - luminance) * (1.0 - gradient))
    flat_one, flat_other = is_flat(one), is_flat(other)
    difference = np.abs(level_one - level_other)[:, 0]
    level = np.where(difference < FLAT_DIFFERENCE, 1.0 - difference / 255.0, 0.0)
    return np.where(flat_one & flat_other, level, np.where(flat_one | flat_other, 0.0, value))


def _cosine(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(m,) float64 in [0, 1] between rows; below 0 counts as 0."""
    shared = np.einsum("ij,ij->i", one, other, dtype=np.float64)
    lengths = np.linalg.norm(one, axis=1).astype(np.float64) * np.linalg.norm(other, axis=1)
    return np.clip(shared / np.maximum(lengths, 1e-9), 0.0, 1.0)


def _gradients(pictures: np.ndarray) -> np.ndarray:
    """Differences of neighbouring pixels across and down, (n, 2 × 32 × 31)."""
    square = pictures.reshape(-1, SIDE, SIDE)
    across, down = square[:, :, 1:] - square[:, :, :-1], square[:, 1:] - square[:, :-1]
    return np.concatenate([part.reshape(len(square), SIDE * (SIDE - 1)) for part in (across, down)], axis=1)


def is_flat(luminance: np.ndarray) -> np.ndarray:
    """(n,) bool: pictures that show nothing."""
    return luminance.std(axis=1) < FLAT_LEVELS
