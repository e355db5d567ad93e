"""The same night on one thread and on several."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.datasets import load_digits

from assay.store.snapshots import last_night
from assay.store.workspace import Workspace

NIGHTLY = Path(__file__).parent / "nightly.py"
LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMBA")
SPEC = """
name = "digits"
modality = "vectors"
[source]
kind = "table"
path = "digits.parquet"
[project]
methods = ["pca"]
"""


def night_on(threads: int, folder: Path) -> dict[str, str]:
    """The digest of each table of a snapshot made by a process of its own with so many threads."""
    settings = {f"{library}_NUM_THREADS": str(threads) for library in LIBRARIES} | {"POLARS_MAX_THREADS": str(threads)}
    home = folder / f"home-{threads}"
    environment = os.environ | settings | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run(
        [sys.executable, str(NIGHTLY), str(folder / "digits.toml"), str(home)],
        env=environment, check=True, capture_output=True, timeout=300,
    )  # fmt: skip
    snapshot = last_night(Workspace(home.resolve(), "digits"))
    assert snapshot is not None and len(snapshot.read("scores"))
    return {name: told["digest"] for name, told in snapshot.manifest["tables"].items()}


def test_one_thread_and_two_give_the_same_tables(tmp_path):
    """Ready-made vectors: neighbours, verdicts and map are the same, digest for digest."""
    pixels, digit = load_digits(return_X_y=True)
    rng, n = np.random.default_rng(0), 400
    digit = digit[:n].copy()
    digit[rng.permutation(n)[:20]] += 1
    vectors = pl.Series(((pixels[:n] - 8) / 40).astype(np.float32), dtype=pl.Array(pl.Float32, 64))
    pl.DataFrame({"vector": vectors, "label": [f"c{code}" for code in digit]}).write_parquet(
        tmp_path / "digits.parquet"
    )
    (tmp_path / "digits.toml").write_text(SPEC)
    one, two = night_on(1, tmp_path), night_on(2, tmp_path)
    assert "scores" in one and "neighbors" in one
    assert [name for name in one if one[name] != two.get(name)] == []
