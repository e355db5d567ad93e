"""One decode per image content → one row of `image_facts`.

Every measurement but the pixel hash comes from one reduced copy (longer side 128 px, never enlarged): large images cost
little more than their decoding, JPEGs not even that (they are decoded at ½, ¼ or ⅛), and numbers mean the same at
every resolution. What can be done for many images at once (histograms, the DCT of the perceptual hash) is done per
chunk.
"""

import io
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from PIL import Image
from xxhash import xxh3_128

from data_contracts.errors import UnreadableSample
from data_contracts.tables import empty
from tasks.images import decode_rgb

WORKING_PIXELS = 128  # longer side of the reduced copy that is measured; image_issues.sql counts on it
BRIGHTNESS_WEIGHTS = np.array([0.241, 0.691, 0.068], dtype=np.float32)  # Finley's HSP perceived brightness
OPAQUE = np.frombuffer(b"\0\0\0\xff", np.uint32)[0]
HASHED_WORDS = 2**16  # pixels hashed at a time

_buffers = threading.local()


@dataclass(frozen=True)
class Measured:
    """What one image leaves behind once its pixels are gone."""

    format: str
    mode: str
    width: int
    height: int
    n_frames: int
    changes: list[str]
    pixel_hash: str
    thumbnail: bytes
    luminance: np.ndarray  # uint8, (32, 32)
    brightness_counts: np.ndarray  # int64, (256,): histogram of perceived brightness
    luminance_counts: np.ndarray  # int64, (256,)
    sharpness: float | None
    colorfulness: float


