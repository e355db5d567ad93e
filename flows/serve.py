"""`assay serve`: the specs' cron schedules, and manual triggers, in one process.

Uses the Prefect server that the environment names; with none, starts one on a free local port for as long as it runs.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_contracts.errors import AssayError, SpecError
from data_contracts.spec import Schedule, Spec, load_spec

STARTUP_SECONDS = 120


def serve_specs(specs: Sequence[Path], home: Path) -> None:
    """Serve one deployment per spec until interrupted.

    Raises:
        SpecError: a spec or its schedule is wrong, or two specs have one name.
    """
    loaded = {path.resolve(): load_spec(path) for path in specs}
    names = [spec.name for spec in loaded.values()]
    if len(set(names)) < len(names):
        raise SpecError(f"two of the specs have the same name: {sorted(names)}; a name is a dataset's folder")
    for path, spec in loaded.items():
        check_schedule(path, spec.schedule or Schedule())
    with prefect_server():
        from prefect import serve

        serve(*[deployment(path, spec, home) for path, spec in loaded.items()])


def check_schedule(path: Path, schedule: Schedule) -> None:
    """Raises `SpecError` where there is no such cron line or time zone."""
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
    except ValueError:
        raise SpecError(
            f"{path}: schedule.cron = {schedule.cron!r} with schedule.timezone = {schedule.timezone!r} is no schedule; "
            'wanted a cron line and an IANA time zone, such as cron = "0 2 * * *", timezone = "Asia/Seoul"'
        ) from None


def deployment(path: Path, spec: Spec, home: Path):
    """The Prefect deployment of one spec: on its schedule, nightly by default."""
    from prefect.schedules import Cron

    from flows.quality_snapshot import quality_snapshot

    schedule = spec.schedule or Schedule()
    return quality_snapshot.to_deployment(
        name=spec.name,
        schedule=Cron(schedule.cron, timezone=schedule.timezone),
        parameters={"spec_path": str(path), "home": str(home), "dataset": spec.name},
        tags=["assay", spec.name],
        concurrency_limit=1,
    )


@contextlib.contextmanager
def prefect_server() -> Iterator[str]:
    """The URL of the Prefect API: the configured one, or that of a server started here and stopped at the end.

    Raises:
        AssayError: the server did not answer in time.
    """
    from prefect.settings import PREFECT_API_URL

    if PREFECT_API_URL.value():
        yield PREFECT_API_URL.value()
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_healthy(server, url)
        os.environ["PREFECT_API_URL"] = url  # for the runs, which are processes of their own
        print(f"Prefect UI: http://127.0.0.1:{port}", file=sys.stderr)
        from prefect.settings import temporary_settings

        with temporary_settings({PREFECT_API_URL: url}):
            yield url
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)


def _wait_until_healthy(server: subprocess.Popen, url: str) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/health", timeout=2).close()
            return
        time.sleep(0.5)
    raise AssayError(f"the Prefect server at {url} did not start in {STARTUP_SECONDS} s; see `prefect server start`")
