"""Proposed values for gaps in numeric columns: the neighbours' value, if enough of them agree.

A proposal is *right* where the true value is within a tolerance of it: a tenth of the span that the middle nine tenths
of the known values take. The proposal of a unit is the densest place among its neighbours' values, each worth
exp(−d / T): the window as wide as the tolerance both ways that holds most of their weight, and the mean inside it. A
mean of all would lie between two classes, where no value is. The share of the weight inside, made monotone against how
often that is right of the known values (isotonic regression), is the confidence.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assay.metrics import probe
from assay.metrics.corpus import Corpus
from assay.metrics.judgement import PROPOSALS
from assay.metrics.labels import proposals
from assay.metrics.vote import TEMPERATURES

if TYPE_CHECKING:
    from sklearn.isotonic import IsotonicRegression

SPAN = (0.05, 0.95)  # quantiles of the known values
TOLERANCE = 0.1  # of the span
NEIGHBORS = 25  # known ones that are heard
FEWEST = 20  # known units that a proposal is made from
BLOCK = 4_000  # units at a time


@dataclass(frozen=True)
class Filled:
    """Of each unit (n_units,): the `value` known (NaN: none), the one `proposed` from its neighbours alone (NaN: none
    of them is known), and the `confidence` that this is within the `tolerance`; of the known ones out of fold. Where
    `informed` is false, the neighbours say no more than the column as a whole."""

    value: np.ndarray
    proposed: np.ndarray
    confidence: np.ndarray
    tolerance: float
    informed: bool

    @property
    def right(self) -> np.ndarray:
        """(n_units,) whether the proposal is within the tolerance of the known value."""
        return within(self.proposed - self.value, self.tolerance)


def with_gaps(corpus: Corpus, names: list[str]) -> list[str]:
    """Those of `names` that hold numbers and lack a value for some sample that has a vector."""
    held = [name for name in names if name in corpus.samples.columns and corpus.samples[name].dtype.is_numeric()]
    return [name for name in held if len(gaps_of(corpus, name))]


def gaps_of(corpus: Corpus, column: str) -> np.ndarray:
    """The samples that have a vector and no finite value."""
    known = corpus.samples[column].cast(pl.Float64).is_finite().fill_null(False).to_numpy()
    return np.nonzero(~known & (corpus.unit >= 0))[0]


def unit_values(corpus: Corpus, column: str) -> np.ndarray:
    """(n_units,) the median of the members' finite values; NaN where there is none."""
    values = corpus.samples[column].cast(pl.Float64)
    frame = pl.DataFrame({"unit": corpus.unit, "value": values}).filter(
        (pl.col("unit") >= 0) & pl.col("value").is_finite()
    )
    medians = frame.group_by("unit").agg(pl.col("value").median())
    out = np.full(corpus.n_units, np.nan)
    out[medians["unit"].to_numpy()] = medians["value"].to_numpy()
    return out


