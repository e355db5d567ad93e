"""The nightly flow: the stages of `assay/night.py`, each a task of `tasks/stages.py`.

This is what schedules, deployments and the button in Prefect's interface run. By hand, without a deployment:

    python flows/quality_snapshot.py SPEC.toml [HOME]
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    from flows.by_hand import main

    sys.exit(main(*sys.argv[1:]))

from prefect import flow

from assay.contracts.spec import load_spec
from assay.night import run_night
from assay.store.workspace import Workspace
from tasks.stages import publish_task, run_as_task


@flow(name="quality-snapshot", flow_run_name="{dataset}", log_prints=False, validate_parameters=False)
def quality_snapshot(spec_path: str, home: str = "assay-home", dataset: str = "") -> str:
    """One quality snapshot of one dataset. Returns the path of the published snapshot."""
    spec = load_spec(spec_path)
    workspace = Workspace(Path(home).resolve(), spec.name)
    return str(run_night(spec, workspace, run_as_task, publish_task).path)
