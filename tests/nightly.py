"""`python tests/nightly.py SPEC HOME`: a night in this process, for tests to run it often."""

import shutil
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


def copied(base: Path, here: Path) -> Path:
    """A folder with a source and the home `home` in it, copied to `here`: hard links are kept, as work, facts and
    snapshots share their bytes."""
    shutil.copytree(base, here, copy_function=shutil.copy2)
    linked: dict[int, Path] = {}
    for file in sorted((base / "home").rglob("*")):
        if file.is_file():
            copy = here / file.relative_to(base)
            first = linked.setdefault(file.stat().st_ino, copy)
            if first is not copy:
                copy.unlink()
                copy.hardlink_to(first)
    return here


if __name__ == "__main__":
    print(run_nightly(Path(sys.argv[1]), Path(sys.argv[2])).path)