def fill(corpus: Corpus, column: str, folds: int, seed: int) -> Filled | None:
    """Proposals for every unit; None where too few values are known, or nearly all are one."""
    value = unit_values(corpus, column)
    known = np.isfinite(value)
    if known.sum() < FEWEST:
        return None
    low, high = np.quantile(value[known], SPAN)
    tolerance = TOLERANCE * float(high - low)
    if not 0 < tolerance < np.inf:
        return None
    rows = np.nonzero(known)[0][:: max(1, int(known.sum()) // 5_000)]
    tried = {t: densest(corpus, value, tolerance, t, rows)[0] for t in TEMPERATURES}
    best = max(tried, key=lambda t: float(within(tried[t] - value[rows], tolerance).mean()))
    proposed, weight = densest(corpus, value, tolerance, best, np.arange(corpus.n_units))
    right = within(proposed - value, tolerance)
    confidence = calibrated(weight, right, known & np.isfinite(proposed), folds, seed)
    return Filled(value, proposed, confidence, tolerance, better_than_chance(value[known], right[known], tolerance))


def within(difference: np.ndarray, tolerance: float) -> np.ndarray:
    """Whether a difference is at most the tolerance, apart from rounding; false where it is not a number."""
    with np.errstate(invalid="ignore"):
        return np.abs(difference) <= tolerance * (1 + 1e-9)


def densest(
    corpus: Corpus, value: np.ndarray, tolerance: float, temperature: float, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`(proposed, weight)` of some units: the mean of their neighbours' values in the window that holds most of their
    weight, and its share of the weight; NaN and 0 where no neighbour's value is known."""
    proposed, share = np.full(len(rows), np.nan), np.zeros(len(rows))
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        near = corpus.neighbors[part]
        theirs = np.where(near >= 0, value[near], np.nan)
        heard = np.isfinite(theirs)
        heard &= np.cumsum(heard, axis=1) <= NEIGHBORS
        columns = heard.any(axis=0)
        theirs, heard = theirs[:, columns], heard[:, columns]
        distance = np.maximum(1.0 - corpus.similarities[part][:, columns].astype(np.float64), 0.0)
        weight = np.where(heard, np.exp(-(distance - distance.min(axis=1, initial=np.inf)[:, None]) / temperature), 0.0)
        theirs = np.where(heard, theirs, 0.0)
        inside = within(theirs[:, :, None] - theirs[:, None, :], tolerance)
        mass = np.einsum("nij,nj->ni", inside, weight) * heard
        has = np.nonzero(heard.any(axis=1))[0]
        if not len(has):
            continue
        middle = mass[has].argmax(axis=1)
        chosen = inside[has, middle] * weight[has]
        total = np.maximum(chosen.sum(axis=1), 1e-300)
        proposed[start + has] = (chosen * theirs[has]).sum(axis=1) / total
        share[start + has] = total / np.maximum(weight[has].sum(axis=1), 1e-300)
    return proposed, np.clip(share, 0.0, 1.0)


def calibrated(weight: np.ndarray, right: np.ndarray, known: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """(n_units,) how often a proposal of that weight is right; each known unit's from the folds that it is not in."""
    from sklearn.isotonic import IsotonicRegression  # takes a second to load, and most sources have no such gaps

    out = np.zeros(len(weight))
    rows = np.nonzero(known)[0]
    fold = probe.stratified_folds(right[rows].astype(np.int64), folds, seed)

    def curve(chosen: np.ndarray) -> "IsotonicRegression":
        ends = np.array([0.0, 1.0])  # one failure and one success more, so that few cases give no certainty
        x, y = np.r_[weight[chosen], ends], np.r_[right[chosen], ends]
        return IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(x, y)

    missing = np.nonzero(~known)[0]
    if len(missing) and len(rows):
        out[missing] = curve(rows).predict(weight[missing])
    for held in np.unique(fold):
        mine = fold == held
        if (~mine).any():
            out[rows[mine]] = curve(rows[~mine]).predict(weight[rows[mine]])
    return out


def better_than_chance(value: np.ndarray, right: np.ndarray, tolerance: float) -> bool:
    """Whether the proposals are right more often, by three standard errors, than the one value that is right most."""
    ordered = np.sort(value)
    reach = np.searchsorted(ordered, ordered + 2 * tolerance * (1 + 1e-9), side="right") - np.arange(len(ordered))
    chance = float(reach.max()) / len(ordered)
    return float(right.mean()) - chance > 3 * np.sqrt(chance * (1 - chance) / len(right))


def propose(corpus: Corpus, column: str, filled: Filled) -> pl.DataFrame:
    """`proposals` for the samples whose value is missing; whole numbers stay whole where the column's are."""
    values = corpus.samples[column]
    gaps = gaps_of(corpus, column)
    unit = corpus.unit[gaps]
    found = filled.proposed[unit]
    confidence = np.clip(np.where(np.isfinite(found), filled.confidence[unit], 0.0), 0.0, 1.0)
    sure = np.isfinite(found) & (confidence >= proposals.ABSTAIN_BELOW) & filled.informed
    whole = values.dtype.is_integer()
    texts = [
        (str(round(x)) if whole else f"{x:.6g}") if ok else None for x, ok in zip(found.tolist(), sure, strict=True)
    ]
    return pl.DataFrame(
        {
            "sample_id": corpus.samples["sample_id"].gather(gaps),
            "column": [column] * len(gaps),
            "proposed": texts,
            "confidence": confidence,
        },
        schema=PROPOSALS,
    )


def quality(column: str, filled: Filled) -> pl.DataFrame:
    """`proposal_quality`: the share of the proposals for known values that are within the tolerance."""
    known = np.isfinite(filled.value) & np.isfinite(filled.proposed)
    right = filled.right[known]
    return proposals.coverage_table(column, filled.confidence[known], right, right)
