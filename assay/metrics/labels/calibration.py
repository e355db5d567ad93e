"""How far the noise model's beliefs can be trusted: a calibration that is fitted through the noise itself.

The noise model is fitted as a whole, and what its one power cannot follow it explains as noise: where labels are
noisy it is too sure of the classes, and finds too much noise. So the two are taken apart. The noise between classes
is read where the vectors are surest, in the surer half of each class's cases (anchor points: Liu & Tao 2016, Patrini
et al. 2017). With that held fixed, the chance that the likeliest class is the true one is fitted to the given labels,
by expectation maximisation in bins of the belief in it, and made monotone (isotonic calibration: Zadrozny & Elkan
2002). No clean label is needed: a class that is true shows in the given labels as often as the noise lets it.

Where people err on the samples that look like another class, the sure half sees none of that, and given labels are
trusted too much. So last the odds of all given classes are moved alike, to agree with the number of wrong labels that
is expected in all (prior shift: Saerens, Latinne & Decaestecker 2002).
"""

import numpy as np
from scipy.optimize import brentq
from sklearn.isotonic import isotonic_regression

from assay.metrics import pairs
from assay.metrics.labels import noise
from assay.metrics.labels.beliefs import Beliefs
from assay.metrics.labels.noise import NoiseModel

SURE = 0.5  # share of each class's cases that the noise is read from
BINS = 12
ROUNDS, BIN_ROUNDS = 30, 200
SETTLED = 1e-4  # change of a bin's probability in a round below which it is found
PRIOR = 8.0  # cases' worth of shrinkage to the belief itself
LEAST, MOST = 0.01, 0.999
MOST_SHIFT = 6.0  # of the log odds of given classes


def calibrated_posterior(beliefs: Beliefs, model: NoiseModel) -> np.ndarray:
    """(p,) p(true | vectors, given) with calibrated beliefs; the noise model's own where nothing is labelled."""
    labeled = beliefs.given >= 0
    if not labeled.any():
        return model.posterior
    case, m = beliefs.case, len(beliefs.unit)
    top = beliefs.best(model.clean)
    sure = model.clean[top]
    emitted = anchored_transition(beliefs, model, surer(beliefs.label[top], sure, labeled))
    whole = pairs.total(case, model.clean * emitted, m)
    rest = np.maximum(whole - sure * emitted[top], 0.0) / np.maximum(1.0 - sure, 1e-9)
    chance = np.clip(fit_bins(sure, emitted[top], rest, beliefs.share * labeled), LEAST, MOST)
    clean = model.clean * ((1.0 - chance) / np.maximum(1.0 - sure, 1e-9))[case]
    clean[top] = chance
    return pairs.normalize(case, clean * emitted, m)


def matched(beliefs: Beliefs, posterior: np.ndarray, wrong: float, judged: np.ndarray) -> np.ndarray:
    """(p,) `posterior` with the odds of the given class times one factor, the same in all `judged` (m,) cases, such
    that `wrong` of their members are expected to carry a wrong label; as near as MOST_SHIFT allows."""
    stands, n = beliefs.of_given(posterior), beliefs.n * judged

    def surplus(shift: float) -> float:
        return float((n * (1.0 - stands) / (1.0 - stands + stands * np.exp(shift))).sum()) - wrong

    if surplus(MOST_SHIFT) >= 0 or surplus(-MOST_SHIFT) <= 0:
        shift = MOST_SHIFT if surplus(MOST_SHIFT) >= 0 else -MOST_SHIFT
    else:
        shift = brentq(surplus, -MOST_SHIFT, MOST_SHIFT, xtol=1e-6)
    own = (beliefs.label == beliefs.given[beliefs.case]) & judged[beliefs.case]
    scaled = np.where(own, posterior * np.exp(shift), posterior)
    return pairs.normalize(beliefs.case, scaled, len(stands))


def surer(label: np.ndarray, sure: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(m,) the surest SURE of the chosen cases of each label, the first of equal ones."""
    order = np.lexsort((-sure, label, ~chosen))[: int(chosen.sum())]
    new = np.r_[True, np.diff(label[order]) != 0] if len(order) else np.zeros(0, dtype=bool)
    group = np.cumsum(new) - 1
    rank = np.arange(len(order)) - np.flatnonzero(new)[group]
    out = np.zeros(len(label), dtype=bool)
    out[order] = (rank + 0.5) <= SURE * np.bincount(group)[group]
    return out


def anchored_transition(beliefs: Beliefs, model: NoiseModel, anchor: np.ndarray) -> np.ndarray:
    """(p,) p(given | true) of each pair, 1 in unlabelled cases; the noise is fitted to the `anchor` cases alone."""
    case, k, m = beliefs.case, beliefs.n_classes, len(beliefs.unit)
    labeled = beliefs.given[case] >= 0
    of_true, of_given, cell = noise.label_cells(beliefs.label[labeled], beliefs.given[case[labeled]], k)
    size, limit = noise.class_shares(beliefs), noise.bound(beliefs)
    weight = (beliefs.share * anchor)[case[labeled]]
    posterior, emitted = model.posterior, np.ones(len(case))
    for _ in range(ROUNDS):
        counts = np.bincount(cell, posterior[labeled] * weight, len(of_true))
        emitted[labeled] = noise.transition(counts, of_true, of_given, size, k, limit)[cell]
        posterior = pairs.normalize(case, model.clean * emitted, m)
    return emitted


def fit_bins(sure: np.ndarray, if_top: np.ndarray, if_rest: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(m,) the chance that a case's likeliest class is true, monotone in the belief `sure` in it.

    `if_top`, `if_rest`: likelihood of the given label where that class is true, and where another is. Cases of
    weight 0 are not fitted to.
    """
    edges = np.unique(np.quantile(sure[weight > 0], np.linspace(0, 1, BINS + 1)[1:-1]))
    at = np.searchsorted(edges, sure)
    mass = np.bincount(at, weight, len(edges) + 1)
    belief = np.bincount(at, weight * sure, len(mass)) / np.maximum(mass, 1e-12)
    chance = belief
    for _ in range(BIN_ROUNDS):
        top = chance[at] * if_top
        true = top / np.maximum(top + (1.0 - chance[at]) * if_rest, 1e-300)
        fitted = (np.bincount(at, weight * true, len(mass)) + PRIOR * belief) / (mass + PRIOR)
        settled = np.abs(fitted - chance).max() < SETTLED
        chance = fitted
        if settled:
            break
    return isotonic_regression(chance, sample_weight=mass + 1e-9)[at]
