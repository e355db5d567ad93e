"""Little of what the system gives: file descriptors, memory."""

import functools
import re
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.hardening.common import Bench, Row, night, undisturbed, whole_after

GIB = 2**30


def rows(bench: Bench) -> list[Row]:
    """Each limit; a night publishes or ends in words, and the next one without the limit is as ever."""
    descriptors, memory = resource.RLIMIT_NOFILE, resource.RLIMIT_DATA
    found = re.search(r"VmData:\s+(\d+)", Path("/proc/self/status").read_text())
    imports = 1024 * int(found[1]) if found else 2 * GIB
    limits = [("64 file descriptors", descriptors, 64), ("256 file descriptors", descriptors, 256)]
    for mebibytes in (2048, 512):
        words = f"{mebibytes} MiB of memory beyond what the imports reserve (RLIMIT_DATA)"
        limits.append((words, memory, imports + mebibytes * 2**20))
    return [_limited(bench, kind, functools.partial(_limit, what, amount)) for kind, what, amount in limits]


def _limited(bench: Bench, kind: str, before: Callable[[], object]) -> Row:
    row, left, wanted = Row(kind), bench.until(), undisturbed(bench.base)
    published = 0
    for _ in range(bench.times(10)):
        if not left():
            break
        home = bench.base / "limited"
        shutil.rmtree(home, ignore_errors=True)
        first = night(bench.base, home, before).wait()
        published += first.status == 0
        row.count(first.problem or whole_after(bench.base, home, wanted))
    row.kind += f" ({published} of them published under it)"
    return row


def _limit(what: int, amount: int) -> None:
    resource.setrlimit(what, (amount, amount))
