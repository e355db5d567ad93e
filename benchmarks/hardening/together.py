"""Many at once on one dataset: five who run it, one who removes what is old, a reader, two who decide."""

import functools
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.hardening.common import (
    Bench,
    Child,
    Outcome,
    Row,
    command,
    decide_for_ever,
    inside,
    night,
    undisturbed,
    whole_after,
)
from benchmarks.hardening.kills import _batches

SECONDS = 300.0


def rows(bench: Bench) -> list[Row]:
    """One row; a try is one command that ended."""
    seconds = min(SECONDS * bench.share, bench.seconds)
    row = Row(f"five runs, gc, a reader and two who decide, together for {seconds:.0f} s")
    home, wanted = bench.base / "shared-by-all", undisturbed(bench.base)
    shutil.rmtree(home, ignore_errors=True)
    for made in bench.base.glob(f"{home.name}.*.made"):
        made.unlink()
    night(bench.base, home).wait()
    deciders = [Child(functools.partial(decide_for_ever, home, who)) for who in ("kim", "lee")]
    starters = [functools.partial(night, bench.base, home)] * 5 + [_gc(home), _reader(home)]
    under_way = [start() for start in starters]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for number, child in enumerate(under_way):
            if not child.kill(0):
                row.count(child.wait().problem)
                under_way[number] = starters[number]()
        time.sleep(0.05)
    for child in under_way:
        row.count(child.wait().problem)
    for child in deciders:
        row.count(None if child.kill() else f"who decided ended: {child.wait().said[-300:]}")
        child.wait()
    acknowledged = {batch for made in bench.base.glob(f"{home.name}.*.made") for batch in made.read_text().split()}
    there: Outcome = inside(_batches, home)
    lost = acknowledged - set(there.value or [])
    row.count(f"{len(lost)} of {len(acknowledged)} decisions" if lost else None)
    row.count(whole_after(bench.base, home, wanted))
    return [row]


def _gc(home: Path) -> Callable[[], Child]:
    work = functools.partial(command, "gc", "tiny", "--keep", 3, "--grace-hours", 0, "--home", home, "--wait", 120)
    return functools.partial(Child, work)


def _reader(home: Path) -> Callable[[], Child]:
    sql = "select snapshot, count(*) from history.samples group by all"
    return functools.partial(Child, functools.partial(command, "query", "tiny", sql, "--home", home))