def image_facts(
    contents: Sequence[tuple[str, Callable[[], bytes]]], *, max_pixels: int, thumbnail_pixels: int, workers: int = 0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Decode and measure many contents on threads (Pillow and NumPy release the interpreter lock).

    Args:
        contents: `(content_hash, read)` pairs; `read()` gives the file's bytes.
        max_pixels: larger images are refused before they are decoded.
        thumbnail_pixels: longer side of the thumbnail at most.
        workers: threads; 0: one a core.

    Returns:
        `(facts, failures)`: rows of `image_facts`, and of `failures` for what is no readable image; in input order.
    """

    def one(content: tuple[str, Callable[[], bytes]]) -> Measured | UnreadableSample:
        try:
            return measure(content[1](), max_pixels=max_pixels, thumbnail_pixels=thumbnail_pixels)
        except UnreadableSample as error:
            return error

    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        results = list(pool.map(one, contents))
    hashes = [content_hash for content_hash, _ in contents]
    good = [(h, r) for h, r in zip(hashes, results, strict=True) if isinstance(r, Measured)]
    bad = [(h, r.reason, r.detail) for h, r in zip(hashes, results, strict=True) if isinstance(r, UnreadableSample)]
    failures = pl.DataFrame(bad, schema=empty("failures").schema, orient="row")
    return _rows([h for h, _ in good], [r for _, r in good]), failures


def measure(data: bytes, *, max_pixels: int, thumbnail_pixels: int = 128) -> Measured:
    """Decode one file and measure it.

    Raises:
        UnreadableSample: as `tasks.images.decode_rgb`.
    """
    decoded = decode_rgb(data, max_pixels, at_least=max(WORKING_PIXELS, thumbnail_pixels))
    rgb = decoded.image
    small = reduced(rgb, WORKING_PIXELS)
    gray, pixels = small.convert("L"), np.asarray(small)
    sample = pixels[::2, ::2] if max(small.size) == WORKING_PIXELS else pixels  # for what needs no neighbours
    return Measured(
        format=decoded.format,
        mode=decoded.mode,
        width=decoded.size[0],
        height=decoded.size[1],
        n_frames=decoded.n_frames,
        changes=list(decoded.changes),
        pixel_hash=hash_pixels(rgb, decoded.size),
        thumbnail=_jpeg(small if thumbnail_pixels == WORKING_PIXELS else reduced(rgb, thumbnail_pixels)),
        luminance=np.asarray(gray.resize((32, 32), Image.Resampling.BILINEAR)),
        brightness_counts=np.bincount(perceived_brightness(sample).ravel(), minlength=256),
        luminance_counts=np.asarray(gray.histogram()),
        sharpness=sharpness(np.asarray(gray)),
        colorfulness=colorfulness(sample),
    )


def reduced(rgb: Image.Image, longer_side: int) -> Image.Image:
    """`rgb` with its longer side at most `longer_side` (never enlarged, each side at least one pixel)."""
    factor = longer_side / max(rgb.size)
    if factor >= 1.0:
        return rgb
    size = tuple(max(1, round(side * factor)) for side in rgb.size)
    return rgb.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0)


def sharpness(luminance: np.ndarray) -> float | None:
    """Variance of the 4-neighbour Laplacian of `luminance` (H, W), in grey levels squared; null under 3 × 3."""
    if min(luminance.shape) < 3:
        return None
    a = luminance.astype(np.int16)
    laplacian = a[1:-1, :-2] + a[1:-1, 2:]
    laplacian += a[:-2, 1:-1]
    laplacian += a[2:, 1:-1]
    laplacian -= 4 * a[1:-1, 1:-1]
    flat = laplacian.ravel()
    mean = int(flat.sum(dtype=np.int64)) / flat.size
    squares = flat.astype(np.float32)
    return max(float(np.dot(squares, squares)) / flat.size - mean * mean, 0.0)


def perceived_brightness(rgb: np.ndarray) -> np.ndarray:
    """sqrt(0.241 R² + 0.691 G² + 0.068 B²) of uint8 pixels (…, 3), rounded to uint8."""
    squares = np.square(rgb, dtype=np.float32) @ BRIGHTNESS_WEIGHTS
    return (np.sqrt(squares, out=squares) + 0.5).astype(np.uint8)


def colorfulness(rgb: np.ndarray) -> float:
    """Mean difference between the largest and the smallest channel of uint8 pixels (H, W, 3), 0 (grayscale) … 1."""
    red, green, blue = (
        rgb[..., 0],
        rgb[..., 1],
        rgb[..., 2],
    )  # by channel: a reduction over a short axis is ten times slower
    largest = np.maximum(np.maximum(red, green), blue)
    smallest = np.minimum(np.minimum(red, green), blue)
    return float((largest - smallest).mean(dtype=np.float64)) / 255.0


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


def _rows(content_hashes: list[str], measured: list[Measured]) -> pl.DataFrame:
    """The `image_facts` rows of measured images."""
    if not measured:
        return empty("image_facts")
    plain = ("format", "mode", "width", "height", "n_frames", "changes", "pixel_hash", "thumbnail", "colorfulness")
    luminance = np.stack([image.luminance for image in measured])
    histograms = histogram_facts(
        np.stack([image.brightness_counts for image in measured]),
        np.stack([image.luminance_counts for image in measured]),
    )
    columns = {
        "content_hash": content_hashes,
        **{name: [getattr(image, name) for image in measured] for name in plain},
        **histograms,
        "sharpness": [image.sharpness for image in measured],
        "perceptual_hash": perceptual_hashes(luminance),
        "luminance": [array.tobytes() for array in luminance],
    }
    schema = empty("image_facts").schema
    return pl.DataFrame({name: pl.Series(name, columns[name], dtype=schema[name]) for name in schema})


def hash_pixels(rgb: Image.Image, size: tuple[int, int]) -> str:
    """XXH3-128 of the whole image's size, the size of `rgb` and its pixels, row-major, four bytes each: R, G, B, 255.

    Pillow keeps RGB that way, so its memory is hashed without a copy of three bytes a pixel, which would take longer
    than the hash; the fourth byte, which is left to chance, is set in a buffer that a thread uses again.
    """
    try:
        words = np.asarray(pa.array(rgb).flatten()).view(np.uint32)
    except ValueError:  # of several memory blocks: 16 MB or more
        words = np.asarray(rgb.convert("RGBA")).view(np.uint32).reshape(-1)
    digest = xxh3_128(f"{size[0]}x{size[1]} {rgb.width}x{rgb.height}:".encode())
    buffer = _buffers.__dict__.setdefault("words", np.empty(HASHED_WORDS, np.uint32))
    for start in range(0, len(words), HASHED_WORDS):
        part = words[start : start + HASHED_WORDS]
        digest.update(np.bitwise_or(part, OPAQUE, out=buffer[: len(part)]).view(np.uint8))
    return digest.hexdigest()


def _jpeg(rgb: Image.Image) -> bytes:
    buffer = io.BytesIO()
    rgb.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _dct_matrix(size: int, kept: int) -> np.ndarray:
    """The first `kept` rows of the DCT-II of `size` points, (kept, size)."""
    frequency, point = np.arange(kept)[:, None], np.arange(size)[None, :]
    return np.cos(np.pi * frequency * (2 * point + 1) / (2 * size))


DCT = _dct_matrix(32, 8)
