"""Where the partitions of a stage are worked on: in this process, or on a Ray cluster.

A stage describes work on chunks of contents as a `Job`, twice: as a function of this process, and in plain values of
which a process on another machine makes the same. What is computed goes into the facts, by whoever computes it; back
come only refusals. So a partition may be done twice, and a night that is stopped keeps what is done.
"""

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from assay.contracts.errors import EngineError, SpecError
from assay.contracts.operations import Run
from assay.contracts.spec import Spec, make_spec
from assay.store.facts import FactStore
from assay.store.stage import StageOutput
from assay.store.workspace import Workspace

SEEN_SECONDS = 60.0  # within which what one machine wrote is seen by another
RAY = "install it with: pip install 'assay[ray]'"


@dataclass(frozen=True)
class Job:
    """Work on chunks that do not depend on each other.

    Attributes:
        label: of its progress.
        sizes: contents in each chunk.
        here: does all of it in this process.
        opener: `module:function` of assay that makes of `told` a function of what `pack` gives, on another machine. It
            is called once a process.
        told: plain values.
        pack: `(start, stop)` → plain values: all there is to know of the chunks from `start` to before `stop`.
        on_gpu: a partition wants the GPUs of `[run] gpus`.
    """

    label: str
    sizes: Sequence[int]
    here: Callable[[], Any]
    opener: str
    told: Mapping[str, Any]
    pack: Callable[[int, int], Any]
    on_gpu: bool = False


class Engine(Protocol):
    """What does jobs."""

    elsewhere: bool  # whether other processes write the facts

    def run(self, job: Job) -> Iterator[Any]:
        """The result of each partition, in any order.

        Raises:
            EngineError: it cannot be done. What is done is kept.
        """
        ...


class Local:
    """This process and its own workers: everything is one partition."""

    elsewhere = False

    def run(self, job: Job) -> Iterator[Any]:
        """The result of all of it."""
        yield job.here()


def make_engine(run: Run) -> Engine:
    """The engine of a spec. Nothing is connected before there is work. Raises `SpecError` as `check_engine`."""
    if run.engine == "local":
        return Local()
    check_engine(run)
    from assay.engines.on_ray import OnRay

    return OnRay(run)


def check_engine(run: Run) -> None:
    """Raises `SpecError` where the package of the engine is not installed."""
    if run.engine == "ray" and importlib.util.find_spec("ray") is None:
        raise SpecError(f'run.engine = "ray" needs the package ray, which is not installed; {RAY}')


def told_of(spec: Spec, workspace: Workspace, outputs: Sequence[StageOutput] = ()) -> dict[str, Any]:
    """A spec, a workspace and finished stages as plain values; who gets them does the work himself."""
    run = spec.run.model_copy(update={"engine": "local"})
    return {
        "spec": spec.model_copy(update={"run": run}).model_dump(mode="json"),
        "base": str(spec.base),
        "home": str(workspace.home),
        "dataset": workspace.dataset,
        "outputs": [[output.stage, output.key, str(output.path), list(output.tables)] for output in outputs],
    }


def told_spec(told: Mapping[str, Any]) -> tuple[Spec, Workspace, list[StageOutput]]:
    """What `told_of` was given.

    Raises:
        EngineError: this machine does not see the home.
    """
    workspace = Workspace(Path(told["home"]), told["dataset"])
    if not workspace.root.is_dir():
        raise EngineError(
            f"there is no folder {workspace.root}; the home must be on a file system that all machines of the cluster "
            "share, under the same path"
        )
    outputs = [StageOutput(stage, key, Path(path), tuple(tables)) for stage, key, path, tables in told["outputs"]]
    return make_spec(told["spec"], base=Path(told["base"])), workspace, outputs


def open_job(opener: str, told: Mapping[str, Any]) -> Callable[[Any], Any]:
    """The function that does a partition of a job."""
    module, _, function = opener.partition(":")
    return getattr(importlib.import_module(module), function)(told)


def wait_for_facts(store: FactStore, content_hashes: pl.Series) -> None:
    """Return once this machine sees the facts of `content_hashes`, which others wrote.

    Raises:
        EngineError: it does not; then their home is another than this one's.
    """
    deadline = time.monotonic() + SEEN_SECONDS
    while len(missing := store.missing(content_hashes)):
        if time.monotonic() > deadline:
            raise EngineError(
                f"workers wrote facts of {len(content_hashes):,} contents, of which {len(missing):,} are not in "
                f"{store.folder}; the home must be on a file system that all machines of the cluster share"
            )
        time.sleep(1.0)
