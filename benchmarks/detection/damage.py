"""Damage planted in JPEGs, and how much of it the clean stage finds; and how many whole pictures it calls damaged.

    .venv/bin/python -m benchmarks.detection.damage CALTECH_FOLDER

Each of `--planted` pictures is damaged in five ways: cut, its tail empty, and 2,000 bytes lost, emptied, or overwritten
by another picture's. Where a file is no longer read at all it counts as found: it is a reject with a reason.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np

from assay.contracts.errors import UnreadableSample
from assay.modalities.image.facts import measure

RESULTS = Path(__file__).parent.parent / "results" / "damage.json"
BLOCK = 2_000
END = b"\xff\xd9"


def main() -> None:
    """Plant, measure, print and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--planted", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    paths = sorted(arguments.folder.rglob("*.jpg"))
    result = {"whole": len(paths), "called_damaged": sum(found(path.read_bytes()) for path in paths)}
    result["recall"] = planted_recall(paths, arguments.planted, np.random.default_rng(arguments.seed))
    print(json.dumps(result, indent=2))
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def planted_recall(paths: list[Path], n: int, rng: np.random.Generator) -> dict[str, float]:
    """The share found of each way of damage."""
    hits: Counter[str] = Counter()
    chosen = [path for path in (paths[i] for i in rng.permutation(len(paths))) if path.stat().st_size > 6 * BLOCK][:n]
    for path, other in zip(chosen, chosen[1:] + chosen[:1], strict=True):
        for way, data in damaged(path.read_bytes(), other.read_bytes(), rng.uniform(0.2, 0.7)).items():
            hits[way] += found(data)
    return {way: round(count / len(chosen), 4) for way, count in hits.items()}


def damaged(data: bytes, other: bytes, share: float) -> dict[str, bytes]:
    """A JPEG damaged at a share of its coded data, in five ways."""
    start = data.rindex(b"\xff\xda") + 14
    cut = start + int((len(data) - start) * share)
    foreign = other[other.rindex(b"\xff\xda") + BLOCK :][:BLOCK]
    return {
        "cut": data[:cut] + END,
        "zero tail": data[:cut] + bytes(len(data) - cut - 2) + END,
        "lost block": data[:cut] + data[cut + BLOCK :],
        "zero block": data[:cut] + bytes(BLOCK) + data[cut + BLOCK :],
        "foreign block": data[:cut] + foreign + data[cut + len(foreign) :],
    }


def found(data: bytes) -> bool:
    """Whether a file is a reject, or has damage."""
    try:
        return measure(data, max_pixels=10**9).damage > 0
    except UnreadableSample:
        return True


if __name__ == "__main__":
    main()
