"""`python tests/nightly.py SPEC HOME`: the nightly flow's body without a Prefect server, for tests to run it often."""

import sys
from pathlib import Path

import flows.quality_snapshot as nightly
from assay.store.snapshots import Snapshot, read_snapshot

STAGES = (
    "ingest", "clean", "dedup", "near_dedup", "embed", "index", "project", "metrics", "validate", "drift",
    "publish",
)  # fmt: skip

DIGITS_SPEC = """
name = "digits"
modality = "image"
[source]
kind = "folder"
path = "digits"
[project]
methods = ["pca"]
"""


def run_nightly(spec: Path, home: Path) -> Snapshot:
    """One night: the flow's own body, its tasks called as plain functions."""
    tasks = {name: getattr(nightly, name) for name in STAGES}
    try:
        for name, task in tasks.items():
            setattr(nightly, name, getattr(task, "fn", task))
        return read_snapshot(Path(nightly.quality_snapshot.fn(str(spec), str(home))))
    finally:
        for name, task in tasks.items():
            setattr(nightly, name, task)


if __name__ == "__main__":
    print(run_nightly(Path(sys.argv[1]), Path(sys.argv[2])).path)
