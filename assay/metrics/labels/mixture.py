"""The likelihood of labels some of which are wrong, given what the vectors say.

A sample of class c is given another label at a rate, and which one is drawn from the class's own direction:

    p(given | vectors) = b(given) · (1 − r(given)) + Σ_c b(c) · r(c) · D(given | c),    b(c) ∝ probe(c)^s · vote(c)^t.

The mean of the rates r(c) is what is asked for; a class's own is drawn to it. The powers s and t are those of the
greatest likelihood. D is found from the labels by expectation maximisation (as in Dawid & Skene 1979, with the vectors
as prior), drawn to the sizes of the classes. How far both are drawn, the labels tell themselves (empirical Bayes of a
Dirichlet and a Beta prior: Minka 2000). A fixed little pull would find a direction of its own in every handful of
disagreements, and so more noise where classes overlap.

What the rate is, `rate.py` finds.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

from assay.metrics import pairs
from assay.metrics.labels.beliefs import Beliefs

PULLS = (8.0, 30.0, 100.0, 300.0, 1000.0)  # wrong labels' worth of a class's draw to the class sizes
HELD = (30.0, 100.0, 300.0, 1000.0, 1e6)  # cases' worth of a class's draw to the overall rate
MOST = 0.9  # of a class, that can be wrong
START = np.array([0.5, 0.5])  # powers before any is fitted
CONFUSED = 0.2  # share of the wrong labels that are expected where the vectors confuse, the rest by class size
HEARD = 0.5  # power of the vote, of that of the probe, at least: noisy labels make it seem worse than it is
STEPS = 12  # of the powers in a round
SMALLEST = 1e-12


@dataclass(frozen=True)
class Terms:
    """The likelihood's constants over the pairs of some labelled cases.

    Attributes:
        case: (p,) number of the pair's case among these; `first` (m,) the first pair of each.
        logs: (2, p) logarithms of what probe and vote say.
        own: (p,) whether the pair is that of the given class.
        cell: (p,) the pair's cell (true, given), `of_true` (cells,) its true class.
        usual: (cells,) how often a wrong label of the true class is expected to be the given one, before any is seen.
        weight: (m,) of each case.
        n_classes: number of classes.
    """

    case: np.ndarray
    first: np.ndarray
    logs: np.ndarray
    own: np.ndarray
    cell: np.ndarray
    of_true: np.ndarray
    usual: np.ndarray
    weight: np.ndarray
    n_classes: int

    def clean(self, powers: np.ndarray) -> np.ndarray:
        """(p,) b of each pair."""
        logits = powers @ self.logs
        values = np.exp(logits - np.maximum.reduceat(logits, self.first)[self.case])
        return values / np.add.reduceat(values, self.first)[self.case]


@dataclass(frozen=True)
class Fit:
    """What was fitted at a rate: the `powers` (2,), the `direction` (p,) D(given | true) of each pair, the `share` (p,)
    of the mean rate its true class has, and what follows from these: `clean` and `posterior` (p,), and the mean log
    `likelihood` of the given labels."""

    powers: np.ndarray
    direction: np.ndarray
    share: np.ndarray
    clean: np.ndarray
    posterior: np.ndarray
    likelihood: float


def terms(beliefs: Beliefs, chosen: np.ndarray) -> Terms:
    """Terms of the `chosen` (m,) cases, all of which are labelled."""
    inside = chosen[beliefs.case]
    case, label = (np.cumsum(chosen) - 1)[beliefs.case[inside]], beliefs.label[inside]
    given = beliefs.given[chosen][case]
    k = beliefs.n_classes
    cells, cell = np.unique(pairs.keys(label, given, k), return_inverse=True)
    of_true, of_given = cells // k, cells % k
    size = np.bincount(beliefs.given[chosen], minlength=k) / max(int(chosen.sum()), 1)
    sizes = np.where(of_true == of_given, 0.0, size[of_given] / np.maximum(1.0 - size[of_true], SMALLEST))
    logs = np.log(np.maximum(np.stack([beliefs.probe[inside], beliefs.vote[inside]]), SMALLEST))
    first = np.flatnonzero(np.r_[True, case[1:] != case[:-1]][: len(case)])
    plain = Terms(case, first, logs, label == given, cell, of_true, sizes, beliefs.share[chosen], k)
    powers = likeliest_powers(plain, START, np.where(plain.own, 1.0, 0.0))
    count = wrong_counts(plain, plain.clean(powers))
    confused = count / np.maximum(np.bincount(of_true, count, k)[of_true], SMALLEST)
    return replace(plain, usual=(1.0 - CONFUSED) * sizes + CONFUSED * confused)


def start(of: Terms) -> Fit:
    """Before anything is fitted: a plain mean of probe and vote, and wrong labels that follow the class sizes."""
    clean = of.clean(START)
    return Fit(START, of.usual[of.cell], np.ones(len(of.case)), clean, clean, -np.inf)


def fit(of: Terms, rate: float, before: Fit, rounds: int = 1) -> Fit:
    """The fit at a rate, from another one."""
    found = before
    for _ in range(rounds):
        emitted = emission(of, rate, found)
        powers = likeliest_powers(of, found.powers, emitted)
        clean = of.clean(powers)
        likely = clean * emitted
        total = np.maximum(np.add.reduceat(likely, of.first), 1e-300)
        likelihood = float(np.average(np.log(total), weights=of.weight))
        posterior = likely / total[of.case]
        direction = directions(of, posterior) if rate else found.direction
        share = shares(of, posterior, rate) if rate else found.share
        found = Fit(powers, direction, share, clean, posterior, likelihood)
    return found


def emission(of: Terms, rate: float, found: Fit) -> np.ndarray:
    """(p,) p(given | true) of each pair."""
    own = np.minimum(rate * found.share, MOST)
    return np.where(of.own, 1.0 - own, own * found.direction)


def shares(of: Terms, posterior: np.ndarray, rate: float) -> np.ndarray:
    """(p,) how many times the overall rate that of each pair's true class is, drawn to 1 as far as is likeliest."""
    weight = posterior * of.weight[of.case]
    true = of.of_true[of.cell]
    mass = np.bincount(true, weight, of.n_classes)
    off = np.minimum(np.bincount(true, weight * ~of.own, of.n_classes), mass)
    overall = float(np.clip(off.sum() / max(mass.sum(), SMALLEST), SMALLEST, 1.0 - SMALLEST))

    def evidence(held: float) -> float:
        wrong, right = held * overall, held * (1.0 - overall)
        return float((betaln(off + wrong, mass - off + right) - betaln(wrong, right)).sum())

    held = max(HELD, key=evidence)
    own = (off + held * overall) / (mass + held) / overall
    return (own / max((own * mass).sum() / max(mass.sum(), SMALLEST), SMALLEST))[true]


