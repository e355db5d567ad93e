"""The nightly flow: the stages of `assay/night.py`, each a task of `tasks/stages.py`.

This is what schedules, deployments and the button in Prefect's interface run. By hand, without a deployment:

    python flows/quality_snapshot.py SPEC.toml [HOME]
"""

import functools
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    from flows.by_hand import main

    sys.exit(main("quality_snapshot", sys.argv[1:]))

from flows.lifeline import end_with_parent

end_with_parent()  # before anything slow

from prefect import State, flow
from prefect.states import Cancelled

from assay.contracts.errors import QueuedError
from flows.served import open_served


@flow(name="quality-snapshot", flow_run_name="{dataset}", log_prints=False, validate_parameters=False)
def quality_snapshot(spec_path: str, home: str = "assay-home", dataset: str = "") -> str | State:
    """One quality snapshot of one dataset. Returns the path of the published snapshot.

    Where another night of the dataset is under way this one waits; where one waits already it is left out, `Cancelled`.
    The imports stand inside because Prefect's runner, too, loads this file, when a run has died.

    Raises:
        SpecError: a spec, home or dataset that the deployment does not serve.
        AssayError: what stopped the night.
    """
    spec, workspace, _ = open_served(spec_path, home, dataset)
    from assay.contracts.spec import Schedule
    from assay.night import run_night
    from assay.store.lock import dataset_lock
    from tasks.stages import publish_task, run_as_task

    wait = (spec.schedule or Schedule()).wait_seconds
    lock = functools.partial(dataset_lock, who="a scheduled night", wait=wait, queue=False)
    try:
        return str(run_night(spec, workspace, run_as_task, publish_task, lock).path)
    except QueuedError as queued:
        return Cancelled(message=f"Left out: {queued}.")
