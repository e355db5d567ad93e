"""The tables about labels, classes, groups and gaps."""

import numpy as np
import polars as pl

from assay.metrics import probe
from assay.metrics.corpus import Coding, cases_frame
from assay.metrics.dataset import dataset
from assay.metrics.groups import gaps as numbers
from assay.metrics.groups import groups
from assay.metrics.label_sets import tables as set_tables
from assay.metrics.labels import beliefs, confident, noise, proposals
from assay.metrics.night import Night, case_of_samples, probe_right
from assay.store.stage import StageWriter


def label_issues(night: Night) -> pl.DataFrame:
    """One row per sample with a vector; empty where labels are not judged."""
    schema = {
        "sample_id": pl.String,
        "label": pl.String,
        "suggested_label": pl.String,
        "confidence": pl.Float64,
        "score": pl.Float64,
        "is_issue": pl.Boolean,
    }
    rows, case = case_of_samples(night)
    known = night.labels.codes[rows] >= 0
    if night.set_findings is not None:
        data = set_tables.label_issues(night)
    elif night.findings is None:
        rows = rows[known]
        none = [None] * len(rows)
        data = {
            "suggested_label": none,
            "confidence": none,
            "score": [0.0] * len(rows),
            "is_issue": [False] * len(rows),
        }
    else:
        found = night.findings
        names = pl.Series(night.labels.names, dtype=pl.String)
        suggested = found.suggested[case]
        confidence = np.where(known, found.confidence[case], night.blind_confidence[case])
        unsure = (confidence < proposals.ABSTAIN_BELOW) | (not beliefs.better_than_chance(night.beliefs))
        abstains = (suggested < 0) | (~known & unsure)
        proposed = pl.select(pl.when(pl.Series(~abstains)).then(names.gather(np.maximum(suggested, 0)))).to_series()
        data = {
            "suggested_label": proposed,
            "confidence": confidence,
            "score": found.score[case],
            "is_issue": found.is_issue[case],
        }
    head = night.corpus.samples.select("sample_id", "label")[rows]
    return pl.DataFrame({"sample_id": head["sample_id"], "label": head["label"], **data}, schema=schema)


def label_noise(night: Night) -> pl.DataFrame:
    """The estimated noise matrix."""
    if night.findings is None:
        return pl.DataFrame(
            schema={"label": pl.String, "true_label": pl.String, "rate": pl.Float64, "rate_low": pl.Float64,
                    "rate_high": pl.Float64, "count": pl.Float64}
        )  # fmt: skip
    return confident.noise_table(night.findings.joint, night.labels.names)


def class_graph(night: Night) -> list[pl.DataFrame]:
    """What the graph says of each class, by its code in `label`: silhouette and purity, overlap, coverage."""
    queries, corpus = night.queries, night.corpus
    cases = queries.run("silhouette", typical=dataset.typical_distance(corpus.vectors))
    return [
        cases.group_by("label").agg(pl.col("silhouette").mean(), pl.col("purity").mean()),
        queries.run("class_overlap"),
        queries.run("class_coverage", radius=dataset.reference_radius(corpus)),
    ]


def classes(night: Night) -> pl.DataFrame:
    """The `classes` table; what the vectors say is null where there are none."""
    names = pl.Series(night.labels.names, dtype=pl.String)
    queries = night.queries
    frame = pl.DataFrame(
        {"code": np.arange(len(names), dtype=np.int32), "label": names}, schema_overrides={"label": pl.String}
    )
    for found in night.of_classes:
        frame = frame.join(found, left_on="code", right_on="label", how="left")
    accuracy = pl.DataFrame({"code": np.arange(len(names), dtype=np.int32), "probe_accuracy": probe_recall(night)})
    frame = frame.join(accuracy, on="code", how="left").sort("code")
    partner = pl.DataFrame(
        {"overlap_label": np.arange(len(names), dtype=np.int32), "partner": names},
        schema_overrides={"partner": pl.String},
    )
    frame = frame.join(partner, on="overlap_label", how="left").sort("code")
    queries.table(
        "class_vectors",
        frame.select(
            "label",
            pl.col("silhouette").cast(pl.Float64).alias("separability"),
            pl.col("purity").cast(pl.Float64),
            pl.col("probe_accuracy").fill_nan(None),
            pl.col("partner").alias("overlap_label"),
            pl.col("overlap").cast(pl.Float64).clip(0.0, 1.0),
            pl.col("coverage").cast(pl.Float64),
        ),
    )
    return queries.run("classes")


def probe_recall(night: Night) -> np.ndarray:
    """(n_classes,) share of each class's cases that the out-of-fold probe gives their own label; NaN without cases."""
    count = len(night.labels.names)
    if night.beliefs is None:
        return np.full(count, np.nan)
    given, right = night.beliefs.given, probe_right(night)
    known = given >= 0
    total = np.bincount(given[known], minlength=count)
    return np.where(total > 0, np.bincount(given[known], right[known], count) / np.maximum(total, 1), np.nan)


