"""Little of what the system gives: file descriptors, memory."""

import contextlib
import functools
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.hardening.common import LIMIT_SECONDS, Bench, Row, night, undisturbed, whole_after

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
    rows = [_limited(bench, kind, functools.partial(_limit, what, amount)) for kind, what, amount in limits]
    return [*rows, *in_all(bench)]


def in_all(bench: Bench) -> list[Row]:
    """2 GiB are enough; with less a night may be killed."""
    return [_group(bench, mebibytes) for mebibytes in (2048, 512, 256)]


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


def _group(bench: Bench, mebibytes: int) -> Row:
    """A command that is killed, with all that it started, where it has more memory of its own than so much, as the
    kernel does in a control group. 2 GiB are enough for it."""
    row = Row(f"{mebibytes} MiB of memory in all, SIGKILL beyond it")
    left, wanted, published, peak = bench.until(), undisturbed(bench.base), 0, 0
    for _ in range(bench.times(10)):
        if not left():
            break
        home = bench.base / "grouped"
        shutil.rmtree(home, ignore_errors=True)
        status, most = _watched(bench.base, home, mebibytes * 2**20)
        published, peak = published + (status == 0), max(peak, most)
        told = status in (0, -signal.SIGKILL) and not (status and mebibytes == 2048)
        row.count(whole_after(bench.base, home, wanted) if told else f"ended with {status} at {most >> 20} MiB")
    row.kind += f" ({published} of them published; at most {peak >> 20} MiB)"
    return row


def _watched(base: Path, home: Path, amount: int) -> tuple[int | None, int]:
    """The status of a fresh `assay run`, None where it hung, and the most memory that it had."""
    arguments = [sys.executable, "-m", "assay.cli", "run", str(base / "spec.toml"), "--home", str(home)]
    run = subprocess.Popen(arguments, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end, most = time.monotonic() + LIMIT_SECONDS, 0
    while run.poll() is None and time.monotonic() < end and most <= amount:
        most = max(most, sum(_own_bytes(process) for process in _session(run.pid)))
        time.sleep(0.01)
    if run.poll() is None:
        os.killpg(run.pid, signal.SIGKILL)
        return (run.wait() if most > amount else None), most
    return run.returncode, most


def _session(leader: int) -> list[Path]:
    """The processes of a session."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError):
            if process.name.isdigit() and int((process / "stat").read_text().rsplit(")", 1)[1].split()[3]) == leader:
                found.append(process)
    return found


def _own_bytes(process: Path) -> int:
    """Memory that no file stands behind."""
    with contextlib.suppress(OSError):
        found = re.findall(r"Rss(?:Anon|Shmem):\s+(\d+)", (process / "status").read_text())
        return 1024 * sum(map(int, found))
    return 0
