"""Proposed values for missing labels and for gaps in group columns, with calibrated confidence, or none at all."""

import numpy as np
import polars as pl

from tasks.metrics.beliefs import Beliefs, better_than_chance

ABSTAIN_BELOW = 0.5  # confidence under which nothing is proposed
COVERAGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def quality(column: str, beliefs: Beliefs) -> pl.DataFrame:
    """`proposal_quality`: the precision among the most confident share of the known cases, out of fold.

    A duplicate group whose copies disagree is left out: there the truth is not known.
    """
    known = (beliefs.given >= 0) & (beliefs.share > 0.999)
    top = beliefs.best(beliefs.belief)[known]
    if not len(top):
        return quality_empty()
    return coverage_table(column, beliefs.belief[top], beliefs.label[top] == beliefs.given[known])


def coverage_table(column: str, confidence: np.ndarray, right: np.ndarray) -> pl.DataFrame:
    """The precision among the most confident share of some proposals that are known to be right or not."""
    if not len(right):
        return quality_empty()
    order = np.lexsort((np.arange(len(right)), -confidence))
    counts = [max(1, round(coverage * len(right))) for coverage in COVERAGES]
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    return pl.DataFrame(
        {
            "column": [column] * len(counts),
            "coverage": list(COVERAGES),
            "precision": [float(precision[c - 1]) for c in counts],
            "confidence_threshold": [float(min(confidence[order][c - 1], 1.0)) for c in counts],
        }
    )


def quality_empty() -> pl.DataFrame:
    """`proposal_quality` with no rows."""
    names = ("coverage", "precision", "confidence_threshold")
    return pl.DataFrame(schema={"column": pl.String, **{name: pl.Float64 for name in names}})


def propose(
    column: str, names: list[str], beliefs: Beliefs, sample_ids: pl.Series, unit: np.ndarray, codes: np.ndarray
):
    """`proposals` for the samples whose code is missing; a null proposal abstains, as all do where the known values
    cannot be told from the vectors better than by chance."""
    gaps = np.nonzero((codes < 0) & (unit >= 0))[0]
    place = np.full(int(beliefs.unit.max(initial=-1)) + 1, -1, dtype=np.int64)
    missing = np.nonzero(beliefs.given < 0)[0]
    place[beliefs.unit[missing]] = missing
    top = beliefs.best(beliefs.belief)[place[unit[gaps]]]
    confidence = np.clip(beliefs.belief[top], 0.0, 1.0)
    values = pl.Series(names, dtype=pl.String).gather(beliefs.label[top])
    sure = (confidence >= ABSTAIN_BELOW) & better_than_chance(beliefs)
    return pl.DataFrame(
        {
            "sample_id": sample_ids.gather(gaps),
            "column": [column] * len(gaps),
            "proposed": pl.select(pl.when(pl.Series(sure, dtype=pl.Boolean)).then(values)).to_series(),
            "confidence": confidence,
        },
        schema={"sample_id": pl.String, "column": pl.String, "proposed": pl.String, "confidence": pl.Float64},
    )
