"""Measured images → rows of `image_facts`. What can be done for many at once (histograms, DCT) is done per chunk."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from assay.contracts.tables import empty
from assay.modalities.contents import Content, Unmeasured
from assay.modalities.image.facts import Measured, measure_contents
from assay.modalities.measuring import Chunk, measured
from assay.sources.files import Source

BATCH = 16  # contents that a worker measures at a time


def image_facts(
    source: Source, chunks: Sequence[Sequence[Content]], *, max_pixels: int, thumbnail_pixels: int
) -> Iterator[Chunk]:
    """Decode and measure many contents in worker processes, chunk by chunk.

    Args:
        source: where the uris are read.
        max_pixels: larger images are refused before they are decoded.
        thumbnail_pixels: longer side of the thumbnail at most.

    Returns:
        `(facts, failures, unread)` of each chunk, in its order: rows of `image_facts`; of `failures` for what is no
        readable image; of `failures` for what could not be read this time.
    """
    one_batch = functools.partial(measure_contents, source, max_pixels, thumbnail_pixels)
    return measured(one_batch, chunks, _rows, BATCH)


def perceptual_hashes(luminance: np.ndarray) -> np.ndarray:
    """DCT pHash of uint8 luminance (n, 32, 32) → uint64 (n,).

    The 8 × 8 lowest frequencies, a bit each where the coefficient is above the median of the 63 that are not the
    mean; the first bit (the mean) is 0. Coefficients are rounded, so that a flat image hashes to 0 everywhere.
    """
    coefficients = (DCT @ luminance.astype(np.float64) @ DCT.T).reshape(len(luminance), 64).round(6)
    bits = coefficients > np.median(coefficients[:, 1:], axis=1, keepdims=True)
    bits[:, 0] = False
    return np.packbits(bits, axis=1).view(">u8").reshape(-1).astype(np.uint64)


def histogram_facts(brightness: np.ndarray, luminance: np.ndarray) -> dict[str, np.ndarray]:
    """Brightness, its percentiles, contrast and entropy from two stacks of histograms, each (n, 256)."""
    levels = np.arange(256)
    share = luminance / luminance.sum(axis=1, keepdims=True)
    mean = share @ levels
    variance = np.maximum(share @ np.square(levels) - np.square(mean), 0.0)
    cumulative = brightness.cumsum(axis=1) / brightness.sum(axis=1, keepdims=True)
    return {
        "brightness": (brightness @ levels) / brightness.sum(axis=1) / 255.0,
        "brightness_p05": (cumulative >= 0.05).argmax(axis=1) / 255.0,
        "brightness_p99": (cumulative >= 0.99).argmax(axis=1) / 255.0,
        "contrast": np.minimum(2.0 * np.sqrt(variance) / 255.0, 1.0),
        "entropy_bits": -(share * np.log2(np.where(share > 0, share, 1.0))).sum(axis=1) + 0.0,
    }


def _rows(found: list[tuple[str, Measured | Unmeasured]]) -> pl.DataFrame:
    """The `image_facts` rows of those that were measured."""
    measured = [(name, result) for name, result in found if isinstance(result, Measured)]
    return rows_of([name for name, _ in measured], [result for _, result in measured])


def rows_of(names: list[str], measured: list[Measured]) -> pl.DataFrame:
    """Rows of `image_facts` of some contents."""
    if not measured:
        return empty("image_facts")
    plain = "format mode width height n_frames changes pixel_hash damage thumbnail colorfulness".split()
    luminance = np.stack([image.luminance for image in measured])
    histograms = histogram_facts(
        np.stack([image.brightness_counts for image in measured]),
        np.stack([image.luminance_counts for image in measured]),
    )
    columns: dict[str, Any] = {
        "content_hash": names,
        **{name: [getattr(image, name) for image in measured] for name in plain},
        **histograms,
        "sharpness": [image.sharpness for image in measured],
        "perceptual_hash": perceptual_hashes(luminance),
        "luminance": [array.tobytes() for array in luminance],
    }
    schema = empty("image_facts").schema
    return pl.DataFrame({name: pl.Series(name, columns[name], dtype=schema[name]) for name in schema})


def _dct_matrix(size: int, kept: int) -> np.ndarray:
    """The first `kept` rows of the DCT-II of `size` points, (kept, size)."""
    frequency, point = np.arange(kept)[:, None], np.arange(size)[None, :]
    return np.cos(np.pi * frequency * (2 * point + 1) / (2 * size))


DCT = _dct_matrix(32, 8)
