"""publish: every stage's tables → one immutable, numbered snapshot, and the catalog that shows it."""

from assay.contracts.spec import Spec
from assay.publishing.snapshot import write_snapshot
from assay.store.catalog import show_in_catalog
from assay.store.snapshots import Snapshot
from assay.store.stage import StageOutput
from assay.store.workspace import Workspace


def publish(spec: Spec, workspace: Workspace, *outputs: StageOutput) -> Snapshot:
    """All tables of all `outputs` → `snapshots/vNNNNNNNN/`, `catalog.duckdb`.

    The snapshot is written aside, fsynced, and renamed to the next number; the catalog is replaced after it.
    """
    snapshot = write_snapshot(spec, workspace, outputs)
    show_in_catalog(snapshot, workspace)
    return snapshot
