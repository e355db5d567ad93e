"""A part of a file by its uri, as W3C media fragments name one: `a.jpg#xywh=10,20,64,64`, or `percent:5,5,20,20`.

Whoever reads parts reads them in the order of their files, so that each file is opened once.
"""

import math
from typing import NamedTuple

import polars as pl

from assay.store.files import hash_text

MARK = "#xywh="
PERCENT = "percent:"
VERSION = 1  # raised when what is read of a part is another thing than before
MARGIN = 0.1  # that a crop has on each side, of the box's width and height; another one raises VERSION


class Region(NamedTuple):
    """A box: left, top, width and height, in pixels, or in hundredths of the picture's size."""

    x: float
    y: float
    width: float
    height: float
    is_percent: bool = False

    def in_pixels(self, size: tuple[int, int]) -> "Region":
        """The same box of a picture of `size` (width, height), in pixels."""
        if not self.is_percent:
            return self
        across, down = size[0] / 100.0, size[1] / 100.0
        return Region(self.x * across, self.y * down, self.width * across, self.height * down)

    def cut(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the crop of a box (in pixels) with its margin, as far as a picture of `size`
        reaches."""
        across, down = MARGIN * self.width, MARGIN * self.height
        left, top = max(0, math.floor(self.x - across)), max(0, math.floor(self.y - down))
        right = min(size[0], math.ceil(self.x + self.width + across))
        bottom = min(size[1], math.ceil(self.y + self.height + down))
        return left, top, max(right, left + 1), max(bottom, top + 1)


def with_region(file: str, region: Region) -> str:
    """The uri of a box of a file; hundredths of a pixel are kept, of percents ten thousandths. No side becomes 0."""
    digits = 4 if region.is_percent else 2
    sides = (max(side, 10.0**-digits) for side in (region.width, region.height))
    numbers = ",".join(_short(value, digits) for value in (region.x, region.y, *sides))
    return f"{file}{MARK}{PERCENT if region.is_percent else ''}{numbers}"


def parted(uri: str) -> tuple[str, str]:
    """`(file, fragment)` of a uri; the fragment is empty where it names a whole file."""
    file, mark, fragment = uri.rpartition(MARK)
    return (file, fragment) if mark else (uri, "")


def region_of(fragment: str) -> Region | None:
    """The box that a fragment names; None where it names none."""
    is_percent = fragment.startswith(PERCENT)
    try:
        left, top, width, height = (float(word) for word in fragment.removeprefix(PERCENT).split(","))
    except ValueError:
        return None
    if not all(abs(number) < float("inf") for number in (left, top, width, height)) or min(width, height) <= 0:
        return None
    return Region(left, top, width, height, is_percent)


def part_hash(file_hash: str, fragment: str) -> str:
    """The content hash of a part of a file that has this hash; of the whole, its own."""
    return hash_text(f"part {VERSION} {file_hash} {fragment}") if fragment else file_hash


def by_file(samples: pl.DataFrame) -> pl.DataFrame:
    """Rows with a `uri` in such an order that those of one file stand together, files in the order of their first."""
    if not samples["uri"].str.contains("#", literal=True).any():
        return samples
    file = pl.coalesce(pl.col("uri").str.split("#").list.first(), pl.lit(""))
    numbered = samples.with_row_index("row of all").with_columns(pl.col("row of all").min().over(file).alias("first"))
    return samples[numbered.sort("first", "row of all")["row of all"]]


def _short(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
