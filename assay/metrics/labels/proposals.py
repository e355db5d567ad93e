"""Proposed values for missing labels and for gaps in group columns, with calibrated confidence, or none at all."""

from dataclasses import replace

import numpy as np
import polars as pl

from assay.metrics.labels.beliefs import Beliefs, better_than_chance
from assay.metrics.labels.calibration import calibrated_posterior
from assay.metrics.labels.noise import NoiseModel

ABSTAIN_BELOW = 0.5  # confidence under which nothing is proposed
SAME = 1e-9  # difference of two confidences that are one step's
COVERAGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def blind_confidence(beliefs: Beliefs, model: NoiseModel) -> np.ndarray:
    """(m,) the calibrated chance that each case's likeliest class is the true one, its own label not heard: that of
    an unlabelled twin, which stands beside each case and is not fitted to."""
    m = len(beliefs.unit)

    def twice(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values, values])

    both = Beliefs(
        unit=twice(beliefs.unit),
        given=np.concatenate([beliefs.given, np.full(m, -1)]),
        share=np.concatenate([beliefs.share, np.zeros(m)]),
        n=twice(beliefs.n),
        case=np.concatenate([beliefs.case, beliefs.case + m]),
        label=twice(beliefs.label),
        probe=twice(beliefs.probe),
        vote=twice(beliefs.vote),
        belief=twice(beliefs.belief),
        n_classes=beliefs.n_classes,
    )
    twins = replace(model, clean=twice(model.clean), posterior=np.concatenate([model.posterior, model.clean]))
    top = beliefs.best(model.clean)
    sure, stepped = model.clean[top], calibrated_posterior(both, twins)[len(beliefs.case) :][top]
    return eased(sure, stepped, beliefs.given >= 0)


def eased(sure: np.ndarray, stepped: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(m,) a calibration in steps, the lowest of which is a line from the origin up to its middle: so that the least
    sure of that, which may hold a twelfth of all, can abstain. `known`: the cases that the middle is taken of."""
    if known.any():
        lowest = stepped[known].min()
        middle = sure[known & (stepped < lowest + SAME)].mean()
        stepped = np.where(sure < middle, lowest * sure / middle, stepped)
    return np.clip(stepped, 0.0, 1.0)


def quality(column: str, beliefs: Beliefs, model: NoiseModel, confidence: np.ndarray) -> pl.DataFrame:
    """`proposal_quality`: the precision among the most confident share of the known cases, out of fold; `confidence`
    (m,) is of each case's likeliest value, its own not heard.

    The known value may itself be wrong: what counts is the chance that the likeliest one is true, the known one heard.
    Where the vectors do not tell the column, nothing is known of that, and the agreement stands for it. A duplicate
    group whose copies disagree is left out: there the truth is not known.
    """
    known = (beliefs.given >= 0) & (beliefs.share > 0.999)
    top = beliefs.best(beliefs.belief)
    first = np.argsort(-beliefs.belief[top][known], kind="stable")  # a calibrated confidence has steps
    agrees = beliefs.label[top] == beliefs.given
    right = calibrated_posterior(beliefs, model)[top] if better_than_chance(beliefs) else agrees
    return coverage_table(column, *(values[known][first] for values in (confidence, right, agrees)))


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
    confidence: np.ndarray,
    sample_ids: pl.Series,
    unit: np.ndarray,
    codes: np.ndarray,
) -> pl.DataFrame:
    """`proposals` for the samples whose code is missing, with the `confidence` (m,) of the cases; a null proposal
    abstains, as all do where the known values cannot be told from the vectors better than by chance."""
    gaps = np.nonzero((codes < 0) & (unit >= 0))[0]
    place = np.full(int(beliefs.unit.max(initial=-1)) + 1, -1, dtype=np.int64)
    missing = np.nonzero(beliefs.given < 0)[0]
    place[beliefs.unit[missing]] = missing
    case = place[unit[gaps]]
    top = beliefs.best(beliefs.belief)[case]
    confidence = np.clip(confidence[case], 0.0, 1.0)
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
