"""What the vectors say about a column's value: an out-of-fold linear probe and a neighbour vote, combined.

The same machinery judges labels, proposes missing ones and fills gaps in group columns. Everything is kept as long
pairs (case, class): the classes among a case's neighbours, its own, and the probe's best few. So ten thousand
classes cost no more than ten.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from assay.metrics import pairs, probe, vote
from assay.metrics.corpus import Corpus

NEGLIGIBLE = 1e-4  # belief below which a pair is not carried on


@dataclass(frozen=True)
class Beliefs:
    """Calibrated class probabilities of every case, in long form, sorted by case and label.

    Attributes:
        unit, given, share, n: (m,) the cases: their unit, class (−1: missing), share of the unit, members.
        case, label: (p,) the pairs.
        probe, vote, belief: (p,) probabilities; each sums to 1 over a case's pairs.
        n_classes: number of classes.
    """

    unit: np.ndarray
    given: np.ndarray
    share: np.ndarray
    n: np.ndarray
    case: np.ndarray
    label: np.ndarray
    probe: np.ndarray
    vote: np.ndarray
    belief: np.ndarray
    n_classes: int

    def of_given(self, values: np.ndarray) -> np.ndarray:
        """(m,) `values` at each case's own class; 0 where that is missing."""
        return pairs.own(self.case, self.label, self.given, values)

    def best(self, values: np.ndarray) -> np.ndarray:
        """(m,) index of the pair with the greatest value in each case; the first of equal ones."""
        return pairs.best(self.case, values, len(self.unit))


def better_than_chance(beliefs: Beliefs) -> bool:
    """Whether the vectors say anything about the column: the out-of-fold best guesses agree with the known values
    more often, by three standard errors, than guesses and values of the same frequencies would by chance (Cohen
    1960). Where copies disagree, their own votes are in the belief, and they are left out; where all do, the probe
    alone guesses."""
    labeled = beliefs.given >= 0
    agreed = labeled & (beliefs.share > 0.999)
    known, by = (agreed, beliefs.belief) if agreed.any() else (labeled, beliefs.probe)
    guess, given = beliefs.label[beliefs.best(by)][known], beliefs.given[known]
    if not len(given):
        return False
    shares = [np.bincount(codes, minlength=beliefs.n_classes) / len(codes) for codes in (guess, given)]
    chance = float(shares[0] @ shares[1])
    return float((guess == given).mean()) - chance > 3 * np.sqrt(chance * (1 - chance) / len(given))


def believe(
    corpus: Corpus, cases: pl.DataFrame, n_classes: int, folds: int, seed: int, learner: probe.Learner | None = None
) -> Beliefs:
    """Beliefs about the cases of a column (see `corpus.cases_frame`); needs at least one class. `learner`: how the
    probe's weights are found, if not from nothing."""
    unit, given = cases["unit"].to_numpy().astype(np.int64), cases["label"].to_numpy().astype(np.int64)
    share, n = cases["share"].to_numpy(), cases["n"].to_numpy()
    votes = case_votes(corpus, cases, n_classes, vote_temperature(corpus, unit, given, share))
    case, label, probed = probed_pairs(
        make_problem(corpus, unit, given, share, n_classes, folds, seed), unit, given, share, votes, learner
    )
    voted = (1 - vote.FLOOR) * vote.look_up(votes, unit[case], label) + vote.FLOOR / n_classes
    voted = pairs.normalize(case, voted, len(unit))
    belief = combine(case, label, given, share, probed, voted)
    kept = (belief > NEGLIGIBLE) | (label == given[case])
    return Beliefs(unit, given, share, n, case[kept], label[kept], probed[kept], voted[kept], belief[kept], n_classes)


