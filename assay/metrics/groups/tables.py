"""Rows about group columns: how well the vectors reveal a group, and vectors with a group erased."""

import numpy as np
import polars as pl

from assay.metrics import probe
from assay.metrics.corpus import Coding
from assay.metrics.groups import groups
from assay.metrics.inputs import Inputs
from assay.metrics.judgement import Numbers
from assay.store.stage import StageWriter

GROUPS = {
    "column": pl.String,
    "value": pl.String,
    "n": pl.Int64,
    "probe_auc": pl.Float64,
    "probe_accuracy": pl.Float64,
}
ENOUGH = 10  # units for a probe of the groups, and samples of a group for its accuracy to be worth a word


def group_measures(inputs: Inputs, codings: list[Coding], told: np.ndarray | None) -> pl.DataFrame:
    """For each value of each group column its size, how well the vectors reveal it, and the label probe's accuracy in
    it. `told` (m,): whether that probe gives each case its own label."""
    section, frames = inputs.spec.metrics, [pl.DataFrame(schema=GROUPS)]
    corpus, features = inputs.corpus, None
    if codings and corpus.n_units >= ENOUGH:
        features = probe.in_space(corpus.vectors, corpus.space)
    for coding in codings:
        found = None
        if features is not None:
            codes, learner = (
                groups.unit_codes(corpus, coding.codes),
                inputs.learner(f"group {coding.column}", coding.names),
            )
            found = groups.group_probe(
                features, codes, len(coding.names), section.folds, section.seed, corpus.contents, corpus.space, learner
            )
        known = coding.codes[coding.codes >= 0]
        columns = {
            "column": [coding.column] * len(coding.names),
            "value": coding.names,
            "n": np.bincount(known, minlength=len(coding.names)),
            "probe_auc": np.full(len(coding.names), np.nan) if found is None else found,
            "probe_accuracy": accuracy_of_groups(inputs, coding, told),
        }
        frames.append(pl.DataFrame(columns, schema=GROUPS))
    return pl.concat(frames).with_columns(pl.col("probe_auc", "probe_accuracy").fill_nan(None))


def accuracy_of_groups(inputs: Inputs, coding: Coding, told: np.ndarray | None) -> np.ndarray:
    """(n_values,) accuracy of the label probe within each group; NaN where nothing is labelled, or no label judged."""
    n = len(coding.names)
    if told is None:
        return np.full(n, np.nan)
    rows, case = inputs.case_of_samples
    mine, judged = coding.codes[rows], (coding.codes[rows] >= 0) & (inputs.labels.codes[rows] >= 0)
    total = np.bincount(mine[judged], minlength=n)
    return np.where(total > 0, np.bincount(mine[judged], told[case][judged], n) / np.maximum(total, 1), np.nan)


def worst_groups(table: pl.DataFrame) -> Numbers:
    """The group that the label probe serves worst, per column."""
    numbers: Numbers = {}
    judged = table.filter(pl.col("probe_accuracy").is_not_null() & (pl.col("n") >= ENOUGH))
    for (column,), frame in judged.group_by("column", maintain_order=True):
        if len(frame) > 1:
            worst = frame.sort("probe_accuracy", "value").row(0, named=True)
            mean = float(np.average(frame["probe_accuracy"], weights=frame["n"]))
            note = f"probe accuracy below the mean, of {worst['value']!r:.100}"
            numbers[f"worst_group_gap:{column}"] = (max(0.0, mean - worst["probe_accuracy"]), note)
    return numbers


def debias(inputs: Inputs, codings: list[Coding], notes: dict[str, str], writer: StageWriter) -> Numbers:
    """For each column asked for, a copy of the vectors with it erased, and how well they reveal it before and after."""
    section, corpus = inputs.spec.metrics, inputs.corpus
    by_name = {coding.column: coding for coding in codings}
    numbers: Numbers = {}
    for number, column in enumerate(section.debias):
        if column not in by_name:
            numbers[f"debias_skipped:{column}"] = (None, notes.get(column, "not among the group columns"))
            continue
        codes = groups.unit_codes(corpus, by_name[column].codes)
        n_values = len(np.unique(codes[codes >= 0]))
        if corpus.n_units < ENOUGH or n_values < 2:
            note = f"{n_values} different values on {corpus.n_units} units with a vector; it takes 2 on {ENOUGH}"
            numbers[f"debias_skipped:{column}"] = (None, note)
            continue
        cleaned = groups.leace(corpus.vectors, codes)
        for when, vectors in (("before", corpus.vectors), ("after", cleaned)):
            features, n_names = probe.principal_axes(vectors), len(by_name[column].names)
            found = groups.group_probe(features, codes, n_names, section.folds, section.seed)
            told = None if found is None or not np.isfinite(found).any() else max(0.5, float(np.nanmean(found)))
            note = "mean AUC of reading the group off the vectors; 0.5 is chance, nothing below is told"
            numbers[f"leakage_{when}_debias:{column}"] = (told, note)
        frame = pl.DataFrame({"sample_id": corpus.unit_ids, "vector": cleaned}).select(
            "sample_id", pl.lit(column).alias("erased_column"), "vector"
        )
        frame.write_parquet(writer.folder("debiased") / f"column-{number:02d}.parquet")
    return numbers
