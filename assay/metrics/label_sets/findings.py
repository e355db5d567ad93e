"""For labels that are sets: which classes are wrong or missing, what the set should be, and how suspicious it is.

For each class by itself, confident learning (Northcutt, Jiang, Chuang 2021) counts the samples that carry it and surely
should not, and those that lack it and surely should not. That overcounts on hard classes, where a sample that is merely
difficult counts as wrong; so the counts start a second one, of the pairs that are more probably wrong than right. From
these noise rates follows, for each pair of sample and class, the probability that it is wrong. A sample's score is
their exponential moving average from the least to the most suspicious (Thyagarajan, Snorrason, Northcutt, Mueller
2022), so that the worst class says most of it and a second one something.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from assay.metrics.label_sets.beliefs import SURE, SetBeliefs, fit_stack, logit
from assay.metrics.verdict import Verdict, with_leeway

ALPHA = 0.8  # weight of the most suspicious class in a sample's score
LEEWAY = 0.25  # of the suspicion from which a class is flagged, from night to night
LEAST = 0.25  # of the chance: what is left of it at least when the noise is taken out, for the rates are estimates
SHRINKAGE = 20.0  # samples that the overall noise rate is worth to a class


@dataclass(frozen=True)
class SetFindings:
    """What was found of the cases (m,) and of the pairs (p,) of `SetBeliefs`.

    Attributes:
        suspicion: (p,) probability that the pair is wrong (carried but should not be, or missing); 0 where unlabelled.
        flagged: (p,) where that is over one half. In a case without such a pair that stays the issue it was last night,
            the pairs that keep it one.
        proposed: (p,) whether the corrected set has the class; of an unlabelled case, the proposed set.
        score, wrong, missing: (m,) of all classes, of those carried, of those not carried.
        of_wrong, of_missing, verdict: (m,) whether a class carried is wrong, one not carried missing; either.
        confidence: (m,) probability that the proposed set is right in every class.
        other, other_confidence: the same with every flagged pair changed.
        belief: (p,) probability of truly having the class, whatever is carried.
        blind: (m,) calibrated probability that the classes with a `belief` over one half are exactly the right ones.
        noise: (n_classes,) expected share of wrong ones among those that carry each class; NaN where it is not
            estimated.
    """

    suspicion: np.ndarray
    flagged: np.ndarray
    proposed: np.ndarray
    score: np.ndarray
    wrong: np.ndarray
    missing: np.ndarray
    of_wrong: Verdict
    of_missing: Verdict
    verdict: Verdict
    confidence: np.ndarray
    other: np.ndarray
    other_confidence: np.ndarray
    belief: np.ndarray
    blind: np.ndarray
    noise: np.ndarray

    @property
    def is_issue(self) -> np.ndarray:
        """(m,) whether a case is an issue where nothing was said of it before."""
        return self.verdict.is_issue


def find_sets(beliefs: SetBeliefs) -> SetFindings:
    """Score, correct and flag every case; no pair is flagged and no noise estimated where the vectors know nothing."""
    rates = noise_rates(beliefs, *confident_counts(beliefs))
    rates = noise_rates(beliefs, *probable_counts(beliefs, doubt(beliefs, *rates)))
    known = beliefs.known[beliefs.case]
    suspicion = np.where(known, doubt(beliefs, *rates) * evidence(beliefs), 0.0)
    told = informative(beliefs)

    def doubted(chosen: np.ndarray) -> Verdict:
        def over(times: float) -> np.ndarray:
            return _sum(beliefs, (suspicion > 0.5 / times) & chosen & told) > 0

        return with_leeway(over, LEEWAY)

    every = np.ones(len(suspicion), dtype=bool)
    verdict = doubted(every)
    plain = verdict.is_issue[beliefs.case]
    flagged = np.where(plain, suspicion > 0.5, suspicion > 0.5 / (1 + LEEWAY)) & told
    belief = true_belief(beliefs, *rates)
    blind = calibrated(beliefs, belief)

    def corrected(changed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The set with some pairs changed, and how surely it is right."""
        right = np.where(known, np.where(changed, suspicion, 1 - suspicion), np.maximum(belief, 1 - belief))
        sure = np.where(beliefs.known, np.exp(_sum(beliefs, np.log(np.maximum(right, SURE)))), blind)
        return np.where(known, beliefs.carried ^ changed, belief > 0.5), np.clip(sure, 0.0, 1.0)

    proposed, confidence = corrected(flagged & plain)
    other, other_confidence = corrected(flagged)
    return SetFindings(
        suspicion=suspicion,
        flagged=flagged,
        proposed=proposed,
        score=moving_average(beliefs, suspicion),
        wrong=moving_average(beliefs, np.where(beliefs.carried, suspicion, 0.0)),
        missing=moving_average(beliefs, np.where(beliefs.carried, 0.0, suspicion)),
        of_wrong=doubted(beliefs.carried),
        of_missing=doubted(~beliefs.carried),
        verdict=verdict,
        confidence=confidence,
        other=other,
        other_confidence=other_confidence,
        belief=belief,
        blind=blind,
        noise=class_noise(beliefs, suspicion) if told else np.full(beliefs.n_classes, np.nan),
    )


