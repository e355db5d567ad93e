"""Pictures that would take more memory than there is for one: seen at a scale, strip by strip.

Pillow holds a picture at 4 bytes a pixel, and what follows (alpha laid on a ground, 16 bits spread to 8, hashes of the
pixels) takes several copies. What that comes to is known from mode and size. Beyond `BUDGET_BYTES` the loaded
picture is reduced at once by the mean of squares of pixels: alpha weighs its colours, deep values keep their depth.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assay.contracts.errors import UnreadableSample
from assay.modalities.image.views import has_alpha, is_deep

BUDGET_BYTES = 2 * 2**30  # of one picture's decoding, besides its file
LONGER_SIDE = 2_048  # pixels of a reduced picture, at least (and less than twice that), where it has so many
STRIP_PIXELS = 2_000_000
PLAIN_COST, ALPHA_COST, DEEP_COST, DEEP_COLOUR_COST = 11, 21, 30, 86  # bytes a pixel at the peak, as measured


def reduction(image: Image.Image, is_deep_colour: bool) -> int:
    """By how much each side of an opened picture is to be divided; 1 where the whole fits the budget."""
    cost = DEEP_COLOUR_COST if is_deep_colour else PLAIN_COST
    if not is_deep_colour and (is_deep(image) or has_alpha(image)):
        cost = DEEP_COST if is_deep(image) else ALPHA_COST
    if image.width * image.height * cost <= BUDGET_BYTES:
        return 1
    return max(max(image.size) // LONGER_SIDE, 2)


def refuse_large(image: Image.Image) -> None:
    """Raise `UnreadableSample` for a picture that is needed whole and does not fit."""
    raise UnreadableSample(
        "memory_limit",
        f"{image.width} × {image.height} pixels of mode {image.mode} take more than {BUDGET_BYTES / 2**30:g} GiB to "
        "decode whole; make it smaller",
    )


def shrunk(image: Image.Image, factor: int) -> Image.Image:
    """A loaded picture with its sides divided, in its own mode (with transparency as alpha)."""
    if is_deep(image):
        rows = [_means(np.asarray(strip, dtype=np.float64), factor) for strip in _strips(image, factor)]
        return Image.fromarray(_as(np.concatenate(rows), np.asarray(image.crop((0, 0, 1, 1))).dtype))
    if not has_alpha(image):
        return (image if image.mode not in ("P", "1") else image.convert("RGB")).reduce(factor)
    parts = [strip.convert("RGBA").convert("RGBa").reduce(factor) for strip in _strips(image, factor)]
    whole = Image.new("RGBA", (parts[0].width, sum(part.height for part in parts)))
    top = 0
    for part in parts:
        whole.paste(part.convert("RGBA"), (0, top))
        top += part.height
    return whole


def shrunk_half(half: Image.Image, factor: int) -> NDArray[np.float64]:
    """(H, W, 3) means of the upper or the lower 8 bits of 16-bit colours. They add up, the upper ones times 256."""
    return np.concatenate([_means(np.asarray(strip, dtype=np.float64), factor) for strip in _strips(half, factor)])


def _strips(image: Image.Image, factor: int) -> Iterator[Image.Image]:
    """The picture in full width, some rows at a time."""
    rows = max(STRIP_PIXELS // max(image.width, 1) // factor, 1) * factor
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def _means(pixels: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Means of squares of `factor` pixels; those at the right and lower edge are of what is there."""
    for axis in (0, 1):
        starts = np.arange(0, pixels.shape[axis], factor)
        counts = np.minimum(factor, pixels.shape[axis] - starts)
        shape = [1] * pixels.ndim
        shape[axis] = len(counts)
        pixels = np.add.reduceat(pixels, starts, axis=axis) / counts.reshape(shape)
    return pixels


def _as(values: NDArray[np.float64], kind: "np.dtype[np.generic]") -> "NDArray[np.generic]":
    return (values if kind.kind == "f" else np.rint(values)).astype(kind)
