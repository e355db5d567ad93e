"""Boxes: milliseconds a crop, and what is found of planted mistakes on the bundled scenes.

    python benchmarks/objects.py [PICTURES]

Reads and measures the boxes of PICTURES made pictures (200) with ten boxes each, on one core; then runs the night of
`assay demo --modality objects` and prints average precision of class swaps, and what each check of boxes found.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image
from sklearn.metrics import average_precision_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from assay.contracts.modality import find_modality
from assay.modalities.objects.facts import Boxed, measure_pictures
from assay.night import run_spec
from assay.selftest.count import judge, summarize
from assay.selftest.example import write_example
from assay.sources.files import LocalSource
from assay.sources.fragments import part_hash
from assay.store.files import hash_bytes

SIDE, BOXES = 640, 10


def main(pictures: int) -> None:
    """Print all figures."""
    with tempfile.TemporaryDirectory() as folder:
        crops(Path(folder), pictures)
        scenes(Path(folder))


def crops(folder: Path, pictures: int) -> None:
    """Processor time of reading, decoding and measuring, a crop."""
    rng, work = np.random.default_rng(0), []
    for number in range(pictures):
        coarse = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
        path = folder / f"{number:05d}.jpg"
        Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path, quality=90)
        digest, parts = hash_bytes(path.read_bytes()), []
        for _ in range(BOXES):
            left, top = rng.integers(0, SIDE - 160, 2)
            fragment = f"{left},{top},{rng.integers(40, 160)},{rng.integers(40, 160)}"
            parts.append((part_hash(digest, fragment), fragment))
        work.append(Boxed(path.name, tuple(parts)))
    started = time.process_time()
    found = measure_pictures(LocalSource(folder, max_file_bytes=2**29), 10**8, 128, work)
    spent = time.process_time() - started
    n = sum(map(len, found))
    print(f"{n:,} crops, {BOXES} a picture of {SIDE} × {SIDE}: {1000 * spent / n:.2f} ms each")


def scenes(folder: Path) -> None:
    """The demonstration."""
    modality = find_modality("objects")
    spec, truth = write_example(modality, folder / "demo")
    snapshot = run_spec(spec, folder / "home")
    issues = snapshot.read("label_issues").filter(~pl.col("sample_id").is_in(_excused(truth).implode()))
    swapped = issues["sample_id"].is_in(truth.filter(kind="wrong_class")["uri"].implode()).to_numpy()
    print(f"class swaps: AP {average_precision_score(swapped, issues['score']):.3f}")
    for name, rows in judge(modality, snapshot, truth.rename({"uri": "sample_id"})).items():
        one = summarize(name, rows, draws=0)
        print(f"  {name:14} planted {one.planted:3} found {one.found:3} wrong {one.wrong:3}")


def _excused(truth: pl.DataFrame) -> pl.Series:
    """Boxes whose label may well be called wrong for another reason."""
    return truth.filter(pl.col("kind") != "wrong_class")["uri"]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
