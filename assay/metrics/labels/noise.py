"""A noise model of the labels: what is the true class, given what the vectors say and what the label says.

The vectors' beliefs are fitted to labels some of which are wrong, so they are too timid where noise is high. The
model takes them apart: p(true | vectors) is the belief sharpened by one power, p(given | true) a transition matrix;
both are fitted to the given labels by maximum likelihood (expectation maximisation, as in Dawid & Skene 1979 with
the vectors as prior), starting once from confident learning's joint and once from its diagonal. A class's noise is
shrunk to the overall one and its direction to the class sizes, so that small classes do not invent any.

Noise that follows the vectors themselves cannot be told from classes that overlap; two guards keep the model from
explaining all noise away as overlap: a small penalty on blurred beliefs, and a least count, a share of confident
learning's. Where classes have few labels it is the other way round: the vectors are blurred because little could be
learnt, and all of that would be taken for noise. There the guards give way, and the noise is held to what it is where
the vectors are surest (anchor points: Liu & Tao 2016).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.metrics import pairs
from assay.metrics.labels.beliefs import Beliefs

PRIOR = 8.0  # cases' worth of shrinkage
POWERS = np.exp(np.linspace(np.log(0.5), np.log(3.0), 12)).round(3)
ROUNDS, FINAL_ROUNDS = 16, 40
BLUR_PENALTY = 0.07  # nats for a wholly blurred case: classes are meant to be told apart
LEAST = 0.5  # of confident learning's count, which is high by up to half where classes are hard
START_NOISE = 0.1  # share of the labels that both starts spread over all cells
FEW = 20.0  # labels a class at which half of the noise that they seem to have is believed
SUREST = 0.1  # share of all labels, the surest, in which a disagreement is noise and not overlap
USUAL = 0.05  # the noise expected before any label is seen
SEARCH_LIMIT = 6_000  # cases that the power is searched on


@dataclass(frozen=True)
class NoiseModel:
    """`clean` and `posterior`: (p,) per pair of the beliefs, p(true | vectors) and p(true | vectors, given)."""

    clean: np.ndarray
    posterior: np.ndarray
    power: float
    likelihood: float


@dataclass(frozen=True)
class Bound:
    """What holds the overall noise rate down where classes have few labels: how far what the model makes of them is
    trusted, m² ÷ (m² + FEW²) for m labels a class, and the rate among the `surest` labels."""

    trust: float
    surest: float

    def held(self, rate: float) -> float:
        """`rate`, or between that and the lower one of the surest."""
        return self.trust * rate + (1.0 - self.trust) * min(rate, self.surest)


def bound(beliefs: Beliefs) -> Bound:
    """The bound that the given labels set; to the surest come PRIOR more, wrong as often as is USUAL."""
    labeled = np.nonzero(beliefs.given >= 0)[0]
    each = len(labeled) / max(len(np.unique(beliefs.given[labeled])), 1)
    top = beliefs.best(beliefs.belief)[labeled]
    surest = np.argsort(-beliefs.belief[top], kind="stable")[: round(SUREST * len(labeled))]
    wrong = (beliefs.label[top] != beliefs.given[labeled])[surest].sum()
    return Bound(each**2 / (each**2 + FEW**2), float((wrong + PRIOR * USUAL) / (len(surest) + PRIOR)))


def fit(beliefs: Beliefs, joint: pl.DataFrame) -> NoiseModel:
    """The model of the greatest likelihood over `POWERS`, started from a joint of counts (given, true, count)."""
    log_product = np.log(np.maximum(beliefs.probe, 1e-12)) + np.log(np.maximum(beliefs.vote, 1e-12))
    step = max(1, -(-len(beliefs.unit) // SEARCH_LIMIT))
    some = beliefs.case % step == 0
    starts = (joint, joint.filter(pl.col("given") == pl.col("true")))
    limit = bound(beliefs)
    least = limit.trust * LEAST * _off_diagonal(joint) / max(float(joint["count"].sum()), 1e-12)
    search = []
    for power in POWERS:
        clean = pairs.softmax(beliefs.case[some], power * log_product[some], len(beliefs.unit))
        blur = 1.0 - float((clean**2).sum() / max(clean.sum(), 1e-12))
        for number, start in enumerate(starts):
            posterior, likelihood = _maximize(beliefs, some, log_product, start, power, limit, ROUNDS)
            enough = _wrong_share(beliefs, some, posterior) >= least
            search.append((enough, likelihood - limit.trust * BLUR_PENALTY * blur, power, number))
    _, _, power, number = max(search)
    every = np.ones(len(beliefs.case), dtype=bool)
    posterior, likelihood = _maximize(beliefs, every, log_product, starts[number], power, limit, FINAL_ROUNDS)
    clean = pairs.softmax(beliefs.case, power * log_product, len(beliefs.unit))
    return NoiseModel(clean, posterior, float(power), likelihood)


def _off_diagonal(joint: pl.DataFrame) -> float:
    """The joint's count of wrong labels."""
    return float(joint.filter(pl.col("given") != pl.col("true"))["count"].sum())


