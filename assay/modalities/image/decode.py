"""Bytes of one image → RGB pixels, safely: the one decoder of every stage that looks at images.

Formats are an allow-list (no EPS, SVG, PDF: they run programs or fetch), sizes are checked before decoding, and
whatever a hostile file makes Pillow raise becomes `UnreadableSample` with a reason code:
`zero_bytes`, `not_an_image`, `unsupported_format`, `truncated`, `decompression_bomb`, `unreadable`.
"""

import warnings
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from assay.contracts.errors import UnreadableSample

FORMATS = ("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "QOI", "SGI", "TIFF", "WEBP")
BACKGROUND = (255, 255, 255)  # what shows through transparent pixels

_MAGIC = (
    b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*\x00", b"MM\x00*", b"qoif", b"\x00\x00\x01\x00",
    b"\x00\x00\x00\x0cjP", b"\xff\x4f\xff\x51",
)  # fmt: skip
_REFUSED = ((b"%!PS", "EPS"), (b"\xc5\xd0\xd3\xc6", "EPS"), (b"%PDF", "PDF"), (b"8BPS", "PSD"))
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

Image.init()  # Pillow loads its plugins on first use, which is not safe from many threads
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # the limit below raises instead
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of damaged metadata, once a file


@dataclass(frozen=True)
class DecodedImage:
    """One decoded image, and what it was before.

    Attributes:
        image: RGB, 8 bits, EXIF-rotated, transparent pixels on `BACKGROUND`; of several frames the first.
        format: Pillow's name of the file format.
        mode: Pillow's mode before conversion.
        n_frames: frames, pages or pictures in the file.
        size: width and height of the whole image, upright; more than `image`'s where it was decoded at a scale.
        changes: what decoding changed, of `first_frame`, `exif_rotated`, `depth_reduced`, `alpha_composited`,
            `mode_converted`, in this order.
    """

    image: Image.Image
    format: str
    mode: str
    n_frames: int
    size: tuple[int, int]
    changes: tuple[str, ...]


def decode_rgb(data: bytes, max_pixels: int, at_least: int = 0) -> DecodedImage:
    """Decode the bytes of one image file. Safe to call from several threads.

    With `at_least`, a JPEG is decoded at ½, ¼ or ⅛ of its size where its longer side keeps that many pixels.

    Raises:
        UnreadableSample: the bytes are not an image of an allowed format, are damaged, or hold more than
            `max_pixels` pixels.
    """
    if not data:
        raise UnreadableSample("zero_bytes", "the file is empty")
    try:
        return _decode(data, max_pixels, at_least)
    except UnreadableSample:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableSample("decompression_bomb", f"{error}") from None
    except Exception as error:  # plugins raise anything on hostile bytes: struct.error, SyntaxError, KeyError, …
        reason = "truncated" if "truncated" in str(error) or _is_cut(data) else "unreadable"
        raise UnreadableSample(reason, f"{type(error).__name__}: {error}"[:200]) from None


def _decode(data: bytes, max_pixels: int, at_least: int) -> DecodedImage:
    limit = max(max_pixels // 2, 1)  # Pillow raises above twice this, also for pictures inside a container
    if limit != Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = limit
    image = _open(data)
    width, height = image.size
    if width * height > max_pixels:
        raise UnreadableSample("decompression_bomb", f"{width} × {height} pixels; at most {max_pixels} are allowed")
    name, mode = image.format or "", image.mode
    before = _orientation(image) if name == "TIFF" else 1  # Pillow rotates TIFF itself while loading
    if at_least:
        scale = at_least / max(width, height)
        image.draft(None, (max(int(width * scale), 1), max(int(height * scale), 1)))  # of no effect but on JPEG
    whole = (width, height) if image.size != (width, height) else None
    image.load()
    changes = []
    orientation = _orientation(image)
    rgb, converted = _to_rgb(image)
    if orientation in _TRANSPOSE:
        rgb = rgb.transpose(_TRANSPOSE[orientation])
    if whole and orientation in range(5, 9):
        whole = whole[::-1]
    n_frames = _count_frames(image)
    if n_frames > 1:
        changes.append("first_frame")
    if orientation in _TRANSPOSE or before in _TRANSPOSE:
        changes.append("exif_rotated")
    return DecodedImage(rgb, name, mode, n_frames, whole or rgb.size, (*changes, *converted))


def _open(data: bytes) -> Image.Image:
    """The file's header, read by the plugins of the allowed formats only."""
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except Image.UnidentifiedImageError:
        pass
    head = data[:1024].lstrip()
    for magic, name in _REFUSED:
        if head.startswith(magic):
            raise UnreadableSample("unsupported_format", f"{name} files are not read")
    if b"<svg" in head.lower():
        raise UnreadableSample("unsupported_format", "SVG files are not read")
    if data[4:8] == b"ftyp" and data[8:12] not in (b"avif", b"avis"):
        raise UnreadableSample("unsupported_format", f"files of type {data[8:12]!r} (HEIC, video) are not read")
    if not data.startswith(_MAGIC) and data[4:8] != b"ftyp":
        raise UnreadableSample("not_an_image", f"no known image starts with {data[:8]!r}")
    reason = "truncated" if _is_cut(data) else "unreadable"
    raise UnreadableSample(reason, "its first bytes are an image's, its header is not")


def _is_cut(data: bytes) -> bool:
    """Whether a file's end is missing, as far as its format says where the end is."""
    if data.startswith(b"\xff\xd8\xff"):
        return b"\xff\xd9" not in data[-4096:]
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data[-64:]
    if data.startswith(b"GIF8"):
        return not data.rstrip(b"\x00").endswith(b";")
    if data.startswith(b"RIFF"):
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    return data.startswith(b"BM") and int.from_bytes(data[2:6], "little") > len(data)


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


def _to_rgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """The loaded frame as RGB, and what that took."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image, []
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _reduce_depth(image), ["depth_reduced", "mode_converted"]
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        return _composite(image)
    try:
        return image.convert("RGB"), ["mode_converted"]
    except ValueError:
        raise UnreadableSample("unsupported_format", f"pixels of mode {image.mode} are not read") from None


def _composite(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Transparent pixels on the fixed background; a wholly opaque image only loses its alpha."""
    rgba = image.convert("RGBA")
    alpha = rgba.getchannel("A")
    converted = ["mode_converted"] if image.mode != "RGB" else []
    if alpha.getextrema()[0] == 255:
        return rgba.convert("RGB"), converted
    rgb = Image.new("RGB", rgba.size, BACKGROUND)
    rgb.paste(rgba, mask=alpha)
    return rgb, ["alpha_composited", *converted]


def _reduce_depth(image: Image.Image) -> Image.Image:
    """Pixels of 16 or 32 bits as 8: scaled by the smallest of 1, 255, 65535 that holds them (16-bit ones by 65535)."""
    pixels = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    largest = float(pixels.max(initial=0.0))
    tops = {"F": (1.0, 255.0, 65535.0), "I": (255.0, 65535.0)}.get(image.mode, (65535.0,))
    top = next((value for value in tops if largest <= value), largest)
    return Image.fromarray(np.clip(pixels * (255.0 / top) + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
