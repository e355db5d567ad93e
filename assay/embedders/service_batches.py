"""Inputs that a service refuses cost themselves alone: a batch that it refuses is sent again in halves.

Where the halves are taken, the batch was too large, and later ones are sent smaller. Where most inputs are refused, it
is no fault of theirs, and the night ends.
"""

import threading
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from assay.contracts.errors import EmbedderError

Floats = npt.NDArray[np.float32]
ENOUGH = 20  # refused inputs, from which on they may not be more than those that are taken


class Refused(EmbedderError):
    """The service does not take some of the inputs, and would not if it were asked again."""


class Batches:
    """Sends inputs of one service in batches that it takes; used from several threads."""

    def __init__(self, send: Callable[[list[str]], Floats], dimensions: Callable[[], int], most: int) -> None:
        self._send, self._dimensions, self._most = send, dimensions, most
        self._taken = self._refused = 0
        self._lock = threading.Lock()

    def vectors(self, inputs: Sequence[str]) -> tuple[Floats, dict[int, str]]:
        """(n, d) float32, NaN where an input is refused; and for each of those what the service said.

        Raises:
            Refused: most inputs of this run were.
            EmbedderError: the service does not answer as it should.
        """
        found, refused, start = [], dict[int, str](), 0
        while start < len(inputs):
            part = list(inputs[start : start + self._most])
            rows, said = self._halved(part)
            found.append(rows)
            refused |= {start + row: words for row, words in said.items()}
            start += len(part)
        return np.concatenate(found), refused

    def _halved(self, inputs: list[str]) -> tuple[Floats, dict[int, str]]:
        try:
            rows = self._send(inputs)
        except Refused as refusal:
            if len(inputs) == 1:
                self._count(0, 1, refusal)
                return np.full((1, self._dimensions()), np.nan, dtype=np.float32), {0: str(refusal)}
        else:
            self._count(len(inputs), 0)
            return rows, {}
        middle = (len(inputs) + 1) // 2
        (first, said), (second, more) = self._halved(inputs[:middle]), self._halved(inputs[middle:])
        said |= {middle + row: words for row, words in more.items()}
        if not said:
            with self._lock:
                self._most = min(self._most, middle)
        return np.concatenate([first, second]), said

    def _count(self, taken: int, refused: int, refusal: Refused | None = None) -> None:
        with self._lock:
            self._taken += taken
            self._refused += refused
            if refusal and self._refused >= max(ENOUGH, self._taken):
                raise Refused(f"{self._refused} of {self._taken + self._refused} inputs were refused: {refusal}")