def likeliest_powers(of: Terms, powers: np.ndarray, emitted: np.ndarray) -> np.ndarray:
    """(2,) the powers of probe and vote with which the given labels are likeliest."""
    scale = of.weight.sum()
    split = np.array([[1.0, HEARD], [0.0, 1.0]])  # of the powers in what is searched: the probe's, the vote's surplus

    def loss(some: np.ndarray) -> tuple[float, np.ndarray]:
        clean = of.clean(some @ split)
        likely = clean * emitted
        total = np.maximum(np.add.reduceat(likely, of.first), 1e-300)
        pull = (likely / total[of.case] - clean) * of.weight[of.case]
        return -float((np.log(total) * of.weight).sum()) / scale, -(split @ (of.logs @ pull)) / scale

    begin = np.maximum([powers[0], powers[1] - HEARD * powers[0]], 0.0)
    options: dict[str, Any] = {"maxiter": STEPS, "ftol": 1e-8}
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * 2, options=options)
    return found.x @ split


def wrong_counts(of: Terms, values: np.ndarray) -> np.ndarray:
    """(cells,) sum of `values` (p,) in each cell; 0 where the given class is the true one."""
    return np.bincount(of.cell, values * ~of.own * of.weight[of.case], len(of.of_true))


def directions(of: Terms, posterior: np.ndarray) -> np.ndarray:
    """(p,) D(given | true) of each pair: the counts of wrong labels, and the class sizes as often as is likeliest."""
    count = wrong_counts(of, posterior)
    total = np.bincount(of.of_true, count, of.n_classes)

    def evidence(pull: float) -> float:
        prior = pull * of.usual
        some = prior > 0
        cells = gammaln(count[some] + prior[some]) - gammaln(prior[some])
        return float(cells.sum() + (gammaln(pull) - gammaln(total + pull)).sum())

    pull = max(PULLS, key=evidence)
    return ((count + pull * of.usual) / (total[of.of_true] + pull))[of.cell]
