"""A noise model of the labels: what is the true class, given what the vectors say and what the label says.

The rate of wrong labels and its bounds are those of `rate.py`. At that rate the likelihood of `mixture.py` is fitted to
all labels, and the odds of all given classes are then multiplied by one factor, with which the wrong labels add up to
the rate (prior shift: Saerens, Latinne & Decaestecker 2002). So each confidence, the number of flags and the published
rate say the same.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.optimize import brentq

from assay.metrics import pairs
from assay.metrics.labels import mixture
from assay.metrics.labels.beliefs import Beliefs
from assay.metrics.labels.rate import RATES, estimate

ROUNDS = 6  # of the last fit
SUREST = 0.99  # that anything is called: what is wrong with the model itself is in no confidence
JUNK = 2.0  # times a class's share of the wrong labels that may flow into it from anywhere
MOST_SHIFT = 6.0  # of the log odds of given classes


@dataclass(frozen=True)
class NoiseModel:
    """`clean` and `posterior`: (p,) per pair of the beliefs, p(true | vectors) and p(true | vectors, given); the
    share of wrong labels `rate`, and the ends `low` and `high` of its interval."""

    clean: np.ndarray
    posterior: np.ndarray
    rate: float
    low: float
    high: float


def fit(beliefs: Beliefs) -> NoiseModel:
    """The model of a column's values; unlabelled cases keep what the vectors say."""
    labeled = beliefs.given >= 0
    if not labeled.any():
        return NoiseModel(beliefs.belief, beliefs.belief, 0.0, 0.0, 1.0)
    found = estimate(beliefs)
    of = mixture.terms(beliefs, labeled)
    first = mixture.start(of)
    begin = found.fit if len(found.fit.clean) == len(of.case) else replace(first, powers=found.fit.powers)
    last = mixture.fit(of, max(found.rate, RATES[1]), begin, ROUNDS)  # labels are ranked where none is wrong
    logs = np.log(np.maximum(np.stack([beliefs.probe, beliefs.vote]), mixture.SMALLEST))
    clean = pairs.softmax(beliefs.case, last.powers @ logs, len(beliefs.unit))
    posterior = clean.copy()
    posterior[labeled[beliefs.case]] = last.posterior
    trusted = without_junk(beliefs, posterior, found.rate)
    doubted = _wrong(beliefs, posterior) - _wrong(beliefs, trusted)
    rate = max(found.rate - doubted, 0.0)
    return NoiseModel(clean, trusted, rate, min(found.low, rate), found.high)


def without_junk(beliefs: Beliefs, posterior: np.ndarray, rate: float) -> np.ndarray:
    """(p,) `posterior`, in which classes that hold anything, or others, say less.

    Samples of a background class look like samples of this class and that, and its own share of wrong labels seems high
    although none is wrong. Wrong labels that people give have few sources: so what flows into a class beyond JUNK times
    its share, one case and its greatest source is doubted; and as much, what is taken for one of such a class.
    """
    k, case = beliefs.n_classes, beliefs.case
    given = beliefs.given[case]
    wrong = (given >= 0) & (beliefs.label != given)
    key = pairs.keys(given[wrong], beliefs.label[wrong], k)
    cells, cell = np.unique(key, return_inverse=True)
    flow = np.bincount(cell, posterior[wrong] * beliefs.share[case[wrong]], len(cells))
    into, greatest = np.bincount(cells // k, flow, k), np.zeros(k)
    np.maximum.at(greatest, cells // k, flow)
    size = np.bincount(beliefs.given[beliefs.given >= 0], minlength=k)
    trust = np.minimum(1.0, (JUNK * rate * size + greatest + 1.0) / np.maximum(into, 1e-12))
    out = posterior.copy()
    out[wrong] *= np.minimum(trust[given[wrong]], trust[beliefs.label[wrong]])
    own = (given >= 0) & ~wrong
    lost = pairs.total(case, posterior - out, len(beliefs.unit))
    out[own] += lost[case[own]]
    return out


def _wrong(beliefs: Beliefs, posterior: np.ndarray) -> float:
    """The share of wrong labels among the labelled cases' members."""
    n = beliefs.n * (beliefs.given >= 0)
    return float(((1.0 - beliefs.of_given(posterior)) * n).sum() / max(n.sum(), 1))


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


def posterior_joint(beliefs: Beliefs, posterior: np.ndarray) -> pl.DataFrame:
    """Expected counts of members: columns given, true, count; rows sum to the class sizes. `posterior`: (p,)."""
    labeled = beliefs.given[beliefs.case] >= 0
    case = beliefs.case[labeled]
    found = pl.DataFrame(
        {
            "given": beliefs.given[case],
            "true": beliefs.label[labeled],
            "count": posterior[labeled] * beliefs.n[case],
        }
    )
    return found.group_by("given", "true").agg(pl.col("count").sort().sum()).sort("given", "true")


def best_other(beliefs: Beliefs, values: np.ndarray) -> np.ndarray:
    """(m,) index of the best pair of each case that is not its given class; that class's own where it is alone."""
    return beliefs.best(np.where(beliefs.label == beliefs.given[beliefs.case], -1.0, values))
