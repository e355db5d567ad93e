"""kill -9: at random moments, with workers, with decisions being written, and at every rename, fsync and manifest."""

import functools
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from assay.store import executor
from assay.store.decisions import read_decisions
from assay.store.workspace import Workspace
from benchmarks.hardening.common import (
    Bench,
    Child,
    Row,
    decide_for_ever,
    inside,
    night,
    two_nights,
    undisturbed,
    whole_after,
    write_tiny,
)
from tests.corpus import write_digits

STEPS = ("rename", "replace", "fsync")
IMAGES = 'name = "tiny"\nmodality = "image"\n[source]\nkind = "folder"\npath = "digits"\n[project]\nmethods = ["pca"]\n'


def rows(bench: Bench) -> list[Row]:
    """All of it."""
    return [at_random(bench), with_workers(bench), with_decisions(bench), at_every_step(bench), of_a_grown_night(bench)]


def at_random(bench: Bench) -> Row:
    """Any moment of a first night."""
    row, dice, left = Row("kill -9 of a night at a random moment"), random.Random(bench.seed), bench.until()
    wanted, seconds = undisturbed(bench.base), _seconds(bench.base)
    for _ in range(bench.times(1000)):
        if left():
            row.count(_one_kill(bench.base, bench.base / "killed", dice.uniform(0, seconds), wanted))
    return row


def with_workers(bench: Bench) -> Row:
    """A night on pictures, which decodes in processes of its own."""
    row, dice, left = Row("… while worker processes decode pictures"), random.Random(bench.seed + 1), bench.until()
    base = bench.base / "pictures"
    if not base.exists():
        base.mkdir()
        inside(write_digits, base / "digits", 0, 60)
        (base / "spec.toml").write_text(IMAGES)
    wanted, seconds = undisturbed(base), _seconds(base, _two_workers)
    for _ in range(bench.times(200)):
        if left():
            row.count(_one_kill(base, base / "killed", dice.uniform(0, seconds), wanted, _two_workers))
    return row


def with_decisions(bench: Bench) -> Row:
    """A second night, and somebody who decides all the time; both killed. Every decision that was acknowledged is
    there."""
    row, dice, left = Row("… while somebody decides, killed too"), random.Random(bench.seed + 2), bench.until()
    wanted, seconds = undisturbed(bench.base), _seconds(bench.base)
    for _ in range(bench.times(200)):
        if not left():
            break
        home = bench.base / "decided"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(bench.base / "undisturbed", home)
        made = Path(f"{home}.kim.made")
        made.unlink(missing_ok=True)
        victims = [night(bench.base, home), Child(functools.partial(decide_for_ever, home, "kim"))]
        time.sleep(dice.uniform(0, seconds))
        for victim in victims:
            victim.kill()
            victim.wait()
        acknowledged = made.read_text().split() if made.exists() else []
        there = inside(_batches, home).value or []
        lost = set(acknowledged) - set(there)
        row.count(f"{len(lost)} decisions" if lost else whole_after(bench.base, home, wanted))
    return row


def at_every_step(bench: Bench) -> Row:
    """Before and after each call that makes something lasting: all of a first night's, or as many as there is time."""
    wanted = undisturbed(bench.base)
    return _each_step(bench, Row("… before and after each rename, fsync and manifest"), bench.base, None, wanted)


def of_a_grown_night(bench: Bench) -> Row:
    """The same of a night with a tenth more samples, which goes on from the graph and the weights of the night
    before."""
    base = bench.base / "grown"
    inside(write_tiny, base)
    undisturbed(base)
    inside(write_tiny, base, 66)
    shutil.copytree(base / "undisturbed", base / "after")
    wanted = two_nights(base, base / "after")
    return _each_step(bench, Row("… of a night with a tenth more samples"), base, base / "undisturbed", wanted)


def _each_step(bench: Bench, row: Row, base: Path, start: Path | None, wanted: list[dict[str, str]]) -> Row:
    """Kill a night at each step, in a home that begins as a copy of `start`."""
    left, home = bench.until(), base / "stepped"
    counter = base / "steps"
    counter.unlink(missing_ok=True)

    def begin() -> None:
        shutil.rmtree(home, ignore_errors=True)
        if start is not None:
            shutil.copytree(start, home)

    begin()
    night(base, home, functools.partial(_kill_at, 0, counter)).wait()
    steps = counter.stat().st_size
    dice, each = random.Random(bench.seed), list(range(1, steps + 1))
    dice.shuffle(each)
    sides = [dice.choice((0, 1)) for _ in each]  # first one of the two at every call, then the other
    order = [2 * step - side for step, side in zip(each, sides, strict=True)]
    order += [2 * step - 1 + side for step, side in zip(each, sides, strict=True)]
    for step in order[: bench.times(len(order))]:
        if left():
            begin()
            night(base, home, functools.partial(_kill_at, step, counter)).wait()
            row.count(whole_after(base, home, wanted))
    row.kind += f" (a night has {steps})"
    return row


def _kill_at(step: int, counter: Path) -> None:
    """Have this process kill itself before (odd) or after (even) such a call; 0: count them, a byte each."""
    done = [0]

    def hooked(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            if step == 0:
                with counter.open("ab") as stream:
                    stream.write(b".")
            done[0] += 1
            if step == 2 * done[0] - 1:
                os.kill(os.getpid(), signal.SIGKILL)
            value = real(*arguments, **named)
            if step == 2 * done[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            return value

        return call

    for name in STEPS:  # a manifest is written by a replace and two fsyncs
        setattr(os, name, hooked(getattr(os, name)))


def _two_workers() -> None:
    """Few files are enough for worker processes."""
    executor.WORTH = 10
    executor.cores = lambda: 2


def _one_kill(
    base: Path, home: Path, seconds: float, wanted: list[dict[str, str]], before: Callable[[], object] = lambda: None
) -> str | None:
    shutil.rmtree(home, ignore_errors=True)
    victim = night(base, home, before)
    time.sleep(seconds)
    victim.kill()
    victim.wait()
    return whole_after(base, home, wanted)


def _seconds(base: Path, before: Callable[[], object] = lambda: None) -> float:
    """How long a first night takes now."""
    shutil.rmtree(base / "timed", ignore_errors=True)
    began = time.monotonic()
    night(base, base / "timed", before).wait()
    return time.monotonic() - began


def _batches(home: Path) -> list[str]:
    return list(read_decisions(Workspace(home, "tiny"))["batch"])
