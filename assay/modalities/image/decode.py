"""Bytes of one image → RGB pixels, safely: the one decoder of every stage that looks at images.

Formats are an allow-list (`opening.py`), sizes are checked before decoding, and whatever a hostile file makes Pillow
raise becomes `UnreadableSample` with a reason code: `zero_bytes`, `not_an_image`, `unsupported_format`, `truncated`,
`decompression_bomb`, `unreadable`. What decoders pass over in silence is counted in `damage`.
"""

import warnings
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from assay.contracts.errors import UnreadableSample
from assay.modalities.image.damage import damaged_share
from assay.modalities.image.jpeg import affected_share, decode_jpeg, is_damaged
from assay.modalities.image.large import reduction, refuse_large, shrunk, shrunk_half
from assay.modalities.image.opening import is_cut, open_image
from assay.modalities.image.views import View, scaled, view_of

JPEGS = ("JPEG", "MPO")  # the latter: a JPEG with further pictures behind it
_ORIENTATION = 0x0112  # the EXIF tag
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # the limit below raises instead
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of damaged metadata, once a file


@dataclass(frozen=True)
class DecodedImage:
    """One decoded image, and what it was before.

    Attributes:
        image: RGB, 8 bits, EXIF-rotated, transparent pixels on white or black; of several frames the first.
        format: Pillow's name of the file format.
        mode: Pillow's mode before conversion.
        n_frames: frames, pages or pictures in the file.
        size: width and height of the whole image, upright; more than `image`'s where it was decoded at a scale.
        changes: what decoding changed, of `first_frame`, `exif_rotated`, `reduced_to_fit`, `depth_reduced`,
            `range_scaled`, `alpha_composited`, `dark_background`, `mode_converted`, in this order.
        damage: share of the content that the file has lost, or a decoder made up, without an error; 0 of a whole file.
        levels: the values of a deep picture that became black and white, else None.
        loaded: the first frame as it was loaded, not rotated.
        deep: (H, W, 3) uint16 of a picture of 16 bits a colour, not rotated, else None.
        is_whole: whether `loaded` has all the file's pixels and bits, of that frame.
        orientation: EXIF's, 1 where it is applied already.
    """

    image: Image.Image
    format: str
    mode: str
    n_frames: int
    size: tuple[int, int]
    changes: tuple[str, ...]
    damage: float
    levels: tuple[float, float] | None
    loaded: Image.Image
    deep: np.ndarray | None
    is_whole: bool
    orientation: int


def decode_rgb(
    data: bytes, max_pixels: int, at_least: int = 0, whole_up_to: int = 0, reduces: bool = True
) -> DecodedImage:
    """Decode the bytes of one image file. Safe to call from several threads.

    A picture that would take more than `large.BUDGET_BYTES` is reduced while it is loaded (`reduced_to_fit`); unless
    `reduces`, it is refused.

    With `at_least`, a JPEG is decoded at ½, ¼ or ⅛ of its size where its longer side keeps that many pixels,
    and it has more than `whole_up_to` pixels in all.

    Raises:
        UnreadableSample: the bytes are not an image of an allowed format, cannot be decoded, or hold more than
            `max_pixels` pixels, or are needed whole and take too much memory.
    """
    if not data:
        raise UnreadableSample("zero_bytes", "the file is empty")
    try:
        return _decode(data, max_pixels, at_least, whole_up_to, reduces)
    except UnreadableSample:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableSample("decompression_bomb", f"{error}") from None
    except Exception as error:  # plugins raise anything on hostile bytes: struct.error, SyntaxError, KeyError, …
        reason = "truncated" if "truncated" in str(error) or is_cut(data) else "unreadable"
        raise UnreadableSample(reason, f"{type(error).__name__}: {error}"[:200]) from None


