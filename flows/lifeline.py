"""`assay serve` is four kinds of process that end together: who is left ends the rest, and nothing is orphaned.

    serve ─ scheduler ─┬─ Prefect's server
                       └─ a run, for each night that is under way

Each holds the other end of its child's standard input. All but `serve` are one process group. Where they end is no
matter: a run leaves nothing half-done, and the next start sees to what was under way (`flows/recover.py`).
"""

import contextlib
import os
import signal
import sys
import threading
import time

GRACE_SECONDS = 1.5
PARENT = "ASSAY_PARENT"
"""The process that starts runs; a run ends when it is gone."""


def end_group(group: int, seconds: float = GRACE_SECONDS) -> None:
    """End a process group: asked first, killed `seconds` later."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(0.02)
            _reap()
            os.killpg(group, 0)  # raises when nobody is left
        os.killpg(group, signal.SIGKILL)
    _reap()


def end_own_group() -> None:
    """End this process and all others of its group; for where nobody outside is left to do it."""
    with contextlib.suppress(ValueError):  # not in the main thread: then SIGTERM is not ours to ignore
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    group = os.getpgrp()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os.killpg(group, signal.SIGKILL)
    os._exit(1)


def end_when_input_ends(group: bool) -> None:
    """Standard input's other end is our parent's: when it closes, this process ends, and the rest of its `group`."""

    def wait() -> None:
        with contextlib.suppress(OSError, ValueError):
            while os.read(sys.stdin.fileno(), 1024):
                pass
        end_own_group() if group else os._exit(0)

    threading.Thread(target=wait, daemon=True, name="lifeline").start()


def end_with_parent() -> None:
    """In a run's process: end within a second of the process that started it. Elsewhere nothing."""
    if "PREFECT__FLOW_RUN_ID" not in os.environ:
        return
    first, starter = os.getppid(), int(os.environ.get(PARENT, "0"))

    def wait() -> None:
        while os.getppid() == first and (not starter or _is_alive(starter)):
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=wait, daemon=True, name="lifeline").start()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _reap() -> None:
    """Take leave of dead children; in a container they may be anybody's."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
