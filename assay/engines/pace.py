"""How many chunks a partition gets."""

from collections.abc import Sequence

SECONDS = 60.0  # that a partition is to take
LEAST_SECONDS = 10.0  # that one takes where little is left


class Pace:
    """Hands out runs of chunks, in their order.

    Args:
        sizes: contents in each chunk.
        contents: at least so many to a partition; 0: what takes `SECONDS`, by the partitions that are done. Until one
            is, a chunk each.
    """

    def __init__(self, sizes: Sequence[int], contents: int = 0) -> None:
        self._sizes, self._contents = sizes, contents
        self._next, self._done, self._seconds = 0, 0, 0.0
        self._rest = sum(sizes)

    @property
    def left(self) -> bool:
        """Whether there are chunks that nobody has."""
        return self._next < len(self._sizes)

    def took(self, contents: int, seconds: float) -> None:
        """Learn from a partition that is done."""
        self._done += contents
        self._seconds += seconds

    def next(self, slots: int) -> tuple[int, int, int]:
        """`(start, stop, contents)` of the next partition: no more than a fair share of what is left for the `slots`
        partitions that can be worked on at a time, so that none of them ends long after the others."""
        wanted = self._contents
        if not wanted and self._done:
            a_second = self._done / max(self._seconds, 1e-9)
            share = max(self._rest / max(slots, 1), LEAST_SECONDS * a_second)
            wanted = int(min(SECONDS * a_second, share))
        start, size = self._next, 0
        while self.left and (size == 0 or size + self._sizes[self._next] / 2 <= wanted):
            size += self._sizes[self._next]
            self._next += 1
        self._rest -= size
        return start, self._next, size
