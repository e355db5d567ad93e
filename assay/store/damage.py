"""Whether a failed read was caused by rotten bytes. Checked only after a failure, so ordinary reads pay nothing."""

import contextlib
from collections.abc import Iterable

from assay.contracts.errors import SnapshotError
from assay.store.snapshots import all_files, damage_of, read_snapshot, snapshot_numbers
from assay.store.workspace import Workspace

NEWEST = 2  # a snapshot, and the one that it is compared with


def damage(workspace: Workspace, numbers: Iterable[int] = ()) -> str | None:
    """The first damaged file of some snapshots (by default the newest two) and what to do about it; None if all is
    whole."""
    for number in numbers or reversed(snapshot_numbers(workspace.snapshots)[-NEWEST:]):
        with contextlib.suppress(SnapshotError):  # one that has no manifest is told of when it is opened
            snapshot = read_snapshot(workspace.snapshots / f"v{number:08d}")
            for file in all_files(snapshot.manifest):
                if problem := damage_of(snapshot, file):
                    return (
                        f"{snapshot.path / file['path']} is damaged ({problem}); `assay verify --repair "
                        f"{workspace.dataset}` repairs what it can, a run publishes again"
                    )
    return None
