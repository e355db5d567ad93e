"""JPEG pixels, with what libjpeg had to make up: its warnings, which Pillow does not pass on."""

from collections.abc import Iterator

import numpy as np
import simplejpeg
from PIL import Image

BLOCK = 16  # pixels of a coded unit with subsampled colour
FACTORS = (8, 4, 2)
STEP = 6.0  # levels by which rows must break apart at the damage, beyond what they do beside it
MODES = {"RGB": "RGB", "L": "GRAY"}
# the symbols of the usual Huffman table for detail: with it, zeros are never the code of a real picture
USUAL_TABLE = bytes.fromhex("0102030004110512213141061351610722711432")
ZEROS = bytes(24)


def decode_jpeg(data: bytes, mode: str, size: tuple[int, int], at_least: int) -> tuple[Image.Image, bool] | None:
    """The pixels, at ½, ¼ or ⅛ of the size where its longer side keeps `at_least`; and whether that is the whole size.

    Returns None where the data are damaged, or of a kind that this decoder does not read.

    Args:
        mode: Pillow's, "RGB" or "L"; others are not read.
        size: width and height.
        at_least: pixels; 0 for the whole size.
    """
    if mode not in MODES or has_hole(data):
        return None
    factor = next((f for f in FACTORS if at_least and max(size) // f >= at_least), 1)
    smallest = {"min_width": -(-size[0] // factor), "min_height": -(-size[1] // factor)} if factor > 1 else {}
    try:
        pixels = simplejpeg.decode_jpeg(data, MODES[mode], fastdct=False, fastupsample=False, strict=True, **smallest)
    except ValueError:
        return None
    image = Image.fromarray(pixels if mode == "RGB" else pixels[..., 0])
    return image, factor == 1


def is_damaged(data: bytes, mode: str) -> bool:
    """Whether decoding has to make something up: data end early, codes are wrong, or bytes are left over."""
    if has_hole(data):
        return True
    colours = {**MODES, "CMYK": "CMYK"}.get(mode, "RGB")
    try:
        simplejpeg.decode_jpeg(data, colours, strict=True, min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        return "Corrupt JPEG data" in str(error) or "Premature end" in str(error)
    return False


def has_hole(data: bytes) -> bool:
    """Whether the coded data hold a run of zeros that no encoder writes."""
    hole = data.find(ZEROS)
    if hole < 0 or USUAL_TABLE not in data:
        return False
    start = scan_start(data)
    hole = data.find(ZEROS, start) if start else -1
    return hole >= 0 and data.find(b"\xff\xd9", start, hole) < 0


def affected_share(luminance: np.ndarray) -> float:
    """The share in (0, 1] of a damaged picture that is made up, guessed from its pixels.

    What follows the damage is either flat to the end, where data were missing, or shifted, where they were others.

    Args:
        luminance: (H, W) uint8.
    """
    height, width = luminance.shape
    rows, columns = max(height // BLOCK, 1), max(width // BLOCK, 1)
    blocks = luminance[: rows * BLOCK, : columns * BLOCK]
    spread = np.zeros((rows, columns))
    if height >= BLOCK and width >= BLOCK:
        tiles = blocks.reshape(rows, BLOCK, columns, BLOCK)
        spread = tiles.max(axis=(1, 3)).astype(int) - tiles.min(axis=(1, 3))
    drawn = np.flatnonzero(spread.ravel() > 2)
    flat = 1.0 - (drawn[-1] + 1) / spread.size if len(drawn) else 1.0
    return float(max(flat, _after_break(luminance), 1.0 / spread.size))


def _after_break(luminance: np.ndarray) -> float:
    """The share below the coded row at which the picture breaks off most; 0 where no break stands out."""
    lines = luminance.astype(np.float32)
    jumps = np.abs(np.diff(lines, axis=0)).mean(axis=1)
    places = np.arange(BLOCK - 1, len(jumps) - 1, BLOCK)
    if not len(places):
        return 0.0
    excess = jumps[places] - np.maximum(jumps[places - 1], jumps[places + 1])
    worst = int(excess.argmax())
    return 1.0 - (places[worst] + 1 - BLOCK) / len(luminance) if excess[worst] >= STEP else 0.0


def coded_content(data: bytes) -> bytes | None:
    """All of a JPEG that its pixels follow from: without comments and application data other than Adobe's colour
    transform; None where its segments cannot be read."""
    kept = [data[start:stop] for marker, start, stop in segments(data) if not _is_metadata(marker)]
    scan = scan_start(data)
    return b"".join([*kept, data[scan:]]) if scan else None


def scan_start(data: bytes) -> int:
    """Where the first scan begins, at its marker; 0 where there is none."""
    return next((start for marker, start, _ in segments(data) if marker == 0xDA), 0)


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """`(marker, start, stop)` of each segment up to the first scan's, which is the last."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        stop = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        yield marker, place, stop
        if marker == 0xDA:
            return
        place = stop


def _is_metadata(marker: int) -> bool:
    return (0xE0 <= marker <= 0xEF and marker != 0xEE) or marker in (0xFE, 0xDA)
