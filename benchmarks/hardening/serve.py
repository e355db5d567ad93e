"""`assay serve` under kills: whichever of its processes dies, however, the nights go on.

A dataset is served once a minute. When a run has been submitted, or is under way, one of the processes or all of them
get SIGKILL or SIGTERM; `assay serve` is started again where it is what died. Wanted: no process is left, the next
snapshot comes, and what died is said to be dead.
"""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.hardening.common import Bench, Row, inside

ROOT = Path(__file__).parents[2]
VICTIMS = ("run", "server", "scheduler", "serve", "all")
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
MOMENTS = ("submitted", "under way")
LIMIT_SECONDS = 400.0
SPEC = """
name = "minutely"
modality = "vectors"
[source]
kind = "table"
path = "v.parquet"
[project]
methods = ["pca"]
[schedule]
cron = "* * * * *"
"""


def write_data(folder: Path) -> Path:
    """120 labelled vectors, and the spec that serves them."""
    rng = np.random.default_rng(1)
    label = rng.integers(0, 3, 120)
    vectors = rng.normal(size=(3, 16))[label] * 2 + rng.normal(size=(120, 16))
    names = [f"s{i}" for i in range(120)]
    pl.DataFrame({"sample_id": names, "vector": vectors.tolist(), "label": [str(k) for k in label]}).write_parquet(
        folder / "v.parquet"
    )
    (folder / "spec.toml").write_text(SPEC)
    return folder / "spec.toml"


def children(parent: int) -> dict[int, str]:
    """Live processes whose parent that is, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            state, ppid = (entry / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            if int(ppid) == parent and state != "Z":
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
    return found


def processes(serve: int) -> dict[str, int]:
    """The processes of `assay serve`, by what they are."""
    found = {"serve": serve}
    for scheduler in children(serve):
        found["scheduler"] = scheduler
        for process, command in children(scheduler).items():
            found["run" if "prefect.engine" in command else "server"] = process
    return found


def is_alive(process: int) -> bool:
    """Whether a process is there and no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def until(what: Callable[[], object], said: str) -> float:
    """Seconds until it is so."""
    started = time.monotonic()
    while not what():
        if time.monotonic() - started > LIMIT_SECONDS:
            raise TimeoutError(f"not within {LIMIT_SECONDS:g} s: {said}")
        time.sleep(0.05)
    return time.monotonic() - started


def start(spec: Path, home: Path, log: Path) -> subprocess.Popen:
    """`assay serve` in a process of its own."""
    command = [sys.executable, "-m", "assay.cli", "serve", str(spec), "--home", str(home)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    with open(log, "ab") as out:
        return subprocess.Popen(
            command, cwd=ROOT, env=environment | {"HOME": str(home)}, stdout=out, stderr=out, start_new_session=True
        )


def rows(bench: Bench) -> list[Row]:
    """All cases, as many as there is time for: a minute or two each."""
    row, left = Row("assay serve, one of its processes or all killed or stopped"), bench.until()
    folder = bench.base / "served"
    if bench.share < 0.2:
        row.left_out = "a case takes minutes: not in the short form"
        return [row]
    folder.mkdir(exist_ok=True)
    inside(write_data, folder)
    spec, home, log = folder / "spec.toml", folder / "home", folder / "serve.log"
    serve = start(spec, home, log)
    try:
        for moment, victim, number in itertools.product(MOMENTS, VICTIMS, SIGNALS):
            if left():
                try:
                    serve = _case(spec, home, log, serve, moment, victim, number)
                    row.count(None)
                except (TimeoutError, subprocess.TimeoutExpired) as error:
                    row.count(f"{victim} {number.name} {moment}: {error}")
    finally:
        serve.send_signal(signal.SIGTERM)
        row.count(None if serve.wait(60) in (0, 130) else f"serve ended with {serve.returncode}")
    return [row]


def _case(
    spec: Path, home: Path, log: Path, serve: subprocess.Popen, moment: str, victim: str, number: signal.Signals
) -> subprocess.Popen:
    """One kill, and the next snapshot. Returns the `assay serve` that runs then."""
    dataset = home / "minutely"
    under_way = (lambda: (dataset / ".lock.json").exists()) if moment == "under way" else (lambda: True)
    until(lambda: "run" in processes(serve.pid) and under_way(), "a run")
    there = processes(serve.pid)
    published = len(list(dataset.glob("snapshots/v*")))
    for name in there if victim == "all" else [victim]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(there[name], number)
    if victim in ("serve", "all"):
        serve.wait(60)
        until(lambda: not any(map(is_alive, there.values())), "no process left")
        serve = start(spec, home, log)
    until(lambda: len(list(dataset.glob("snapshots/v*"))) > published, "the next snapshot")
    return serve
