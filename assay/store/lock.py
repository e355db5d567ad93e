"""One run of a dataset at a time, and what a full disk is called.

HOME/DATASET/.lock        held through the operating system, which lets go of it when the process ends, however
HOME/DATASET/.lock.json   who holds it and since when, for those who wait
"""

import contextlib
import errno
import json
import os
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import filelock

from assay.contracts.errors import AssayError, BusyError
from assay.store.workspace import Workspace

POLL_SECONDS = 0.1


@contextlib.contextmanager
def dataset_lock(workspace: Workspace, who: str = "a run", wait: float = 0.0) -> Iterator[None]:
    """One run of a dataset at a time; the lock goes with the process, so a killed run leaves none behind.

    Args:
        who: what holds it, in words for those who wait.
        wait: seconds to wait for another holder; a line on standard error says for whom.

    Raises:
        BusyError: another holds it, still after `wait`; the message says who, and since when.
    """
    workspace.root.mkdir(parents=True, exist_ok=True)
    with held_lock(workspace.root / ".lock", f"`{workspace.dataset}` in {workspace.home}", who, wait):
        yield


@contextlib.contextmanager
def held_lock(path: Path, what: str, who: str, wait: float) -> Iterator[None]:
    """A lock file, held; `what` it stands for and `who` holds it are words for messages.

    Raises:
        BusyError: as `dataset_lock`.
    """
    lock = filelock.FileLock(path)
    note = path.with_name(f"{path.name}.json")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        _wait_for(lock, note, what, wait)
    try:
        _sign(note, who)
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink()
        lock.release()


def _wait_for(lock: filelock.BaseFileLock, note: Path, what: str, wait: float) -> None:
    """Raise `BusyError` where the lock is not to be had within `wait` seconds."""
    if wait > 0:
        print(f"waiting up to {wait:g} s for {what}, in use by {holder(note)}", file=sys.stderr, flush=True)
        with contextlib.suppress(filelock.Timeout):
            lock.acquire(timeout=wait, poll_interval=POLL_SECONDS)
            return
    raise BusyError(
        f"{what} is in use by {holder(note)}"
        + (f", still after {wait:g} s" if wait else "")
        + "; wait for it to end, then run again (`--wait SECONDS` waits longer)"
    )


def holder(note: Path) -> str:
    """Who holds a lock, in words, as far as its note says."""
    try:
        said = json.loads(note.read_text(encoding="utf-8"))
        where = "" if said["host"] == socket.gethostname() else f" on {said['host']}"
        return f"{said['who']} (process {said['process']}{where}, since {said['since']})"
    except (OSError, ValueError, TypeError, KeyError):
        return "another run"  # it has not said yet, or this account may not read it


def _sign(note: Path, who: str) -> None:
    """Say who holds the lock. Only words for messages: that they cannot be written fails nothing."""
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


def is_disk_full(error: BaseException) -> bool:
    """Whether an error is about a full disk or quota: by its number, or by the words of libraries without one."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in str(error)
