"""How far long work is, on standard error."""

import contextvars
import sys
import time
from collections.abc import Callable

LISTENER: contextvars.ContextVar[Callable[[str, float], None] | None] = contextvars.ContextVar("listener", default=None)
"""`(label, fraction)` goes there as well: an orchestrator sets it while it runs a stage."""


class Progress:
    """`done of total` on standard error, at most twice a second, and to the `LISTENER` of where it was made."""

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total, self.done = label, total, 0
        self._started = self._shown = time.monotonic()
        self._listener = LISTENER.get()  # it may be advanced by threads that know of none

    def advance(self, count: int = 1) -> None:
        """Count `count` more units done."""
        self.done += count
        now = time.monotonic()
        if now - self._shown < (0.5 if sys.stderr.isatty() else 5.0) and self.done < self.total:
            return
        self._shown = now
        rate = self.done / max(now - self._started, 1e-9)
        end = "\r" if sys.stderr.isatty() and self.done < self.total else "\n"
        print(f"  {self.label}: {self.done:,} of {self.total:,} ({rate:,.0f}/s)", end=end, file=sys.stderr, flush=True)
        if self._listener:
            self._listener(self.label, self.done / max(self.total, 1))