def _decode(data: bytes, max_pixels: int, at_least: int, whole_up_to: int, reduces: bool) -> DecodedImage:
    limit = max(max_pixels // 2, 1)  # Pillow raises above twice this, also for pictures inside a container
    if limit != Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = limit
    image = open_image(data)
    width, height = image.size
    if width * height > max_pixels:
        raise UnreadableSample("decompression_bomb", f"{width} × {height} pixels; at most {max_pixels} are allowed")
    name, mode = image.format or "", image.mode
    before = _orientation(image) if name == "TIFF" else 1  # Pillow rotates TIFF itself while loading
    keeps_depth = not loses_depth(data, image)
    loaded, deep, damage, at_scale = _load(data, image, at_least if width * height > whole_up_to else 0, reduces)
    orientation = _orientation(image)
    if name == "TIFF":
        width, height = image.size
    view = scaled(deep) if deep is not None else view_of(loaded)
    rgb = upright(view.image, orientation)
    size = (height, width) if at_scale and orientation in range(5, 9) else (width, height)
    if at_scale and name not in JPEGS and mode != "RGB" and "mode_converted" not in view.changes:
        view = replace(view, changes=(*view.changes, "mode_converted"))  # it was converted to be reduced
    n_frames = _count_frames(image)
    return DecodedImage(
        image=rgb,
        format=name,
        mode=mode,
        n_frames=n_frames,
        size=size if at_scale else rgb.size,
        changes=_changes(
            n_frames, orientation in _TRANSPOSE or before in _TRANSPOSE, at_scale and name not in JPEGS, view
        ),
        damage=damage,
        levels=view.levels,
        loaded=loaded,
        deep=deep,
        is_whole=not at_scale and (keeps_depth or deep is not None),
        orientation=orientation,
    )


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as its EXIF orientation says."""
    return image.transpose(_TRANSPOSE[orientation]) if orientation in _TRANSPOSE else image


def loses_depth(data: bytes, image: Image.Image) -> bool:
    """Whether Pillow drops bits, channels or pictures of an opened file when it loads it."""
    tile = image.tile[0] if isinstance(image, ImageFile) and image.tile else None
    arguments = tile.args if tile and isinstance(tile.args, tuple) else (tile.args if tile else None,)
    name = image.format or ""
    if name == "TIFF":
        tags = cast(TiffImageFile, image).tag_v2
        bits, samples = tags.get(258, (1,)), int(tags.get(277, 1))
        deepest = max(bits) if isinstance(bits, tuple) else int(bits)
        one = image.mode.startswith("I") or image.mode == "F"
        return samples > len(image.getbands()) or (deepest > 8 and not one) or (deepest > 32)
    if name in ("PNG", "BMP"):
        deep_grey = image.mode.startswith("I")
        return any(isinstance(a, str) and ((";16" in a and not deep_grey) or a == "BGRX") for a in arguments)
    if name == "PPM":
        return image.mode in ("RGB", "L") and any(isinstance(a, int) and a > 255 for a in arguments)
    if name == "JPEG2000":
        start = data.find(b"\xff\x51")
        return start < 0 or len(data) <= start + 40 or (data[start + 40] & 0x7F) + 1 > 8
    if name == "AVIF":
        start = data.find(b"av1C")
        return start < 0 or len(data) <= start + 6 or bool(data[start + 6] & 0x40)
    return name not in ("JPEG", "MPO", "GIF", "WEBP", "QOI")


def _load(
    data: bytes, image: Image.Image, at_least: int, reduces: bool
) -> tuple[Image.Image, np.ndarray | None, float, bool]:
    """The first frame, its 16-bit colours where it has such, the share of damage, and whether it is at a scale."""
    if image.format in JPEGS:
        return _load_jpeg(data, image, at_least)
    deep_colour = _is_deep_colour(image)
    factor = reduction(image, deep_colour)
    if factor > 1 and not reduces:
        refuse_large(image)
    damage = damaged_share(data, image)
    deep = _deep_colours(data, factor) if deep_colour else None
    if factor == 1:
        image.load()
    elif deep is not None:
        image = Image.fromarray((deep >> 8).astype(np.uint8))
    else:
        image.load()
        return shrunk(image, factor), None, damage, True
    return image, deep, damage, factor > 1


def _load_jpeg(data: bytes, image: Image.Image, at_least: int) -> tuple[Image.Image, None, float, bool]:
    found = decode_jpeg(data, image.mode, image.size, at_least)
    if found:
        return found[0], None, 0.0, not found[1]
    if is_damaged(data, image.mode):
        image.load()
        return image, None, affected_share(np.asarray(image.convert("L"))), False
    whole = image.size
    if at_least:
        scale = at_least / max(whole)
        image.draft(None, (max(int(whole[0] * scale), 1), max(int(whole[1] * scale), 1)))
    image.load()
    return image, None, 0.0, image.size != whole


def _is_deep_colour(image: Image.Image) -> bool:
    """Whether it is a PNG of 16 bits a colour, of one frame, without transparency."""
    if image.format != "PNG" or image.mode != "RGB" or not isinstance(image, ImageFile):
        return False
    if not image.tile or image.tile[0].args != "RGB;16B":
        return False
    return "transparency" not in image.info and _count_frames(image) == 1


def _deep_colours(data: bytes, factor: int) -> np.ndarray:
    """(H, W, 3) uint16 of a PNG of 16 bits a colour, its sides divided: Pillow keeps the upper 8 bits, and is asked
    twice."""
    halves: list[np.ndarray] = []
    for order in ("RGB;16B", "RGB;16L"):
        one = cast(ImageFile, open_image(data))
        one.tile = [tile._replace(args=order) for tile in one.tile]
        one.load()
        halves.append(shrunk_half(one, factor) if factor > 1 else np.asarray(one).astype(np.uint16))
    if factor > 1:
        return np.rint(halves[0] * 256.0 + halves[1]).astype(np.uint16)
    return halves[0] << 8 | halves[1]


def _changes(n_frames: int, is_rotated: bool, is_reduced: bool, view: View) -> tuple[str, ...]:
    first = ("first_frame",) if n_frames > 1 else ()
    rotated = ("exif_rotated",) if is_rotated else ()
    fitted = ("reduced_to_fit",) if is_reduced else ()
    return (*first, *rotated, *fitted, *view.changes)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none or it cannot be read."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF is no reason to lose the pixels
        return 1


def _count_frames(image: Image.Image) -> int:
    try:
        return max(int(getattr(image, "n_frames", 1)), 1)
    except Exception:  # a damaged later frame: the first one is what is used
        return 1
