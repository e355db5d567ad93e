"""A few strays of classes that are not there: average precision beside a plain distance, LOF, ECOD and COPOD.

    python benchmarks/detection/strays.py [DRAWS]

Of each set some classes are taken away, and strays of them slipped in again, 2% of what is left; no labels. Strong and
weak vectors of images, texts, sounds and citations, and pixels. ECOD (Li et al. 2022) and COPOD (Li et al. 2020) are
by the formulas, on the vectors' own numbers. Flags are what a night calls outliers; how many of them are strays. Writes
benchmarks/results/strays.json; `--table` prints it as Markdown.
"""

import json
import sys
from pathlib import Path

import numpy as np
from graph import exact_corpus
from scipy.stats import rankdata, skew
from sklearn.metrics import average_precision_score
from sklearn.neighbors import LocalOutlierFactor
from vectors import load

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from assay.metrics.outliers import directions, outliers

RESULTS = ROOT / "benchmarks/results/strays.json"
STRAYS = 0.02
SETS = {  # vectors, labels, classes held out
    "photographs, MobileNet": ("caltech101", "caltech101", 10),
    "photographs at 32 pixels": ("caltech10", "caltech101", 10),
    "queries, MiniLM": ("banking77", "banking77", 8),
    "queries, words (LSA)": ("banking77-seen", "banking77", 8),
    "digits, MobileNet": ("digits", "digits", 1),
    "digits, 16 pixels": ("digits-seen", "digits", 1),
    "spoken digits, log-mel": ("spoken", "spoken", 1),
    "citations": ("cora", "cora", 1),
    "half of the citations": ("cora-seen", "cora", 1),
}
METHODS = {"assay": "assay", "distance": "distance to 10", "lof": "LOF", "ecod": "ECOD", "copod": "COPOD"}


def ours(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(z of outlier, mean distance to ten neighbours)` of a first night without labels."""
    corpus = exact_corpus(vectors)
    near = np.maximum(1.0 - corpus.similarities[:, : outliers.NEIGHBORS].astype(np.float64), 0.0).mean(axis=1)
    raw, cluster = outliers.measured(corpus, near)
    found = directions.directions(vectors)
    heard = found is not None and found.tails >= directions.HEAVY
    along = directions.measured(corpus, found, outliers.NEIGHBORS) if heard else {}
    size = np.bincount(cluster)[cluster]
    scales = outliers.reference_of(raw)
    return outliers.outlier_z(raw, size, scales, outliers.reference_of, along), near


def tails(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """−log of the share of rows at most, and at least, as great, in each column."""
    rank = rankdata(vectors, axis=0, method="max")
    high = rankdata(-vectors, axis=0, method="max")
    return -np.log(rank / len(vectors)), -np.log(high / len(vectors))


def ecod_copod(vectors: np.ndarray) -> dict[str, np.ndarray]:
    """Both by the formulas: of the sums over the columns of the left tail, the right tail and the one that the column
    leans away from, ECOD the greatest; COPOD in each column the greater of the third and the mean of the first two."""
    left, right = tails(vectors)
    leaning = np.where(skew(vectors, axis=0) < 0, left, right)
    ecod = np.maximum(np.maximum(left.sum(axis=1), right.sum(axis=1)), leaning.sum(axis=1))
    return {"ecod": ecod, "copod": np.maximum(leaning, (left + right) / 2).sum(axis=1)}


def drawn(name: str, draw: int) -> tuple[np.ndarray, np.ndarray]:
    """`(vectors, whether each is a stray)`."""
    which, labelled, classes = SETS[name]
    vectors, labels = load(which)[0], load(labelled)[1]
    rng = np.random.default_rng([draw, list(SETS).index(name)])
    held = np.isin(labels, rng.permutation(np.unique(labels))[:classes])
    few = rng.permutation(np.nonzero(held)[0])[: max(round(STRAYS * int((~held).sum())), 5)]
    mixed = np.ascontiguousarray(np.r_[vectors[~held], vectors[few]])
    mixed /= np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-12)
    return mixed, np.r_[np.zeros(int((~held).sum()), dtype=bool), np.ones(len(few), dtype=bool)]


def trial(name: str, draw: int) -> dict[str, float]:
    """One set, one draw."""
    vectors, stray = drawn(name, draw)
    z, near = ours(vectors)
    lof = LocalOutlierFactor(n_neighbors=20, metric="cosine").fit(vectors)
    scores = {"assay": z, "distance": near, "lof": -lof.negative_outlier_factor_, **ecod_copod(vectors)}
    flags = outliers.beyond_chance(z)
    found = {method: round(float(average_precision_score(stray, score)), 4) for method, score in scores.items()}
    return found | {"strays": int(stray.sum()), "flagged": int(flags.sum()), "right": int(flags[stray].sum())}


def table(sets: dict[str, list[dict]]) -> str:
    """Means over the draws as Markdown, and the means of these."""
    lines = ["| strays among | " + " | ".join(METHODS.values()) + " | flagged | of them right |", "|---" * 8 + "|"]
    means = {
        name: {key: float(np.mean([t[key] for t in trials])) for key in trials[0]} for name, trials in sets.items()
    }
    for name, mean in means.items():
        cells = [f"{mean[method]:.3f}" for method in METHODS]
        counts = [str(sum(t[key] for t in sets[name])) for key in ("flagged", "right")]
        lines.append("| " + " | ".join([name, *cells, *counts]) + " |")
    whole = [f"**{np.mean([mean[method] for mean in means.values()]):.3f}**" for method in METHODS]
    sums = [str(sum(t[key] for trials in sets.values() for t in trials)) for key in ("flagged", "right")]
    return "\n".join([*lines, "| " + " | ".join(["mean", *whole, *sums]) + " |"])


def main() -> None:
    """All sets and draws."""
    if "--table" in sys.argv:
        return print(table(json.loads(RESULTS.read_text())["sets"]))
    found: dict[str, list[dict]] = {name: [] for name in SETS}
    for draw in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
        for name in SETS:
            found[name].append(trial(name, draw))
            print(draw, name, found[name][-1], flush=True)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"sets": found}, indent=1) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
