"""Proposed values for missing labels and for gaps in group columns, with calibrated confidence, or none at all."""

import numpy as np
import polars as pl

from assay.metrics.labels.beliefs import Beliefs, better_than_chance
from assay.metrics.labels.noise import SUREST, NoiseModel

ABSTAIN_BELOW = 0.5  # confidence under which nothing is proposed
COVERAGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def quality(column: str, beliefs: Beliefs, model: NoiseModel) -> pl.DataFrame:
    """`proposal_quality`: the precision among the most confident share of the known cases, out of fold.

    The known value may itself be wrong: what counts is the chance that the likeliest one is true, the known one heard.
    Where the vectors do not tell the column, nothing is known of that, and the agreement stands for it. A duplicate
    group whose copies disagree is left out: there the truth is not known.
    """
    known = (beliefs.given >= 0) & (beliefs.share > 0.999)
    top = beliefs.best(model.clean)
    agrees = beliefs.label[top] == beliefs.given
    right = model.posterior[top] if better_than_chance(beliefs) else agrees
    return coverage_table(column, *(values[known] for values in (model.clean[top], right, agrees)))


def coverage_table(column: str, confidence: np.ndarray, right: np.ndarray, agrees: np.ndarray) -> pl.DataFrame:
    """The precision among the most confident share of some proposals, and how many of these are the known value, from
    the chance that each is `right` and whether it `agrees`."""
    if not len(right):
        return quality_empty()
    order = np.lexsort((np.arange(len(right)), -confidence))
    counts = [max(1, round(coverage * len(right))) for coverage in COVERAGES]
    shares = [np.cumsum(values[order]) / np.arange(1, len(order) + 1) for values in (right, agrees)]
    precision, agreement = (np.clip(share, 0.0, 1.0) for share in shares)
    return pl.DataFrame(
        {
            "column": [column] * len(counts),
            "coverage": list(COVERAGES),
            "precision": [float(precision[c - 1]) for c in counts],
            "agreement": [float(agreement[c - 1]) for c in counts],
            "confidence_threshold": [float(min(confidence[order][c - 1], 1.0)) for c in counts],
        }
    )


def quality_empty() -> pl.DataFrame:
    """`proposal_quality` with no rows."""
    names = ("coverage", "precision", "agreement", "confidence_threshold")
    return pl.DataFrame(schema={"column": pl.String, **{name: pl.Float64 for name in names}})


def propose(
    column: str,
    names: list[str],
    beliefs: Beliefs,
    model: NoiseModel,
    sample_ids: pl.Series,
    unit: np.ndarray,
    codes: np.ndarray,
) -> pl.DataFrame:
    """`proposals` for the samples whose code is missing, each with the chance that it is true; a null proposal
    abstains, as all do where the known values cannot be told from the vectors better than by chance."""
    gaps = np.nonzero((codes < 0) & (unit >= 0))[0]
    place = np.full(int(beliefs.unit.max(initial=-1)) + 1, -1, dtype=np.int64)
    missing = np.nonzero(beliefs.given < 0)[0]
    place[beliefs.unit[missing]] = missing
    case = place[unit[gaps]]
    top = beliefs.best(model.clean)[case]
    confidence = np.clip(model.clean[top], 0.0, SUREST)
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
