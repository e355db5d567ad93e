"""A video as a small picture: some of its frames, in the order of reading."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

FRAMES = 4
AREA = 112 * 64  # pixels of a frame
GUTTER = 2  # pixels between frames
PAPER = (24, 24, 28)


def sheet(frames: Sequence[Image.Image]) -> bytes:
    """A JPEG of the frames, in as many columns as bring it nearest to three by two."""
    width, height = frames[0].size
    columns = min(range(1, len(frames) + 1), key=lambda n: _off(n, len(frames), width, height))
    rows = -(-len(frames) // columns)
    size = (columns * (width + GUTTER) - GUTTER, rows * (height + GUTTER) - GUTTER)
    paper = Image.new("RGB", size, PAPER)
    for place, frame in enumerate(frames):
        here = frame if frame.size == (width, height) else frame.resize((width, height))
        paper.paste(here, (place % columns * (width + GUTTER), place // columns * (height + GUTTER)))
    buffer = io.BytesIO()
    paper.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _off(columns: int, n: int, width: int, height: int) -> tuple[float, int]:
    rows = -(-n // columns)
    blank = columns * rows - n
    return float(abs(np.log(columns * width / (rows * height) / 1.5))) + blank, columns
