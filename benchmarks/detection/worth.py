"""What repairs are worth, by fits that begin near another: how many passes they need.

    python benchmarks/detection/worth.py [--datasets caltech101,…] [--seeds 0,1]

A fifth of the samples is held out. A share of the other labels is made wrong, four fifths of these are flagged, and a
fifth as many right ones; flagged labels are dropped, or replaced by the true ones. What each fit tells of the held-out
samples is set beside the same fit taken to its end (230 passes): the share told otherwise, and the error of the gain in
points. Fits begin at nothing, or at the weights of the raw labels. Processor seconds are of the two repaired fits of a
trial on one thread. Prints a table in Markdown, and writes benchmarks/results/worth.json.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from vectors import load

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from assay.metrics import probe
from assay.metrics.labels.worth import PENALTY
from assay.metrics.training import ITERATIONS, learn

RESULTS = ROOT / "benchmarks/results/worth.json"
PASSES = (2, 4, probe.NEAR, 2 * probe.NEAR)
END = 200  # passes beyond those of a fit from nothing


def trial(vectors: np.ndarray, truth: np.ndarray, rate: float, seed: int) -> dict[str, list[float]]:
    """`{fit: [share told otherwise, error of the gain in points, seconds]}`, means over the repairs."""
    rng, n, classes = np.random.default_rng(seed), len(truth), int(truth.max()) + 1
    held = np.zeros(n, dtype=bool)
    held[rng.permutation(n)[: n // 5]] = True
    rows, given = np.flatnonzero(~held), truth.copy()
    wrong = rng.choice(rows, int(rate * len(rows)), replace=False)
    given[wrong] = (truth[wrong] + 1 + rng.integers(0, classes - 1, len(wrong))) % classes
    flagged = np.zeros(n, dtype=bool)
    flagged[wrong[rng.random(len(wrong)) < 0.8]] = True
    flagged[rng.choice(rows, int(0.2 * rate * len(rows)), replace=False)] = True
    space = probe.principal_space(vectors)
    features, none = probe.in_space(vectors, space), np.full(n, -1)

    def problem(rows: np.ndarray, labels: np.ndarray) -> probe.Problem:
        return probe.Problem(features, rows, labels[rows], np.ones(len(rows)), none, classes, 1, space=space)

    kept = rows[~flagged[rows]]
    problems = [problem(rows, given), problem(kept, given), problem(rows, np.where(flagged, truth, given))]

    def right(weights: torch.Tensor) -> np.ndarray:
        own = weights.numpy()[:, 0]
        return (features[held] @ own[:-1] + own[-1]).argmax(axis=1) == truth[held]

    raw = learn(problems[0], PENALTY)
    starts = {f"{ITERATIONS} from nothing": (ITERATIONS, None)}
    starts |= {f"{passes} from raw": (passes, raw.numpy()) for passes in PASSES}
    end = [right(learn(one, PENALTY, END, learn(one, PENALTY).numpy())) for one in problems]
    found = {}
    for name, (passes, start) in starts.items():
        began = time.process_time()
        told = [right(raw), *(right(learn(one, PENALTY, passes, start)) for one in problems[1:])]
        took = time.process_time() - began
        otherwise = np.mean([(mine != last).mean() for mine, last in zip(told[1:], end[1:], strict=True)])
        gains = [100 * (one[place].mean() - one[0].mean()) for one in (told, end) for place in (1, 2)]
        error = np.mean(np.abs(np.subtract(gains[:2], gains[2:])))
        found[name] = [float(otherwise), float(error), took]
    return found


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", default="caltech101,caltech10,banking77,cora")
    parser.add_argument("--rates", default="0.01,0.1")
    parser.add_argument("--seeds", default="0,1")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    every: dict[str, list[list[float]]] = defaultdict(list)
    for name in chosen.datasets.split(","):
        vectors, labels = load(name)
        truth = np.unique(labels, return_inverse=True)[1]
        for rate in map(float, chosen.rates.split(",")):
            for seed in map(int, chosen.seeds.split(",")):
                for fit, row in trial(vectors, truth, rate, seed).items():
                    every[fit].append(row)
    means = {fit: [round(float(value), 4) for value in np.mean(rows, axis=0)] for fit, rows in every.items()}
    RESULTS.write_text(json.dumps(means, indent=1) + "\n", encoding="utf-8")
    print("| passes | told otherwise | error of the gain, points | s |\n|---|---|---|---|")
    for fit, (otherwise, error, seconds) in means.items():
        print(f"| {fit} | {otherwise:.2%} | {error:.2f} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
