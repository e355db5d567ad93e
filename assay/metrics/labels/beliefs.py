"""What the vectors say about a column's value: an out-of-fold linear probe and a neighbour vote, combined.

The same machinery judges labels, proposes missing ones and fills gaps in group columns. Everything is kept as long
pairs (case, class): the classes among a case's neighbours, its own, and the probe's best few. So ten thousand
classes cost no more than ten.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.metrics import probe
from assay.metrics.corpus import Corpus
from assay.metrics.sql import Queries

TEMPERATURES = (0.02, 0.035, 0.05, 0.07, 0.1, 0.15, 0.25)  # of the vote, in cosine distance
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
VOTE_FLOOR = 0.02  # share of the vote spread evenly, so that no class has none
NEGLIGIBLE = 1e-4  # belief below which a pair is not carried on
N_BEST = 5  # probe classes that are always candidates


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
        out = np.zeros(len(self.unit))
        own = self.label == self.given[self.case]
        out[self.case[own]] = values[own]
        return out

    def best(self, values: np.ndarray) -> np.ndarray:
        """(m,) index of the pair with the greatest value in each case; the first of equal ones."""
        return best_pair(self.case, values, len(self.unit))


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


def best_pair(case: np.ndarray, values: np.ndarray, n_cases: int) -> np.ndarray:
    """(n_cases,) index of the pair with the greatest value of each case (every case has a pair); first of equals.

    `case` is ascending.
    """
    out = np.zeros(n_cases, dtype=np.int64)
    if len(case):
        new = np.r_[True, case[1:] != case[:-1]]
        greatest = np.maximum.reduceat(values, np.flatnonzero(new))
        at = np.flatnonzero(values == greatest[np.cumsum(new) - 1])
        first = np.r_[True, case[at[1:]] != case[at[:-1]]]
        out[case[at[first]]] = at[first]
    return out


def normalize(case: np.ndarray, values: np.ndarray, n_cases: int) -> np.ndarray:
    """`values` divided by their sum over each case."""
    return values / np.maximum(np.bincount(case, values, n_cases), 1e-300)[case]


def believe(corpus: Corpus, cases: pl.DataFrame, n_classes: int, queries: Queries, folds: int, seed: int) -> Beliefs:
    """Beliefs about the cases of a column (see `corpus.cases_frame`); needs at least one class."""
    unit, given = cases["unit"].to_numpy(), cases["label"].to_numpy().astype(np.int64)
    share, n = cases["share"].to_numpy(), cases["n"].to_numpy()
    queries.table("cases", cases)
    votes = queries.run("neighbor_vote", temperature=vote_temperature(corpus, unit, given, share))
    problem = make_problem(corpus, unit, given, share, n_classes, folds, seed)
    dense = probe_logits(problem)
    case, label = candidates(unit, given, votes, dense, n_classes)
    if dense is None:
        logits = centroid_logits(problem, unit, given, share, case, label)
        probed = normalize(case, softmax_pairs(case, logits, len(unit)), len(unit))
    else:
        temperature = probe.fit_temperature(dense, problem)
        probed = softmax_pairs(case, dense[unit[case], label] / temperature, len(unit))
    vote = vote_share(unit[case], label, votes, n_classes)
    vote = normalize(case, vote, len(unit))
    belief = combine(case, label, given, share, probed, vote)
    kept = (belief > NEGLIGIBLE) | (label == given[case])
    return Beliefs(unit, given, share, n, case[kept], label[kept], probed[kept], vote[kept], belief[kept], n_classes)


def make_problem(corpus, unit, given, share, n_classes: int, folds: int, seed: int) -> probe.Problem:
    """The probe's problem over units: a unit whose copies disagree has several classes, by their share."""
    labeled = given >= 0
    main = np.full(corpus.n_units, n_classes, dtype=np.int64)
    main[unit[labeled][::-1]] = given[labeled][::-1]
    return probe.Problem(
        features=probe.principal_axes(corpus.vectors),
        row=unit[labeled].astype(np.int64),
        label=given[labeled],
        share=share[labeled],
        fold=probe.stratified_folds(main, folds, seed),
        n_classes=n_classes,
        n_folds=folds,
    )


def probe_logits(problem: probe.Problem) -> np.ndarray | None:
    """Out-of-fold logits (n_units, n_classes), or None where a probe would take too long."""
    n, r = problem.features.shape
    if not probe.fits(n, problem.n_classes, problem.n_folds, r):
        return None
    return probe.out_of_fold(problem, probe.choose_penalty(problem, PENALTIES))


