"""The stage from top to bottom: read the corpus, measure, join the thresholds late, write the tables."""

import dataclasses
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl

from assay.contracts.modality import find_modality
from assay.contracts.spec import Spec
from assay.metrics.annotators import model as annotators
from assay.metrics.corpus import Corpus, cases_frame, code, edges_frame, read_corpus
from assay.metrics.dataset.headline import dataset_metrics, order_metrics
from assay.metrics.groups import groups
from assay.metrics.label_sets import tables as set_tables
from assay.metrics.label_sets.codes import carriers, read_sets
from assay.metrics.labels import beliefs, confident
from assay.metrics.night import BY_CHANCE, MEASURE, Night, add_case_measure, add_unit_measure, by_unit
from assay.metrics.outliers import outliers
from assay.metrics.sql import Queries
from assay.metrics.tables import all_proposals, class_graph, classes, debias, group_table, label_issues, label_noise
from assay.store.stage import StageWriter, write_rows
from assay.store.tables import TableReader
from assay.store.workspace import Workspace

TABLES = (
    "scores",
    "label_issues",
    "label_noise",
    "classes",
    "groups",
    "group_issues",
    "annotators",
    "consensus",
    "proposals",
    "proposal_quality",
    "dataset_metrics",
)


def facts_of(spec: Spec) -> tuple[str, ...]:
    """The tables of facts that the modality has."""
    return find_modality(spec.modality).fact_tables()


def measure(
    spec: Spec,
    workspace: Workspace,
    writer: StageWriter,
    dismissed: pl.DataFrame,
    tables: TableReader,
) -> None:
    """The body of the stage; see its docstring for what goes in and out. `dismissed` (`sample_id`, `metric`): the
    suspicions that somebody took back; their scores stay, they are no issues."""
    corpus = read_corpus(tables)
    labels = code(corpus.samples, "label")
    separator = spec.source.label_separator
    sets = read_sets(labels, separator) if separator else None
    workspace.work.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=workspace.work, prefix=".metrics-sql-") as temporary,
        Queries(Path(temporary)) as queries,
    ):
        register_inputs(queries, corpus, tables, facts_of(spec))
        queries.table("dismissed", dismissed)
        night = Night(spec, corpus, queries, labels, cases_frame(corpus, labels.codes), dismissed, sets=sets)
        queries.table("cases", night.cases)
        if sets:
            queries.table("carriers", carriers(corpus.samples, labels, sets))
        from_tables(night)
        distance = by_unit(queries.run("knn_distance", neighbors=outliers.NEIGHBORS), corpus.n_units)
        with ThreadPoolExecutor(1) as beside:  # while the probe is trained
            outlying = beside.submit(find_outliers, night, workspace, distance) if corpus.n_units else None
            graph = beside.submit(class_graph, night) if not sets else None
            order = beside.submit(order_metrics, night)
            find_label_issues(night)
        if outlying:
            outlying.result()
        night.of_classes = graph.result() if graph else []
        night.metrics.update(order.result())
        results = assemble(night, writer)
        for name in TABLES:
            write_rows(writer, name, results[name])


def register_inputs(queries: Queries, corpus: Corpus, tables: TableReader, facts: tuple[str, ...]) -> None:
    """The inputs as views; of the samples only our own columns, whose names are known."""
    queries.table("samples", corpus.samples.select("sample_id", "position", "content_hash", "label", "split"))
    queries.table("places", corpus.samples.select("sample_id", "split", pl.Series("unit", corpus.unit)))
    queries.table("edges", edges_frame(corpus))
    queries.table("duplicates", tables.read("duplicates"))
    queries.table("leaks", tables.read("leaks"))
    for name in facts:
        if parts := tables.parts(name):
            queries.parquet(name, parts)


def from_tables(night: Night) -> None:
    """The measures that are one SELECT each: duplicates, leaks, conflicts, and the content's own issues."""
    for name in ("duplicate", "leak", "label_conflict"):
        night.measures.append(night.queries.run(name))
    for name, facts in (("image_issues", "image_facts"), ("text_issues", "text_facts")):
        if facts in night.queries.names:
            night.measures.append(night.queries.run(name).with_columns(pl.lit(None, pl.Boolean).alias("is_issue")))
    if "image_facts" in night.queries.names:
        for metric, value, note in night.queries.run("image_prevalence").iter_rows():
            night.metrics[metric] = (value, note)


