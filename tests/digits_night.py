"""One night on digits with planted defects, run once per test process and shared by the tests that read it."""

import functools

from tasks.snapshots import Snapshot
from tests.corpus import write_digits
from tests.nightly import run_nightly

SPEC = """
name = "digits"
modality = "image"
[source]
kind = "folder"
path = "digits"
[project]
methods = ["pca"]
"""


def digits_snapshot(tmp_path_factory) -> Snapshot:
    """A published snapshot of 600 digits; the truth is beside the spec, in truth.parquet."""
    return _publish(tmp_path_factory)


@functools.cache
def _publish(tmp_path_factory) -> Snapshot:
    base = tmp_path_factory.mktemp("night")
    write_digits(base / "digits", seed=0, n=600).write_parquet(base / "truth.parquet")
    (base / "digits.toml").write_text(SPEC)
    return run_nightly(base / "digits.toml", base / "home")
