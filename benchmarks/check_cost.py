"""What it costs to check digests every night: processor time of an unchanged night with the checks and without.

    python benchmarks/check_cost.py [--samples 5000] [--dimensions 256] [--rounds 5]

A dataset of vectors is published once; then the same night is run again, each time in a process of its own (a file is
read once a process), turn by turn with the digests checked and with every file believed. Printed: medians, in seconds.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from assay.night import run_spec
from assay.store import digests, facts

SPEC = (
    'name = "many"\nmodality = "vectors"\n[source]\nkind = "table"\npath = "v.parquet"\n[project]\nmethods = ["pca"]\n'
)


class Believed(str):
    """A digest that is right whatever it is held against."""

    __hash__ = str.__hash__

    def __eq__(self, _: object) -> bool:
        return True

    def __ne__(self, _: object) -> bool:
        return False


def one_night(base: Path, checked: bool) -> None:
    """The night in this process; prints processor and wall seconds of it, and how much was read for digests."""
    read = [0]
    real = digests.fast_digest

    def counted(path: Path) -> str:
        read[0] += path.stat().st_size
        return real(path) if checked else Believed()

    digests.fast_digest = facts.fast_digest = counted
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    run_spec(base / "spec.toml", base / "home")
    after = resource.getrusage(resource.RUSAGE_SELF)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"processor": processor, "wall": time.monotonic() - began, "asked_bytes": read[0]}))


def main() -> None:
    """All rounds, and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=5000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--night", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.night:
        return one_night(Path(chosen.night[0]), chosen.night[1] == "checked")
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(0)
        label = rng.integers(0, 10, chosen.samples)
        centres = rng.normal(size=(10, chosen.dimensions))
        vectors = (centres[label] + rng.normal(size=(chosen.samples, chosen.dimensions))).astype(np.float32)
        pl.DataFrame({"vector": vectors.tolist(), "label": label.astype(str).tolist()}).write_parquet(
            Path(folder) / "v.parquet"
        )
        (Path(folder) / "spec.toml").write_text(SPEC)
        found: dict[str, list[dict[str, float]]] = {"checked": [], "believed": []}
        for number in range(2 * chosen.rounds + 2):  # the first two make the dataset, and warm the disk
            kind = ("checked", "believed")[number % 2]
            command = [sys.executable, __file__, "--night", folder, kind]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            if number >= 2:
                found[kind].append(json.loads(said.splitlines()[-1]))
    medians = {
        kind: {key: round(statistics.median(row[key] for row in rows), 3) for key in rows[0]}
        for kind, rows in found.items()
    }
    print(json.dumps({"samples": chosen.samples, "dimensions": chosen.dimensions, **medians}))


if __name__ == "__main__":
    main()
