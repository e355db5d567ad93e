"""The header of one image file, read by the plugins of an allow-list of formats; or the reason why it is not read.

Formats that run programs or fetch (EPS, SVG, PDF) are refused. A camera's raw file is refused too: what Pillow reads of
it is a preview. Metadata that pixels do not need are cut out of a PNG before it is opened, so that they cannot stop it.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import cast

from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from assay.contracts.errors import UnreadableSample

FORMATS = ("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "QOI", "SGI", "TIFF", "WEBP")

_MAGIC = (
    b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*\x00", b"MM\x00*", b"qoif", b"\x00\x00\x01\x00",
    b"\x00\x00\x00\x0cjP", b"\xff\x4f\xff\x51",
)  # fmt: skip
_REFUSED = ((b"%!PS", "EPS"), (b"\xc5\xd0\xd3\xc6", "EPS"), (b"%PDF", "PDF"), (b"8BPS", "PSD"))
_RAW = (b"IIRO", b"IIRS", b"IIU\x00", b"MMOR", b"FUJIFILMCCD-RAW", b"FOVb", b"\x00MRM")
_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION, _PHOTOMETRIC = 254, 330, 50706, 262
_MOSAIC = (32803, 34892)  # colour filter array, linear raw
PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_PNG_NEEDED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT", b"eXIf", b"sBIT"}

Image.init()  # Pillow loads its plugins on first use, which is not safe from many threads


def open_image(data: bytes) -> Image.Image:
    """The file's header.

    Raises:
        UnreadableSample: no image of an allowed format, or a raw file of a camera.
    """
    try:
        image = Image.open(BytesIO(without_metadata(data)), formats=FORMATS)
    except UnidentifiedImageError:
        raise _refusal(data) from None
    if image.format == "TIFF":
        _refuse_raw(image, data)
    return image


def without_metadata(data: bytes) -> bytes:
    """A PNG without the chunks that pixels do not need: texts, profiles, whatever their size and state; else as is."""
    chunks = list(png_chunks(data))
    if all(name in _PNG_NEEDED for name, _, _ in chunks):
        return data
    end = chunks[-1][2] + 4
    kept = [data[start - 8 : stop + 4] for name, start, stop in chunks if name in _PNG_NEEDED]
    return b"".join([PNG_HEAD, *kept, data[end:]])


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """`(name, start, stop)` of the content of each whole chunk of a PNG; of anything else none."""
    place = 8
    while data.startswith(PNG_HEAD) and place + 12 <= len(data):
        length, name = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if place + 12 + length > len(data):
            return
        yield name, place + 8, place + 8 + length
        place += 12 + length
        if name == b"IEND":
            return


def is_cut(data: bytes) -> bool:
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


def _refusal(data: bytes) -> UnreadableSample:
    """Why no plugin took the file."""
    head = data[:1024].lstrip()
    for magic, name in _REFUSED:
        if head.startswith(magic):
            return UnreadableSample("unsupported_format", f"{name} files are not read")
    if b"<svg" in head.lower():
        return UnreadableSample("unsupported_format", "SVG files are not read")
    if data.startswith(_RAW) or data[4:11] == b"ftypcrx":
        return UnreadableSample("unsupported_format", "camera raw files are not read; convert them first")
    if data[4:8] == b"ftyp" and data[8:12] not in (b"avif", b"avis"):
        return UnreadableSample("unsupported_format", f"files of type {data[8:12]!r} (HEIC, video) are not read")
    if not data.startswith(_MAGIC) and data[4:8] != b"ftyp":
        return UnreadableSample("not_an_image", f"no known image starts with {data[:8]!r}")
    reason = "truncated" if is_cut(data) else "unreadable"
    return UnreadableSample(reason, "its first bytes are an image's, its header is not")


def _refuse_raw(image: Image.Image, data: bytes) -> None:
    """Refuse a TIFF whose first picture is the preview of a larger one that is not read, as raw files are made."""
    tags = cast(TiffImageFile, image).tag_v2
    is_preview = bool(int(tags.get(_SUBFILE_TYPE, 0)) & 1) and (_SUB_IFDS in tags or _DNG_VERSION in tags)
    if is_preview or data[8:10] == b"CR" or tags.get(_PHOTOMETRIC) in _MOSAIC:
        raise UnreadableSample(
            "unsupported_format", f"camera raw; only its preview of {image.width} x {image.height} could be read"
        )
