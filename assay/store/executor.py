"""Runs work in worker processes: several if there is enough of it.

For decoding and small NumPy calls, which in threads would mostly wait for Python's interpreter lock. A decoder that
crashes ends its worker, not the night. A worker imports only the module of its function, so it starts within tenths of
a second.
"""

import importlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from loky import ProcessPoolExecutor
from loky.process_executor import TerminatedWorkerError

from assay.store.machine import cores

WORTH = 128  # items a process must get to be worth starting
_AHEAD = 3  # batches for each process that are handed out before they are asked for
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_keeping = threading.Event()
_kept: dict[int, ProcessPoolExecutor] = {}  # by the number of their processes

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(pool: Executor, function: Callable[..., Any], tasks: Iterable[Any], ahead: int) -> Iterator[Any]:
    """`function` of each task on the pool's workers, results in the order of the tasks, at most `ahead` before they
    are asked for."""
    pending: deque[Future[Any]] = deque()
    for task in tasks:
        pending.append(pool.submit(function, task))
        if len(pending) > ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def in_batches(
    function: Callable[[Sequence[Item]], list[Result]],
    items: Sequence[Item],
    size: int,
    crashed: Callable[[Item], Result],
    worth: int | None = None,
    started: ProcessPoolExecutor | None = None,
) -> Iterator[Result]:
    """The results of `function`, which takes `size` items at a time, one for each item in their order.

    More than one process is started only if each gets at least `worth` items (`WORTH` if None). Nothing is done in this
    process, so what kills a worker never kills this one.

    A worker that dies (a decoder's segmentation fault, no memory) costs only its item: its batch is done again by
    halves, and the item whose worker dies even alone gets `crashed(item)` as its result.

    Args:
        started: workers from `start_workers`, which end with the last batch.
    """
    batches = [items[start : start + size] for start in range(0, len(items), size)]
    processes = processes_for(len(items), worth)
    while batches:
        done = 0
        try:
            for results in _in_processes(function, batches, processes, started):
                done += 1
                yield from results
        except TerminatedWorkerError:
            yield from _by_halves(function, batches[done], crashed)
            done += 1
        batches, started = batches[done:], None


def processes_for(items: int, worth: int | None = None) -> int:
    """How many worker processes so many items are worth: at least one."""
    return max(min(cores(), items // (worth or WORTH)), 1)


def ahead_of(processes: int) -> int:
    """How many batches `in_batches` hands out before their results are asked for, at most."""
    return _AHEAD * processes + 1


def start_workers(module: str, processes: int) -> ProcessPoolExecutor:
    """Workers that import a module while this process does something else."""
    pool = _pool(processes)
    for _ in range(processes):
        pool.submit(importlib.import_module, module)
    return pool


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, initializer=_start, initargs=(os.getpid(),), env=_ONE_THREAD)


def _in_processes(
    function: Callable[..., Any], batches: Sequence[Any], processes: int, started: ProcessPoolExecutor | None = None
) -> Iterator[Any]:
    """`function` of each batch in a pool of worker processes, in order."""
    pool = started or _kept.pop(processes, None) or _pool(processes)
    done = False
    try:
        yield from in_order(pool, function, batches, _AHEAD * processes)
        done = True
    finally:
        if done and _keeping.is_set():
            _kept[processes] = pool
        else:
            pool.shutdown(wait=True, kill_workers=True)


def keep_workers() -> None:
    """From now on this process keeps its worker processes for the next work, as where it does one partition after
    another."""
    _keeping.set()


def _by_halves(function: Callable[..., Any], batch: Sequence[Item], crashed: Callable[[Item], Result]) -> list[Result]:
    try:
        return next(_in_processes(function, [batch], 1))
    except TerminatedWorkerError:
        if len(batch) == 1:
            return [crashed(batch[0])]
    middle = len(batch) // 2
    return _by_halves(function, batch[:middle], crashed) + _by_halves(function, batch[middle:], crashed)


def _start(parent: int) -> None:
    """Leave Ctrl-C to the process that started this worker, and end when that process dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
