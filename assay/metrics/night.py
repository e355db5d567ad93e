"""What is known so far tonight, and how measures of units and cases become rows of samples."""

import functools
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from assay.contracts.spec import Spec
from assay.metrics.corpus import Coding, Corpus
from assay.metrics.label_sets.beliefs import SetBeliefs
from assay.metrics.label_sets.codes import Sets
from assay.metrics.label_sets.findings import SetFindings
from assay.metrics.labels import proposals
from assay.metrics.labels.beliefs import Beliefs
from assay.metrics.labels.confident import Findings
from assay.metrics.outliers import outliers
from assay.metrics.sql import Queries

MEASURE = {
    "sample_id": pl.String,
    "metric": pl.String,
    "score": pl.Float64,
    "value": pl.Float64,
    "is_issue": pl.Boolean,
}
BY_CHANCE = (None, "no label is flagged: the vectors tell labels no better than chance")


@dataclass
class Night:
    """What is known so far tonight: inputs, and the tables as they come to be."""

    spec: Spec
    corpus: Corpus
    queries: Queries
    labels: Coding
    cases: pl.DataFrame
    dismissed: pl.DataFrame
    measures: list[pl.DataFrame] = field(default_factory=list)
    metrics: dict[str, tuple[float | None, str | None]] = field(default_factory=dict)
    of_classes: list[pl.DataFrame] = field(default_factory=list)  # from `tables.class_graph`
    beliefs: Beliefs | None = None
    findings: Findings | None = None
    sets: Sets | None = None  # where labels are sets, these take the place of the two above
    set_beliefs: SetBeliefs | None = None
    set_findings: SetFindings | None = None

    @functools.cached_property
    def blind_confidence(self) -> np.ndarray:
        """(m,) see `proposals.blind_confidence`; only where labels were judged."""
        return proposals.blind_confidence(self.beliefs, self.findings.model)

    @property
    def enough(self) -> bool:
        """Whether labels can be judged: two classes and two units at least."""
        known = self.cases["label"].filter(self.cases["label"] >= 0)
        return self.corpus.n_units >= 2 and known.n_unique() >= 2


def by_unit(frame: pl.DataFrame, n: int) -> np.ndarray:
    """Columns unit, value as an array of (n,), NaN where there is none."""
    out = np.full(n, np.nan)
    out[frame["unit"].to_numpy()] = frame["value"].to_numpy()
    return out


def add_unit_measure(night: Night, metric: str, z: np.ndarray, value: np.ndarray, only: np.ndarray | None = None):
    """Every member inherits its unit's score."""
    unit = night.corpus.unit
    rows = np.nonzero(unit >= 0)[0]
    if only is not None:
        rows = rows[only[unit[rows]]]
    add_measure(night, metric, rows, outliers.tail_score(z)[unit[rows]], value[unit[rows]], np.full(len(rows), None))


def add_case_measure(night: Night, metric: str, score: np.ndarray, value: np.ndarray) -> None:
    """Every member inherits its case's score; cases without a value have none."""
    rows, case = case_of_samples(night)
    kept = np.isfinite(value[case])
    rows, case = rows[kept], case[kept]
    add_measure(night, metric, rows, score[case], value[case], np.full(len(rows), None))


def add_measure(night: Night, metric: str, rows, score, value, is_issue) -> None:
    """Append rows of one metric. `is_issue` null: at or above the spec's threshold, or 0.5 where that has none."""
    flags = pl.Series(is_issue.tolist(), dtype=pl.Boolean)
    night.measures.append(
        pl.DataFrame(
            {
                "sample_id": night.corpus.samples["sample_id"].gather(rows),
                "metric": [metric] * len(rows),
                "score": pl.Series(score, dtype=pl.Float64),
                "value": pl.Series(value, dtype=pl.Float64).fill_nan(None),
                "is_issue": flags.fill_null(pl.Series(score >= 0.5)) if len(rows) else flags,
            },
            schema=MEASURE,
        )
    )


def case_of_samples(night: Night) -> tuple[np.ndarray, np.ndarray]:
    """`(rows, case)`: the samples that have a vector, and the row of `cases` each belongs to."""
    members = pl.DataFrame(
        {"row": np.arange(len(night.corpus.unit)), "unit": night.corpus.unit, "label": night.labels.codes}
    )
    cases = night.cases.select("unit", "label").with_row_index("case")
    joined = members.join(cases, on=["unit", "label"], how="inner").sort("row")
    return joined["row"].to_numpy(), joined["case"].to_numpy().astype(np.int64)


def probe_right(night: Night) -> np.ndarray:
    """(m,) whether the probe's best class of a case is its own."""
    return night.beliefs.label[night.beliefs.best(night.beliefs.probe)] == night.beliefs.given
