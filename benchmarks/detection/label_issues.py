"""Label issues against cleanlab Datalab, the SelfClean ratio and a plain mean, on the same vectors and the same probe.

    python benchmarks/detection/label_issues.py [--datasets cora,…] [--rates 0.05,…] [--kinds symmetric,…]

Average precision with bootstrap intervals, number flagged ÷ number wrong, calibration of the suggested labels.
Peers run in their own environment (PEERS, made by `python3 -m venv; pip install cleanlab[datalab]`).
Writes benchmarks/results/label_issues.json.
"""

import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from annotators import ANNOTATOR, annotate
from corrupt import KINDS, corrupt
from sklearn.metrics import average_precision_score
from trials import arguments, corpora, keep, stored

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from assay.metrics.corpus import cases_frame
from assay.metrics.labels import beliefs, confident

SCORES = {
    "assay": "assay",
    "cleanlab_same_probe": "cleanlab, same probe",
    "cleanlab_features": "cleanlab, features",
    "geometric_mean": "geometric mean",
    "selfclean_ratio": "SelfClean ratio",
}
PEERS = Path(os.environ.get("ASSAY_PEERS", "/tmp/bench-venv")) / "bin/python"
RESULTS = ROOT / "benchmarks/results/label_issues.json"


def ours(corpus, labels: np.ndarray, n_classes: int):
    """`(findings, probe probabilities (n, n_classes), seconds)`."""
    logits = {}

    def remembered(problem):
        found = original(problem)
        logits["all"], logits["temperature"] = np.asarray(found), found.temperature()
        return found

    original, beliefs.probe_logits = beliefs.probe_logits, remembered
    started = time.perf_counter()
    try:
        believed = beliefs.believe(corpus, cases_frame(corpus, labels.astype(np.int32)), n_classes, 5, 0)
    finally:
        beliefs.probe_logits = original
    found = confident.find(believed)
    seconds = time.perf_counter() - started
    probabilities = torch.softmax(torch.from_numpy(logits["all"] / logits["temperature"]), dim=1).numpy()
    return found, probabilities, seconds


def peers(labels: np.ndarray, vectors: np.ndarray, probabilities: np.ndarray) -> dict:
    """What cleanlab makes of the same arrays."""
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, labels=labels, features=vectors, probabilities=probabilities)
        script = Path(__file__).with_name("peer_cleanlab.py")
        subprocess.run([PEERS, script, given, answer], check=True, capture_output=True)
        with np.load(answer) as stored:
            return {name: stored[name] for name in stored.files}


