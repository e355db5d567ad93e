"""A night: the stages in order, once. Read this file first.

    source ─ ingest ─ clean ─ dedup ─ embed ─ index ─┬─ near_dedup ─ metrics ─┬─ judge ──── publish
                                                     └─ project ──────────────┴─ validate ─┘

Each stage is one room; it says by name which tables it reads and which it writes, and each table has a contract in
`assay/contracts/tables.py`. What is finished is found by its key and not done again. A stage starts when the stages
before it that write what it reads are done, so independent ones run side by side.
"""

import contextvars
import functools
import queue
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from assay.contracts.errors import TakenError
from assay.contracts.spec import Spec, load_spec
from assay.duplicates.stage import dedup, near_dedup
from assay.embedders.stage import embed
from assay.engines.job import check_engine
from assay.facts import clean
from assay.health.stage import drift, validate
from assay.judge.stage import judge
from assay.knn.stage import index
from assay.layouts.stage import project
from assay.metrics.stage import metrics
from assay.operating.watch import watched
from assay.publishing.stage import publish
from assay.remote.home import MOST_TRIES, begin
from assay.sources.ingest import ingest
from assay.store.lock import dataset_lock, disk_full_is_clear, lack_of_memory_is_clear
from assay.store.snapshots import Snapshot
from assay.store.stage import Stage, StageOutput, names
from assay.store.workspace import Workspace

STAGES = (ingest, clean, dedup, embed, index, near_dedup, project, metrics, judge, validate, drift)
Result = TypeVar("Result")
SILENT_SECONDS = 5.0
LANES = 2  # stages at a time; most use all cores by themselves, but UMAP with a seed uses one

Runner = Callable[..., StageOutput]
"""`(stage, spec, workspace, *outputs) -> StageOutput`: how one stage is run."""


def run_stage_here(stage: Stage, spec: Spec, workspace: Workspace, *outputs: StageOutput) -> StageOutput:
    """The stage in this process, and nothing around it."""
    return stage(spec, workspace, *outputs)


def run_night(
    spec: Spec,
    workspace: Workspace,
    run: Runner = run_stage_here,
    publish: Callable[..., Snapshot] = publish,
    lock: Callable[[Workspace], AbstractContextManager[None]] = dataset_lock,
) -> Snapshot:
    """One quality snapshot of one dataset.

    Args:
        run: how a stage is run; an orchestrator puts its own around each.
        publish: the same for the last step.
        lock: how the dataset's lock is taken: who waits for it, and how long.

    Raises:
        AssayError: what stopped the night, in words for its operator. Nothing half-written is published.
    """
    check_engine(spec.run)
    with (
        watched(spec, workspace) as watch,
        disk_full_is_clear(workspace.home),
        lack_of_memory_is_clear(),
        lock(workspace),
    ):
        begin(workspace)
        with watch.holding():
            snapshot = run_and_publish(spec, workspace, run, publish)
            watch.published(snapshot)
            return snapshot


def run_and_publish(spec: Spec, workspace: Workspace, run: Runner, publish: Callable[..., Snapshot]) -> Snapshot:
    """The stages, and their tables published; where another publisher of a home on S3 was first, again on top of his
    snapshot: facts and most outputs are there already, the parent, the diff and the drift are not."""
    for _ in range(MOST_TRIES):
        sweep(workspace)
        outputs = run_stages(STAGES, spec, workspace, run)
        try:
            return timed("publish", publish, spec, workspace, *outputs)
        except TakenError as taken:
            print(f"assay: {taken}; the night is done again on top of it", file=sys.stderr, flush=True)
            begin(workspace)
    raise TakenError(
        f"{MOST_TRIES} times another publisher of `{spec.name}` was first; run again once fewer publish it"
    )


def sweep(workspace: Workspace) -> None:
    """Remove what a killed night left half-written; the dataset's lock is ours."""
    for leftover in (*workspace.work.glob(".*"), *workspace.snapshots.glob(".aside-*")):
        shutil.rmtree(leftover, ignore_errors=True)


def run_spec(path: Path, home: Path, wait: float = 0.0) -> Snapshot:
    """One night of the dataset that a spec file describes; results go below `home`.

    Args:
        wait: seconds to wait where a run or `assay gc` of the dataset is under way.
    """
    spec = load_spec(path)
    lock = functools.partial(dataset_lock, who="`assay run`", wait=wait)
    return run_night(spec, Workspace(home.resolve(), spec.name), lock=lock)


def run_stages(stages: Sequence[Stage], spec: Spec, workspace: Workspace, run: Runner) -> list[StageOutput]:
    """The outputs of the stages, in their order.

    Of the stages that can start, the first runs in this thread, where Ctrl-C reaches it, the next one beside it. The
    first failure is raised once what else was running has ended.
    """
    waiting, running, done = list(stages), set[str](), dict[str, StageOutput]()
    finished: queue.SimpleQueue[tuple[str, StageOutput | Exception]] = queue.SimpleQueue()
    needs = {stage.name: _needs(stage, stages, spec) for stage in stages}
    failures: list[Exception] = []
    beside_threads: dict[str, threading.Thread] = {}

    def work(stage: Stage) -> None:
        before = stages[: stages.index(stage)]
        outputs = [done[other.name] for other in before if other.name in done]
        try:
            finished.put((stage.name, timed(stage.name, run, stage, spec, workspace, *outputs)))
        except Exception as error:
            finished.put((stage.name, error))

    while running or (waiting and not failures):
        ready = [stage for stage in waiting if needs[stage.name] <= done.keys()] if not failures else []
        here, beside = ready[:1], ready[1 : 1 + LANES - 1 - len(running)]
        for stage in here + beside:
            waiting.remove(stage)
            running.add(stage.name)
        for stage in beside:
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(work, stage), daemon=True, name=stage.name)
            beside_threads[stage.name] = thread
            thread.start()
        for stage in here:
            work(stage)
        name, outcome = _next(finished, beside_threads)  # of the one here, or of the one that all others wait for
        running.discard(name)
        if isinstance(outcome, Exception):
            failures.append(outcome)
        else:
            done[name] = outcome
    if failures:
        raise failures[0]
    return [done[stage.name] for stage in stages]


def _next(
    finished: "queue.SimpleQueue[tuple[str, StageOutput | Exception]]", threads: dict[str, threading.Thread]
) -> tuple[str, StageOutput | Exception]:
    """The next stage to end. A thread that ended without a word, for it had no memory left to say one, has failed."""
    while True:
        ended = [name for name, thread in threads.items() if not thread.is_alive()]
        try:
            name, outcome = finished.get(timeout=SILENT_SECONDS)
            threads.pop(name, None)
            return name, outcome
        except queue.Empty:
            if ended:
                threads.pop(ended[0])
                return ended[0], MemoryError(f"the thread of {ended[0]} ended without a word")


def _needs(stage: Stage, stages: Sequence[Stage], spec: Spec) -> set[str]:
    """The stages before this one that write what it reads."""
    reads = set(names(stage.reads, spec))
    before = stages[: stages.index(stage)]
    return {other.name for other in before if reads.intersection(names(other.writes, spec))}


def timed(name: str, function: Callable[..., Result], *arguments: object) -> Result:
    """The function's result, with a line on standard error when it starts and when it is done."""
    print(f"{name} …\n", end="", file=sys.stderr, flush=True)  # at once: stages run side by side
    started = time.monotonic()
    result = function(*arguments)
    print(f"{name} done in {time.monotonic() - started:.1f} s\n", end="", file=sys.stderr, flush=True)
    return result
