"""What was found about the labels. One shape for single labels, for sets of labels, and for labels that are not
judged."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from assay.metrics.inputs import Inputs
from assay.metrics.verdict import none_of

BY_CHANCE = (None, "no label is flagged: the vectors tell labels no better than chance")
TOO_FEW = (None, "labels are not judged: fewer than two classes with vectors")

Numbers = dict[str, tuple[float | None, str | None]]  # {metric: (value, note)}, rows of `dataset_metrics`

FINDINGS = {
    "sample_id": pl.String,
    "label": pl.String,
    "suggested_label": pl.String,
    "confidence": pl.Float64,
    "score": pl.Float64,
    "other_label": pl.String,
    "other_confidence": pl.Float64,
    "is_issue": pl.Boolean,
    "stays": pl.Boolean,
    "starts": pl.Boolean,
}
NOISE = {
    "label": pl.String,
    "true_label": pl.String,
    "rate": pl.Float64,
    "rate_low": pl.Float64,
    "rate_high": pl.Float64,
    "count": pl.Float64,
}
PROPOSALS = {"sample_id": pl.String, "column": pl.String, "proposed": pl.String, "confidence": pl.Float64}
QUALITY = {
    "column": pl.String,
    "coverage": pl.Float64,
    "precision": pl.Float64,
    "agreement": pl.Float64,
    "confidence_threshold": pl.Float64,
}


@dataclass(frozen=True)
class Judgement:
    """What was found about the labels.

    Attributes:
        findings: rows of `label_findings`, one for each sample that has a vector and a label or a proposed label.
        noise: rows of `label_noise`; none where the noise between classes is not estimated.
        class_noise, class_recall: (n_classes,) of the samples that carry each class, the estimated share whose label is
            wrong, and the share to which the out-of-fold probe gives that class; NaN where it is not known.
        flags: columns sample_id, label: each class of each sample that looks wrong, or did last night and may again.
        measures: rows of `measures`, one frame a metric.
        proposals, quality: rows of `proposals` and `proposal_quality` about the label.
        numbers: rows of `dataset_metrics`.
        told: (m,) whether the probe's best class of each case is its given one; None where that does not apply.
        repairs: `(flagged, suggested)`, each (m,), whether a case looks wrong and the code of the class suggested
            instead (−1: none); None where labels are not of one class, or not judged.
    """

    findings: pl.DataFrame
    class_noise: np.ndarray
    class_recall: np.ndarray
    noise: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=NOISE))
    flags: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"sample_id": pl.String, "label": pl.String})
    )
    measures: list[pl.DataFrame] = field(default_factory=list)
    proposals: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PROPOSALS))
    quality: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=QUALITY))
    numbers: Numbers = field(default_factory=dict)
    told: np.ndarray | None = None
    repairs: tuple[np.ndarray, np.ndarray] | None = None


def not_judged(inputs: Inputs) -> Judgement:
    """The judgement where labels are not judged, because there are too few or the spec says so."""
    rows, _ = inputs.case_of_samples
    rows = rows[inputs.labels.codes[rows] >= 0]
    unknown = np.full(len(inputs.class_names), np.nan)
    empty = ("suggested_label", "confidence", "other_label", "other_confidence")
    columns = {name: [None] * len(rows) for name in empty} | {"score": [0.0] * len(rows)}
    return Judgement(
        findings=finding_rows(inputs, rows, columns | none_of(len(rows)).columns()),
        class_noise=unknown,
        class_recall=unknown,
        numbers={} if inputs.enough else {"label_issues_note": TOO_FEW},
    )


def finding_rows(inputs: Inputs, rows: np.ndarray, found: dict[str, Any]) -> pl.DataFrame:
    """Rows of `label_findings` of the samples `rows`, from the columns after their labels."""
    head = inputs.corpus.samples.select("sample_id", "label")[rows]
    return pl.DataFrame({"sample_id": head["sample_id"], "label": head["label"], **found}, schema=FINDINGS)


def label_measure(findings: pl.DataFrame) -> pl.DataFrame:
    """The metric `label_issue` of the labelled samples, as rows of `measures`."""
    return findings.filter(pl.col("label").is_not_null()).select(
        "sample_id",
        pl.lit("label_issue").alias("metric"),
        "score",
        pl.col("confidence").alias("value"),
        "is_issue",
        "stays",
        "starts",
    )