def selfclean_ratio(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """d_same² ÷ (d_same² + d_other²), nearest of each kind (Gröger et al. 2023, by the formula)."""
    out = np.empty(len(labels))
    for start in range(0, len(labels), 2_000):
        distance = 1.0 - vectors[start : start + 2_000] @ vectors.T
        rows = np.arange(len(distance))
        distance[rows, start + rows] = np.inf
        same = labels[start : start + 2_000][:, None] == labels[None]
        near = np.where(same, distance, np.inf).min(axis=1) ** 2
        far = np.where(same, np.inf, distance).min(axis=1) ** 2
        out[start : start + 2_000] = np.where(np.isfinite(near), near / np.maximum(near + far, 1e-12), 1.0)
    return out


def geometric_mean(corpus, labels: np.ndarray, probabilities: np.ndarray, sharpness: float = 20.0) -> np.ndarray:
    """(n,) one minus the normalised geometric mean of the probe and of the 50 neighbours' vote, at the given label."""
    rows = np.arange(len(labels))
    vote = np.zeros(probabilities.shape)
    weight = np.exp(sharpness * (corpus.similarities.astype(np.float64) - 1.0))
    np.add.at(vote, (rows[:, None], labels[corpus.neighbors]), weight)
    vote = 0.98 * vote / vote.sum(axis=1, keepdims=True) + 0.02 / vote.shape[1]
    both = np.sqrt(vote * probabilities)
    return 1.0 - both[rows, labels] / both.sum(axis=1)


def calibration_error(right: np.ndarray, confidence: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error over equal-width bins."""
    at = np.minimum((confidence * bins).astype(int), bins - 1)
    mass = np.bincount(at, minlength=bins)
    gap = np.abs(np.bincount(at, right, bins) - np.bincount(at, confidence, bins))
    return float(gap[mass > 0].sum() / len(right))


def interval(wrong: np.ndarray, score: np.ndarray, draws: int = 200) -> list[float]:
    """Average precision and its 95% bootstrap interval."""
    rng = np.random.default_rng(0)
    values = []
    for _ in range(draws):
        rows = rng.integers(0, len(wrong), len(wrong))
        values.append(average_precision_score(wrong[rows], score[rows]))
    low, high = np.quantile(values, [0.025, 0.975])
    return [round(float(v), 4) for v in (average_precision_score(wrong, score), low, high)]


def flag_quality(wrong: np.ndarray, flagged: np.ndarray, peers_flagged: np.ndarray) -> dict:
    """How many are flagged, by assay and by cleanlab, and how many of assay's are right."""
    return {
        "flagged_over_wrong": round(float(flagged.sum() / wrong.sum()), 3),
        "cleanlab_flagged_over_wrong": round(float(peers_flagged.sum() / wrong.sum()), 3),
        "precision_of_flags": round(float(wrong[flagged].mean()), 3) if flagged.any() else None,
        "recall_of_flags": round(float(flagged[wrong].mean()), 3),
    }


def trial(name: str, kind: str, rate: float, seed: int, corpus, truth: np.ndarray) -> dict:
    """One dataset, one kind of noise, one rate, one draw of it."""
    if kind == ANNOTATOR:
        labels = annotate(name, truth, rate, seed)
    else:
        labels = corrupt(kind, truth, corpus.vectors, rate, seed=seed)
    wrong = labels != truth
    found, probabilities, seconds = ours(corpus, labels, int(truth.max()) + 1)
    peer = peers(labels, corpus.vectors, probabilities)
    right = found.suggested == truth
    return {
        "dataset": name,
        "noise": kind,
        "rate": rate,
        "n": len(truth),
        "n_wrong": int(wrong.sum()),
        "assay": interval(wrong, found.score),
        "cleanlab_same_probe": interval(wrong, peer["probed_score"]),
        "cleanlab_features": interval(wrong, peer["near_score"]),
        "geometric_mean": interval(wrong, geometric_mean(corpus, labels, probabilities)),
        "selfclean_ratio": interval(wrong, selfclean_ratio(corpus.vectors, labels)),
        **flag_quality(wrong, found.is_issue, peer["probed_flag"]),
        "ece_suggested": round(calibration_error(right, found.confidence), 4),
        "seconds": round(seconds, 2),
        "cleanlab_features_seconds": round(float(peer["near_seconds"]), 2),
    }


def table(rows: list[dict]) -> str:
    """The trials as a Markdown table."""
    head = ("data", "noise", "rate", *SCORES.values(), "flagged ÷ wrong", "cleanlab's", "ECE")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in rows:
        average = ["{:.3f} ({:.3f}–{:.3f})".format(*row[name]) for name in SCORES]
        rest = [f"{row[name]:.2f}" for name in ("flagged_over_wrong", "cleanlab_flagged_over_wrong")]
        cells = [row["dataset"], row["noise"], f"{row['rate']:.0%}", *average, *rest, f"{row['ece_suggested']:.3f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    kinds = ",".join((*KINDS, ANNOTATOR))
    chosen = arguments(__doc__, RESULTS, "cora,digits,caltech10,caltech101,banking77", kinds, "0.05,0.1,0.2,0.4")
    if chosen.table:
        return print(table(stored(chosen.out)))
    rows: list[dict] = []
    for name, truth, corpus in corpora(chosen.datasets):
        for kind, rate in itertools.product(chosen.kinds.split(","), map(float, chosen.rates.split(","))):
            keep(rows, trial(name, kind, rate, chosen.seed, corpus, truth), chosen.out)


if __name__ == "__main__":
    main()
