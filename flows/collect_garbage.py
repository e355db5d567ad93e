"""`[retention]` applied by itself, without a night: what `assay serve` does on `retention.cron`.

By hand, without a deployment:

    python flows/collect_garbage.py SPEC.toml [HOME]
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    from flows.by_hand import main

    sys.exit(main("collect_garbage", sys.argv[1:]))

from flows.lifeline import end_with_parent

end_with_parent()  # before anything slow

from prefect import flow

from flows.served import open_served


@flow(name="collect-garbage", flow_run_name="gc-{dataset}", log_prints=False, validate_parameters=False)
def collect_garbage(spec_path: str, home: str = "assay-home", dataset: str = "") -> str:
    """Remove what the spec does not keep, once nobody else works on the dataset. Returns the snapshots' folder.

    Raises:
        SpecError: a spec, home or dataset that the deployment does not serve.
        BusyError: the dataset was in use for longer than `schedule.wait_seconds`.
    """
    spec, workspace, _ = open_served(spec_path, home, dataset)
    from assay.contracts.spec import Schedule
    from assay.operating.retention import retain
    from assay.store.lock import dataset_lock

    with dataset_lock(workspace, "a scheduled gc", (spec.schedule or Schedule()).wait_seconds):
        removed = retain(spec, workspace)
    print(f"gc: {len(removed)} removed", file=sys.stderr, flush=True)
    return str(workspace.snapshots)
