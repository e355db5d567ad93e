"""Bytes of one image → what the clean stage keeps of it. Light to import: worker processes start with it.

Every measurement but the pixel hash comes from one reduced copy (longer side 128 px, never enlarged): large images cost
little more than their decoding, large JPEGs not even that (they are decoded at ½, ¼ or ⅛), and numbers mean the same
at every resolution.
"""

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from assay.modalities.contents import Content, Unmeasured, measure_each
from assay.modalities.image.decode import DecodedImage, decode_rgb
from assay.modalities.image.identity import pixel_identity
from assay.sources.files import Source

WORKING_PIXELS = 128  # longer side of the reduced copy that is measured; issues.sql counts on it
WHOLE_UP_TO = 600_000  # pixels: a larger JPEG is decoded at a scale, and known by its coded data
BRIGHTNESS_WEIGHTS = np.array([0.241, 0.691, 0.068], dtype=np.float32)  # Finley's HSP perceived brightness


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
    damage: float
    thumbnail: bytes
    luminance: np.ndarray  # uint8, (32, 32)
    brightness_counts: np.ndarray  # int64, (256,): histogram of perceived brightness
    luminance_counts: np.ndarray  # int64, (256,)
    sharpness: float | None
    colorfulness: float


def measure_contents(
    source: Source, max_pixels: int, thumbnail_pixels: int, contents: Sequence[Content]
) -> list[Measured | Unmeasured]:
    """Read, decode and measure images, one result each, in their order."""
    return measure_each(
        functools.partial(measure, max_pixels=max_pixels, thumbnail_pixels=thumbnail_pixels), source, contents
    )


def measure(data: bytes, *, max_pixels: int, thumbnail_pixels: int = 128) -> Measured:
    """Decode one file and measure it.

    Raises:
        UnreadableSample: as `assay.modalities.image.decode.decode_rgb`.
    """
    decoded = decode_rgb(data, max_pixels, at_least=max(WORKING_PIXELS, thumbnail_pixels), whole_up_to=WHOLE_UP_TO)
    return measured(decoded, decoded.image, decoded.size, pixel_identity(decoded, data), thumbnail_pixels)


def measured(
    decoded: DecodedImage, rgb: Image.Image, size: tuple[int, int], identity: tuple[str, float], thumbnail_pixels: int
) -> Measured:
    """The measurements of a decoded picture, or of a part of it.

    Args:
        rgb: the part's pixels.
        size: its width and height, which `rgb` may have at a scale.
        identity: its pixel hash, and the share of it that is damaged.
    """
    small = reduced(rgb, WORKING_PIXELS)
    gray, pixels = small.convert("L"), np.asarray(small)
    sample = pixels[::2, ::2] if max(small.size) == WORKING_PIXELS else pixels  # for what needs no neighbours
    return Measured(
        format=decoded.format,
        mode=decoded.mode,
        width=size[0],
        height=size[1],
        n_frames=decoded.n_frames,
        changes=list(decoded.changes),
        pixel_hash=identity[0],
        damage=identity[1],
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
    width, height = (max(1, round(side * factor)) for side in rgb.size)
    return rgb.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=1.0)


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


def _jpeg(rgb: Image.Image) -> bytes:
    buffer = io.BytesIO()
    rgb.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
