"""One loaded picture → the 8-bit RGB that is measured, embedded and shown, and what that took."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from assay.contracts.errors import UnreadableSample

WHITE, BLACK = (255, 255, 255), (0, 0, 0)  # what shows through transparent pixels
VISIBLE = 24.0  # mean levels by which what is drawn must differ from white to stay visible on it
NARROW = 0.25  # of a scale: deep pictures that use less of it are spread from their least to their largest value
ALPHA_MODES = ("RGBA", "RGBa", "LA", "La", "PA")


@dataclass(frozen=True)
class View:
    """What is seen of a picture.

    Attributes:
        image: RGB, 8 bits.
        changes: of `depth_reduced`, `range_scaled`, `alpha_composited`, `dark_background`, `mode_converted`.
        levels: of a deep picture the values that became black and white, else None.
    """

    image: Image.Image
    changes: tuple[str, ...] = ()
    levels: tuple[float, float] | None = None


def view_of(image: Image.Image) -> View:
    """The loaded frame as RGB.

    Raises:
        UnreadableSample: pixels of a mode that Pillow cannot convert.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return View(image)
    if is_deep(image):
        return scaled(np.asarray(image))
    if has_alpha(image):
        return _composited(image)
    try:
        return View(image.convert("RGB"), ("mode_converted",))
    except ValueError:
        raise UnreadableSample("unsupported_format", f"pixels of mode {image.mode} are not read") from None


def is_deep(image: Image.Image) -> bool:
    """Whether its one channel has more than 8 bits."""
    return image.mode.startswith("I;16") or image.mode in ("I", "F")


def has_alpha(image: Image.Image) -> bool:
    """Whether any pixel may be transparent."""
    return image.mode in ALPHA_MODES or "transparency" in image.info


def scaled(pixels: np.ndarray) -> View:
    """Deep pixels as 8 bits.

    Where the values span a quarter or more of a usual scale (0 to 1, 255 or 65,535; integers of 16 bits 65,535), that
    scale is kept; else the file's own range is spread, from its 0.1th to its 99.9th percentile. The ends of the scale
    (0 and 65,535), which often stand for "no value", do not count in that.

    Args:
        pixels: (H, W) or (H, W, 3) of integers or floats.
    """
    deep: np.ndarray = np.asarray(pixels, dtype=np.float32 if pixels.dtype != np.float64 else np.float64)
    finite = deep[np.isfinite(deep)]
    valid = finite[(finite != 0) & (finite != 65535)]
    low, high = (float(v) for v in np.percentile(valid, (0.1, 99.9))) if valid.size else (0.0, 1.0)
    least, largest = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    tops = {"f": (1.0, 255.0, 65535.0), "u": (65535.0,)}.get(pixels.dtype.kind, (255.0, 65535.0))
    top = next((value for value in tops if least >= 0 and largest <= value), None)
    changes: tuple[str, ...] = ("depth_reduced", "mode_converted")
    if top is not None and (high - low >= NARROW * top or not valid.size):
        low, high = 0.0, top
    else:
        changes = ("depth_reduced", "range_scaled", "mode_converted")
        high = high if high > low else low + 1.0
    shown = np.nan_to_num((deep - low) * (255.0 / (high - low)) + 0.5, nan=0.0, posinf=255.0, neginf=0.0)
    image = Image.fromarray(np.clip(shown, 0, 255).astype(np.uint8))
    return View(image if image.mode == "RGB" else image.convert("RGB"), changes, (low, high))


def _composited(image: Image.Image) -> View:
    """Transparent pixels on white, or on black where what is drawn would vanish on white; a wholly opaque image only
    loses its alpha."""
    rgba = image.convert("RGBA")
    alpha = rgba.getchannel("A")
    converted = ("mode_converted",) if image.mode != "RGB" else ()
    if alpha.getextrema()[0] == 255:
        return View(rgba.convert("RGB"), converted)
    on_black = needs_black(rgba)
    rgb = Image.new("RGB", rgba.size, BLACK if on_black else WHITE)
    rgb.paste(rgba, mask=alpha)
    return View(rgb, ("alpha_composited", *(("dark_background",) if on_black else ()), *converted))


def needs_black(rgba: Image.Image) -> bool:
    """Whether what an RGBA picture draws is so light that white behind it would hide it."""
    pixels = np.asarray(rgba.reduce(2) if min(rgba.size) > 64 else rgba)
    weight = pixels[..., 3].astype(np.float32)
    total = float(weight.sum())
    if total == 0.0:
        return False
    contrast = 255.0 - pixels[..., :3].min(axis=2)
    return float((contrast * weight).sum()) / total < VISIBLE
