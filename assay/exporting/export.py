"""One snapshot in the form that another tool takes."""

from pathlib import Path

from assay.reading.columns import View
from assay.store.decisions import read_decisions
from assay.store.snapshots import open_snapshot
from assay.store.workspace import Workspace


def export_snapshot(workspace: Workspace, number: int | None, form: str, target: Path) -> tuple[str, dict[str, str]]:
    """Write a snapshot to `target` as `delta`, `hugging-face`, `label-studio` or `cleanvision`.

    Returns:
        What was written, in words, and why each sample that was not was not.

    Raises:
        SpecError: the form does not take these samples, or something else is in its place.
    """
    snapshot = open_snapshot(workspace, number)
    if form == "delta":
        from assay.exporting.delta import write_delta

        return f"{write_delta(snapshot, target):,} tables written", {}
    if form == "cleanvision":
        from assay.exporting.cleanvision import write_cleanvision

        return f"{write_cleanvision(snapshot, target):,} images written", {}
    view = View(snapshot, lambda: read_decisions(workspace))
    if form == "label-studio":
        from assay.exporting.label_studio import write_label_studio

        return f"{write_label_studio(view, target):,} tasks written", {}
    from assay.exporting.hugging_face import write_hugging_face

    n, left_out = write_hugging_face(view, target)
    return f"{n:,} samples written, {len(left_out):,} left out", left_out
