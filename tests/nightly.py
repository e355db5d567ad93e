"""`python tests/nightly.py SPEC HOME`: a night in this process, for tests to run it often."""

import sys
from pathlib import Path

from assay.night import run_spec
from assay.store.snapshots import Snapshot

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
    """One night of a spec."""
    return run_spec(spec, home)


if __name__ == "__main__":
    print(run_nightly(Path(sys.argv[1]), Path(sys.argv[2])).path)