def group_table(night: Night, codings: list[Coding]) -> pl.DataFrame:
    """The `groups` table."""
    section, frames = night.spec.metrics, []
    features = probe.principal_axes(night.corpus.vectors) if codings and night.corpus.n_units >= 10 else None
    rows, case = case_of_samples(night)
    right = probe_right(night) if night.beliefs is not None else None
    for coding in codings:
        auc = accuracy = np.full(len(coding.names), np.nan)
        if features is not None:
            codes = groups.unit_codes(night.corpus, coding.codes)
            found = groups.group_probe(features, codes, len(coding.names), section.folds, section.seed)
            auc = auc if found is None else found
        if right is not None:
            mine, judged = coding.codes[rows], (coding.codes[rows] >= 0) & (night.labels.codes[rows] >= 0)
            total = np.bincount(mine[judged], minlength=len(coding.names))
            hits = np.bincount(mine[judged], right[case][judged], len(coding.names))
            accuracy = np.where(total > 0, hits / np.maximum(total, 1), np.nan)
        frames.append(
            pl.DataFrame(
                {
                    "column": [coding.column] * len(auc),
                    "value": coding.names,
                    "probe_auc": auc,
                    "probe_accuracy": accuracy,
                }
            )
        )
    schema = {"column": pl.String, "value": pl.String, "probe_auc": pl.Float64, "probe_accuracy": pl.Float64}
    vectors = pl.concat([pl.DataFrame(schema=schema), *frames]).with_columns(
        pl.col("probe_auc", "probe_accuracy").fill_nan(None)
    )
    night.queries.table("group_vectors", vectors)
    night.queries.table("attributes", groups.attributes(night.corpus, codings))
    return night.queries.run("groups")


def all_proposals(night: Night, codings: list[Coding], ungrouped: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Proposals for missing labels and for gaps in group columns, and their measured quality. Of the columns that are
    not grouped by, those of numbers are filled as such; who labelled a sample is not guessed."""
    section, ids, unit = night.spec.metrics, night.corpus.samples["sample_id"], night.corpus.unit
    made = [
        pl.DataFrame(
            schema={"sample_id": pl.String, "column": pl.String, "proposed": pl.String, "confidence": pl.Float64}
        )
    ]
    measured = [proposals.quality_empty()]
    if night.beliefs is not None:
        sure = night.blind_confidence
        made.append(proposals.propose("label", night.labels.names, night.beliefs, sure, ids, unit, night.labels.codes))
        measured.append(proposals.quality("label", night.beliefs, night.findings.model, sure))
    if night.set_findings is not None:
        proposed, quality = set_tables.label_proposals(night)
        made.append(proposed)
        measured.append(quality)
    for coding in codings:
        if coding.column in ("label", section.annotator):
            continue
        if len(coding.names) < 2 or not ((coding.codes < 0) & (unit >= 0)).any():
            continue
        cases = cases_frame(night.corpus, coding.codes)
        if cases.filter(pl.col("label") >= 0)["label"].n_unique() < 2:
            continue
        found = beliefs.believe(night.corpus, cases, len(coding.names), section.folds, section.seed)
        model = noise.fit(found, confident.confident_joint(found))
        sure = proposals.blind_confidence(found, model)
        made.append(proposals.propose(coding.column, coding.names, found, sure, ids, unit, coding.codes))
        measured.append(proposals.quality(coding.column, found, model, sure))
    for column in numbers.with_gaps(night.corpus, ungrouped):
        filled = numbers.fill(night.corpus, column, section.folds, section.seed)
        if filled is None:
            continue
        note = "a number is proposed rightly where the true one is at most this far from it"
        night.metrics[f"proposal_tolerance:{column}"] = (filled.tolerance, note)
        made.append(numbers.propose(night.corpus, column, filled))
        measured.append(numbers.quality(column, filled))
    return pl.concat(made).sort("sample_id", "column"), pl.concat(measured).sort("column", "coverage")


def debias(night: Night, codings: list[Coding], writer: StageWriter) -> None:
    """For each column asked for: a copy of the vectors without it, and how well it can be read before and after."""
    section, corpus = night.spec.metrics, night.corpus
    for coding in codings:
        if coding.column not in section.debias:
            continue
        codes = groups.unit_codes(corpus, coding.codes)
        n_values = len(np.unique(codes[codes >= 0]))
        if corpus.n_units < 10 or n_values < 2:
            note = f"{n_values} different values on {corpus.n_units} units with a vector; it takes 2 on 10"
            night.metrics[f"debias_skipped:{coding.column}"] = (None, note)
            continue
        cleaned = groups.leace(corpus.vectors, codes)
        for when, vectors in (("before", corpus.vectors), ("after", cleaned)):
            features = probe.principal_axes(vectors)
            found = groups.group_probe(features, codes, len(coding.names), section.folds, section.seed)
            value = max(0.5, float(np.nanmean(found))) if found is not None and np.isfinite(found).any() else None
            night.metrics[f"leakage_{when}_debias:{coding.column}"] = (
                value,
                "mean AUC of reading the group off the vectors; 0.5 is chance, nothing below is told",
            )
        number = section.debias.index(coding.column)
        frame = pl.DataFrame({"sample_id": corpus.unit_ids, "vector": cleaned}).select(
            "sample_id", pl.lit(coding.column).alias("erased_column"), "vector"
        )
        frame.write_parquet(writer.folder("debiased") / f"column-{number:02d}.parquet")
