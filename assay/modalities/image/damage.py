"""Damage that decoders pass over in silence: the share of a file's content that is lost or made up.

PNG: a data chunk whose checksum is wrong. GIF: blocks that do not lead to the end mark. TIFF: compressed strips that do
not inflate. WebP, AVIF, JPEG 2000: a run of zeros in the coded data, longer than coded pixels give. JPEG: `jpeg.py`.
Coded data without a checksum that were overwritten by data of their own kind cannot be told.
"""

import zlib
from typing import cast

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from assay.modalities.image.opening import png_chunks

RUN = 64  # zero bytes in a row, in a small picture
PIXELS_PER_ZERO = 5_000  # a flat picture this large may be coded by one more of them
DEFLATE = (8, 32946)
_COMPRESSION, _OFFSETS, _COUNTS, _TILE_OFFSETS, _TILE_COUNTS = 259, 273, 279, 324, 325
CODED_FROM = {"WEBP": b"VP8", "AVIF": b"mdat", "JPEG2000": b"\xff\x93"}


def damaged_share(data: bytes, image: Image.Image) -> float:
    """The share in [0, 1] of the file's content that is damaged; 0 where nothing is seen to be.

    Args:
        data: the file.
        image: opened from it.
    """
    if image.format == "PNG":
        return _png(data)
    if image.format == "GIF":
        return _gif(data)
    if image.format == "TIFF":
        return _tiff(data, image)
    if image.format in CODED_FROM:
        return _zeros(data, CODED_FROM[image.format], image.width * image.height)
    return 0.0


def _png(data: bytes) -> float:
    """From the first data chunk with a wrong checksum on, everything may be wrong."""
    total = wrong_from = 0
    first = None
    for name, start, stop in png_chunks(data):
        if name in (b"IDAT", b"fdAT"):
            if first is None and zlib.crc32(data[start - 4 : stop]) != int.from_bytes(data[stop : stop + 4], "big"):
                first = (start, stop)
                wrong_from = total
            total += stop - start
    if first is None:
        return 0.0
    return max(1.0 - wrong_from / max(total, 1), 1e-6)


def _gif(data: bytes) -> float:
    """The share of the file after the last whole block."""
    place = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    whole = place
    while place < len(data):
        kind = data[place]
        if kind == 0x3B:
            return 0.0
        if kind == 0x2C and place + 10 < len(data):
            flags = data[place + 9]
            place += 11 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
        elif kind == 0x21:
            place += 2
        elif kind == 0:  # a stray terminator, which encoders do write
            place += 1
            continue
        else:
            break
        while place < len(data) and data[place]:
            place += data[place] + 1
        place += 1
        whole = place if place <= len(data) else whole
    return max(1.0 - whole / len(data), 1e-6)


def _tiff(data: bytes, image: Image.Image) -> float:
    """The share of the deflated strips or tiles that do not inflate."""
    tags = cast(TiffImageFile, image).tag_v2
    if tags.get(_COMPRESSION) not in DEFLATE:
        return 0.0
    offsets = tags.get(_OFFSETS) or tags.get(_TILE_OFFSETS) or ()
    counts = tags.get(_COUNTS) or tags.get(_TILE_COUNTS) or ()
    wrong = sum(not _inflates(data[offset : offset + count]) for offset, count in zip(offsets, counts, strict=False))
    return wrong / max(len(offsets), 1)


def _inflates(strip: bytes) -> bool:
    inflater = zlib.decompressobj()
    try:
        while strip and not inflater.eof:
            inflater.decompress(strip, 1 << 20)
            strip = inflater.unconsumed_tail
    except zlib.error:
        return False
    return inflater.eof


def _zeros(data: bytes, coded_from: bytes, pixels: int) -> float:
    """The share of the coded data from a long run of zeros to its end, or to the end of the file where that is near."""
    start = max(data.find(coded_from), 0)
    least = max(RUN, pixels // PIXELS_PER_ZERO)
    hole = data.find(bytes(least), start, len(data))
    if hole < 0:
        return 0.0
    return max((len(data) - hole) / (len(data) - start), 1e-6)
