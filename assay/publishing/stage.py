"""publish: every stage's tables → one immutable, numbered snapshot, and the catalog that shows it."""

import shutil

from assay.contracts.spec import Spec
from assay.publishing.snapshot import write_snapshot
from assay.store.catalog import show_in_catalog
from assay.store.snapshots import Snapshot
from assay.store.stage import StageOutput, Workspace
from tasks.stages import publish_task

VERSION = 1


@publish_task(timeout_hours=2)
def publish(spec: Spec, workspace: Workspace, *stages: StageOutput) -> Snapshot:
    """All tables of all `stages` → `snapshots/vNNNNNNNN/`, `catalog.duckdb`.

    The snapshot is written aside, fsynced, and renamed to the next number; the catalog is replaced after it.
    """
    for leftover in workspace.snapshots.glob(".aside-*"):  # of a killed run; the dataset's lock is ours
        shutil.rmtree(leftover, ignore_errors=True)
    snapshot = write_snapshot(spec, workspace, stages)
    show_in_catalog(snapshot, workspace)
    return snapshot
