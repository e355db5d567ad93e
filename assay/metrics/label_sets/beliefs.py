"""What the vectors say about labels that are sets: for each class, how likely a sample is to be given it.

One binary probe per class, all trained in one pass, and the similarity-weighted share of the neighbours that carry the
class; a logistic regression on the two and the class's frequency makes one calibrated probability of them (stacking,
Wolpert 1992). As in `beliefs.py`, everything is kept as long pairs (case, class), and a pair that is not there is taken
for impossible: so ten thousand classes cost no more than ten.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import special
from scipy.sparse import csc_array, csr_array

from assay.metrics import pairs, probe, vote
from assay.metrics.corpus import Corpus
from assay.metrics.groups.groups import auc

SURE = 1e-6  # a probability is kept this far from 0 and 1
STACK_PAIRS = 1_000_000  # pairs that the stack learns from
AUC_ROWS = 5_000
START = np.array([0.5, 0.5, 0.0, 0.0])  # weights of probe, vote, frequency and constant before anything is known
RIDGE = 5.0  # pairs that the start is worth


@dataclass(frozen=True)
class SetBeliefs:
    """Probabilities of the pairs (case, class), sorted by case and class.

    Attributes:
        unit, share, n: (m,) the cases: their unit, share of the unit, members.
        known: (m,) whether the case is labelled, possibly with the empty set.
        case, label: (p,) the pairs: the classes carried, those of neighbours, and the probe's best few.
        carried: (p,) whether the case carries the class.
        probe, vote: (p,) what each says; NaN in `probe` where there is none.
        chance: (p,) both together: the probability that such a sample is given this class.
        rate: (n_classes,) share of the labelled that carry each class.
        auc: (n_classes,) how well the out-of-fold probe tells the carriers of a class; NaN where it is not defined.
    """

    unit: np.ndarray
    share: np.ndarray
    n: np.ndarray
    known: np.ndarray
    case: np.ndarray
    label: np.ndarray
    carried: np.ndarray
    probe: np.ndarray
    vote: np.ndarray
    chance: np.ndarray
    rate: np.ndarray
    auc: np.ndarray

    @property
    def n_classes(self) -> int:
        return len(self.rate)


@dataclass(frozen=True)
class Targets:
    """What is carried: `own` (cases × classes) 0 or 1, `units` (units × classes) the share of a unit's labelled
    members that carry it, `mass` (n_units,) 1 where labelled, `several` (n_units,) whether its copies disagree."""

    own: csr_array
    units: csr_array
    mass: np.ndarray
    several: np.ndarray


def targets_of(n_units: int, cases: pl.DataFrame, carried: csr_array) -> Targets:
    """Targets of the cases of `corpus.cases_frame`, whose `label` is a row of `carried` (sets × classes, 0 or 1)."""
    unit, given = cases["unit"].to_numpy().astype(np.int64), cases["label"].to_numpy().astype(np.int64)
    rows = np.nonzero(given >= 0)[0]
    pick = csr_array((np.ones(len(rows)), (rows, given[rows])), shape=(len(unit), carried.shape[0]))
    own = csr_array(pick @ carried)
    belongs = csr_array((cases["share"].to_numpy()[rows], (unit[rows], rows)), shape=(n_units, len(unit)))
    mass, several = np.zeros(n_units), np.zeros(n_units, dtype=bool)
    mass[unit[rows]] = 1.0
    several[unit[cases["n_values"].to_numpy() > 1]] = True
    return Targets(own, csr_array(belongs @ own), mass, several)


def believe_sets(corpus: Corpus, cases: pl.DataFrame, carried: csr_array, folds: int, seed: int) -> SetBeliefs:
    """Beliefs about the cases of `corpus.cases_frame`, whose `label` is a row of `carried` (sets × classes, 0 or 1)."""
    unit, share = cases["unit"].to_numpy().astype(np.int64), cases["share"].to_numpy()
    known = cases["label"].to_numpy() >= 0
    targets = targets_of(corpus.n_units, cases, carried)
    rate = np.asarray(targets.units.sum(axis=0)).ravel() / max(targets.mass.sum(), 1.0)
    temperature = vote_temperature(corpus, targets)
    votes = vote.neighbor_votes(corpus, targets.units, targets.mass > 0, targets.several, temperature)
    logits, temperature = probe_logits(corpus, targets, folds, seed)
    best = None if logits is None else logits.best()
    case, label = candidates(unit, targets.own, votes, best)
    is_own, voted = vote.look_up(targets.own, case, label) > 0, vote.look_up(votes, unit[case], label)
    floored = (1 - vote.FLOOR) * voted + vote.FLOOR * rate[label]
    probed = np.full(len(case), np.nan)
    reached = voted > 0
    if logits is not None and best is not None:
        probed = special.expit(logits.at(unit[case], label).astype(np.float64) / temperature)
        reached |= (best[unit[case]] == label[:, None]).any(axis=1)
    features = stack_features(probed, floored, rate[label])
    fitted = np.nonzero(reached & known[case])[0]  # a pair listed only because it is carried would tell the answer
    fitted = fitted[:: max(1, len(fitted) // STACK_PAIRS)]
    weights = fit_stack(features[fitted], is_own[fitted], share[case[fitted]])
    while (weights[:2] < 0).any():  # rarer among the others of its own carriers than elsewhere, which tells the answer
        features[:, :2] *= weights[:2] >= 0
        weights = fit_stack(features[fitted], is_own[fitted], share[case[fitted]])
    chance = np.clip(special.expit(features @ weights), SURE, 1 - SURE)
    auc = probe_auc(logits, targets)
    n = cases["n"].to_numpy()
    return SetBeliefs(unit, share, n, known, case, label, is_own, probed, floored, chance, rate, auc)


def vote_temperature(corpus: Corpus, targets: Targets) -> float:
    """The temperature whose vote predicts the given sets best (leave-one-out log likelihood), of a fixed few."""
    rows = np.nonzero(targets.mass > 0)[0]
    rows = rows[:: max(1, len(rows) // vote.ROWS)]
    truth = csr_array(targets.units[rows]).tocoo()
    nobody = np.zeros(corpus.n_units, dtype=bool)

    def likelihood(temperature: float) -> float:
        votes = vote.neighbor_votes(corpus, targets.units, targets.mass > 0, nobody, temperature, rows)
        agree = (1 - vote.FLOOR) * np.minimum(vote.look_up(votes, truth.row, truth.col), 1.0)
        none = np.log(1 - (1 - vote.FLOOR) * np.minimum(votes.data, 1.0)).sum()  # as if nobody carried anything
        return float(none + ((np.log(agree + vote.FLOOR / 10) - np.log(1 - agree)) * truth.data).sum())

    return max(vote.TEMPERATURES, key=likelihood)


def probe_logits(corpus: Corpus, targets: Targets, folds: int, seed: int) -> tuple[probe.Logits | None, float]:
    """`(logits (n_units, n_classes), temperature)` out of fold; None where a probe would take too long."""
    n_classes = targets.units.shape[1]
    features = probe.in_space(corpus.vectors, corpus.space)
    if not probe.fits(corpus.n_units, n_classes, folds, features.shape[1]):
        return None, 1.0
    entries = targets.units.tocoo()
    problem = probe.Problem(
        features=features,
        row=entries.row.astype(np.int64),
        label=entries.col.astype(np.int64),
        share=entries.data,
        fold=probe.stratified_folds(rarest_class(targets), folds, seed, corpus.contents),
        n_classes=n_classes,
        n_folds=folds,
        mass=targets.mass,
    )
    logits = probe.predict(problem)
    return logits, logits.temperature()


def probe_auc(logits: probe.Logits | None, targets: Targets) -> np.ndarray:
    """(n_classes,) area under the ROC curve of each class's probe, on some of the labelled units."""
    n_classes = targets.units.shape[1]
    if logits is None:
        return np.full(n_classes, np.nan)
    rows = np.nonzero(targets.mass > 0)[0]
    rows = rows[:: max(1, len(rows) // AUC_ROWS)]
    carried = csc_array(targets.units[rows] > 0.5)
    out, some = np.empty(n_classes), logits[rows]
    for label in range(n_classes):
        positive = np.zeros(len(rows), dtype=bool)
        positive[carried.indices[carried.indptr[label] : carried.indptr[label + 1]]] = True
        out[label] = auc(some[:, label], positive)
    return out


def rarest_class(targets: Targets) -> np.ndarray:
    """(n_units,) the rarest class that each unit carries; two codes more for those with none and the unlabelled.

    Folds stratified by it spread the rare classes evenly.
    """
    n_classes = targets.units.shape[1]
    entries, size = targets.units.tocoo(), np.asarray(targets.units.sum(axis=0)).ravel()
    order = np.lexsort((entries.col, size[entries.col]))[::-1]
    out = np.where(targets.mass > 0, n_classes, n_classes + 1)
    out[entries.row[order]] = entries.col[order]  # the last one written is the rarest
    return out


def candidates(
    unit: np.ndarray, own: csr_array, votes: csr_array, best: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """`(case, label)`: the classes carried, those that neighbours carry, and the probe's best few; sorted."""
    wide = max(own.shape[1], 1)
    here, voted = own.tocoo(), vote.entries(votes[unit])
    found = [pairs.keys(here.row, here.col, wide), pairs.keys(voted[0], voted[1], wide)]
    if best is not None:
        found.append(pairs.keys(np.arange(len(unit))[:, None], best[unit], wide).ravel())
    key = np.unique(np.concatenate(found))
    return key // wide, key % wide


def stack_features(probed: np.ndarray, voted: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """(p, 4): log odds of the probe (0 where there is none), of the vote and of the class's frequency; and 1."""
    return np.stack([logit(np.nan_to_num(probed, nan=0.5)), logit(voted), logit(rate), np.ones(len(voted))], axis=1)


def logit(p: np.ndarray) -> np.ndarray:
    """Log odds of probabilities, kept finite."""
    return special.logit(np.clip(p, SURE, 1 - SURE))


def fit_stack(
    features: np.ndarray, truth: np.ndarray, weight: np.ndarray, start: np.ndarray = START, rounds: int = 25
) -> np.ndarray:
    """Weights of a logistic regression, by Newton's method; near `start` where there is little to learn from."""
    found, penalty = start.copy(), RIDGE * np.eye(len(start))
    for _ in range(rounds):
        p = special.expit(features @ found)
        slope = features.T @ (weight * (p - truth)) + penalty @ (found - start)
        curvature = (features * (weight * np.maximum(p * (1 - p), 1e-6))[:, None]).T @ features + penalty
        step = np.linalg.solve(curvature, slope)
        found = found - step * min(1.0, 2.0 / max(np.abs(step).max(), 1e-12))
        if np.abs(step).max() < 1e-6:
            break
    return found