def vote_temperature(corpus: Corpus, unit: np.ndarray, given: np.ndarray, share: np.ndarray) -> float:
    """The temperature whose vote predicts the given classes best (leave-one-out log likelihood), of a fixed few."""
    main = np.full(corpus.n_units, -1, dtype=np.int64)
    main[unit[::-1]] = given[::-1]
    rows = np.nonzero(main >= 0)[0][:: max(1, len(main) // 20_000)]
    neighbors = corpus.neighbors[rows]
    other = np.where(neighbors >= 0, main[neighbors], -1)
    distance = 1.0 - corpus.similarities[rows].astype(np.float64)
    same = other == main[rows][:, None]

    def likelihood(temperature: float) -> float:
        weight = np.exp(-distance / temperature) * (other >= 0)
        total = weight.sum(axis=1)
        agree = (weight * same).sum(axis=1) / np.maximum(total, 1e-300)
        return float(np.log((1 - VOTE_FLOOR) * agree + VOTE_FLOOR / 10)[total > 0].sum())

    return max(TEMPERATURES, key=likelihood)


def candidates(unit, given, votes: pl.DataFrame, dense: np.ndarray | None, n_classes: int):
    """The pairs (case, label): labels voted for, the given one, and the probe's best few; sorted."""
    m = len(unit)
    keys = [np.nonzero(given >= 0)[0] * np.int64(n_classes) + given[given >= 0]]
    cases = pl.DataFrame({"unit": unit, "case": np.arange(m)})
    voted = cases.join(votes.select("unit", "label"), on="unit")
    keys.append(voted["case"].to_numpy() * np.int64(n_classes) + voted["label"].to_numpy())
    if dense is not None:
        count = min(N_BEST, n_classes)
        top = np.argpartition(-dense, count - 1, axis=1)[:, :count][unit]
        keys.append((np.arange(m)[:, None] * np.int64(n_classes) + top).ravel())
    else:
        reached = np.zeros(m, dtype=bool)
        reached[np.concatenate(keys) // n_classes] = True
        keys.append(np.nonzero(~reached)[0] * np.int64(n_classes))  # nothing is known: any class, at no confidence
    key = np.unique(np.concatenate(keys))
    return key // n_classes, key % n_classes


def vote_share(unit, label, votes: pl.DataFrame, n_classes: int) -> np.ndarray:
    """(p,) share of the vote for each pair, with a floor spread over all classes."""
    key = votes["unit"].to_numpy().astype(np.int64) * n_classes + votes["label"].to_numpy()
    weight = votes["weight"].to_numpy()
    size = int(max(unit.max(initial=0), votes["unit"].max() or 0)) + 1
    total = np.bincount(votes["unit"].to_numpy(), weight, size) if len(votes) else np.zeros(size)
    wanted = unit.astype(np.int64) * n_classes + label
    at = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
    hit = key[at] == wanted if len(key) else np.zeros(len(wanted), dtype=bool)
    mine = np.where(hit, weight[at] if len(key) else 0.0, 0.0) / np.maximum(total[unit], 1e-300)
    return (1 - VOTE_FLOOR) * mine + VOTE_FLOOR / n_classes


def softmax_pairs(case: np.ndarray, logits: np.ndarray, n_cases: int) -> np.ndarray:
    """Softmax over each case's pairs."""
    top = np.full(n_cases, -np.inf)
    np.maximum.at(top, case, logits)
    return normalize(case, np.exp(logits - top[case]), n_cases)


def centroid_logits(problem: probe.Problem, unit, given, share, case, label, scale: float = 20.0) -> np.ndarray:
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


def combine(case, label, given, share, probed, vote) -> np.ndarray:
    """Normalised product of the two, raised to the power that predicts the given classes best."""
    m = len(given)
    log_product = np.log(np.maximum(probed, 1e-12)) + np.log(np.maximum(vote, 1e-12))
    own = label == given[case]
    weight = share[case[own]]
    if not own.any():
        return softmax_pairs(case, 0.5 * log_product, m)

    def loss(power: float) -> float:
        return -float((np.log(np.maximum(softmax_pairs(case, power * log_product, m)[own], 1e-12)) * weight).sum())

    power = min((0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0), key=loss)
    return softmax_pairs(case, power * log_product, m)
