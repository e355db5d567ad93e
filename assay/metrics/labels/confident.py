"""Confident learning (Northcutt, Jiang, Chuang 2021): how many labels are wrong, from which class to which.

A class's threshold t_c is the mean belief in c of the cases labelled c. A case labelled g counts for true class c
where c has the greatest belief of those at or above their threshold; the counts, scaled to the class sizes, estimate
the joint of given and true labels. On hard classes that overcounts, for a sample that is merely difficult counts as
wrong; so the joint is where the noise model of `noise.py` starts, and what that expects is flagged in each class. But
that model takes noise which follows the vectors, as people's errors do, for overlap, and undercounts the more the
noisier the labels are; there less of confident learning's surplus is overlap, and it counts with a weight. Where
classes have few labels nearly all of it is overlap, and it hardly counts.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.metrics.labels import noise
from assay.metrics.labels.beliefs import Beliefs
from assay.metrics.labels.calibration import calibrated_posterior, matched
from assay.metrics.labels.noise import NoiseModel

SURPLUS = 1.5  # weight of confident learning's surplus, times the share of labels that it counts as wrong; at most 1


@dataclass(frozen=True)
class Findings:
    """Per case: `score` 0…1 that the given class is wrong, the `suggested` class (−1: abstains), its `confidence`,
    `is_issue`; and `joint` (given, true, count): the estimated counts, diagonal included."""

    score: np.ndarray
    suggested: np.ndarray
    confidence: np.ndarray
    is_issue: np.ndarray
    joint: pl.DataFrame
    model: NoiseModel


def thresholds(beliefs: Beliefs) -> np.ndarray:
    """(n_classes,) mean belief in each class of the cases that carry it; 1 for a class without cases, and for one that
    the vectors know nothing of: its own cases do not have more belief in it, by a standard error, than the others have.
    A threshold as low as theirs would make it the true class of every case that is a little below its own class's."""
    labeled = beliefs.given >= 0
    own = beliefs.of_given(beliefs.belief)[labeled]
    total = np.bincount(beliefs.given[labeled], own * beliefs.share[labeled], beliefs.n_classes)
    mass = np.bincount(beliefs.given[labeled], beliefs.share[labeled], beliefs.n_classes)
    every = np.bincount(beliefs.label, beliefs.belief * beliefs.share[beliefs.case], beliefs.n_classes)
    others = np.clip((every - total) / np.maximum(mass.sum() - mass, 1e-12), 0.0, 1.0)
    known = total > others * mass + np.sqrt(others * (1 - others) * mass)
    return np.where(known, total / np.maximum(mass, 1e-12), 1.0)


def confident_joint(beliefs: Beliefs) -> pl.DataFrame:
    """The estimated joint in counts of members: columns given, true, count; rows sum to the class sizes."""
    limit = thresholds(beliefs)
    confident = np.where(beliefs.belief >= limit[beliefs.label] - 1e-12, beliefs.belief, -1.0)
    top = beliefs.best(confident)
    counted = (confident[top] >= 0) & (beliefs.given >= 0)
    pairs = pl.DataFrame(
        {
            "given": beliefs.given[counted],
            "true": beliefs.label[top][counted],
            "count": beliefs.n[counted].astype(float),
        }
    )
    sizes = pl.DataFrame({"given": beliefs.given, "n": beliefs.n.astype(float)}).filter(pl.col("given") >= 0)
    sizes = sizes.group_by("given").agg(pl.col("n").sum())
    diagonal = sizes.select("given", pl.col("given").alias("true"), pl.lit(1e-6).alias("count"))
    cells = pl.concat([pairs, diagonal]).group_by("given", "true")
    joint = cells.agg(pl.col("count").sort().sum()).sort("given", "true")  # one order of summation, one result
    joint = joint.join(sizes, on="given", maintain_order="left")
    return joint.select(
        "given", "true", (pl.col("count") / pl.col("count").sum().over("given") * pl.col("n")).alias("count")
    )


def find(beliefs: Beliefs) -> Findings:
    """Score, suggest and flag every case.

    The score is 1 minus the mean of two probabilities of the given class: from the vectors alone, and with the label
    itself and the noise between classes taken into account; times how far the class can be judged at all. The
    confidence in the suggested class and the joint are calibrated apart from that (`calibration.py`), and expect as
    many wrong labels as are flagged.
    """
    start = confident_joint(beliefs)
    model = noise.fit(beliefs, start)
    given, labeled = beliefs.given, beliefs.given >= 0
    stands = beliefs.of_given(model.posterior)
    doubt = 1.0 - (beliefs.of_given(model.clean) + stands) / 2
    score = np.clip(np.where(labeled, doubt * evidence(beliefs), 0.0), 0.0, 1.0)
    top = beliefs.best(model.posterior)
    budget = expected_wrong(beliefs, stands, labeled & (beliefs.label[top] != given), start, noise.bound(beliefs).trust)
    flagged = flag(beliefs, score, budget)
    top = np.where(flagged, noise.best_other(beliefs, model.posterior), top)
    judged = labeled & (evidence(beliefs) > 0)
    posterior = matched(beliefs, calibrated_posterior(beliefs, model), float(budget.sum()), judged)
    confidence = np.clip(posterior[top], 0.0, 1.0)
    return Findings(score, beliefs.label[top], confidence, flagged, noise.posterior_joint(beliefs, posterior), model)


