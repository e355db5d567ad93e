"""What acting on the findings is worth: held-out accuracy of a probe trained on raw and on repaired data.

Repairs change few labels, so each repaired fit begins at the raw one's weights and takes a few passes from there.
"""

from collections.abc import Callable

import numpy as np
import torch

from assay.metrics import probe
from assay.metrics.corpus import Corpus
from assay.metrics.judgement import Numbers
from assay.metrics.labels.confident import wilson

HELD_OUT = ("test", "validation", "val", "valid", "dev")  # the first that is there is what accuracy is measured on
PENALTY = 0.3
RAW = "worth_accuracy_raw"


def held_out_split(splits: list[str]) -> str | None:
    """The split to measure on, or None where there is none or nothing else to train on."""
    found = [name for name in HELD_OUT if name in splits]
    return found[0] if found and len(splits) > 1 else None


def worth(
    corpus: Corpus,
    codes: np.ndarray,
    split: np.ndarray,
    superfluous: np.ndarray,
    leaked: np.ndarray,
    flagged: np.ndarray,
    suggested: np.ndarray,
    n_classes: int,
    learners: Callable[[str], probe.Learner | None] = lambda trial: None,
) -> Numbers:
    """`{metric: (accuracy, note)}`, and what each repair wins over doing nothing; empty where there is no held-out
    split or it would take too long.

    Args (each (n_samples,)): label codes, split names, and whether a sample is a superfluous duplicate, leaked,
        flagged, and the code suggested for it (−1: none). `learners`: how the weights of each trial are found.
    """
    target = held_out_split(sorted({s for s in split.tolist() if s is not None}))
    usable = (corpus.unit >= 0) & (codes >= 0)
    if target is None or n_classes < 2:
        return {}
    test = np.nonzero(usable & (split == target))[0]
    train = usable & (split != target) & (split != None)  # noqa: E711
    if len(test) < 10 or train.sum() < 10:
        return {}
    features = probe.in_space(corpus.vectors, corpus.space)
    if not probe.fits(int(train.sum()), n_classes, 4, features.shape[1]):
        return {}
    raw = np.where(train, codes, -1)
    clean = np.where(superfluous | leaked, -1, raw)
    replaced = np.where((clean >= 0) & flagged & (suggested >= 0), suggested, clean)
    trials = {  # what is learned: of each sample its label, or −1
        RAW: (raw, "trained on everything outside the split, as it is"),
        "worth_accuracy_deduplicated": (clean, "duplicates and leaks removed"),
        "worth_accuracy_flagged_dropped": (np.where(flagged, -1, clean), "and the flagged labels dropped"),
        "worth_accuracy_flagged_replaced": (replaced, "and the flagged labels replaced by the suggestions"),
    }
    right: dict[bytes, np.ndarray] = {}  # by what was learned: a repair that changes nothing wins exactly nothing
    hits, near = {}, None
    for name, (labels, _) in trials.items():
        learned = labels.tobytes()
        if learned not in right:
            rows = np.flatnonzero(labels >= 0)
            problem = _problem(corpus, features, corpus.unit[rows], labels[rows], n_classes) if len(rows) else None
            weights = None if problem is None else (learners(name) or probe.train)(problem, PENALTY, near)
            near = weights if near is None else near
            told = -1 if weights is None else _best(features[corpus.unit[test]], weights)
            right[learned] = np.asarray(told == codes[test])
        hits[name] = right[learned]
    return _numbers({name: note for name, (_, note) in trials.items()}, hits, target)


def _numbers(notes: dict[str, str], hits: dict[str, np.ndarray], target: str) -> Numbers:
    """The accuracy of each trial on the split, and what it won over `RAW`."""
    out: Numbers = {}
    for name, note in notes.items():
        accuracy, n = float(hits[name].mean()), len(hits[name])
        least, most = wilson(np.array([accuracy]), np.array([float(n)]))
        out[name] = (accuracy, f"{note}; on {n} of {target}, 95% interval {least[0]:.1%} to {most[0]:.1%}")
        if name != RAW:
            won, low, high, said = gain(hits[RAW], hits[name])
            key = name.replace("accuracy", "gain", 1)
            out |= {
                key: (won, said),
                f"{key}_low": (low, "95% interval, lower end"),
                f"{key}_high": (high, "95% interval, upper end"),
            }
    return out


def gain(before: np.ndarray, after: np.ndarray) -> tuple[float, float, float, str]:
    """`(accuracy won, low, high, note)`: with the 95% interval of the same samples judged twice, in which those that
    are right, or wrong, both times do not count (after McNemar 1947)."""
    change = after.astype(float) - before.astype(float)
    value, half = float(change.mean()), 1.96 * float(change.std()) / max(len(change), 1) ** 0.5
    fixed, spoilt = int((change > 0).sum()), int((change < 0).sum())
    return value, value - half, value + half, f"accuracy won: {fixed} newly right, {spoilt} newly wrong"


def _problem(
    corpus: Corpus, features: np.ndarray, unit: np.ndarray, labels: np.ndarray, n_classes: int
) -> probe.Problem:
    """What is learned from samples, each with its unit and label; all of them at once."""
    rows, at = np.unique(unit * np.int64(n_classes) + labels, return_counts=True)
    none = np.full(len(features), -1)
    return probe.Problem(
        features, rows // n_classes, rows % n_classes, at.astype(np.float64), none, n_classes, 1, space=corpus.space
    )


def _best(features: np.ndarray, weights: torch.Tensor) -> np.ndarray:
    """(n,) the likeliest class of each row."""
    own = weights.numpy()[:, 0]
    return (features @ own[:-1] + own[-1]).argmax(axis=1)
