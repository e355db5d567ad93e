"""Outliers against scikit-learn's LOF and the mean distance to ten neighbours, on the same vectors.

    python benchmarks/detection/outliers.py

Digits among photographs (a lone handful and a whole cluster), web clutter among objects, and held-out classes:
all but a few samples of some classes are taken away, and those few are the outliers (as many as so many of each
class, drawn from all of them). Where ASSAY_QUOTATIONS is set (see vectors.py), banking queries among quotations. Area
under the ROC curve over five draws, mean with the least and the greatest; and how many samples a night calls outliers,
and how many of them are right. Writes benchmarks/results/outliers.json; `--table` prints it as Markdown.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from strays import ours
from vectors import QUOTATIONS, load

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from assay.metrics.outliers import outliers

RESULTS = ROOT / "benchmarks/results/outliers.json"
DRAWS = 5
HELD_OUT = (  # dataset, classes, samples of each on average
    ("caltech101", 10, 9),
    ("banking77", 8, 9),
    ("caltech101", 10, 3),
    ("caltech101", 20, 20),
    ("banking77", 8, 3),
    ("banking77", 16, 20),
    ("cora", 1, 30),
)


def trials(rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """`(name, inliers, outliers)` of one draw."""
    photos = load("caltech101")[0]
    digits, clutter = load("digits")[0], load("background")[0]
    yield "20 digits among photographs", photos, digits[rng.permutation(len(digits))[:20]]
    yield "90 digits among photographs", photos, digits[rng.permutation(len(digits))[:90]]
    yield "clutter among objects", photos, clutter[rng.permutation(len(clutter))[:200]]
    for name, classes, each in HELD_OUT:
        vectors, labels = load(name)
        held = np.isin(labels, rng.permutation(np.unique(labels))[:classes])
        few = rng.permutation(np.nonzero(held)[0])[: each * classes]
        yield f"{classes} held-out classes of {name}, {each} of each", vectors[~held], vectors[few]
    if QUOTATIONS:
        quotations, queries = load("quotations")[0], load("banking77")[0]
        for count in (20, 100):
            few = queries[rng.permutation(len(queries))[:count]]
            yield f"{count} banking queries among quotations", quotations, few


def table(auroc: dict) -> str:
    """The results as a Markdown table."""
    lines = ["| outliers | assay | mean distance to 10 | LOF | flagged | of them right |", "|---|---|---|---|---|---|"]
    for name, methods in auroc.items():
        cells = ["{:.3f} ({:.3f}–{:.3f})".format(*methods[method]) for method in ("assay", "knn_distance", "lof")]
        cells += [f"{methods[count][0]:g}" for count in ("flagged", "right")]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def main() -> None:
    if "--table" in sys.argv:
        return print(table(json.loads(RESULTS.read_text())["auroc"]))
    found: dict[str, dict[str, list[float]]] = {}
    for draw in range(DRAWS):
        for name, inside, outside in trials(np.random.default_rng(draw)):
            vectors = np.ascontiguousarray(np.r_[inside, outside])
            truth = np.r_[np.zeros(len(inside)), np.ones(len(outside))]
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
            z, near = ours(vectors)
            lof = LocalOutlierFactor(n_neighbors=20, metric="cosine").fit(vectors)
            scores = {"assay": z, "knn_distance": near, "lof": -lof.negative_outlier_factor_}
            for method, score in scores.items():
                found.setdefault(name, {}).setdefault(method, []).append(float(roc_auc_score(truth, score)))
            flags = outliers.beyond_chance(z)
            for count, value in (("flagged", flags.sum()), ("right", flags[truth > 0].sum())):
                found[name].setdefault(count, []).append(float(value))
            print(draw, name, {m: round(v[-1], 3) for m, v in found[name].items()}, flush=True)
            summary = {
                n: {m: [round(x, 3) for x in (np.mean(v), min(v), max(v))] for m, v in methods.items()}
                for n, methods in found.items()
            }
            RESULTS.parent.mkdir(parents=True, exist_ok=True)
            RESULTS.write_text(json.dumps({"draws": draw + 1, "auroc": summary}, indent=1) + "\n")


if __name__ == "__main__":
    main()
