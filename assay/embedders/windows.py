"""Texts longer than a model reads: what of them it reads, and windows that together are the whole text.

A model that reads 256 tokens gives two reports with one beginning one vector, whatever their ends say. With
`embed.long_texts = "windows"` a long text is parted into windows of about equal length, none longer than the model
reads, cut at blanks where there are any; its vector is the mean of theirs, each of length 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

REACH = 0.25  # of a window, that its end may be moved to a blank


@dataclass(frozen=True)
class Windows:
    """A text as a model gets it.

    Attributes:
        pieces: the whole text, or its windows in order.
        n_read, n_whole: tokens that the model sees, and that there are.
    """

    pieces: tuple[str, ...]
    n_read: int
    n_whole: int


def read_windows(text: str, count: Callable[[str], int], room: int | None, windows: bool) -> Windows:
    """A text for a model that reads `room` tokens (None: any number): as it is, or in windows.

    Args:
        count: the tokens of a text, without those that the model adds.
    """
    if room is None or len(text.encode("utf-8", "replace")) <= room:  # no token is shorter than a byte
        return Windows((text,), 0, 0)
    n = count(text)
    if n <= room:
        return Windows((text,), n, n)
    if not windows:
        return Windows((text,), room, n)
    parts = -(-n // room)
    while True:
        pieces = part_evenly(text, parts)
        if len(pieces) >= len(text) or all(count(piece) <= room for piece in pieces):
            return Windows(tuple(pieces), n, n)
        parts += max(1, parts // 8)


def part_evenly(text: str, parts: int) -> list[str]:
    """`text` in so many parts of about as many characters each, parted at blanks where there are any near."""
    pieces, start = [], 0
    for number in range(1, parts + 1):
        end = len(text) * number // parts
        blank = max(text.rfind(sign, start + 1, end + 1) for sign in " \n\t")
        if number < parts and blank > end - REACH * len(text) / parts:
            end = blank
        if end > start:
            pieces.append(text[start:end])
            start = end
    return pieces


def mean_of_windows(vectors: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """(n, d) float32 from the (w, d) vectors of all windows, `counts[i]` of them of text i, in order.

    The vector of a single window is left as it is.
    """
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(int)
    found = vectors[starts].astype(np.float32) if len(counts) else vectors[:0]
    for row in np.flatnonzero(np.asarray(counts) > 1):
        part = vectors[starts[row] : starts[row] + counts[int(row)]].astype(np.float64)
        lengths = np.linalg.norm(part, axis=1, keepdims=True)
        found[row] = (part / np.where(lengths > 0, lengths, 1.0)).mean(axis=0)
    return found
