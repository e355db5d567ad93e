"""`python flows/demo.py [HOME]`: the demonstration as a Prefect flow; `assay demo` is the same without Prefect."""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from flows.prefect_server import prefect_server


def main(home: Path) -> None:
    """Write the data, run the nightly flow on it, say what was found."""
    with prefect_server(home) as server:
        from assay.selftest.demo import run_demo
        from assay.store.snapshots import Snapshot, read_snapshot
        from flows.quality_snapshot import quality_snapshot

        def night(spec_path: Path, home: Path) -> Snapshot:
            return read_snapshot(Path(quality_snapshot(str(spec_path), str(home), "digits")))

        with server.ready():
            run_demo(home.resolve(), night)


if __name__ == "__main__":
    main(Path((*sys.argv[1:], os.environ.get("ASSAY_HOME", "assay-home"))[0]))
