"""Peak memory of a whole night on synthetic 512-d vectors, at 10,000 and at 100,000 samples.

    python benchmarks/memory.py [--sizes 10000,100000]

Each night is the flow's body in a process of its own (no Prefect server, whose memory is another process's).
Writes benchmarks/results/memory.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "memory.json"
CODE = """
import resource, sys
from pathlib import Path
from tests.nightly import run_nightly
run_nightly(Path(sys.argv[1]), Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def write_vectors(path: Path, n: int, dimensions: int = 512, classes: int = 20) -> None:
    """A Parquet table of `n` labelled vectors around class centres."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(classes, dimensions)).astype(np.float32)
    labels = rng.integers(classes, size=n)
    vectors = centres[labels] + rng.normal(size=(n, dimensions), scale=1.5).astype(np.float32)
    frame = pl.DataFrame({"label": [f"class {label}" for label in labels]})
    frame.with_columns(pl.Series("vector", vectors, dtype=pl.Array(pl.Float32, dimensions))).write_parquet(path)


def night(base: Path, n: int) -> dict:
    """Peak memory in MB and seconds of one night on `n` samples."""
    write_vectors(base / f"{n}.parquet", n)
    spec = base / f"{n}.toml"
    spec.write_text(f'name = "n{n}"\nmodality = "vectors"\n[source]\nkind = "table"\npath = "{n}.parquet"\n')
    started = time.perf_counter()
    finished = subprocess.run(
        [sys.executable, "-c", CODE, str(spec), str(base / "home")],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    peak = int(finished.stdout.split()[-1])
    return {"samples": n, "peak_mb": peak, "seconds": round(time.perf_counter() - started, 1)}


def main() -> None:
    """Run, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000")
    sizes = [int(size) for size in parser.parse_args().sizes.split(",")]
    with tempfile.TemporaryDirectory() as name:
        nights = [night(Path(name), n) for n in sizes]
    figures = {"nights": nights, "growth_mb": nights[-1]["peak_mb"] - nights[0]["peak_mb"]}
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
