"""publish: every stage's tables → one immutable, numbered snapshot, and the catalog that shows it."""

import shutil

from data_contracts.spec import Spec
from tasks.policy import publish_task
from tasks.publish.snapshot import write_snapshot
from tasks.snapshots import Snapshot, write_catalog
from tasks.stage import StageOutput, Workspace

VERSION = 1


@publish_task(timeout_hours=2)
def publish(spec: Spec, workspace: Workspace, *stages: StageOutput) -> Snapshot:
    """All tables of all `stages` → `snapshots/vNNNNNNNN/`, `catalog.duckdb`.

    The snapshot is written aside, fsynced, and renamed to the next number; the catalog is replaced after it.
    """
    for leftover in workspace.snapshots.glob(".aside-*"):  # of a killed run; the dataset's lock is ours
        shutil.rmtree(leftover, ignore_errors=True)
    snapshot = write_snapshot(spec, workspace, stages)
    write_catalog(workspace)
    return snapshot
