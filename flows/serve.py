"""`assay serve`: the specs' cron schedules, and manual triggers, in one process.

Uses the Prefect server that the environment names; with none, one of its own, UI included, for as long as it runs.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from assay.contracts.errors import AssayError, SpecError
from assay.contracts.spec import Schedule, Spec, load_spec
from flows.prefect_server import prefect_server


def serve_specs(specs: Sequence[Path], home: Path) -> None:
    """Serve one deployment per spec until interrupted.

    Raises:
        SpecError: a spec or its schedule is wrong, or two specs have one name.
    """
    loaded = {path.resolve(): load_spec(path) for path in specs}
    names = [spec.name for spec in loaded.values()]
    if len(set(names)) < len(names):
        raise SpecError(f"two of the specs have the same name: {sorted(names)}; a name is a dataset's folder")
    with prefect_server(home, log_level="INFO", ui=True) as server:
        from prefect import serve

        for path, spec in loaded.items():
            check_schedule(path, spec.schedule or Schedule())
        server.wait()
        if server.process:
            print(f"Prefect UI: {server.url.removesuffix('/api')}", file=sys.stderr)
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


def main() -> None:
    """The process that `assay serve` becomes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("specs", nargs="+", type=Path)
    parser.add_argument("--home", required=True, type=Path)
    chosen = parser.parse_args()
    try:
        serve_specs(chosen.specs, chosen.home)
    except AssayError as error:
        print(f"assay: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        print("assay: stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
