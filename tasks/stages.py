"""The stages of `assay/night.py` as Prefect tasks: names, tags, retries, time limits, progress, artifacts.

Prefect's own result cache stays off: it does not see a change in a helper; `assay/store/stage.py` is the cache.
"""

import base64
import contextlib
import contextvars
import functools
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Self, cast

import pyarrow.parquet as pq
from prefect import Task, task
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.context import TaskRunContext

from assay.contracts.errors import AssayError
from assay.contracts.gates import says
from assay.contracts.spec import Spec
from assay.night import STAGES
from assay.publishing.stage import publish
from assay.report.embedding_plot import embedding_plot
from assay.store.lock import is_disk_full
from assay.store.progress import LISTENER
from assay.store.snapshots import Snapshot
from assay.store.stage import Stage, StageOutput
from assay.store.workspace import Workspace

RETRIES = 2
PUBLISH_HOURS = 2
NO_TAGS = "ASSAY_NO_TAGS"
"""Set where the server lives for one run only. A tag makes each task ask the server for a concurrency slot, which on
SQLite can wait for seconds; nobody can have set a limit on a server that is seconds old."""


def is_worth_retrying(_task: object, _run: object, state: State[Any]) -> bool:
    """Retry what may pass (a network file system, a busy device); never a user's mistake or a broken contract."""
    error = state.data if isinstance(state.data, BaseException) else getattr(state.data, "exception", None)
    return isinstance(error, OSError) and not isinstance(error, AssayError) and not is_disk_full(error)


def run_as_task(stage: Stage, spec: Spec, workspace: Workspace, *outputs: StageOutput) -> StageOutput:
    """How the flow runs a stage: as its task."""
    return cast(StageOutput, TASKS[stage.name](spec, workspace, *outputs))


def as_task(name: str, function: Callable[..., Any], hours: float, show: Callable[..., None]) -> Task[Any, Any]:
    """A function `(spec, workspace, *inputs)` as a Prefect task.

    The run is named after stage and dataset, tagged with `assay` and the stage, reports progress, and leaves what
    `show(result, dataset, seconds)` makes of its result in the Prefect UI.
    """

    @functools.wraps(function, updated=())
    def observed(spec: Spec, workspace: Workspace, *inputs: Any) -> object:
        started = time.monotonic()
        with _progress_artifact(name, spec.name):
            result = function(spec, workspace, *inputs)
        if TaskRunContext.get():
            with _fails_nothing(name):
                show(result, spec.name, time.monotonic() - started)
        return result

    return task(
        name=name,
        task_run_name=f"{name}-{{spec.name}}",
        tags=[] if os.environ.get(NO_TAGS) else ["assay", name],
        retries=RETRIES,
        retry_delay_seconds=10,
        retry_condition_fn=is_worth_retrying,
        timeout_seconds=hours * 3600,
        cache_policy=NO_CACHE,
        persist_result=False,
        log_prints=False,
    )(observed)


@contextlib.contextmanager
def _fails_nothing(stage: str) -> Iterator[None]:
    """What is only for show in the Prefect UI is left out where it cannot be made, and the run goes on."""
    try:
        yield
    except Exception as error:
        print(f"{stage}: not shown in the Prefect UI ({type(error).__name__}: {error})", file=sys.stderr, flush=True)


class _progress_artifact:
    """While inside, `Progress` also moves a Prefect progress artifact (at most every two seconds)."""

    def __init__(self, stage: str, dataset: str) -> None:
        self.stage, self.dataset = stage, dataset
        self._artifact: Any = None
        self._shown = 0.0
        self._context = contextvars.copy_context()  # progress is also reported by threads that know of no task run

    def __enter__(self) -> Self:
        self._token = LISTENER.set(self._show if TaskRunContext.get() else None)
        return self

    def __exit__(self, *_: object) -> None:
        LISTENER.reset(self._token)

    def _show(self, label: str, fraction: float) -> None:
        now = time.monotonic()
        if now - self._shown < 2.0 and fraction < 1.0:
            return
        self._shown = now
        with _fails_nothing(self.stage):
            self._context.copy().run(self._publish, label, round(100.0 * fraction, 1))

    def _publish(self, label: str, percent: float) -> None:
        if self._artifact is None:
            key = artifact_key(self.dataset, self.stage)
            self._artifact = create_progress_artifact(percent, key=key, description=label)
        else:
            update_progress_artifact(self._artifact, percent)


def _stage_artifacts(output: StageOutput, dataset: str, seconds: float) -> None:
    """Rows of each table that the stage wrote, as a table in the Prefect UI."""
    rows = [
        {"table": name, "rows": sum(pq.read_metadata(part).num_rows for part in output.parts(name))}
        for name in output.tables
    ]
    create_table_artifact(
        rows, key=artifact_key(dataset, output.stage, "tables"), description=f"{output.stage} in {seconds:.1f} s"
    )


def _snapshot_artifacts(snapshot: Snapshot, dataset: str, _seconds: float) -> None:
    """The snapshot's headline numbers and gates as a table, its report as a link, its embedding plot as an image."""
    rows = [{"metric": name, "value": value} for name, value in snapshot.manifest["headline"].items()]
    for gate in snapshot.manifest["gates"]:
        held = "holds" if gate["ok"] else f"{'warns' if gate['level'] == 'warn' else 'broken'}: {says(gate)}"
        rows.append({"metric": f"gate {gate['metric']}", "value": held})
    create_table_artifact(rows, key=artifact_key(dataset, "headline"), description=f"{dataset} {snapshot.name}")
    report = (snapshot.path / "report.html").as_uri()
    create_link_artifact(report, link_text=f"report of {snapshot.name}", key=artifact_key(dataset, "report"))
    plot = embedding_plot(snapshot)
    if plot is not None:  # in the URL itself: the UI's page is on another machine than the snapshot, or may be
        create_image_artifact(
            "data:image/png;base64," + base64.b64encode(plot).decode(),
            key=artifact_key(dataset, "embedding-plot"),
            description=f"{dataset} {snapshot.name}, a colour for each of the largest classes",
        )


def artifact_key(*words: str) -> str:
    """An artifact key: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


TASKS = {stage.name: as_task(stage.name, stage, stage.hours, _stage_artifacts) for stage in STAGES}
publish_task = as_task("publish", publish, PUBLISH_HOURS, _snapshot_artifacts)