def find_outliers(night: Night, workspace: Workspace, distance: np.ndarray) -> None:
    """knn_distance, local_outlier, junk_cluster, off_class and their combination, as measures per sample."""
    corpus, n = night.corpus, night.corpus.n_units
    raw, cluster = outliers.measured(corpus, distance)
    sparse = by_unit(night.queries.run("local_outlier", neighbors=outliers.NEIGHBORS, floor=outliers.FLOOR), n)
    cases = night.cases
    labels = cases["label"].to_numpy() if night.sets is None else np.full(len(cases), -1)  # no set has a centre
    off = outliers.off_class_ratio(
        corpus, cases["unit"].to_numpy(), labels, cases["share"].to_numpy(), len(night.labels.names)
    )

    own = groups.unit_codes(corpus, night.labels.codes) if night.sets is None else np.full(n, -1)
    size = outliers.clump_sizes(cluster, own)

    def reference(measurements: dict[str, np.ndarray]) -> dict:
        return outliers.stored_reference(workspace.facts / "reference", corpus.embedder, measurements, n)

    scales = reference({**raw, "local_outlier": sparse, "off_class": off[np.isfinite(off)]})
    gap = raw["isolation"]
    add_unit_measure(night, "outlier", outliers.outlier_z(raw, size, scales, reference), distance)
    for name, values in (("knn_distance", distance), ("local_outlier", sparse)):
        add_unit_measure(night, name, outliers.standardize(values, scales.get(name)), values)
    far = outliers.standardize(gap, scales.get("isolation"))
    add_unit_measure(night, "junk_cluster", far, np.nan_to_num(gap), only=size >= 2)
    add_case_measure(night, "off_class", outliers.tail_score(outliers.standardize(off, scales.get("off_class"))), off)


def find_label_issues(night: Night) -> None:
    """Beliefs about the labels, and what confident learning makes of them."""
    if not night.enough:
        night.metrics["label_issues_note"] = (None, "labels are not judged: fewer than two classes with vectors")
        return
    if not night.spec.metrics.label_issues:
        return
    if night.sets:
        return set_tables.judge(night)
    section = night.spec.metrics
    night.beliefs = beliefs.believe(night.corpus, night.cases, len(night.labels.names), section.folds, section.seed)
    night.findings = confident.find(night.beliefs)
    if not beliefs.better_than_chance(night.beliefs):
        found = night.findings
        nothing = np.zeros_like(found.is_issue)
        night.findings = dataclasses.replace(found, is_issue=nothing, joint=found.joint.clear())
        night.metrics["label_issues_note"] = BY_CHANCE


def assemble(night: Night, writer: StageWriter) -> dict[str, pl.DataFrame]:
    """All tables of the stage."""
    section = night.spec.metrics
    codings, notes = groups.group_codings(night.corpus, section.group_columns, without=section.annotator_labels)
    night.metrics.update({f"group_skipped:{name}": (None, note) for name, note in notes.items()})
    known = {coding.column for coding in codings}
    for name in section.debias:
        if name not in known:
            night.metrics[f"debias_skipped:{name}"] = (None, notes.get(name, "not among the group columns"))
    tables = {"label_issues": without_dismissed(night, label_issues(night)), "label_noise": label_noise(night)}
    add_label_measure(night, tables["label_issues"])
    tables["scores"] = all_scores(night)
    for name in ("label_issues", "label_noise", "scores"):
        night.queries.table(name, tables[name])
    tables["classes"] = set_tables.classes(night) if night.sets else classes(night)
    tables["groups"] = group_table(night, codings)
    tables["group_issues"] = night.queries.run("group_issues")
    tables["annotators"], tables["consensus"] = annotators.annotator_tables(night)
    tables["proposals"], tables["proposal_quality"] = all_proposals(night, codings, list(notes))
    debias(night, codings, writer)
    tables["dataset_metrics"] = dataset_metrics(night, tables)
    return tables


def without_dismissed(night: Night, issues: pl.DataFrame) -> pl.DataFrame:
    """`issues` with no flag on a label that somebody confirmed."""
    confirmed = night.dismissed.filter(pl.col("metric") == "label_issue")["sample_id"]
    return issues.with_columns(pl.col("is_issue") & ~pl.col("sample_id").is_in(confirmed.implode()))


def add_label_measure(night: Night, issues: pl.DataFrame) -> None:
    """The metric `label_issue` of the long table."""
    if night.findings is not None or night.set_findings is not None:
        labeled = issues.filter(pl.col("label").is_not_null())
        night.measures.append(
            labeled.select(
                "sample_id",
                pl.lit("label_issue").alias("metric"),
                "score",
                pl.col("confidence").alias("value"),
                "is_issue",
            )
        )


def all_scores(night: Night) -> pl.DataFrame:
    """The long table, with the spec's thresholds joined in."""
    frames = [pl.DataFrame(schema=MEASURE)]
    frames += [frame.select([pl.col(name).cast(kind) for name, kind in MEASURE.items()]) for frame in night.measures]
    night.queries.table("measures", pl.concat(frames))
    limits = night.spec.thresholds.model_dump()
    night.queries.table("thresholds", pl.DataFrame({"metric": list(limits), "threshold": list(limits.values())}))
    return night.queries.run("scores")
