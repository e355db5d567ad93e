"""The outline of an object as text: closed rings of corners in pixels of the picture, written as an SVG path does,
`M10,20 30,20 30,40Z`. A ring around a hole turns the other way round, so that signed areas add up."""

import re
from collections.abc import Iterable

import numpy as np

RING = re.compile(r"M([^MZ]+)Z")


def as_path(rings: Iterable[np.ndarray]) -> str:
    """The text of rings, each of shape (m, 2); hundredths of a pixel are kept."""
    return " ".join(f"M{' '.join(f'{_short(x)},{_short(y)}' for x, y in ring.tolist())}Z" for ring in rings)


def rings_of(path: str) -> list[np.ndarray]:
    """The rings of a text, float64 of shape (m, 2); none where it is no such text."""
    try:
        rings = [np.array([pair.split(",") for pair in ring.split()], dtype=np.float64) for ring in RING.findall(path)]
    except ValueError:
        return []
    return [ring for ring in rings if ring.ndim == 2 and ring.shape[1] == 2 and np.isfinite(ring).all()]


def area(ring: np.ndarray) -> float:
    """What a ring encloses, in square pixels: above 0 where it turns clockwise as the screen shows it, else below."""
    (x, y), (right, down) = ring.T, np.roll(ring, -1, axis=0).T
    return float(np.sum(x * down - right * y) / 2)


def filled(rings: Iterable[np.ndarray], width: int, height: int) -> np.ndarray:
    """(height, width) bool: the pixels whose middles lie in an odd number of the rings."""
    turns = np.zeros((height, width + 1), dtype=np.int32)
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            first, last = (int(np.clip(np.ceil(y - 0.5), 0, height)) for y in sorted((y0, y1)))
            lines = np.arange(first, last)
            if lines.size:
                crossing = x0 + (lines + 0.5 - y0) * (x1 - x0) / (y1 - y0)
                turns[lines, np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.int64)] += 1
    return turns.cumsum(axis=1)[:, :width] % 2 == 1


def _short(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
