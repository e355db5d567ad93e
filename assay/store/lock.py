"""One run of a dataset at a time; and clear messages for a full disk and for lack of memory.

    HOME/DATASET/.lock        held through the operating system, which releases it however the process ends
    HOME/DATASET/.lock.json   who holds it and since when, for those who wait
    HOME/DATASET/.lock.next   held by the first of those who wait; .lock.night by the scheduled night among them

None of these needs cleaning up.
"""

import contextlib
import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import filelock

from assay.contracts.errors import AssayError, BusyError, QueuedError
from assay.store.workspace import Workspace

POLL_SECONDS = 0.05
NO_MEMORY = (
    "can't start new thread", "not enough memory", "Out of memory", "out of memory", "Cannot allocate memory",
    "failed to map segment", "Failed to launch worker thread", "std::bad_alloc",
)  # fmt: skip


@contextlib.contextmanager
def dataset_lock(workspace: Workspace, who: str = "a run", wait: float = 0.0, queue: bool = True) -> Iterator[None]:
    """One run of a dataset at a time; the lock goes with the process, so a killed run leaves none behind.

    Args:
        who: what holds it, in words for those who wait.
        wait: seconds to wait for another holder; a line on standard error says for whom.
        queue: whether to wait even if another run waits already. A scheduled night does not, or nights that come faster
            than they end would pile up.

    Raises:
        BusyError: another holds it, still after `wait`; the message says who, and since when.
        QueuedError: another waits for it already.
    """
    workspace.root.mkdir(parents=True, exist_ok=True)
    with held_lock(workspace.root / ".lock", f"`{workspace.dataset}` in {workspace.home}", who, wait, queue):
        yield


@contextlib.contextmanager
def held_lock(path: Path, what: str, who: str, wait: float, queue: bool = True) -> Iterator[None]:
    """A lock file, held; `what` it stands for and `who` holds it are words for messages.

    Raises:
        BusyError: as `dataset_lock`.
    """
    lock = filelock.FileLock(path)
    note = path.with_name(f"{path.name}.json")
    deadline = time.monotonic() + wait
    with _turn(path, ".next", 0) as first:  # whoever waits stands here, so nobody who comes later overtakes him
        if not (first and _taken(lock, 0)):
            if wait > 0:
                print(f"waiting up to {wait:g} s for {what}, in use by {holder(note)}", file=sys.stderr, flush=True)
            with contextlib.nullcontext(True) if queue else _turn(path, ".night", 0) as alone:
                if not alone:
                    raise QueuedError(f"{what} is in use by {holder(note)}, and a night waits for it already")
                with contextlib.nullcontext(True) if first else _turn(path, ".next", _left(deadline)) as mine:
                    if not (mine and _taken(lock, _left(deadline))):
                        raise BusyError(
                            f"{what} is in use by {holder(note)}"
                            + (f", still after {wait:g} s" if wait else "")
                            + "; wait for it to end, then run again (`--wait SECONDS` waits longer)"
                        )
    try:
        _sign(note, who)
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink()
        lock.release()


@contextlib.contextmanager
def _turn(path: Path, suffix: str, wait: float) -> Iterator[bool]:
    """A second lock beside the first, for the block; yields whether it was free."""
    turn = filelock.FileLock(path.with_name(path.name + suffix))
    taken = _taken(turn, wait)
    try:
        yield taken
    finally:
        if taken:
            turn.release()


def _taken(lock: filelock.BaseFileLock, wait: float) -> bool:
    """Whether the lock could be taken within `wait` seconds."""
    try:
        lock.acquire(timeout=wait, poll_interval=POLL_SECONDS)
        return True
    except filelock.Timeout:
        return False


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0)


def holder(note: Path) -> str:
    """Who holds a lock, in words, according to the note beside it."""
    try:
        said = json.loads(note.read_text(encoding="utf-8"))
        where = "" if said["host"] == socket.gethostname() else f" on {said['host']}"
        return f"{said['who']} (process {said['process']}{where}, since {said['since']})"
    except (OSError, ValueError, TypeError, KeyError):
        return "another run"  # it has not said yet, or this account may not read it


def _sign(note: Path, who: str) -> None:
    """Note who holds the lock. It only serves messages, so failing to write it is no error."""
    since = datetime.now(UTC).isoformat(" ", "seconds").replace("+00:00", " UTC")
    said = {"who": who, "process": os.getpid(), "host": socket.gethostname(), "since": since}
    aside = note.with_name(f"{note.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        aside.write_text(json.dumps(said), encoding="utf-8")
        os.replace(aside, note)


@contextlib.contextmanager
def disk_full_is_clear(place: Path) -> Iterator[None]:
    """Turn a full disk, as any library below reports it, into one clear message."""
    try:
        yield
    except Exception as error:
        if not is_disk_full(error):
            raise
        raise AssayError(
            f"the disk under {place} is full; nothing half-written was published. Free some space "
            "(`assay gc DATASET --keep N` removes old snapshots) and run again: finished work is kept"
        ) from error


@contextlib.contextmanager
def lack_of_memory_is_clear() -> Iterator[None]:
    """Turn a failure to allocate memory, as any library below reports it, into one clear message."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise AssayError(
            f"no memory is left for this ({said}); nothing half-written was published. Free some, or raise the limit, "
            "and run again: finished work is kept"
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is about memory: by its type or number, or by the words of libraries without one."""
    numbered = getattr(error, "errno", None) == errno.ENOMEM
    return isinstance(error, MemoryError) or numbered or any(word in str(error) for word in NO_MEMORY)


def is_disk_full(error: BaseException) -> bool:
    """Whether an error is about a full disk or quota: by its number, or by the words of libraries without one."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in str(error)
