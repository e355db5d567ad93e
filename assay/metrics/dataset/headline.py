"""The table `dataset_metrics`: one number per row, each with a note of what it is."""

import numpy as np
import polars as pl

from assay.contracts.modality import find_modality
from assay.metrics import probe
from assay.metrics.dataset import dataset
from assay.metrics.groups import groups
from assay.metrics.label_sets.tables import noise_metrics as set_noise_metrics
from assay.metrics.labels import confident
from assay.metrics.labels.worth import worth
from assay.metrics.night import Night, case_of_samples, probe_right


def dataset_metrics(night: Night, tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """One number per row."""
    corpus, queries = night.corpus, night.queries
    radius = dataset.reference_radius(corpus)
    frames = [queries.run("dataset_counts"), queries.run("leakage"), queries.run("split_coverage", radius=radius)]
    if night.sets:
        frames.append(queries.run("set_counts"))
    night.metrics["vectors_unusable"] = (float(corpus.n_unusable), "samples whose vector is zero or not finite")
    night.metrics["n_units"] = (float(corpus.n_units), "samples with a vector, duplicates collapsed")
    set_noise_metrics(night) if night.sets else noise_metrics(night)
    space_metrics(night, tables["classes"], radius)
    spurious_metrics(night)
    under_performing(night, tables["groups"])
    worth_metrics(night, tables)
    frames.append(dataset.rows(night.metrics))
    return pl.concat(frames).unique("metric", keep="last").sort("metric")


def noise_metrics(night: Night) -> None:
    """How well the vectors know the labels; and where they do, the estimated share of wrong ones with its interval."""
    if night.findings is None:
        return
    joint = night.findings.joint
    total = float(joint["count"].sum())
    if total:
        wrong = float(joint.filter(pl.col("given") != pl.col("true"))["count"].sum())
        confident.add_noise_rate(night.metrics, wrong / total, total, "estimated share of wrong labels")
    known = night.beliefs.given >= 0
    weight = night.beliefs.n[known]
    top = night.beliefs.label[night.beliefs.best(night.beliefs.vote)]
    night.metrics["label_probe_accuracy"] = (
        float(np.average(probe_right(night)[known], weights=weight)),
        "out of fold",
    )
    night.metrics["label_knn_accuracy"] = (
        float(np.average((top == night.beliefs.given)[known], weights=weight)),
        "weighted vote",
    )


def space_metrics(night: Night, classes: pl.DataFrame, radius: float) -> None:
    """Separability, coverage and diversity."""
    corpus = night.corpus
    for metric, column in (("silhouette", "separability"), ("neighbor_purity", "purity"), ("class_overlap", "overlap")):
        known = classes.filter(pl.col(column).is_not_null())
        if len(known):
            night.metrics[metric] = (
                float(np.average(known[column], weights=known["n"])),
                "mean over the labelled samples",
            )
    if corpus.n_units >= 2 and corpus.neighbors.shape[1]:
        nearest = 1.0 - corpus.similarities[:, 0].astype(np.float64)
        gaps = float(((nearest > 2 * radius) | (corpus.neighbors[:, 0] < 0)).mean())
        night.metrics["coverage_gaps"] = (gaps, "share of units farther from any other than twice the reference radius")
        score, n = dataset.vendi_score(corpus.vectors, night.spec.metrics.seed)
        night.metrics["vendi_score"] = (score, f"effective number of different samples among {n}")


def order_metrics(night: Night) -> dict[str, tuple[float, str]]:
    """Whether the data drift along the file, over all and inside classes."""
    corpus, found = night.corpus, {}
    position = np.zeros(corpus.n_units, dtype=np.int64)
    rows = np.nonzero(corpus.unit >= 0)[0][::-1]
    position[corpus.unit[rows]] = rows
    tests = {
        "order": None,
        "order_within_class": groups.unit_codes(corpus, night.labels.codes) if night.labels.names else None,
    }
    for name, within in tests.items():
        if name == "order_within_class" and within is None:
            continue
        if result := dataset.order_test(corpus, position, within, night.spec.metrics.seed):
            found[f"{name}_gap_ratio"] = (
                result[0],
                "gap in file order between neighbours ÷ by chance; below 1: data drifts along the file",
            )
            found[f"{name}_p_value"] = (result[1], "by permutation")
    return found


def spurious_metrics(night: Night) -> None:
    """How far each property of the content alone predicts the label."""
    if len(night.labels.names) < 2 or night.sets:
        return
    fold = probe.stratified_folds(night.labels.codes, night.spec.metrics.folds, night.spec.metrics.seed)
    for name, values in properties(night).items():
        found = dataset.spurious_correlation(dataset.binned(values), night.labels.codes, fold)
        if found is not None:
            night.metrics[f"spurious:{name}"] = (
                found,
                "accuracy of the label from this property alone, above the majority class",
            )


def properties(night: Night) -> dict[str, np.ndarray]:
    """Numeric measurements of each sample's content, NaN where there is none."""
    kind = find_modality(night.spec.modality).facts
    out = {}
    for table, columns in [(kind.table, kind.properties)] if kind else []:
        if table not in night.queries.names:
            continue
        facts = night.queries.read(table, ("content_hash", *columns)).unique("content_hash", keep="first")
        joined = night.corpus.samples.select("content_hash").join(
            facts, on="content_hash", how="left", maintain_order="left"
        )
        out.update({name: joined[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in columns})
    return out


def under_performing(night: Night, table: pl.DataFrame) -> None:
    """The group that the label probe serves worst, per column."""
    judged = table.filter(pl.col("probe_accuracy").is_not_null() & (pl.col("n") >= 10))
    for (column,), frame in judged.group_by("column", maintain_order=True):
        if len(frame) > 1:
            worst = frame.sort("probe_accuracy", "value").row(0, named=True)
            mean = float(np.average(frame["probe_accuracy"], weights=frame["n"]))
            gap = max(0.0, mean - worst["probe_accuracy"])
            night.metrics[f"worst_group_gap:{column}"] = (
                gap,
                f"probe accuracy below the mean, of {worst['value']!r:.100}",
            )


def worth_metrics(night: Night, tables: dict[str, pl.DataFrame]) -> None:
    """Accuracy on the held-out split before and after acting on the findings."""
    if night.findings is None:
        return
    samples = night.corpus.samples
    issue = tables["scores"].filter(pl.col("is_issue"))
    flags = {m: samples["sample_id"].is_in(issue.filter(pl.col("metric") == m)["sample_id"].implode()).to_numpy()
             for m in ("duplicate", "leak")}  # fmt: skip
    rows, case = case_of_samples(night)
    flagged, suggested = np.zeros(len(samples), dtype=bool), np.full(len(samples), -1, dtype=np.int64)
    flagged[rows], suggested[rows] = night.findings.is_issue[case], night.findings.suggested[case]
    split = np.array(samples["split"].to_list(), dtype=object)
    count = len(night.labels.names)
    night.metrics.update(
        worth(night.corpus, night.labels.codes, split, flags["duplicate"], flags["leak"], flagged, suggested, count)
    )
