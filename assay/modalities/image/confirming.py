"""Which candidates are copies: both files are opened again, compared in colour and detail, and judged by two radii.

The strict radius is for pairs that collapse into one unit, in place and in the same light. The wider one is for pairs
that are reported, laid over each other. What a pair came to is a fact: a night compares only pairs that are new.
"""

import functools
import io
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from assay.contracts.errors import UnreadableSample
from assay.contracts.spec import Spec
from assay.modalities.contents import Read, open_reader
from assay.modalities.image.comparison import SIDE, Difference, Picture, boxes_of, compare, refine_boxes
from assay.modalities.image.decode import JPEGS, DecodedImage, decode_rgb, upright
from assay.modalities.image.facts import reduced
from assay.modalities.image.views import BLACK, WHITE, has_alpha
from assay.store.facts import FactStore
from assay.store.files import hash_text
from assay.store.machine import cores
from assay.store.progress import Progress
from assay.store.workspace import Workspace

METHOD = 2  # raised when the comparison or a radius changes; facts of another one are not used
KEPT = 96  # pictures in memory
SAME_LEVELS = 0.02  # of the span: deep pictures are compared where they were scaled alike


class Comparer:
    """Compares pictures of samples by row.

    Args:
        samples: `content_hash`, `uri`, by row.
        facts: the parts of `image_facts`. What has no file is seen by its thumbnail, where that is all of the picture.
    """

    def __init__(self, spec: Spec, samples: pl.DataFrame, workspace: Workspace, facts: Sequence[Path]) -> None:
        self._spec, self._hashes, self._uris = spec, samples["content_hash"], samples["uri"]
        self._facts, self._workspace = facts, workspace
        self._reader: Read | None = None
        self._lock = threading.Lock()
        self._picture = functools.lru_cache(KEPT)(self._read)

    def in_place(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(m,) float64 in [0, 1]: the `detail` of pairs that are equal in place by the strict radius, 0 for others."""

        def judge(i: int, a: int, b: int) -> float:
            one, other = self._picture(a), self._picture(b)
            if one is None or other is None or not comparable(one, other):
                return 0.0
            return confirmed(compare(one, other), is_strict)

        return self._known("in place", left, right, judge)

    def aligned(self, left: np.ndarray, right: np.ndarray, turn: np.ndarray, warp: np.ndarray) -> np.ndarray:
        """(m,) the same by the wider radius, the right one turned and laid over the left one as `alignment` found.

        Args:
            turn: (m,) entries of `alignment.TURNS`.
            warp: (m, 4) as in `alignment.Match`.
        """

        def judge(i: int) -> float:
            one, other = self._picture(int(left[i])), self._picture(int(right[i]))
            boxes = boxes_of(warp[i])
            if boxes is None or one is None or other is None or not comparable(one, other):
                return 0.0
            other = other.turned(int(turn[i]))
            return confirmed(compare(one, other, *refine_boxes(one, other, *boxes)), is_copy)

        return self._each(judge, len(left))

    def _known(
        self, way: str, left: np.ndarray, right: np.ndarray, judge: Callable[[int, int, int], float]
    ) -> np.ndarray:
        """From the facts where a pair is known, else judged, and kept."""
        names = pl.Series(
            [min(a, b) + max(a, b) for a, b in zip(self._hashes.gather(left), self._hashes.gather(right), strict=True)],
            dtype=pl.String,
        )
        facts = FactStore(self._workspace, "picture_matches", hash_text(f"{way} {METHOD}")[:16])
        similarity = facts.lookup(names, "similarity").to_numpy().copy()
        new = np.flatnonzero(np.isnan(similarity))
        if len(new):
            similarity[new] = self._each(lambda i: judge(i, int(left[new[i]]), int(right[new[i]])), len(new))
            found = pl.DataFrame({"content_hash": names.gather(new), "similarity": similarity[new]})
            found = found.with_columns(pl.lit(0, pl.UInt8).alias("turn"))
            facts.append(found.unique("content_hash", keep="first", maintain_order=True))
        return similarity

    def _each(self, judge: Callable[[int], float], n: int) -> np.ndarray:
        progress, found = Progress("pairs of pictures compared", n, brief=True), np.zeros(n)
        with ThreadPoolExecutor(cores()) as pool:  # Pillow and NumPy let go of the interpreter's lock
            for i, similarity in enumerate(pool.map(judge, range(n))):
                found[i] = similarity
                progress.advance()
        return found

    def _read(self, row: int) -> Picture | None:
        """The picture from its file, or from a thumbnail that is all of it; None where it cannot be compared."""
        data = None
        if self._uris[row] is not None:
            with self._lock:
                self._reader = self._reader or open_reader(self._spec)
            try:
                data = self._reader([self._uris[row]], self._hashes[row])
            except UnreadableSample:
                return None
        data = data or whole_thumbnail(self._facts, self._hashes[row])
        try:
            return picture_of(decode_rgb(data, self._spec.clean.max_pixels, at_least=SIDE)) if data else None
        except UnreadableSample:
            return None


def picture_of(decoded: DecodedImage) -> Picture | None:
    """What is compared of a decoded image; None for several frames, of which one is seen."""
    if decoded.n_frames > 1 and decoded.format not in JPEGS:
        return None
    layers: tuple[Image.Image, ...] = (decoded.image,)
    if has_alpha(decoded.loaded) and np.asarray(decoded.loaded.convert("RGBA").getchannel("A")).min() < 255:
        rgba = upright(decoded.loaded.convert("RGBA"), decoded.orientation)
        layers = tuple(_on(rgba, ground) for ground in (WHITE, BLACK))
    levels = decoded.levels if "range_scaled" in decoded.changes else None
    return Picture(tuple(reduced(layer, SIDE) for layer in layers), decoded.size, levels)


def _on(rgba: Image.Image, ground: tuple[int, int, int]) -> Image.Image:
    rgb = Image.new("RGB", rgba.size, ground)
    rgb.paste(rgba, mask=rgba.getchannel("A"))
    return rgb


def comparable(one: Picture | None, other: Picture | None) -> bool:
    """Whether both can be seen, and deep ones were scaled alike."""
    if one is None or other is None:
        return False
    if one.levels is None or other.levels is None:
        return one.levels is other.levels
    span = max(one.levels[1] - one.levels[0], other.levels[1] - other.levels[0])
    return max(abs(a - b) for a, b in zip(one.levels, other.levels, strict=True)) <= SAME_LEVELS * span


def is_strict(found: Difference) -> bool:
    """Nothing but the traces of another encoding or size: pairs that collapse into one unit."""
    same_light = abs(found.gain - 1) <= 0.05 and abs(found.offset) <= 5
    same_colour = found.noise <= 6 and found.colour <= 12 + found.noise
    same_objects = found.spot <= min(9 + 2 * found.noise, 18) and found.change <= 14 + 5 * found.noise
    return same_light and same_colour and same_objects and found.detail >= 0.85 and found.coherence >= 0.95


def is_copy(found: Difference) -> bool:
    """The same picture, cropped, turned, in other light, or roughly encoded: pairs that are reported."""
    same_colour = found.noise <= 20 and found.colour <= min(18 + found.noise, 40)
    same_objects = found.spot <= 12 + 3 * found.noise
    return same_colour and same_objects and found.detail >= 0.5 and found.coherence >= 0.87


def confirmed(found: Difference, rule: Callable[[Difference], bool]) -> float:
    """The `detail` in (0, 1] where a rule holds, else 0."""
    return float(np.clip(found.detail, 1e-6, 1.0)) if rule(found) else 0.0


def whole_thumbnail(facts: Sequence[Path], content_hash: str) -> bytes | None:
    """The JPEG of a content whose picture is no larger than that."""
    columns = ("thumbnail", "width", "height")
    found = (
        pl.scan_parquet(list(facts)).filter(pl.col("content_hash") == content_hash).select(columns).head(1).collect()
    )
    if found.is_empty() or found["thumbnail"][0] is None:
        return None
    data, *size = found.row(0)
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return data if image.size == tuple(size) else None
