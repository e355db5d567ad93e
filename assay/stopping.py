"""How a command is stopped: Ctrl-C and SIGTERM end it with one line and status 130, at any moment.

While a command starts there is nothing to put away: it ends on the spot. Once it works, `KeyboardInterrupt` is raised
in the main thread, so that what was half-written is removed. Where that does not get through in time (a library that
computes for minutes, or that drops the exception), the process ends all the same: what is left is removed by the next
run, as after a kill.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType

INTERRUPTED = 130
STOPPING = (signal.SIGINT, signal.SIGTERM)
MESSAGE = "assay: stopped; finished work is kept, run again to go on"
START_SECONDS, WORK_SECONDS = 1.5, 10.0

_said = threading.Lock()


class _Watch:
    """How long the thread that hears of a signal at once, whatever the main thread does, waits for that one."""

    seconds = START_SECONDS


def end_when_asked() -> None:
    """For a command that is starting: the first signal ends it."""
    for number in STOPPING:
        signal.signal(number, _end)
    pipe = os.pipe()
    os.set_blocking(pipe[1], False)
    signal.set_wakeup_fd(pipe[1], warn_on_full_buffer=False)
    threading.Thread(target=_wait, args=(pipe[0],), daemon=True, name="stopping").start()


def stop_when_asked() -> None:
    """For a command that works: a signal raises `KeyboardInterrupt`.

    To be called again after further imports: polars puts a handler of its own before Python's, under which a wait for a
    thread goes on as if nothing had happened.
    """
    _Watch.seconds = WORK_SECONDS
    for number in STOPPING:
        signal.signal(number, signal.default_int_handler)
    signal.siginterrupt(signal.SIGINT, True)


def say_stopped() -> int:
    """The one line, once, whoever says it first. Returns the exit status."""
    if _said.acquire(blocking=False):
        with contextlib.suppress(OSError, ValueError):
            os.write(2, f"{MESSAGE}\n".encode())
    return INTERRUPTED


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(say_stopped())


def _wait(pipe: int) -> None:
    """One byte a signal, its number."""
    while number := os.read(pipe, 1):
        if number[0] in STOPPING:
            time.sleep(_Watch.seconds)
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
            os._exit(say_stopped())
