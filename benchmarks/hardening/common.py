"""What every kind of harm shares: a tiny dataset, a night of it in a forked process, and the record of a row.

This process imports all that a night needs and computes nothing, so that a fork of it can do a night in a second. Every
night, every check and every command is such a fork.
"""

import contextlib
import ctypes
import encodings.idna  # noqa: F401 - another account may not read our interpreter
import functools
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.cli import main as command_line
from assay.store.decisions import append_decisions
from assay.store.snapshots import list_snapshots, read_snapshot, snapshot_numbers, verify
from assay.store.workspace import Workspace

LIMIT_SECONDS = 300.0
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG: what is left of a try ends with the bench
SPEC = """name = "tiny"
modality = "vectors"
[source]
kind = "table"
path = "v.parquet"
[project]
methods = ["pca"]
"""


@dataclass
class Row:
    """One row of the table.

    Attributes:
        kind: what was done.
        tried: how often.
        survived: how often all was as promised.
        lost: a sentence for each time that it was not.
        left_out: what could not be tried on this machine, and why.
    """

    kind: str
    tried: int = 0
    survived: int = 0
    lost: list[str] = field(default_factory=list)
    left_out: str = ""

    def count(self, problem: str | None) -> None:
        """One more try; `problem` says what was lost, None that nothing was."""
        self.tried += 1
        self.survived += problem is None
        if problem is not None:
            self.lost.append(problem)
            print(f"LOST {self.kind}: {problem}", file=sys.stderr, flush=True)

    def as_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Bench:
    """Where and how long it is tried: a folder, counts, and the moment to end."""

    base: Path
    share: float  # of the long form's counts
    seconds: float  # of one kind
    seed: int = 0

    def times(self, count: int) -> int:
        """So many tries of `count` in the long form; at least one."""
        return max(round(count * self.share), 1)

    def until(self) -> Callable[[], bool]:
        """Whether there is time left, from the first question on; there is for one try."""
        asked: list[float] = []

        def left() -> bool:
            asked.append(time.monotonic())
            return len(asked) == 1 or asked[-1] < asked[0] + self.seconds

        return left


@dataclass(frozen=True)
class Outcome:
    """How a forked process ended: `status` as a shell has it (None: not in time), what it returned, what it printed."""

    status: int | None
    value: Any
    said: str

    @property
    def problem(self) -> str | None:
        """Ended well, or with words of its own: None. A traceback, a signal or a hang: which."""
        if self.status is None:
            return "it hung"
        if self.status < 0:
            return f"ended by {signal.Signals(-self.status).name}: {self.said[-300:]}"
        return f"traceback: {self.said[-600:]}" if "Traceback (most recent" in self.said or self.status == 99 else None


