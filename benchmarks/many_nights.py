"""What a dataset's past costs: questions, the catalog and the look-up of facts after many nights.

    python benchmarks/many_nights.py [--nights 365] [--parts 2000]

A small made dataset is published once, and its snapshot stands there as often as there are nights. Then facts of a
million contents, in few parts and in many. Prints processor seconds of this process and of the commands it starts.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
CONTENTS = 1_000_000
QUESTIONS = ("select count(*) from samples", "select count(*) from history.samples")


def seconds(name: str, work: Callable[[], Any]) -> Any:
    """The result of `work`; prints its processor seconds."""
    began = sum(os.times()[:4])
    result = work()
    print(f"{name:60} {sum(os.times()[:4]) - began:6.2f} s", flush=True)
    return result


def published(folder: Path) -> Path:
    """`HOME/DATASET` of one night of 2,000 vectors."""
    from scale import SPEC, write_dataset

    from assay.night import run_spec

    write_dataset(folder / "data", 2_000, 32, 10, plain=False)
    (folder / "scale.toml").write_text(SPEC)
    run_spec(folder / "scale.toml", folder / "home")
    return folder / "home" / "scale"


def ask(folder: Path, sql: str) -> None:
    """`assay query` in a process of its own."""
    words = [sys.executable, "-m", "assay", "query", "scale", "--home", str(folder / "home"), sql]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)


def of_nights(folder: Path, nights: int) -> None:
    """Questions and the catalog after one night, and after all of them."""
    from assay.store.catalog import write_catalog
    from assay.store.workspace import Workspace

    root = published(folder)
    for count in (1, nights):
        for number in range(2, count + 1):
            shutil.copytree(root / "snapshots/v00000001", root / f"snapshots/v{number:08d}", copy_function=os.link)
        seconds(f"catalog after {count} nights", lambda: write_catalog(Workspace(folder / "home", "scale")))
        for sql in QUESTIONS:
            seconds(f"{sql} after {count} nights", lambda sql=sql: ask(folder, sql))


def of_facts(folder: Path, parts: int) -> None:
    """Which of a million contents have a fact, in so many parts; the first time with the digests of all parts."""
    from assay.store.facts import FactStore
    from assay.store.workspace import Workspace

    store = FactStore(Workspace(folder / f"facts-{parts}", "d"), "layout", "made")
    for names in np.array_split(np.arange(CONTENTS), parts):
        zeros = np.zeros(len(names), dtype=np.float32)
        store.append(
            pl.DataFrame({"content_hash": [f"{name:032x}" for name in names], "x": zeros, "y": zeros, "z": zeros})
        )
    for when in ("", ", again"):
        seconds(f"facts known in {parts} parts{when}", store.known)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--parts", type=int, default=2_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        of_nights(Path(folder), chosen.nights)
        for parts in (min(100, chosen.parts), chosen.parts):
            of_facts(Path(folder), parts)
        print(f"{time.monotonic() - started:.0f} s in all")


if __name__ == "__main__":
    main()
