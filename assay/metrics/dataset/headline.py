"""Numbers about the dataset as a whole that need the vectors: each a value with a note of what it is."""

from pathlib import Path

import numpy as np
import polars as pl

from assay.metrics import probe, sql
from assay.metrics.dataset import dataset
from assay.metrics.groups import groups
from assay.metrics.inputs import Inputs
from assay.metrics.judgement import Judgement, Numbers
from assay.metrics.labels.worth import worth

HERE = Path(__file__).parent
SET_COUNTS = HERE.parent / "label_sets" / "set_counts.sql"


def dataset_measures(inputs: Inputs, judgement: Judgement, classes: pl.DataFrame, numbers: Numbers) -> pl.DataFrame:
    """Rows of `dataset_measures`: leakage and coverage between splits, the space as a whole, the labels, and the
    `numbers` that others found."""
    corpus, radius = inputs.corpus, dataset.reference_radius(inputs.corpus)
    places = corpus.samples.select("sample_id", "split", pl.Series("unit", corpus.unit))
    frames = [
        inputs.select(HERE / "leakage.sql", leaks=inputs.tables["leaks"], samples=inputs.samples),
        inputs.select(HERE / "split_coverage.sql", {"radius": radius}, places=places, edges=inputs.edges),
    ]
    if inputs.sets:
        frames.append(inputs.select(SET_COUNTS, carriers=inputs.carriers, samples=inputs.samples))
    own: Numbers = {
        "vectors_unusable": (float(corpus.n_unusable), "samples whose vector is zero or not finite"),
        "n_units": (float(corpus.n_units), "samples with a vector, duplicates collapsed"),
    }
    own |= space_numbers(inputs, classes, radius) | spurious_numbers(inputs) | worth_numbers(inputs, judgement)
    frames.append(dataset.rows(own | judgement.numbers | numbers))
    return pl.concat(frames).unique("metric", keep="last").sort("metric")


def space_numbers(inputs: Inputs, classes: pl.DataFrame, radius: float) -> Numbers:
    """Separability, coverage and diversity."""
    corpus = inputs.corpus
    numbers: Numbers = {}
    for metric, column in (("silhouette", "separability"), ("neighbor_purity", "purity"), ("class_overlap", "overlap")):
        known = classes.filter(pl.col(column).is_not_null())
        if len(known):
            mean = float(np.average(known[column], weights=known["n"]))
            numbers[metric] = (mean, "mean over the labelled samples")
    if corpus.n_units >= 2 and corpus.neighbors.shape[1]:
        nearest = 1.0 - corpus.similarities[:, 0].astype(np.float64)
        gaps = float(((nearest > 2 * radius) | (corpus.neighbors[:, 0] < 0)).mean())
        numbers["coverage_gaps"] = (gaps, "share of units farther from any other than twice the reference radius")
        score, n = dataset.vendi_score(corpus.vectors, inputs.spec.metrics.seed)
        numbers["vendi_score"] = (score, f"effective number of different samples among {n}")
    return numbers


def order_numbers(inputs: Inputs) -> Numbers:
    """Whether the data drift along the file, over all and inside classes."""
    corpus = inputs.corpus
    found: Numbers = {}
    position = np.zeros(corpus.n_units, dtype=np.int64)
    rows = np.nonzero(corpus.unit >= 0)[0][::-1]
    position[corpus.unit[rows]] = rows
    tests: dict[str, np.ndarray | None] = {"order": None}
    if inputs.labels.names:
        tests["order_within_class"] = groups.unit_codes(corpus, inputs.labels.codes)
    for name, within in tests.items():
        if result := dataset.order_test(corpus, position, within, inputs.spec.metrics.seed):
            note = "gap in file order between neighbours ÷ by chance; below 1: data drifts along the file"
            found[f"{name}_gap_ratio"] = (result[0], note)
            found[f"{name}_p_value"] = (result[1], "by permutation")
    return found


def spurious_numbers(inputs: Inputs) -> Numbers:
    """How far each property of the content alone predicts the label."""
    numbers: Numbers = {}
    if len(inputs.labels.names) < 2 or inputs.sets:
        return numbers
    section = inputs.spec.metrics
    fold = probe.stratified_folds(inputs.labels.codes, section.folds, section.seed)
    for name, values in properties(inputs).items():
        found = dataset.spurious_correlation(dataset.binned(values), inputs.labels.codes, fold)
        if found is not None:
            note = "accuracy of the label from this property alone, above the majority class"
            numbers[f"spurious:{name}"] = (found, note)
    return numbers


def properties(inputs: Inputs) -> dict[str, np.ndarray]:
    """Numeric measurements of each sample's content, NaN where there is none."""
    kind = inputs.spec.data.facts
    if kind is None or kind.table not in inputs.tables:
        return {}
    columns = ("content_hash", *kind.properties)
    facts = sql.columns(inputs.tables[kind.table], columns).unique("content_hash", keep="first")
    joined = inputs.samples.select("content_hash").join(facts, on="content_hash", how="left", maintain_order="left")
    return {name: joined[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in kind.properties}


def worth_numbers(inputs: Inputs, judgement: Judgement) -> Numbers:
    """Accuracy on the held-out split before and after acting on the findings, as they are before anybody's decision."""
    if judgement.repairs is None:
        return {}
    samples, (is_issue, suggestion) = inputs.corpus.samples, judgement.repairs
    copies, leaks = sql.columns(inputs.tables["copies"]), sql.columns(inputs.tables["leaks"])

    def among(ids: pl.Series) -> np.ndarray:
        return samples["sample_id"].is_in(ids.implode()).to_numpy()

    superfluous = among(copies.filter(~pl.col("keep"))["sample_id"])
    leaked = among(pl.concat([leaks["sample_id"], leaks["other_id"].rename("sample_id")]))
    rows, case = inputs.case_of_samples
    flagged, suggested = np.zeros(len(samples), dtype=bool), np.full(len(samples), -1, dtype=np.int64)
    flagged[rows], suggested[rows] = is_issue[case], suggestion[case]
    split = np.array(samples["split"].to_list(), dtype=object)
    names = inputs.labels.names
    return worth(
        inputs.corpus, inputs.labels.codes, split, superfluous, leaked, flagged, suggested, len(names),
        lambda trial: inputs.learner(trial, names),
    )  # fmt: skip
