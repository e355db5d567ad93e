"""The process that `assay serve` keeps up: the specs' deployments, and a runner that starts their nights.

Uses the Prefect server that the environment names; with none, one of its own. It holds the home's `serve.lock`, so
nobody else schedules there, and whatever an earlier one left under way is dead.
"""

import argparse
import asyncio
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from assay.contracts.errors import AssayError, SpecError
from assay.contracts.spec import Schedule, Spec, load_spec
from assay.store.lock import held_lock
from flows.lifeline import PARENT, end_when_input_ends
from flows.prefect_server import prefect_server
from flows.recover import recover
from flows.served import served

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.deployments.runner import RunnerDeployment
    from prefect.runner import Runner

FLOW, ENTRYPOINT = "quality-snapshot", "flows/quality_snapshot.py:quality_snapshot"
GC_FLOW, GC_ENTRYPOINT = "collect-garbage", "flows/collect_garbage.py:collect_garbage"
LOCK_SECONDS = 30.0  # an earlier one may just be ending
LOST = 75  # exit status: it was up, and something ended under it


def schedule_specs(specs: Sequence[Path], home: Path) -> None:
    """Serve one deployment per spec until this process is ended.

    Raises:
        SpecError: a spec or its schedule is wrong, or two specs have one name.
        BusyError: another `assay serve` has this home.
    """
    loaded = {path.resolve(): load_spec(path) for path in specs}
    names = sorted(spec.name for spec in loaded.values())
    if len(set(names)) < len(names):
        raise SpecError(f"two of the specs have the same name: {names}; a name is a dataset's folder")
    folder = home / ".prefect"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO")
    lock = held_lock(folder / "serve.lock", f"the schedule of {home}", "`assay serve`", LOCK_SECONDS)
    with lock, prefect_server(folder) as server:
        for path, spec in loaded.items():
            check_schedule(path, spec.schedule or Schedule())
            if spec.retention.cron:
                check_schedule(path, collecting(spec), "retention.cron")
        os.environ.update({PARENT: str(os.getpid()), **served(loaded, home)})
        if server is not None:
            server.start(group=is_leader())
            server.wait()
            print(
                f"Prefect's interface: {server.address} (its password is in {server.password_file})",
                file=sys.stderr, flush=True,
            )  # fmt: skip
        runner = start_runner({path: (spec, home) for path, spec in loaded.items()}, own=server is not None)
        if server is None or server.process is None:
            threading.Event().wait()
            return
        status = server.process.wait()
        print(f"assay: Prefect's server ended (status {status})", file=sys.stderr, flush=True)
        del runner
    sys.exit(LOST)


def collecting(spec: Spec) -> Schedule:
    """When garbage is collected besides after nights: `retention.cron`, in the nights' time zone."""
    return (spec.schedule or Schedule()).model_copy(update={"cron": spec.retention.cron})


def check_schedule(path: Path, schedule: Schedule, key: str = "schedule.cron") -> None:
    """Raises `SpecError` where there is no such cron line or time zone."""
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
    except ValueError:
        raise SpecError(
            f"{path}: {key} = {schedule.cron!r} with schedule.timezone = {schedule.timezone!r} is no schedule; "
            'wanted a cron line and an IANA time zone, such as cron = "0 2 * * *", timezone = "Asia/Seoul"'
        ) from None


def deployment(path: Path, spec: Spec, home: Path) -> "RunnerDeployment":
    """The Prefect deployment of one spec: on its schedule, nightly by default.

    No limit of concurrent runs: the dataset's lock is one, and it goes with the process that holds it, while Prefect's
    stays taken after a kill.
    """
    return _deployment(path, spec, home, (spec.schedule or Schedule()), FLOW, ENTRYPOINT)


def gc_deployment(path: Path, spec: Spec, home: Path) -> "RunnerDeployment":
    """The one that collects a spec's garbage, on `retention.cron`."""
    return _deployment(path, spec, home, collecting(spec), GC_FLOW, GC_ENTRYPOINT)


def deployments_of(path: Path, spec: Spec, home: Path) -> list["RunnerDeployment"]:
    """Those of one spec."""
    both = [deployment(path, spec, home)]
    return [*both, gc_deployment(path, spec, home)] if spec.retention.cron else both


def _deployment(
    path: Path, spec: Spec, home: Path, schedule: Schedule, flow: str, entrypoint: str
) -> "RunnerDeployment":
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.deployments.runner import RunnerDeployment
    from prefect.runner.storage import LocalStorage

    cron = CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
    return RunnerDeployment(
        name=spec.name,
        flow_name=flow,
        entrypoint=entrypoint,
        storage=LocalStorage(str(Path(__file__).parents[1])),
        schedules=[DeploymentScheduleCreate(schedule=cron, active=True)],
        parameters={"spec_path": str(path), "home": str(home), "dataset": spec.name},
        enforce_parameter_schema=False,
        tags=["assay", spec.name],
        paused=False,
        concurrency_limit=None,
        concurrency_options=None,
    )


def start_runner(specs: dict[Path, tuple[Spec, Path]], own: bool) -> "Runner":
    """Register the deployments, settle what an earlier process left, and run what is due, in a thread of its own."""
    from prefect.client.orchestration import get_client
    from prefect.runner import Runner

    runner = Runner(name="assay", pause_on_shutdown=False)
    deployments: dict[UUID, str] = {}
    for path, (spec, home) in specs.items():
        for ours in deployments_of(path, spec, home):
            ours.apply()  # a new one; where its code is comes with the update
            name = spec.name if ours.flow_name == FLOW else f"{spec.name}, gc"
            deployments[cast(UUID, runner.add_deployment(ours))] = name
    with get_client(sync_client=True) as client:
        if own:
            pause_others(client, deployments)
        for sentence in recover(client, deployments):
            print(f"assay: {sentence}", file=sys.stderr, flush=True)

    def run() -> None:
        try:
            asyncio.run(runner.start())  # not in the main thread, whose signals it would take
        finally:
            os._exit(LOST)

    threading.Thread(target=run, daemon=True, name="runner").start()
    return runner


def pause_others(client: "SyncPrefectClient", deployments: dict[UUID, str]) -> None:
    """Deployments in our own database that nobody serves any more: no more runs are scheduled for them."""
    for other in client.read_deployments(limit=200):
        if other.id not in deployments and not other.paused:
            client.pause_deployment(other.id)
            print(f"assay: `{other.name}` is not served any more; its schedule is paused", file=sys.stderr, flush=True)


def is_leader() -> bool:
    """Whether the process group is ours to end: `assay serve` makes this process its leader."""
    return os.getpgrp() == os.getpid()


def main() -> None:
    """The process: its exit status is that of an error, or `LOST`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("specs", nargs="+", type=Path)
    parser.add_argument("--home", required=True, type=Path)
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    end_when_input_ends(group=is_leader())
    try:
        schedule_specs(chosen.specs, chosen.home)
    except AssayError as error:
        print(f"assay: {error}", file=sys.stderr, flush=True)
        os._exit(error.exit_status)
    except OSError as error:
        print(f"assay: {error.filename or chosen.home}: {error.strerror or error}", file=sys.stderr, flush=True)
        os._exit(1)
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)


if __name__ == "__main__":
    main()
