"""assay: a nightly, versioned quality snapshot of training data.

    import assay

    snapshot = assay.run("spec.toml")                     # one night; or of a folder, a frame, an array:
    snapshot = assay.run(images="photos")
    snapshot = assay.run(texts=frame, label="category")
    snapshot = assay.run(vectors=array, labels=labels)

    snapshot = assay.open("photos")                       # the newest; assay.open("photos", 3) another
    snapshot.table("label_issues")                        # a Polars frame
    snapshot.sql("select * from duplicates")              # a DuckDB relation
    snapshot.diff(), snapshot.clean(), snapshot.explore()

Importing it is cheap: torch, Polars and the rest are imported when they are needed.

Threads of torch and NumPy that wait for each other sleep instead of spinning, unless the user has said otherwise: on
cores that others use as well, or under a CPU quota, spinning makes small matrices several times as slow.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # 2⁴ cycles, the least there is

from assay.api import Snapshot, check, datasets, open, repair, run, select
from assay.contracts.errors import AssayError

__all__ = ["AssayError", "Snapshot", "check", "datasets", "open", "repair", "run", "select"]
