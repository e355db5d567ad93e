"""Rows of `measures`: scores of units and cases, passed on to the samples that belong to them."""

import numpy as np
import polars as pl

from assay.metrics.inputs import Inputs
from assay.metrics.verdict import Verdict

MEASURES = {
    "sample_id": pl.String,
    "metric": pl.String,
    "score": pl.Float64,
    "value": pl.Float64,
    "is_issue": pl.Boolean,
    "stays": pl.Boolean,
    "starts": pl.Boolean,
}


def of_samples(
    inputs: Inputs,
    metric: str,
    rows: np.ndarray,
    score: np.ndarray,
    value: np.ndarray,
    verdict: Verdict | None = None,
) -> pl.DataFrame:
    """Rows of one metric, for the samples `rows`. Without `verdict` the metric's threshold decides."""
    flags = dict.fromkeys(("is_issue", "stays", "starts")) if verdict is None else verdict.columns()
    return pl.DataFrame(
        {
            "sample_id": inputs.corpus.samples["sample_id"].gather(rows),
            "metric": [metric] * len(rows),
            "score": pl.Series(score, dtype=pl.Float64),
            "value": pl.Series(value, dtype=pl.Float64).fill_nan(None),
            **{
                name: pl.Series([None] * len(rows) if flag is None else flag, dtype=pl.Boolean)
                for name, flag in flags.items()
            },
        },
        schema=MEASURES,
    )


def of_units(
    inputs: Inputs,
    metric: str,
    score: np.ndarray,
    value: np.ndarray,
    only: np.ndarray | None = None,
    verdict: Verdict | None = None,
) -> pl.DataFrame:
    """Every member inherits its unit's `score`, `value` and `verdict`, each (n_units,); `only`: of these units."""
    unit = inputs.corpus.unit
    rows = np.nonzero(unit >= 0)[0]
    rows = rows if only is None else rows[only[unit[rows]]]
    told = None if verdict is None else verdict.of(unit[rows])
    return of_samples(inputs, metric, rows, score[unit[rows]], value[unit[rows]], told)


def of_cases(inputs: Inputs, metric: str, score: np.ndarray, value: np.ndarray) -> pl.DataFrame:
    """Every member inherits its case's `score` and `value` (m,); cases without a finite value have none."""
    rows, case = inputs.case_of_samples
    kept = np.isfinite(value[case])
    rows, case = rows[kept], case[kept]
    return of_samples(inputs, metric, rows, score[case], value[case])


def by_unit(frame: pl.DataFrame, n: int) -> np.ndarray:
    """Columns unit, value as an array of (n,), NaN where there is none."""
    out = np.full(n, np.nan)
    out[frame["unit"].to_numpy()] = frame["value"].to_numpy()
    return out


def joined(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """All rows of all metrics; scores kept in [0, 1]. A frame may lack `stays` and `starts`."""
    alike = [
        frame.select(pl.col(name).cast(kind) for name, kind in MEASURES.items() if name in frame.columns)
        for frame in frames
    ]
    rows = pl.concat([pl.DataFrame(schema=MEASURES), *alike], how="diagonal")
    return rows.with_columns(pl.col("score").clip(0.0, 1.0)).sort("sample_id", "metric")
