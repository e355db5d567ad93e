"""How many labels are wrong, and between what bounds the vectors can tell.

Probabilities of the given labels alone cannot tell noise from classes that overlap. Three things can.

1. **The likelihood** of the given labels under `mixture.py`, at each of a grid of rates. With a prior in which a rate
   is the rarer the higher, a factor e each USUAL, its median is the rate, and the rates within 1.92 of the greatest log
   likelihood are its interval (Wilks 1938). Where wrong labels look like right ones of another class, it knows their
   number to a few per mille, also where classes overlap.
2. **The floor**: how often the best guess and the given label differ, as a function of how sure the guess is. Overlap
   goes to nothing where the vectors are surest, noise does not; so the share of disagreements is fitted as a logistic
   curve above a floor, as lapses are in psychometrics (Wichmann & Hill 2001). It asks less of the noise and knows less,
   and is a lower bound where people err on what is ambiguous.
3. **Contradictions**: of copies with several labels all but the most frequent one are wrong.

People do err there, and then both undercount: of simulated annotators' mistakes they see two in five to four in five,
the less the more there are, and with many small classes one in nine. So of the disagreements that are left the floor's
share is counted too. The upper end is HIDDEN times that of both intervals. Where some labels are surely wrong among
the surest, any disagreement may be a mistake, and the upper end is the share of all of them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from assay.metrics.labels import mixture
from assay.metrics.labels.beliefs import Beliefs

RATES = np.array(
    [0, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.07, 0.085, 0.1,
     0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5]
)  # fmt: skip
STEP = 0.0005  # between two rates of the interpolated likelihood
WITHIN = 1.92  # log likelihood below the greatest, for 95%
HOPELESS = 40.0  # the same, at which the search for a greater rate ends
USUAL = 0.05  # mean of the prior
HIDDEN = 2.5  # times as many wrong labels as can be seen, at most
FEW_LABELS = 20.0  # a class
SEARCH_LIMIT = 6_000  # cases that are looked at


@dataclass(frozen=True)
class Rate:
    """The share of wrong labels `rate` and its interval, and the `fit` of the likelihood near it on some cases."""

    rate: float
    low: float
    high: float
    fit: mixture.Fit


def estimate(beliefs: Beliefs) -> Rate:
    """The rate of wrong labels; there is at least one labelled case."""
    labeled = np.flatnonzero(beliefs.given >= 0)
    chosen = np.zeros(len(beliefs.unit), dtype=bool)
    chosen[labeled[:: max(1, -(-len(labeled) // SEARCH_LIMIT))]] = True
    of = mixture.terms(beliefs, chosen)
    fits = profile(of)
    rates = RATES[: len(fits)]
    loss = -of.weight.sum() * np.array([fit.likelihood for fit in fits])
    likeliest, low, high = spread(rates, loss)
    sure, differs = best_guesses(of, fits[0].clean)
    floors = floor_losses(sure, differs, of.weight)
    floor = float(RATES[floors.argmin()])
    _, floor_low, floor_high = spread(RATES, floors)
    every, surely = float(np.average(differs, weights=of.weight)), contradicted(beliefs)
    seen = max(likeliest, floor, surely)
    rate = seen + floor * max(every - seen, 0.0)
    low, high = max(min(low, floor_low), surely), min(HIDDEN * max(high, floor_high), every)
    if floor_low > 0:  # agreements are wrong, too, as often as the surest ones
        high = max(high, floor_high + (1.0 - floor_high) * every)
    rate, low = max(rate * learnt(beliefs), surely), max(low * learnt(beliefs), surely)
    nearest = fits[int(np.abs(rates - likeliest).argmin())]
    return Rate(rate, min(low, rate), max(high, rate), nearest)


def profile(of: mixture.Terms) -> list[mixture.Fit]:
    """The likeliest fits at the first of RATES, as far as they are worth a look; each from the one below.

    The likelihood has one summit. Where there are two, the fits between them hold wrong labels for overlap for too
    long; those are fitted from the one above.
    """
    fits, found = [], mixture.start(of)
    for rate in RATES:
        found = mixture.fit(of, rate, found)
        fits.append(found)
        if max(fit.likelihood for fit in fits) - found.likelihood > HOPELESS / of.weight.sum():
            break
    below = np.maximum.accumulate([fit.likelihood for fit in fits])
    above = fits[-1].likelihood
    for place in reversed(range(len(fits) - 1)):
        if fits[place].likelihood < min(below[place], above):
            again = mixture.fit(of, RATES[place], fits[place + 1])
            fits[place] = max(fits[place], again, key=lambda fit: fit.likelihood)
        above = max(above, fits[place].likelihood)
    return fits


def contradicted(beliefs: Beliefs) -> float:
    """The share of labels that copies of the same content outvote: of equal ones not more than one can be right."""
    known = beliefs.given >= 0
    unit, n = beliefs.unit[known], beliefs.n[known]
    most = np.zeros(int(unit.max(initial=-1)) + 1)
    np.maximum.at(most, unit, n)
    return float((n.sum() - most.sum()) / max(n.sum(), 1))


def learnt(beliefs: Beliefs) -> float:
    """How far the vectors' say can be trusted, 0 … 1: m² / (m² + 20²) for m labels a class. Where classes have few, the
    probe is blurred because little could be learnt, and blur looks like noise."""
    labels = float((beliefs.given >= 0).sum()) / max(beliefs.n_classes, 1)
    return labels**2 / (labels**2 + FEW_LABELS**2)


def spread(rates: np.ndarray, loss: np.ndarray) -> tuple[float, float, float]:
    """`(median, low, high)` from the negative log likelihood at some rates, interpolated between them."""
    fine = np.arange(0.0, rates[-1] + STEP / 2, STEP)
    above = np.interp(fine, rates, loss) - loss.min()
    within = fine[above <= WITHIN]
    mass = np.cumsum(np.exp(-above - fine / USUAL))
    return float(fine[np.searchsorted(mass, mass[-1] / 2)]), float(within[0]), float(within[-1])


def best_guesses(of: mixture.Terms, clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(sure, differs)` (m,) of each case: the log odds of its likeliest class, and whether that is not the given."""
    top = np.maximum.reduceat(clean, of.first)
    agrees = np.maximum.reduceat(np.where(of.own, clean, 0.0), of.first) >= top
    return np.log(top) - np.log(np.maximum(1.0 - top, mixture.SMALLEST)), ~agrees


def floor_losses(sure: np.ndarray, differs: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(rates,) negative log likelihood of the disagreements over each floor, by the curve that fits best above it."""
    curve, losses = np.array([1.0, 0.0]), []
    for floor in RATES:

        def loss(curve: np.ndarray, floor: float = floor) -> float:
            chance = floor + (1.0 - floor) / (1.0 + np.exp(np.clip(curve[0] * sure + curve[1], -50, 50)))
            chance = np.clip(chance, 1e-9, 1 - 1e-9)
            return -float((np.log(np.where(differs, chance, 1.0 - chance)) * weight).sum())

        found = minimize(loss, curve, method="Nelder-Mead", options={"xatol": 0.01, "fatol": 1e-3})
        curve = found.x
        losses.append(found.fun)
    return np.array(losses)
