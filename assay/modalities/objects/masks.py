"""A segmentation of COCO → the outline of an object: polygons as they are, runs of pixels traced along their edge."""

import math
from collections.abc import Sequence

import numpy as np

from assay.modalities.objects.annotations import FARTHEST
from assay.sources.outlines import area, as_path

MOST_PIXELS = 50_000_000  # of a mask given as runs
MOST_STEPS = 1_000_000  # along its edge
MOST_CHARACTERS = 50_000  # of an outline
Step = tuple[int, int]


def outline(segmentation: object) -> str | None:
    """The outline as `assay.sources.outlines` writes it; None where there is none.

    Raises:
        ValueError: it is no segmentation, or one too large to keep.
    """
    if segmentation is None or segmentation == []:
        return None
    rings = trace(decoded(segmentation)) if isinstance(segmentation, dict) else _polygons(segmentation)
    path = as_path(rings)
    if not path or len(path) > MOST_CHARACTERS:
        raise ValueError(f"an outline of {len(path):,} characters; wanted 1 to {MOST_CHARACTERS:,}")
    return path


def _polygons(given: object) -> list[np.ndarray]:
    """The rings of `[[x, y, x, y, …], …]`, each turned clockwise."""
    if not isinstance(given, list) or not all(isinstance(one, list) for one in given):
        raise ValueError("no list of polygons")
    return [_polygon(one) for one in given]


def _polygon(numbers: Sequence[object]) -> np.ndarray:
    values = [float(value) for value in numbers if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(values) != len(numbers) or len(values) < 6 or len(values) % 2:
        raise ValueError("no polygon: wanted six numbers or more, x and y in turn")
    if not all(math.isfinite(value) and abs(value) <= FARTHEST for value in values):
        raise ValueError("a corner beyond any picture")
    ring = np.array(values).reshape(-1, 2)
    return ring if area(ring) > 0 else ring[::-1]


def decoded(runs: dict[str, object]) -> np.ndarray:
    """(height, width) bool of `{"size": [height, width], "counts": …}`: the lengths of runs of pixels outside and
    inside in turn, down one column after another; as numbers, or as COCO's text of them.

    Raises:
        ValueError: it is none.
    """
    size, counts = runs.get("size"), runs.get("counts")
    if not isinstance(size, list) or len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
        raise ValueError("no size")
    height, width = size
    if height * width > MOST_PIXELS:
        raise ValueError(f"a mask of {width:,} × {height:,} pixels")
    lengths = _lengths(counts) if isinstance(counts, str) else counts
    if not isinstance(lengths, list) or not all(type(one) is int and one >= 0 for one in lengths):
        raise ValueError("no counts")
    if sum(lengths) != height * width:
        raise ValueError(f"runs of {sum(lengths):,} pixels for {width:,} × {height:,}")
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(width, height).T


def _lengths(text: str) -> list[int]:
    """Run lengths out of COCO's text: five bits a character, the lowest first; from the fourth on as differences to the
    length before the last."""
    found: list[int] = []
    value = shift = 0
    for byte in text.encode("ascii", "replace"):
        bits = byte - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("no counts")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        found.append(value + (found[-2] if len(found) > 2 else 0))
        value = shift = 0
    return found


def trace(mask: np.ndarray) -> list[np.ndarray]:
    """The rings around the pixels of a mask (height, width), along their edges: clockwise around what is inside, the
    other way round its holes; only the corners are kept. Raises `ValueError` where they are too long."""
    ahead = _edges(np.pad(mask, 1))
    rings = []
    while ahead:
        start = at = next(iter(ahead))
        way = ahead[start][0]
        ring: list[Step] = []
        while True:
            ways = ahead[at]
            turned = way if way in ways else next(turn for turn in _turns(way) if turn in ways)
            ways.remove(turned)
            if not ways:
                del ahead[at]
            if turned != way or not ring:
                ring.append(at)
            way, at = turned, (at[0] + turned[0], at[1] + turned[1])
            if at == start:
                break
        rings.append(np.array(ring, dtype=np.float64))
    return rings


def _turns(way: Step) -> tuple[Step, Step]:
    """Right, then left, as the screen shows it."""
    return (-way[1], way[0]), (way[1], -way[0])


def _edges(grid: np.ndarray) -> dict[Step, list[Step]]:
    """By corner `(x, y)` of pixels, the steps along the edge that start there, with the inside to the right; `grid` is
    the mask with an empty pixel around it."""
    found: dict[Step, list[Step]] = {}
    own, above, left = grid[1:, 1:], grid[:-1, 1:], grid[1:, :-1]
    steps = (
        (own & ~above, (1, 0), (0, 0)),
        (above & ~own, (-1, 0), (1, 0)),
        (left & ~own, (0, 1), (0, 0)),
        (own & ~left, (0, -1), (0, 1)),
    )
    if (length := sum(int(np.count_nonzero(is_edge)) for is_edge, _, _ in steps)) > MOST_STEPS:
        raise ValueError(f"an edge of {length:,} pixels; wanted at most {MOST_STEPS:,}")
    for is_edge, (dx, dy), (ox, oy) in steps:
        for y, x in np.argwhere(is_edge).tolist():
            found.setdefault((x + ox, y + oy), []).append((dx, dy))
    return found