def _wrong_share(beliefs: Beliefs, chosen: np.ndarray, posterior: np.ndarray) -> float:
    """The expected share of wrong labels among the chosen labelled cases."""
    case = beliefs.case[chosen]
    given, weight = beliefs.given[case], beliefs.share[case]
    own = beliefs.label[chosen] == given
    total = (posterior * weight)[given >= 0].sum()
    return 1.0 - float((posterior * weight)[own].sum() / max(total, 1e-12))


def _maximize(beliefs: Beliefs, chosen, log_product, joint: pl.DataFrame, power: float, limit: Bound, rounds: int):
    """`(posterior, mean log likelihood)` over the chosen pairs after some rounds; unlabelled cases keep their prior."""
    case, true, m, k = beliefs.case[chosen], beliefs.label[chosen], len(beliefs.unit), beliefs.n_classes
    given, weight = beliefs.given[case], beliefs.share[case]
    prior = pairs.softmax(case, power * log_product[chosen], m)
    labeled = given >= 0
    of_true, of_given, cell = label_cells(true[labeled], given[labeled], k)
    counts, size = _start(joint, of_true * k + of_given, k), class_shares(beliefs)
    for _ in range(rounds):
        emitted = transition(counts, of_true, of_given, size, k, limit)
        likely = prior.copy()
        likely[labeled] *= emitted[cell]
        total = np.bincount(case, likely, m)
        posterior = likely / np.maximum(total, 1e-300)[case]
        counts = np.bincount(cell, posterior[labeled] * weight[labeled], len(of_true))
    judged = np.zeros(m, dtype=bool)
    judged[case[labeled]] = True
    loss = np.log(np.maximum(total[judged], 1e-300)) * beliefs.share[judged]
    return posterior, float(loss.sum() / max(beliefs.share[judged].sum(), 1e-12))


def label_cells(true: np.ndarray, given: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(of_true, of_given, cell)`: the cells of the transition matrix that occur, and the cell of each entry."""
    cells, cell = np.unique(pairs.keys(true, given, k), return_inverse=True)
    return cells // k, cells % k, cell


def class_shares(beliefs: Beliefs) -> np.ndarray:
    """(k,) share of each class among the given labels."""
    given = beliefs.given[beliefs.given >= 0]
    return np.bincount(given, minlength=beliefs.n_classes) / max(len(given), 1)


def transition(counts, of_true: np.ndarray, of_given: np.ndarray, size: np.ndarray, k: int, limit: Bound) -> np.ndarray:
    """p(given | true) of each cell from counts: the rate shrunk to the overall one within its `limit`, the direction to
    `size`."""
    right = of_true == of_given
    wrong = np.where(right, 0.0, counts)
    mass, off = np.bincount(of_true, counts, k), np.bincount(of_true, wrong, k)
    overall = limit.held(off.sum() / max(mass.sum(), 1e-12))
    rate = (off + 5 * PRIOR * overall) / (mass + 5 * PRIOR)
    direction = (wrong + PRIOR * size[of_given]) / (off[of_true] + PRIOR)
    return np.where(right, 1.0 - rate[of_true], rate[of_true] * direction)


def _start(joint: pl.DataFrame, cells: np.ndarray, k: int) -> np.ndarray:
    """The joint's counts at each cell (true · k + given); a little where it has none."""
    key = pairs.keys(joint["true"].to_numpy(), joint["given"].to_numpy(), k)
    known = pairs.look_up(key, joint["count"].to_numpy(), cells)
    return known + START_NOISE * known[cells // k == cells % k].sum() / max(len(cells), 1)


def posterior_joint(beliefs: Beliefs, posterior: np.ndarray) -> pl.DataFrame:
    """Expected counts of members: columns given, true, count; rows sum to the class sizes. `posterior`: (p,)."""
    labeled = beliefs.given[beliefs.case] >= 0
    case = beliefs.case[labeled]
    pairs = pl.DataFrame(
        {
            "given": beliefs.given[case],
            "true": beliefs.label[labeled],
            "count": posterior[labeled] * beliefs.n[case],
        }
    )
    return pairs.group_by("given", "true").agg(pl.col("count").sort().sum()).sort("given", "true")


def best_other(beliefs: Beliefs, values: np.ndarray) -> np.ndarray:
    """(m,) index of the best pair of each case that is not its given class; that class's own where it is alone."""
    return beliefs.best(np.where(beliefs.label == beliefs.given[beliefs.case], -1.0, values))
