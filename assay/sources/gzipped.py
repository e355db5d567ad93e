"""A gzip file that can be read at any place, as if it were not packed: what a `.tar.gz` is read through.

It is unpacked once from start to end, in memory and piece by piece, to learn how long it is; on the way the state of
the decompressor is kept at some places, from which later reads start. The pieces unpacked last are kept, so that
reading in order, from several threads too, unpacks each piece once.
"""

import io
import threading
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

from cachetools import LRUCache

from assay.contracts.errors import UnreadableSample
from assay.sources.carriers import BOMB_BYTES, BOMB_RATIO

PIECE = 2**20  # unpacked bytes
READ = 2**16  # packed bytes at a time
STATES = 256  # kept at most, of about 40 KB each
PIECES = 16  # kept
GZIP = 31  # zlib's `wbits` for a gzip header


class State(NamedTuple):
    """A decompressor before a piece, and where in the packed file it goes on."""

    inflate: Any
    place: int


class Gzip:
    """One gzip file, of any number of members. `size`: unpacked; `broken`: why it ends early, empty where it does not.

    Raises:
        UnreadableSample: it is no gzip, or a bomb.
    """

    def __init__(self, open_file: Callable[[], BinaryIO]) -> None:
        self._file = open_file()
        self._lock = threading.Lock()
        self._pieces: LRUCache[int, bytes] = LRUCache(PIECES)
        self._states: dict[int, State] = {}
        self._every = 1
        self._next, self._now = 0, State(zlib.decompressobj(GZIP), 0)
        self.broken = ""
        try:
            self.size = self._learn()
        except BaseException:
            self._file.close()
            raise

    def read(self, start: int, count: int) -> bytes:
        """At most `count` unpacked bytes from `start` on."""
        found = bytearray()
        count = max(min(count, self.size - start), 0)
        while len(found) < count:
            number, inside = divmod(start + len(found), PIECE)
            piece = self._piece(number)
            if len(piece) <= inside:
                raise UnreadableSample("unreadable", "the gzip file is no longer what it was when it was opened")
            found += piece[inside : inside + count - len(found)]
        return bytes(found)

    def open(self) -> BinaryIO:
        """A file over the unpacked bytes; closing it costs nothing."""
        return io.BufferedReader(_View(self))

    def _learn(self) -> int:
        """Unpack everything once; the length of what can be."""
        packed = self._file.seek(0, io.SEEK_END)
        size = 0
        while True:
            if self._next % self._every == 0:
                self._keep()
            piece = self._unpack()
            size += len(piece)
            if size > BOMB_BYTES and size > BOMB_RATIO * packed:
                raise UnreadableSample(
                    "too_large",
                    f"more than {size:,} bytes in a gzip file of {packed:,}: a decompression bomb, not unpacked",
                )
            if len(piece) < PIECE:
                if not size and self.broken:
                    raise UnreadableSample("unreadable", f"no gzip file that can be read ({self.broken})")
                return size

    def _keep(self) -> None:
        """Keep the state before the next piece; where there are many, only every second."""
        self._states[self._next] = State(self._now.inflate.copy(), self._now.place)
        if len(self._states) > STATES:
            self._every *= 2
            self._states = {number: state for number, state in self._states.items() if number % self._every == 0}

    def _piece(self, number: int) -> bytes:
        with self._lock:
            found = self._pieces.get(number)
            if found is not None:
                return found
            start = number - number % self._every
            if not start <= self._next <= number:
                state = self._states[start]
                self._next, self._now = start, State(state.inflate.copy(), state.place)
            for passed in range(self._next, number + 1):
                self._pieces[passed] = self._unpack()
            return self._pieces[number]

    def _unpack(self) -> bytes:
        """The next piece; a shorter one at the end. Says in `broken` where the file ends before its end mark."""
        found, inflate, place = bytearray(), self._now.inflate, self._now.place
        self._file.seek(place)
        try:
            while len(found) < PIECE:
                data = self._file.read(READ)
                if not data:
                    self.broken = "" if inflate.eof else "it ends before its end mark"
                    break
                place += len(data)
                if inflate.eof:
                    data = data.lstrip(b"\0")  # some programs fill up with these
                    if not data:
                        continue
                    inflate = zlib.decompressobj(GZIP)
                found += inflate.decompress(data, PIECE - len(found))
                left = len(inflate.unused_data if inflate.eof else inflate.unconsumed_tail)
                if left:
                    place -= left
                    self._file.seek(place)
        except zlib.error as error:
            self.broken = f"it is damaged: {error}"
        self._next, self._now = self._next + 1, State(inflate, place)
        return bytes(found)


class _View(io.RawIOBase):
    """A raw file over a `Gzip`."""

    def __init__(self, whole: Gzip) -> None:
        self._whole, self._place = whole, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._whole.size}[whence]
        self._place = max(start + offset, 0)
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: Any) -> int:
        data = self._whole.read(self._place, len(buffer))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