def confident_counts(beliefs: SetBeliefs) -> tuple[np.ndarray, np.ndarray]:
    """`(wrong, missing)`, each (n_classes,): how many carriers of a class should not be, and how many others should.

    A case counts for "has the class" where its probability is at least the mean of those that carry it, for "has it
    not" likewise, for the likelier of the two where both hold; the counts are scaled to the numbers of both kinds.
    """
    p, has, no = beliefs.chance, _carries(beliefs), _carries_not(beliefs)
    n_has, n_not = _sizes(beliefs)
    limit_has = np.where(n_has > 0, _count(beliefs, has, p) / np.maximum(n_has, 1e-9), 1.0)
    limit_not = 1 - _count(beliefs, no, p) / np.maximum(n_not, 1e-9)  # of pairs not listed it is 0
    above = p >= limit_has[beliefs.label] - 1e-12
    below = 1 - p >= limit_not[beliefs.label] - 1e-12
    sure_has = above & (~below | (p >= 0.5))
    sure_not = below & ~sure_has
    unlisted = n_not - _count(beliefs, no)
    counts = [_count(beliefs, a & b) for a in (has, no) for b in (sure_not, sure_has)]
    wrong = n_has * counts[0] / np.maximum(counts[0] + counts[1], 1e-9)
    missing = n_not * counts[3] / np.maximum(counts[3] + counts[2] + unlisted, 1e-9)
    return wrong, missing


