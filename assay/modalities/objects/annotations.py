"""What the readers of annotations give, one for each row of a file: a box with its class, or why there is none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from assay.sources.fragments import Region

FARTHEST = 1e7  # pixels, or hundredths, from the corner: no picture is larger


class Annotation(NamedTuple):
    """One box.

    Attributes:
        image: the picture, as the file names it.
        place: where in which file it stands, in words.
        more: further columns.
    """

    image: str
    region: Region
    label: str | None
    place: str
    more: dict[str, str | bool | None]


class Refused(NamedTuple):
    """One row that is no box, with its reason (a code) and its detail (in words)."""

    reason: str
    detail: str


@dataclass
class Found:
    """What one file of annotations holds.

    Attributes:
        named: pictures that it lists, whether they have a box or not.
        said, doubts: how it was read, and what else could have been meant.
    """

    rows: list[Annotation | Refused] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


def checked_region(values: object, place: str, is_percent: bool = False) -> Region | Refused:
    """Left, top, width and height as a box, or why they are none."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 4:
        return Refused("no_box", f"{place}: {values!r:.60} is not a box; wanted four numbers")
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return Refused("no_box", f"{place}: {values!r:.60} is not a box; wanted four numbers")
    left, top, width, height = numbers = [_as_float(value) for value in values]
    if not all(map(math.isfinite, numbers)):
        return Refused("box_not_finite", f"{place}: the box {values!r:.60} holds NaN or infinity")
    if width <= 0 or height <= 0:
        return Refused("box_empty", f"{place}: the box is {width:g} wide and {height:g} high")
    if max(map(abs, numbers)) > FARTHEST:
        return Refused("box_out_of_range", f"{place}: the box {values!r:.60} lies beyond any picture")
    return Region(left, top, width, height, is_percent)


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
