"""Which snapshots stay, by the spec, and what goes with those that do not."""

import sys
from pathlib import Path

from assay.contracts.spec import Spec
from assay.remote.home import collect_store
from assay.store.garbage import collect_garbage
from assay.store.workspace import Workspace


def retain(spec: Spec, workspace: Workspace) -> list[Path]:
    """Remove what `[retention]` does not keep; the dataset's lock is ours. Returns what went; it is also said."""
    section = spec.retention
    if not section.is_limited:
        return []
    collect_store(workspace, section.keep or 1, section.days, section.grace_hours)
    removed = collect_garbage(workspace, section.keep or 1, grace_hours=section.grace_hours, days=section.days)
    if gone := [path.name for path in removed if path.parent == workspace.snapshots and path.name.startswith("v")]:
        print(f"retention: {', '.join(gone)} went, as [retention] says", file=sys.stderr, flush=True)
    return removed
