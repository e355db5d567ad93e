"""The embedding plot of a snapshot as one small PNG: a point a sample, coloured by class."""

import io

import numpy as np
import polars as pl
from PIL import Image

from assay.store.evenly import evenly
from assay.store.snapshots import Snapshot

SIDE = 360  # pixels
POINTS = 20_000
METHODS = ("umap", "tsne", "pca")  # the first of these that there is
PAPER, UNLABELLED = "#ffffff", "#9a9a9a"
CLASSES = (
    "#3b7dd8", "#e8833a", "#2f9e63", "#d64550", "#8a63d2", "#a0694b", "#e377c2",
    "#7f8c3a", "#17a2b8", "#f2b134", "#5b6ee1", "#f06a6a", "#3fbf9f", "#b04fc4",
)  # fmt: skip
"""With paper and gray sixteen colours: four bits a pixel, so that the PNG is never above 64 KiB."""


def embedding_plot(snapshot: Snapshot) -> bytes | None:
    """A PNG of at most `POINTS` samples, evenly chosen; None where the snapshot has no projection.

    The largest classes have a colour of their own; all others, and samples without a label, are gray.
    """
    points = _points(snapshot)
    if points is None:
        return None
    pixels = np.zeros((SIDE, SIDE), dtype=np.uint8)
    columns, rows = _places(points["x"]), SIDE - 1 - _places(points["y"])
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):  # a point is a square of two pixels
        pixels[np.minimum(rows + down, SIDE - 1), np.minimum(columns + right, SIDE - 1)] = points["color"].to_numpy()
    image = Image.fromarray(pixels, "P")
    image.putpalette(b"".join(bytes.fromhex(color[1:]) for color in (PAPER, UNLABELLED, *CLASSES)))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", bits=4, optimize=True)
    return buffer.getvalue()


def _points(snapshot: Snapshot) -> pl.DataFrame | None:
    """Columns x, y, color of the points to draw, in the samples' order."""
    parts = snapshot.parts("projection")
    there = pl.scan_parquet(parts).select("method").unique().collect()["method"].to_list() if parts else []
    method = next((method for method in METHODS if method in there), None)
    if method is None:
        return None
    finite = pl.col("x").is_finite() & pl.col("y").is_finite()
    placed = pl.scan_parquet(parts).filter((pl.col("method") == method) & finite).select("sample_id", "x", "y")
    samples = pl.scan_parquet(snapshot.parts("samples")).select("sample_id", "position", "label")
    points = placed.join(samples, on="sample_id").sort("position", "sample_id").collect()
    if points.is_empty():
        return None
    counts = points.drop_nulls("label").group_by("label").len().sort(["len", "label"], descending=[True, False])
    codes = {label: 2 + place for place, label in enumerate(counts["label"].head(len(CLASSES)))}
    color = pl.col("label").replace_strict(codes, default=1, return_dtype=pl.UInt8).alias("color")
    even = evenly(len(points), POINTS)
    return points.select("x", "y", color)[even]


def _places(values: pl.Series) -> np.ndarray:
    """Values as pixels from 2 to SIDE − 3."""
    numbers = values.to_numpy().astype(np.float64)
    span = max(float(np.ptp(numbers)), 1e-12)
    return np.rint(2 + (numbers - numbers.min()) / span * (SIDE - 5)).astype(np.int64)
