"""The cores and the memory that this process may use, container limits included."""

import contextlib
import functools
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
UNLIMITED = 2**60  # the first version of control groups says so in a number


_limits: list[int] = []
_BLAS = threading.Lock()
_limited: list[Any] = []  # one for each that is in `one_blas_thread`; the first holds the limits of before


def limit_cores(most: int) -> None:
    """From now on this process keeps at most so many cores busy, as where others share the machine with it."""
    _limits[:] = [most]
    cores.cache_clear()


@functools.cache
def cores() -> int:
    """Cores that this process may keep busy, at least one."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = []
    for folder in _groups("cpu"):
        with contextlib.suppress(OSError, ValueError):
            quota, period = map(int, (folder / "cpu.max").read_text().split())
            quotas.append(quota / period)
        with contextlib.suppress(OSError, ValueError):
            quota, period = (int((folder / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
            quotas += [quota / period] if quota > 0 else []
    return max(1, int(min([there, *quotas, *_limits])))


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """While any thread is inside, NumPy's matrix products of this process use one thread each, whose last bits do not
    depend on how many cores there are, and which waits for no other on a busy machine."""
    from threadpoolctl import threadpool_limits

    with _BLAS:
        _limited.append(None if _limited else threadpool_limits(1, user_api="blas"))
    try:
        yield
    finally:
        with _BLAS:
            if len(_limited) == 1:
                _limited[0].restore_original_limits()
            _limited.pop()  # the first stays until all have left


@functools.cache
def memory_bytes() -> int:
    """Memory that this process may fill."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for folder in _groups("memory"):
        for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
            with contextlib.suppress(OSError, ValueError):
                limits.append(int((folder / name).read_text()))
    return min(limit for limit in limits if 0 < limit < UNLIMITED)


def _groups(controller: str) -> Iterator[Path]:
    """The folders of the control groups that this process is in, outer ones too, of either version."""
    try:
        lines = [line.split(":", 2) for line in OWN_GROUPS.read_text().splitlines()]
    except OSError:
        return
    for _, controllers, path in lines:
        if controllers and controller not in controllers.split(","):
            continue
        root = GROUPS / controller if controllers else GROUPS
        own = root / path.lstrip("/")
        yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(root))