class Child:
    """A fork that does `work`, in a session of its own."""

    def __init__(self, work: Callable[[], object], before: Callable[[], object] = lambda: None) -> None:
        handle, log = tempfile.mkstemp(prefix="hardening-", suffix=".log", dir=LOGS)
        os.close(handle)
        self.log = Path(log)
        self.answer = self.log.with_suffix(".json")
        self.pid = os.fork()
        if self.pid == 0:
            self._be(work, before)

    def _be(self, work: Callable[[], object], before: Callable[[], object]) -> None:
        status = 99
        with contextlib.suppress(BaseException):
            os.setsid()
            ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
            log = os.open(self.log, os.O_WRONLY)
            os.dup2(log, 1)
            os.dup2(log, 2)
            sys.stdout = os.fdopen(1, "w", buffering=1)
            sys.stderr = os.fdopen(2, "w", buffering=1)
            answer = os.open(self.answer, os.O_WRONLY | os.O_CREAT)
            try:
                before()
                os.write(answer, json.dumps(work(), default=str).encode())
                status = 0
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Send a signal; whether it was still running."""
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return False
        os.kill(self.pid, number)
        return True

    def wait(self, seconds: float = LIMIT_SECONDS) -> Outcome:
        """Its end; it and all that it started are ended after so many seconds."""
        end, status = time.monotonic() + seconds, None
        while time.monotonic() < end:
            done, found = os.waitpid(self.pid, os.WNOHANG)
            if done:
                status = os.waitstatus_to_exitcode(found)
                break
            time.sleep(0.01)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        said = self.log.read_text(encoding="utf-8", errors="replace")
        text = self.answer.read_text(encoding="utf-8") if self.answer.exists() else ""
        self.log.unlink(missing_ok=True)
        self.answer.unlink(missing_ok=True)
        return Outcome(status, json.loads(text) if text and status == 0 else None, said)


LOGS = Path(tempfile.gettempdir())


def inside(work: Callable[..., object], *arguments: object, seconds: float = LIMIT_SECONDS) -> Outcome:
    """What a function returns, in a fork."""
    return Child(functools.partial(work, *arguments)).wait(seconds)


def command(*arguments: object) -> None:
    """The command line, in this process."""
    sys.argv = ["assay", *map(str, arguments)]
    command_line([str(argument) for argument in arguments], standalone_mode=False)


def night(base: Path, home: Path, before: Callable[[], object] = lambda: None) -> Child:
    """`assay run` of the tiny dataset."""
    return Child(functools.partial(command, "run", base / "spec.toml", "--home", home, "--wait", 120), before)


def write_tiny(folder: Path, n: int = 60) -> None:
    """The first `n` of 80 labelled vectors, and their spec."""
    rng = np.random.default_rng(1)
    label = rng.integers(0, 3, 80)
    vectors = rng.normal(size=(3, 8))[label] * 3 + rng.normal(size=(80, 8))
    frame = {"sample_id": [f"s{i}" for i in range(80)], "vector": vectors.tolist(), "label": [f"c{k}" for k in label]}
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(frame).head(n).write_parquet(folder / "v.parquet")
    (folder / "spec.toml").write_text(SPEC)


def newest_digests(home: Path, dataset: str = "tiny") -> dict[str, str]:
    """Table → digest of the newest snapshot."""
    snapshots = Workspace(home, dataset).snapshots
    manifest = read_snapshot(snapshots / f"v{snapshot_numbers(snapshots)[-1]:08d}").manifest
    return {name: table["digest"] for name, table in manifest["tables"].items()}


def damage(home: Path, dataset: str = "tiny") -> list[str]:
    """What is wrong with the snapshots that are there: each is whole, or it is not there."""
    workspace = Workspace(home, dataset)
    numbers, readable = snapshot_numbers(workspace.snapshots), list_snapshots(workspace)
    unreadable = sorted(set(numbers) - {snapshot.number for snapshot in readable})
    return [f"v{number} unreadable" for number in unreadable] + [
        f"{snapshot.name}: {problem}" for snapshot in readable for problem in verify(snapshot)
    ]


def whole_after(base: Path, home: Path, wanted: Sequence[dict[str, str]], dataset: str = "tiny") -> str | None:
    """None where every snapshot is whole and the next night publishes one that is, and equal to one of `wanted`."""
    before = inside(damage, home, dataset)
    if before.problem or before.value:
        return f"damaged snapshots: {before.problem or before.value}"
    again = night(base, home).wait()
    if again.status != 0:
        return f"the next night ended with {again.status}: {again.said[-500:]}"
    after = inside(_after, home, dataset)
    if after.problem or after.value[0]:
        return f"damaged after the next night: {after.problem or after.value[0]}"
    differ = [[name for name in one if one[name] != after.value[1].get(name)] for one in wanted]
    return None if [] in differ else f"other tables than undisturbed: {min(differ, key=len)}"


def _after(home: Path, dataset: str) -> tuple[list[str], dict[str, str]]:
    return damage(home, dataset), newest_digests(home, dataset)


def undisturbed(base: Path) -> list[dict[str, str]]:
    """What the first two nights of the tiny dataset publish when nothing happens; kept beside it."""
    kept = base / "undisturbed.json"
    if not kept.exists():
        shutil.rmtree(base / "undisturbed", ignore_errors=True)
        kept.write_text(json.dumps(two_nights(base, base / "undisturbed")))
    return list(json.loads(kept.read_text()))


def two_nights(base: Path, home: Path) -> list[dict[str, str]]:
    """What two nights publish that nobody disturbs."""
    found = []
    for _ in range(2):
        outcome = night(base, home).wait()
        if outcome.status != 0:
            raise RuntimeError(f"a night that nobody disturbs fails: {outcome.said}")
        found.append(inside(newest_digests, home).value)
    return found


def decide_for_ever(home: Path, who: str) -> None:
    """Decide about a sample, again and again."""
    workspace = Workspace(home, "tiny")
    rows = {"sample_id": ["s0"], "content_hash": ["x" * 32], "label": ["c0"]}
    made = Path(f"{home}.{who}.made")
    while True:
        batch = append_decisions(workspace, pl.DataFrame(rows), "tag", who, who, 1)
        with made.open("a") as stream:
            stream.write(f"{batch}\n")  # after it was acknowledged
        time.sleep(0.01)


@contextlib.contextmanager
def mounted(folder: Path, size: int, kind: str = "tmpfs") -> Iterator[Path]:
    """A file system of so many bytes of its own; raises `PermissionError` where this account may mount none."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0 or os.system(f"mount -t {kind} -o size={size} {kind} '{folder}' 2>/dev/null") != 0:
        raise PermissionError("no file system can be mounted by this account")
    try:
        yield folder
    finally:
        os.system(f"umount -l '{folder}'")


def warm(base: Path) -> None:
    """Import all that a night imports, so that no fork has to; and compute nothing here."""
    inside(write_tiny, base)
    for name in inside(_imported, base).value or []:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def _imported(base: Path) -> list[str]:
    with contextlib.suppress(SystemExit):
        command("run", base / "spec.toml", "--home", base / "warm")
    damage(base / "warm")
    return [name for name in sys.modules if not name.startswith(("_", "benchmarks", "test"))]
