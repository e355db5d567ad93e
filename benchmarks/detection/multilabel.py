"""Label issues where labels are sets, against cleanlab's multi-label scores given the same probabilities.

    python benchmarks/detection/multilabel.py [--datasets digits-side,…] [--rates 0.05,…] [--kinds mixed,…]

Average precision of the samples' scores with bootstrap intervals, samples flagged ÷ samples wrong, and how many of the
wrong sets that are flagged the suggestion puts right. The data and what is done to it: `multilabel_data.py`. cleanlab
runs in its own environment (see `label_issues.py`), on the probabilities of our probe alone and on the ones that assay
itself makes of probe and neighbours. Writes benchmarks/results/multilabel.json; --table prints it.
"""

import itertools
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from graph import exact_corpus
from label_issues import PEERS, ROOT, flag_quality, interval
from multilabel_data import MAKERS, corrupt_sets
from trials import arguments, keep, stored

from assay.metrics.corpus import Coding, cases_frame
from assay.metrics.label_sets import beliefs as set_beliefs
from assay.metrics.label_sets.codes import read_sets
from assay.metrics.label_sets.findings import find_sets

RESULTS = ROOT / "benchmarks/results/multilabel.json"


def coded(carried: np.ndarray) -> Coding:
    """The sets as a column of texts."""
    texts = ["|".join(f"{code:03d}" for code in np.nonzero(row)[0]) or "|" for row in carried]
    names, codes = np.unique(np.array(texts, dtype=object), return_inverse=True)
    return Coding("label", codes.astype(np.int32), names.tolist())


def ours(corpus, carried: np.ndarray):
    """`(beliefs, findings, probabilities of the probe (n, K), seconds)`."""
    kept = {}

    def remembered(*given):
        kept["logits"], kept["temperature"] = original(*given)
        return kept["logits"], kept["temperature"]

    labels = coded(carried)
    original, set_beliefs.probe_logits = set_beliefs.probe_logits, remembered
    started = time.perf_counter()
    try:
        sets = read_sets(labels, "|")
        beliefs = set_beliefs.believe_sets(corpus, cases_frame(corpus, labels.codes), sets.carried, 5, 0)
    finally:
        set_beliefs.probe_logits = original
    found = find_sets(beliefs)
    seconds = time.perf_counter() - started
    probabilities = set_beliefs.sigmoid(np.asarray(kept["logits"], np.float64) / kept["temperature"])
    return beliefs, found, probabilities, seconds


def dense(beliefs, values: np.ndarray) -> np.ndarray:
    """(n, K) of values of pairs; 0 where a pair is not listed."""
    out = np.zeros((len(beliefs.unit), beliefs.n_classes))
    out[beliefs.unit[beliefs.case], beliefs.label] = values
    return out


def peers(**arrays: np.ndarray) -> dict:
    """What cleanlab makes of the same arrays."""
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, **arrays)
        script = Path(__file__).with_name("peer_cleanlab_multilabel.py")
        subprocess.run([PEERS, script, given, answer], check=True, capture_output=True)
        with np.load(answer) as stored:
            return {name: stored[name] for name in stored.files}


def trial(name: str, kind: str, rate: float, corpus, truth: np.ndarray, seed: int) -> dict:
    """One dataset, one kind of error, one rate."""
    carried = corrupt_sets(truth, corpus.vectors, rate, kind, seed)
    wrong = (carried != truth).any(axis=1)
    beliefs, found, probabilities, seconds = ours(corpus, carried)
    peer = peers(carried=carried, probe=probabilities, both=dense(beliefs, beliefs.chance))
    right = (dense(beliefs, found.proposed).astype(bool) == truth).all(axis=1)
    flagged = found.is_issue
    return {
        "dataset": name,
        "errors": kind,
        "rate": rate,
        "n": len(truth),
        "n_wrong": int(wrong.sum()),
        "assay": interval(wrong, found.score),
        "cleanlab_same_probe": interval(wrong, peer["probe_score"]),
        "cleanlab_same_probabilities": interval(wrong, peer["both_score"]),
        **flag_quality(wrong, flagged, peer["probe_flag"]),
        "put_right": round(float(right[flagged & wrong].mean()), 3) if (flagged & wrong).any() else None,
        "confidence": round(float(found.confidence.mean()), 3),
        "suggestions_right": round(float(right.mean()), 3),
        "seconds": round(seconds, 2),
    }


def table(rows: list[dict]) -> str:
    """The trials as a Markdown table."""
    head = ("data", "errors", "rate", "assay", "cleanlab, same probe", "cleanlab, our probabilities")
    head += ("flagged ÷ wrong", "cleanlab's", "precision", "recall", "put right")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in rows:
        names = ("assay", "cleanlab_same_probe", "cleanlab_same_probabilities")
        average = ["{:.3f} ({:.3f}–{:.3f})".format(*row[name]) for name in names]
        rest = ("flagged_over_wrong", "cleanlab_flagged_over_wrong", "precision_of_flags", "recall_of_flags")
        cells = [row["dataset"], row["errors"], f"{row['rate']:.0%}", *average]
        cells += [f"{row[name]:.2f}" if row[name] is not None else "–" for name in (*rest, "put_right")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    chosen = arguments(__doc__, RESULTS, ",".join(MAKERS), "mixed,drop,add,swap,confused", "0.05,0.1,0.2")
    if chosen.table:
        return print(table(stored(chosen.out)))
    rows: list[dict] = []
    for name in chosen.datasets.split(","):
        vectors, truth = MAKERS[name]()
        corpus = exact_corpus(vectors)
        for kind, rate in itertools.product(chosen.kinds.split(","), map(float, chosen.rates.split(","))):
            keep(rows, trial(name, kind, rate, corpus, truth, chosen.seed), chosen.out)


if __name__ == "__main__":
    main()
