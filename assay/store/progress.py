"""Progress of long work, on standard error."""

import contextvars
import sys
import time
from collections.abc import Callable

LISTENER: contextvars.ContextVar[Callable[[str, float], None] | None] = contextvars.ContextVar("listener", default=None)
"""`(label, fraction)` goes there as well: an orchestrator sets it while it runs a stage."""
CLEAR = "\x1b[K"  # what stands in the rest of the line: another stage's progress
FORESEEN = 2.0  # seconds after which the time that is left is worth a guess


class Progress:
    """Reports `done of total` and the time left, on standard error at most twice a second, and to the `LISTENER` of the
    context that made it.

    Args:
        brief: work that may be over at once. Nothing is printed in its first half second, or the first five where lines
            are not overwritten.
    """

    def __init__(self, label: str, total: int, brief: bool = False) -> None:
        self.label, self.total, self.done = label, total, 0
        self._brief = brief
        self._started = self._shown = time.monotonic()
        self._listener = LISTENER.get()  # it may be advanced by threads that know of none

    def advance(self, count: int = 1) -> None:
        """Count `count` more as done."""
        self.done += count
        now, over = time.monotonic(), self.done >= self.total
        due = now - self._shown >= (0.5 if sys.stderr.isatty() else 5.0)
        if not due and (not over or (self._brief and self._shown == self._started)):
            return
        self._shown = now
        self._tell(now - self._started, over)
        if self._listener:
            self._listener(self.label, self.done / max(self.total, 1))

    def finish(self) -> None:
        """All is done, or need not be."""
        if self.done < self.total:
            self.advance(self.total - self.done)

    def _tell(self, seconds: float, over: bool) -> None:
        rate = self.done / max(seconds, 1e-9)
        told = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"
        if not over and self.done and seconds >= FORESEEN:
            told += f", {duration((self.total - self.done) / rate)} left"
        line = f"  {self.label}: {self.done:,} of {self.total:,} ({told})"
        if sys.stderr.isatty():
            line = f"{CLEAR}{line}" + ("\n" if over else "\r")
        else:
            line += "\n"
        print(line, end="", file=sys.stderr, flush=True)  # at once, so that no other thread writes into it


def duration(seconds: float) -> str:
    """`75` as `1 min 15 s`."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{whole % 60} s" if not hours else ""]
    return " ".join(part for part in parts if part)
