"""A clock that is set back and forth between nights and between decisions, by hours and by years."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.hardening.common import Bench, Row, undisturbed, whole_after

DAY = 86_400
OFFSETS = (0, -3_600, 7_200, -DAY, 400 * DAY, -3_650 * DAY, 3_650 * DAY, -1, 90 * DAY, 0)
SCRIPT = """
import sys, time
from pathlib import Path
import polars as pl
from assay.night import run_spec
from assay.store.decisions import append_decisions, read_decisions
from assay.store.workspace import Workspace
base, home, n = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
snapshot = run_spec(base / "spec.toml", home)
assert snapshot.number == n + 1, snapshot.number
workspace = Workspace(home, "tiny")
rows = snapshot.read("samples").head(1)
append_decisions(workspace, rows, "accept_label", f"c{n}", "kim", snapshot.number)
assert read_decisions(workspace)["value"].to_list() == [f"c{i}" for i in range(n + 1)]
"""


def rows(bench: Bench) -> list[Row]:
    """A night and a decision at each offset; the newest is the last made, and the last decision stands."""
    row, left = Row("the clock back and forth, a night and a decision each"), bench.until()
    compiler = shutil.which("cc")
    if compiler is None:
        row.left_out = "no C compiler, for a clock of our own"
        return [row]
    library, home = bench.base / "clock.so", bench.base / "timeless"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    shutil.rmtree(home, ignore_errors=True)
    wanted = undisturbed(bench.base)
    for number, offset in enumerate(OFFSETS[: max(bench.times(len(OFFSETS)), 2)]):
        if left():
            variables = os.environ | {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}
            command = [sys.executable, "-c", SCRIPT, str(bench.base), str(home), str(number)]
            found = subprocess.run(command, env=variables, capture_output=True, text=True)
            row.count(f"at {offset} s: {found.stderr[-400:]}" if found.returncode else None)
    row.count(whole_after_decisions(bench, home, wanted))
    return [row]


def whole_after_decisions(bench: Bench, home: Path, wanted: list[dict[str, str]]) -> str | None:
    """As `whole_after`, without the decisions, which change what is published."""
    shutil.rmtree(home / "tiny" / "decisions", ignore_errors=True)
    return whole_after(bench.base, home, wanted)
