"""Partitions as tasks of a Ray cluster. A task that dies with its machine is done again elsewhere, so each may run more
than once. A process of the cluster keeps what it loaded (`on_worker.py`) for the next partition.

A partition takes about a minute: what Ray adds to a task, the start of a process and the loading of a model, is little
of that, and little is lost with a machine. How much that is, the first partitions tell, which are single chunks.
"""

import contextlib
import logging
import os
import re
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import assay.contracts.errors
from assay.contracts.errors import AssayError, EngineError
from assay.contracts.operations import Run
from assay.engines.job import Job
from assay.engines.on_worker import do, versions
from assay.engines.pace import Pace
from assay.store.progress import Progress

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before the import: nobody is told
import ray
from ray.exceptions import RayError

TIMES = 5  # that a partition is begun again, its process or machine having died
ANSWER_SECONDS = 10.0  # for an address
LOOK_SECONDS = 2.0
KEPT = "what is done is kept, and the next run goes on from there"
LACKING = re.compile(r"No module named 'assay[^']*'|cannot import name '[^']*' from 'assay[^']*'")
_connecting = threading.Lock()
_connected: dict[str, str] = {}  # under `address`, the one that this process is connected to


class OnRay:
    """Does jobs on the cluster of a spec's `[run]`."""

    elsewhere = True

    def __init__(self, run: Run) -> None:
        self._run = run

    def run(self, job: Job) -> Iterator[Any]:
        """The results, as partitions end."""
        connect(self._run.address)
        gpus = self._run.gpus if job.on_gpu else 0.0
        task = ray.remote(num_cpus=self._run.cpus, num_gpus=gpus, max_retries=TIMES)(do)
        asked = {"key": uuid.uuid4().hex, "opener": job.opener, "told": dict(job.told), "cores": self._run.cpus}
        shared = ray.put(asked)
        progress, pace, watch = Progress(job.label, sum(job.sizes)), Pace(job.sizes, self._run.partition), _Watch()
        running: dict[Any, int] = {}  # a task, and its contents
        try:
            while pace.left or running:
                slots = _slots(self._run.cpus, gpus)
                while pace.left and len(running) < max(2 * slots, 2):
                    start, stop, size = pace.next(slots)
                    running[task.remote(versions(), shared, job.pack(start, stop))] = size
                done, _ = ray.wait(list(running), timeout=LOOK_SECONDS)
                for each in done:
                    size = running.pop(each)
                    answer = _answer(each)
                    pace.took(size, answer["seconds"])
                    progress.advance(size)
                    yield answer["result"]
                watch.look(bool(done or slots), self._run, gpus, progress)
        except (RayError, ConnectionError) as error:
            if isinstance(error.__context__, ray.exceptions.RayTaskError):  # a worker's own, as of a service it asked
                raise
            where = _named(self._run.address)
            raise EngineError(f"the Ray cluster {where} was lost ({_first(error)}); {KEPT}") from None
        finally:
            with contextlib.suppress(Exception):
                for each in running:
                    ray.cancel(each, force=True)


class _Watch:
    """How long there has been no machine to work on."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def look(self, fine: bool, run: Run, gpus: float, progress: Progress) -> None:
        """Raises `EngineError` after `run.wait_seconds` of none."""
        now = time.monotonic()
        if fine:
            self._since = now
        elif now - self._since >= run.wait_seconds:
            wanted = f"{run.cpus} cores" if run.cpus > 1 else "a core"
            wanted += f" and {gpus:g} GPUs" if gpus else ""
            raise EngineError(
                f"for {run.wait_seconds:g} s the Ray cluster {_named(run.address)} has had no machine with {wanted}; "
                f"{progress.done:,} of {progress.total:,} are done ({progress.label}). Add machines and run again: "
                f"{KEPT}"
            )


def _slots(cpus: int, gpus: float) -> int:
    """Partitions that the machines of the cluster can work on at a time."""
    slots = 0
    for node in ray.nodes():
        there = node["Resources"] if node["Alive"] else {}
        by_cpu = int(there.get("CPU", 0) // cpus)
        slots += min(by_cpu, int(there.get("GPU", 0) // gpus)) if gpus else by_cpu
    return slots


def _answer(task: Any) -> dict[str, Any]:
    """What a worker said. Raises what it raised."""
    try:
        answer: dict[str, Any] = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if lacking := LACKING.search(str(error)):
            raise EngineError(
                f"a worker has another assay than this night ({lacking[0]}); install the same assay on all machines of "
                "the cluster"
            ) from None
        raise error.cause from (None if isinstance(error.cause, OSError) else error)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
        raise EngineError(
            f"workers died of one partition again and again ({_first(error)}); give the machines more memory, or set "
            f"run.partition to less, and run again: {KEPT}"
        ) from None
    if "error" in answer:
        name, words = answer["error"]
        raise getattr(assay.contracts.errors, name, AssayError)(words)
    return answer


def connect(address: str) -> None:
    """Connect this process to a cluster, once.

    Raises:
        EngineError: nobody answers, or the cluster runs another Ray or Python.
    """
    with _connecting:
        if ray.is_initialized():
            if _connected.get("address", address) == address:
                return
            ray.shutdown()
        _knock(address)
        logging.getLogger("ray").setLevel(logging.CRITICAL)  # what a worker raises is raised here, and said once
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            ray.init(
                address=address,
                logging_level=logging.CRITICAL,
                log_to_driver=False,
                configure_logging=False,
            )
            _connected["address"] = address
        except (ConnectionError, RuntimeError, ValueError, RayError) as error:
            raise EngineError(
                f"no Ray cluster that fits answers at {_named(address)} ({_first(error)}); start one with `ray start "
                "--head` on this machine or check run.address, and run again"
            ) from None
        finally:
            if threading.current_thread() is threading.main_thread():
                for number, handler in before.items():
                    signal.signal(number, handler)


def _knock(address: str) -> None:
    """Raises `EngineError` where nobody listens at HOST:PORT; Ray itself would ask for a minute."""
    host, _, port = address.rpartition(":")
    if not host:
        return
    try:
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
    except OSError as error:
        raise EngineError(
            f"nobody answers at the Ray address {address} ({error}); start the cluster or check run.address, and run "
            "again"
        ) from None


def _named(address: str) -> str:
    return "of this machine" if address == "auto" else f"at {address}"


def _first(error: BaseException) -> str:
    """A library's words, short enough for a message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