def probed_pairs(
    problem: probe.Problem,
    unit: np.ndarray,
    given: np.ndarray,
    share: np.ndarray,
    votes: csr_array,
    learner: probe.Learner | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(case, label, probability)` (p,) of the pairs that come into question, by the probe. Whoever calls it
    keeps no hand on the problem, so that its features, which are as large as the vectors, are gone with it."""
    dense = probe_logits(problem, learner)
    case, label = candidates(unit, given, votes, dense, problem.n_classes)
    if dense is None:
        logits = centroid_logits(problem, unit, given, share, case, label)
    else:
        logits = dense.at(unit[case], label) / dense.temperature()
    return case, label, pairs.softmax(case, logits, len(unit))


def case_votes(corpus: Corpus, cases: pl.DataFrame, n_classes: int, temperature: float) -> csr_array:
    """(n_units, n_classes) the neighbours' vote on each unit, from the cases of `corpus.cases_frame`. A neighbour whose
    copies carry several labels splits its vote."""
    unit, label = cases["unit"].to_numpy(), cases["label"].to_numpy()
    known, n = label >= 0, corpus.n_units
    voters, several = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    voters[unit[known]] = True
    several[unit[known & (cases["n_values"].to_numpy() > 1)]] = True
    carried = csr_array((cases["share"].to_numpy()[known], (unit[known], label[known])), shape=(n, n_classes))
    return vote.neighbor_votes(corpus, carried, voters, several, temperature)


def make_problem(
    corpus: Corpus, unit: np.ndarray, given: np.ndarray, share: np.ndarray, n_classes: int, folds: int, seed: int
) -> probe.Problem:
    """The probe's problem over units: a unit whose copies disagree has several classes, by their share."""
    labeled = given >= 0
    main = np.full(corpus.n_units, n_classes, dtype=np.int64)
    main[unit[labeled][::-1]] = given[labeled][::-1]
    return probe.Problem(
        features=probe.in_space(corpus.vectors, corpus.space),
        row=unit[labeled].astype(np.int64),
        label=given[labeled],
        share=share[labeled],
        fold=probe.stratified_folds(main, folds, seed, corpus.contents),
        n_classes=n_classes,
        n_folds=folds,
        space=corpus.space,
    )


def probe_logits(problem: probe.Problem, learner: probe.Learner | None = None) -> probe.Logits | None:
    """Out-of-fold logits (n_units, n_classes), or None where a probe would take too long."""
    n, r = problem.features.shape
    if not probe.fits(n, problem.n_classes, problem.n_folds, r):
        return None
    return probe.predict(problem, learner=learner)


def vote_temperature(corpus: Corpus, unit: np.ndarray, given: np.ndarray, share: np.ndarray) -> float:
    """The temperature whose vote predicts the given classes best (leave-one-out log likelihood), of a fixed few."""
    main = np.full(corpus.n_units, -1, dtype=np.int64)
    main[unit[::-1]] = given[::-1]
    rows = np.nonzero(main >= 0)[0][:: max(1, len(main) // vote.ROWS)]
    neighbors = corpus.neighbors[rows]
    other = np.where(neighbors >= 0, main[neighbors], -1)
    distance = 1.0 - corpus.similarities[rows].astype(np.float64)
    same = other == main[rows][:, None]

    def likelihood(temperature: float) -> float:
        weight = np.exp(-distance / temperature) * (other >= 0)
        total = weight.sum(axis=1)
        agree = (weight * same).sum(axis=1) / np.maximum(total, 1e-300)
        return float(np.log((1 - vote.FLOOR) * agree + vote.FLOOR / 10)[total > 0].sum())

    return max(vote.TEMPERATURES, key=likelihood)


def candidates(
    unit: np.ndarray, given: np.ndarray, votes: csr_array, dense: probe.Logits | None, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs (case, label): labels voted for, the given one, and the probe's best few; sorted."""
    m = len(unit)
    every = np.arange(m)
    known = np.nonzero(given >= 0)[0]
    voted, voted_label, _ = vote.entries(votes[unit])
    found = [pairs.keys(known, given[known], n_classes), pairs.keys(voted, voted_label, n_classes)]
    if dense is not None:
        found.append(pairs.keys(every[:, None], dense.best()[unit], n_classes).ravel())
    else:
        reached = np.zeros(m, dtype=bool)
        reached[np.concatenate(found) // n_classes] = True
        found.append(
            pairs.keys(np.nonzero(~reached)[0], np.zeros(1, np.int64), n_classes)
        )  # nothing is known: any class, unsurely
    key = np.unique(np.concatenate(found))
    return key // n_classes, key % n_classes


def centroid_logits(
    problem: probe.Problem,
    unit: np.ndarray,
    given: np.ndarray,
    share: np.ndarray,
    case: np.ndarray,
    label: np.ndarray,
    scale: float = 20.0,
) -> np.ndarray:
    """(p,) similarity of a case to the mean vector of a class, itself left out: the probe where classes are many."""
    features = problem.features
    sums = np.zeros((problem.n_classes, features.shape[1]), dtype=np.float64)
    np.add.at(sums, problem.label, features[problem.row] * problem.share[:, None])
    mass = np.bincount(problem.label, problem.share, problem.n_classes)
    out = np.empty(len(case))
    for start in range(0, len(case), 200_000):
        part = slice(start, start + 200_000)
        mine = features[unit[case[part]]]
        own = ((given[case[part]] == label[part]) * share[case[part]])[:, None]
        left = np.maximum(mass[label[part]][:, None] - own, 1e-9)
        center = (sums[label[part]] - own * mine) / left
        norm = np.linalg.norm(center, axis=1) * np.linalg.norm(mine, axis=1)
        out[part] = np.einsum("ij,ij->i", center, mine) / np.maximum(norm, 1e-9)
    return scale * out


def combine(
    case: np.ndarray, label: np.ndarray, given: np.ndarray, share: np.ndarray, probed: np.ndarray, vote: np.ndarray
) -> np.ndarray:
    """Normalised product of the two, raised to the power that predicts the given classes best."""
    m = len(given)
    log_product = np.log(np.maximum(probed, 1e-12)) + np.log(np.maximum(vote, 1e-12))
    own = label == given[case]
    weight = share[case[own]]
    if not own.any():
        return pairs.softmax(case, 0.5 * log_product, m)

    def loss(power: float) -> float:
        return -float((np.log(np.maximum(pairs.softmax(case, power * log_product, m)[own], 1e-12)) * weight).sum())

    power = min((0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0), key=loss)
    return pairs.softmax(case, power * log_product, m)
