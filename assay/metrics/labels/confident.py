"""What is found of the labels: which are wrong, how surely, and what they should be."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.metrics.labels import noise
from assay.metrics.labels.beliefs import Beliefs
from assay.metrics.labels.noise import NoiseModel
from assay.metrics.verdict import Verdict, with_leeway

LEEWAY = 0.25  # of the number that is flagged, from night to night
SMALL = 1e-3  # of a class: cells of the noise table that are left out


@dataclass(frozen=True)
class Findings:
    """Per case: `score` 0…1 that the given class is wrong; the `suggested` class (−1: abstains) and its `confidence`;
    `other` and `other_confidence`, of the likeliest class beside the given one; and the `verdict`.

    `joint` (given, true, count): the estimated counts, diagonal included.
    """

    score: np.ndarray
    suggested: np.ndarray
    confidence: np.ndarray
    other: np.ndarray
    other_confidence: np.ndarray
    verdict: Verdict
    joint: pl.DataFrame
    model: NoiseModel

    @property
    def is_issue(self) -> np.ndarray:
        """(m,) whether a case is an issue where nothing was said of it before."""
        return self.verdict.is_issue


def find(beliefs: Beliefs) -> Findings:
    """Score, suggest and flag every case.

    The score is the chance that the given class is wrong, times how far the class can be judged at all. As many are
    flagged as are expected to be wrong.
    """
    model = noise.fit(beliefs)
    labeled = beliefs.given >= 0
    known = evidence(beliefs)
    score = np.clip(np.where(labeled, (1.0 - beliefs.of_given(model.posterior)) * known, 0.0), 0.0, 1.0)
    judged = labeled & (known > 0)
    wrong = model.rate * float(beliefs.n[judged].sum())
    verdict = with_leeway(lambda times: flag(beliefs, score, with_one_more(wrong, times)), LEEWAY)
    other = noise.best_other(beliefs, model.posterior)
    top = np.where(verdict.is_issue, other, beliefs.best(model.posterior))
    posterior = noise.matched(beliefs, model.posterior, wrong, judged)
    sure = np.clip(posterior, 0.0, noise.SUREST)
    return Findings(
        score=score,
        suggested=beliefs.label[top],
        confidence=sure[top],
        other=beliefs.label[other],
        other_confidence=sure[other],
        verdict=verdict,
        joint=noise.posterior_joint(beliefs, posterior),
        model=model,
    )


def evidence(beliefs: Beliefs) -> np.ndarray:
    """(m,) how far a case's class can be judged at all: 1 − 2^−m for the m other units of the class."""
    labeled = beliefs.given >= 0
    units = np.bincount(beliefs.given[labeled], minlength=beliefs.n_classes)
    others = np.where(labeled, units[np.maximum(beliefs.given, 0)] - 1, 0)
    return 1.0 - 0.5**others


def flag(beliefs: Beliefs, score: np.ndarray, wrong: float) -> np.ndarray:
    """(m,) the most suspicious labelled cases, `wrong` members of them, to the nearest whole case."""
    order = np.argsort(-score, kind="stable")
    n = np.where(beliefs.given[order] >= 0, beliefs.n[order], 0).astype(float)
    alone = np.bincount(beliefs.case, minlength=len(score)) < 2
    out = np.zeros(len(score), dtype=bool)
    out[order] = (np.cumsum(n) - n / 2 <= wrong) & (n > 0)
    return out & (score > 0) & ~alone


def with_one_more(wrong: float, times: float) -> float:
    """`wrong` so many times; where that is more, at least by one, but at most twice."""
    return max(wrong * times, min(wrong + 1.0, 2.0 * wrong)) if times > 1.0 else wrong * times


def wilson(rate: np.ndarray, n: np.ndarray, z: float = 1.96) -> tuple[np.ndarray, np.ndarray]:
    """95% interval of a proportion (Wilson 1927), shapes as given; n may be fractional."""
    n = np.maximum(n, 1e-9)
    center = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(np.maximum(rate * (1 - rate), 0.0) / n + z * z / (4 * n * n))
    return np.clip(center - half, 0.0, 1.0), np.clip(center + half, 0.0, 1.0)


def add_noise_rate(metrics: dict[str, Any], rate: float, interval: tuple[float, float], note: str) -> None:
    """`estimated_noise_rate` and the ends of its interval, as entries of `dataset_metrics`."""
    metrics["estimated_noise_rate"] = (rate, note)
    metrics["estimated_noise_rate_low"] = (interval[0], "95% interval, lower end")
    metrics["estimated_noise_rate_high"] = (interval[1], "95% interval, upper end")


def noise_table(joint: pl.DataFrame, names: list[str], bounds: tuple[float, float] = (1.0, 1.0)) -> pl.DataFrame:
    """The `label_noise` table from a joint of counts.

    Of each given class the cells below a thousandth are left out, but for the largest; the others are scaled to take
    their place, so that the counts add up to the published rate.

    Args:
        bounds: ends of the rate's interval, as parts and multiples of the rate. A cell's interval is that of its count
            (Wilson 1927), at these rates.
    """
    off = pl.col("given") != pl.col("true")
    sized = joint.with_columns(pl.col("count").sum().over("given").alias("n"))
    largest = pl.when(off).then(pl.col("count")).max().over("given")
    kept = sized.filter(~off | (pl.col("count") >= SMALL * pl.col("n")) | (off & (pl.col("count") == largest)))
    wrong = sized.filter(off).group_by("given").agg(pl.col("count").sum().alias("wrong"))
    kept = kept.join(wrong, on="given", how="left", maintain_order="left")
    here = pl.when(off).then(pl.col("count")).sum().over("given")
    scale = pl.when(off & (here > 0)).then(pl.col("wrong") / here).otherwise(1.0)
    kept = kept.with_columns(pl.col("count") * scale)
    kept = kept.with_columns((pl.col("count") / pl.col("n")).clip(0.0, 1.0).alias("rate"))
    rate, n, wrong_cell = (kept.select(column).to_series().to_numpy() for column in ("rate", "n", off.alias("off")))
    low = wilson(np.where(wrong_cell, rate * bounds[0], rate), n)[0]
    high = wilson(np.where(wrong_cell, np.minimum(rate * bounds[1], 1.0), rate), n)[1]
    label = np.asarray(names, dtype=object)
    return pl.DataFrame(
        {
            "label": pl.Series(label[kept["given"].to_numpy()].tolist(), dtype=pl.String),
            "true_label": pl.Series(label[kept["true"].to_numpy()].tolist(), dtype=pl.String),
            "rate": kept["rate"],
            "rate_low": np.minimum(low, rate),
            "rate_high": np.maximum(high, rate),
            "count": kept["count"],
        }
    ).sort("label", "true_label")
