"""`python flows/demo.py [HOME]`: the demonstration as a Prefect flow; `assay demo` is the same without Prefect."""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from assay.selftest.demo import run_demo
from assay.store.snapshots import Snapshot, read_snapshot
from flows.by_hand import run_flow


def night(spec_path: Path, home: Path) -> Snapshot:
    """One run of the nightly flow."""
    return read_snapshot(run_flow(spec_path, home))


if __name__ == "__main__":
    run_demo(Path((*sys.argv[1:], os.environ.get("ASSAY_HOME", "assay-home"))[0]).resolve(), night)