def probable_counts(beliefs: SetBeliefs, doubts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(wrong, missing)` as above: how many pairs of each kind are more probably wrong than right."""
    likely = doubts > 0.5
    return _count(beliefs, _carries(beliefs) & likely), _count(beliefs, _carries_not(beliefs) & likely)


def noise_rates(beliefs: SetBeliefs, wrong: np.ndarray, missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(added, dropped)`, each (n_classes,): p(carried | should not be) and p(not carried | should be), from counts.

    Each class's rate is shrunk towards the rate over all classes.
    """
    n_has, n_not = _sizes(beliefs)
    no, has = np.maximum(n_not - missing, 0) + wrong, np.maximum(n_has - wrong, 0) + missing
    overall = wrong.sum() / max(no.sum(), 1e-9), missing.sum() / max(has.sum(), 1e-9)
    added, dropped = (
        (wrong + SHRINKAGE * overall[0]) / (no + SHRINKAGE),
        (missing + SHRINKAGE * overall[1]) / (has + SHRINKAGE),
    )
    return np.clip(added, SURE, 0.45), np.clip(dropped, SURE, 0.45)


def true_belief(beliefs: SetBeliefs, added: np.ndarray, dropped: np.ndarray) -> np.ndarray:
    """(p,) probability of truly having the class, without regard to what is carried: the noise taken out of `chance`.

    chance = belief · (1 − dropped) + (1 − belief) · added, solved for the belief (Natarajan et al. 2013); but never
    less than a quarter of either chance, so that no estimate of the noise makes anything certain.
    """
    add, drop, chance = added[beliefs.label], dropped[beliefs.label], beliefs.chance
    return np.clip((chance - add) / (1 - add - drop), LEAST * chance, 1 - LEAST * (1 - chance))


def doubt(beliefs: SetBeliefs, added: np.ndarray, dropped: np.ndarray) -> np.ndarray:
    """(p,) probability that the pair is wrong, what is carried taken into account (Bayes)."""
    belief, add, drop = true_belief(beliefs, added, dropped), added[beliefs.label], dropped[beliefs.label]
    wrong, right = (1 - belief) * add, belief * (1 - drop)
    missing, absent = belief * drop, (1 - belief) * (1 - add)
    return np.where(beliefs.carried, wrong / (wrong + right), missing / (missing + absent))


def evidence(beliefs: SetBeliefs) -> np.ndarray:
    """(p,) how far a class can be judged at all: 1 − 2^−m for the m other cases that carry it."""
    carriers = np.bincount(beliefs.label[_carries(beliefs)], minlength=beliefs.n_classes)
    return 1.0 - 0.5 ** (carriers[beliefs.label] - _carries(beliefs))


def informative(beliefs: SetBeliefs) -> bool:
    """Whether the vectors say anything about the labels: the probe tells the carriers of the classes better than chance
    on the mean, and the log likelihood of what is carried is higher, by three standard errors, than with the classes'
    frequencies alone."""
    told = beliefs.auc[np.isfinite(beliefs.auc)]
    if len(told) and told.mean() <= 0.5:
        return False
    rate, p = np.clip(beliefs.rate[beliefs.label], SURE, 1 - SURE), beliefs.chance
    gain = np.where(beliefs.carried, np.log(p / rate), np.log((1 - p) / (1 - rate)))
    per_case = _sum(beliefs, gain)[beliefs.known]
    if len(per_case) < 2:
        return False
    return bool(per_case.mean() > 3 * per_case.std() / np.sqrt(len(per_case)))


def moving_average(beliefs: SetBeliefs, values: np.ndarray) -> np.ndarray:
    """(m,) S_K of S_1 = v_1, S_t = α v_t + (1 − α) S_(t−1) over a case's classes in ascending order of `values`.

    Pairs that are not listed are 0 and come first, so that the t-th from the end weighs α (1 − α)^t. For example
    values 0.5 and 1 of two classes give 0.8 · 1 + 0.2 · 0.5 = 0.9; of three, the third 0, 0.8 + 0.16 · 0.5 = 0.88.
    """
    order = np.lexsort((-values, beliefs.case))
    case, at = beliefs.case[order], np.arange(len(order))
    first = np.r_[True, np.diff(case) > 0] if len(case) else np.zeros(0, dtype=bool)
    rank = at - np.maximum.accumulate(np.where(first, at, 0))
    weight = np.where(rank < beliefs.n_classes - 1, ALPHA, 1.0) * (1 - ALPHA) ** rank
    return np.clip(np.bincount(case, values[order] * weight, len(beliefs.unit)), 0.0, 1.0)


def calibrated(beliefs: SetBeliefs, belief: np.ndarray) -> np.ndarray:
    """(m,) confidence in the set of all classes with `belief` over one half, made to agree with how often that is the
    set carried (Platt 1999): classes are not independent, as the product of their probabilities takes them."""
    blind = np.exp(_sum(beliefs, np.log(np.maximum(belief, 1 - belief))))
    judged = beliefs.known & (beliefs.share > 0.999)
    features = np.stack([logit(blind), np.ones(len(blind))], axis=1)
    hit = exact(beliefs, belief)
    weights = fit_stack(features[judged], hit[judged], np.ones(judged.sum()), np.array([1.0, 0.0]))
    return special.expit(features @ weights)


def exact(beliefs: SetBeliefs, belief: np.ndarray) -> np.ndarray:
    """(m,) whether the classes with `belief` over one half are exactly those carried."""
    return _sum(beliefs, (belief > 0.5) != beliefs.carried) == 0


def class_noise(beliefs: SetBeliefs, suspicion: np.ndarray) -> np.ndarray:
    """(n_classes,) mean suspicion of the members that carry each class; NaN for a class that nobody carries."""
    mine = _carries(beliefs)
    members = beliefs.n[beliefs.case[mine]].astype(float)
    total = np.bincount(beliefs.label[mine], members, beliefs.n_classes)
    wrong = np.bincount(beliefs.label[mine], members * suspicion[mine], beliefs.n_classes)
    return np.where(total > 0, wrong / np.maximum(total, 1e-9), np.nan)


def _carries(beliefs: SetBeliefs) -> np.ndarray:
    return beliefs.carried & beliefs.known[beliefs.case]


def _carries_not(beliefs: SetBeliefs) -> np.ndarray:
    return ~beliefs.carried & beliefs.known[beliefs.case]


def _sizes(beliefs: SetBeliefs) -> tuple[np.ndarray, np.ndarray]:
    """`(carriers, others)` of each class among the labelled, by their share of the unit."""
    carriers = _count(beliefs, _carries(beliefs))
    return carriers, np.maximum(beliefs.share[beliefs.known].sum() - carriers, 0.0)


def _count(beliefs: SetBeliefs, chosen: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
    """(n_classes,) sum over the chosen pairs of their share, times `values`."""
    weight = beliefs.share[beliefs.case[chosen]]
    weight = weight if values is None else weight * values[chosen]
    return np.bincount(beliefs.label[chosen], weight, beliefs.n_classes)


def _sum(beliefs: SetBeliefs, values: np.ndarray) -> np.ndarray:
    """(m,) sum of `values` over each case's pairs."""
    return np.bincount(beliefs.case, values, len(beliefs.unit))
