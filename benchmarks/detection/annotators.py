"""Label noise as people make it: simulated fallible annotators, wrong where a sample is ambiguous to them.

What people get wrong is neither random nor a matter of the class alone: it is the samples between classes (CIFAR-10N,
Wei et al. 2022). So the labels here come from classifiers in the place of people, as Gu et al. 2022 ("An
instance-dependent simulation framework for learning with label noise") draw them from pools of imperfect raters, with
errors that follow the posterior as in Zhang et al. 2021 ("Learning with feature-dependent label noise"). The
annotators do not see the vectors that are judged, but another and poorer view of the same samples (`vectors.py`: grey
pictures of 20 pixels, words, half of the citations, a quarter of the pixels). Each of ANNOTATORS attends to a random
half of that view's axes, where he learnt the true classes on other samples than he labels (cross-fitting), and has a
skill of his own. A sample goes to one of them. He gives class c with probability

    q(c) ∝ p(c) · exp(e · [c is true]),

where p is what he sees and e what else he knows, his skill; the mean of e is such that the wanted rate is met on
average. The share SLIPS of the wrong labels are slips of the mouse, any other class alike.
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import brentq
from vectors import VECTORS, load

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from assay.metrics import probe

ANNOTATOR = "annotator"  # the name of this noise, beside those of `corrupt.py`
ANNOTATORS = 5
SKILL_SPREAD = 1.0  # standard deviation of e between annotators, in nats
SLIPS = 0.1
PENALTY = 0.3
SEEN = {"caltech10": "caltech101-seen"}  # where a dataset's view is another one's


def annotate(name: str, truth: np.ndarray, rate: float, seed: int) -> np.ndarray:
    """(n,) codes that annotators give to the dataset `name` of true codes `truth`; about rate · n of them are wrong."""
    if not rate:
        return truth.copy()
    rng = np.random.default_rng(seed)
    n, n_classes = len(truth), int(truth.max()) + 1
    annotator = rng.integers(0, ANNOTATORS, n)
    seen = opinions(name, truth)[annotator, np.arange(n)].astype(np.float64)
    skill = (SKILL_SPREAD * rng.normal(size=ANNOTATORS))[annotator]
    slipped = rng.random(n) < SLIPS * rate
    given = draw(helped(seen, truth, skill, rate * (1 - SLIPS) / (1 - SLIPS * rate)), rng)
    return np.where(slipped, (truth + rng.integers(1, n_classes, n)) % n_classes, given)


def helped(seen: np.ndarray, truth: np.ndarray, skill: np.ndarray, rate: float) -> np.ndarray:
    """(n, k) chances of each label: log chances `seen`, the true class raised by skill and by what meets the rate."""
    rows = np.arange(len(truth))
    right = seen[rows, truth]
    odds = right - np.log(np.maximum(-np.expm1(np.minimum(right, -1e-9)), 1e-12)) + skill
    extra = brentq(lambda e: float((1 / (1 + np.exp(odds + e))).mean()) - rate, -30, 30)
    logits = seen.copy()
    logits[rows, truth] += skill + extra
    return torch.softmax(torch.from_numpy(logits), dim=1).numpy()


def draw(chances: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) one class of each row, by its chances."""
    below = rng.random(len(chances))[:, None] > np.cumsum(chances, axis=1)
    return np.minimum(below.sum(axis=1), chances.shape[1] - 1)


def opinions(name: str, truth: np.ndarray) -> np.ndarray:
    """(ANNOTATORS, n, k) float32 log chances that each annotator sees for each class, made on first use."""
    path = VECTORS / f"{name}-opinions.npy"
    if not path.exists():
        view, _ = load(SEEN.get(name, f"{name}-seen"))
        made = np.stack([_opinion(view, truth, number) for number in range(ANNOTATORS)])
        np.save(path.with_suffix(".tmp.npy"), made)
        os.replace(path.with_suffix(".tmp.npy"), path)
    return np.load(path)


def _opinion(view: np.ndarray, truth: np.ndarray, number: int) -> np.ndarray:
    """Out-of-fold log chances from a random half of the view's principal axes."""
    axes = probe.principal_axes(view)
    half = np.random.default_rng(number).permutation(axes.shape[1])[: -(-axes.shape[1] // 2)]
    n, n_classes = len(truth), int(truth.max()) + 1
    folds = probe.stratified_folds(truth, 5, 1_000 + number)
    problem = probe.Problem(
        np.ascontiguousarray(axes[:, half]), np.arange(n), truth.astype(np.int64), np.ones(n), folds, n_classes, 5
    )
    logits = probe.out_of_fold(problem, PENALTY)
    return torch.log_softmax(torch.from_numpy(logits / probe.fit_temperature(logits, problem)), dim=1).numpy()