def expected_wrong(beliefs: Beliefs, stands, differs: np.ndarray, joint: pl.DataFrame, trust: float) -> np.ndarray:
    """(n_classes,) number of wrong labels in each class.

    The mean of two estimates: the expected number, Σ p(true ≠ given), which sums many small doubts, and the number
    of cases whose most probable class differs, which ignores them all. Where confident learning's `joint` counts more,
    the surplus is added with the weight min(1, SURPLUS · r), r the share of all labels that it counts as wrong, times
    the `trust` in what that many labels a class tell of their noise.
    """
    judged = (beliefs.given >= 0) & (evidence(beliefs) > 0)
    given, n = beliefs.given[judged], beliefs.n[judged].astype(float)
    both = (1.0 - stands[judged] + differs[judged]) / 2
    count, size = np.bincount(given, n * both, beliefs.n_classes), np.bincount(given, n, beliefs.n_classes)
    wrong = joint.filter(pl.col("given") != pl.col("true"))
    counted = np.bincount(wrong["given"].to_numpy(), wrong["count"].to_numpy(), beliefs.n_classes) * (size > 0)
    weight = trust * min(1.0, SURPLUS * counted.sum() / max(size.sum(), 1.0))
    return count + weight * np.maximum(counted - count, 0.0)


def evidence(beliefs: Beliefs) -> np.ndarray:
    """(m,) how far a case's class can be judged at all: 1 − 2^−m for the m other units of the class."""
    labeled = beliefs.given >= 0
    units = np.bincount(beliefs.given[labeled], minlength=beliefs.n_classes)
    others = np.where(labeled, units[np.maximum(beliefs.given, 0)] - 1, 0)
    return 1.0 - 0.5**others


def flag(beliefs: Beliefs, score: np.ndarray, budget: np.ndarray) -> np.ndarray:
    """(m,) the most suspicious cases of each class, as many members as its budget, to the nearest whole case."""
    order = np.lexsort((np.arange(len(score)), -score, beliefs.given))
    labeled = order[beliefs.given[order] >= 0]
    given, n = beliefs.given[labeled], beliefs.n[labeled].astype(float)
    before = np.cumsum(n) - n
    first = np.r_[True, np.diff(given) > 0] if len(given) else np.zeros(0, dtype=bool)
    rank = before - np.maximum.accumulate(np.where(first, before, 0.0)) + n / 2
    alone = np.bincount(beliefs.case, minlength=len(score)) < 2
    out = np.zeros(len(score), dtype=bool)
    out[labeled] = (rank <= budget[given]) & (score[labeled] > 0) & ~alone[labeled]
    return out


def wilson(rate: np.ndarray, n: np.ndarray, z: float = 1.96) -> tuple[np.ndarray, np.ndarray]:
    """95% interval of a proportion (Wilson 1927), shapes as given; n may be fractional."""
    n = np.maximum(n, 1e-9)
    center = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(np.maximum(rate * (1 - rate), 0.0) / n + z * z / (4 * n * n))
    return np.clip(center - half, 0.0, 1.0), np.clip(center + half, 0.0, 1.0)


def add_noise_rate(metrics: dict, rate: float, n: float, note: str) -> None:
    """`estimated_noise_rate` of `n` labels and the ends of its interval, as entries of `dataset_metrics`."""
    low, high = wilson(np.array([rate]), np.array([n]))
    metrics["estimated_noise_rate"] = (rate, note)
    metrics["estimated_noise_rate_low"] = (float(low[0]), "95% interval, lower end")
    metrics["estimated_noise_rate_high"] = (float(high[0]), "95% interval, upper end")


def noise_table(joint: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """The `label_noise` table from a joint of counts; cells below a thousandth of the class are left out."""
    sized = joint.with_columns(pl.col("count").sum().over("given").alias("n"))
    sized = sized.with_columns((pl.col("count") / pl.col("n")).clip(0.0, 1.0).alias("rate"))
    sized = sized.filter((pl.col("rate") >= 1e-3) | (pl.col("given") == pl.col("true")))
    low, high = wilson(sized["rate"].to_numpy(), sized["n"].to_numpy())
    label = np.asarray(names, dtype=object)
    return pl.DataFrame(
        {
            "label": pl.Series(label[sized["given"].to_numpy()].tolist(), dtype=pl.String),
            "true_label": pl.Series(label[sized["true"].to_numpy()].tolist(), dtype=pl.String),
            "rate": sized["rate"],
            "rate_low": np.minimum(low, sized["rate"].to_numpy()),
            "rate_high": np.maximum(high, sized["rate"].to_numpy()),
            "count": sized["count"],
        }
    ).sort("label", "true_label")
