"""The stage from top to bottom: read the corpus, measure, join the thresholds late, write the tables."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.spec import Spec
from tasks.metrics import beliefs, confident, dataset, groups, outliers, proposals
from tasks.metrics.beliefs import Beliefs
from tasks.metrics.confident import Findings
from tasks.metrics.corpus import Coding, Corpus, cases_frame, code, edges_frame, read_corpus
from tasks.metrics.sql import Queries
from tasks.metrics.worth import worth
from tasks.stage import StageOutput, StageWriter, Workspace, write_rows

TABLES = (
    "scores",
    "label_issues",
    "label_noise",
    "classes",
    "groups",
    "proposals",
    "proposal_quality",
    "dataset_metrics",
)
MEASURE = {
    "sample_id": pl.String,
    "metric": pl.String,
    "score": pl.Float64,
    "value": pl.Float64,
    "is_issue": pl.Boolean,
}


@dataclass
class Night:
    """What is known so far tonight: inputs, and the tables as they come to be."""

    spec: Spec
    corpus: Corpus
    queries: Queries
    labels: Coding
    cases: pl.DataFrame
    measures: list[pl.DataFrame] = field(default_factory=list)
    metrics: dict[str, tuple[float | None, str | None]] = field(default_factory=dict)
    beliefs: Beliefs | None = None
    findings: Findings | None = None

    @property
    def enough(self) -> bool:
        """Whether labels can be judged: two classes and two units at least."""
        known = self.cases["label"].filter(self.cases["label"] >= 0)
        return self.corpus.n_units >= 2 and known.n_unique() >= 2


def measure(spec: Spec, workspace: Workspace, writer: StageWriter, cleaned, collapsed, embedded, indexed, duplicates):
    """The body of the stage; see its docstring for what goes in and out."""
    corpus = read_corpus(cleaned, collapsed, embedded, indexed)
    labels = code(corpus.samples, "label")
    workspace.work.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=workspace.work, prefix=".metrics-sql-") as temporary,
        Queries(Path(temporary)) as queries,
    ):
        register_inputs(queries, corpus, cleaned, duplicates)
        night = Night(spec, corpus, queries, labels, cases_frame(corpus, labels.codes))
        queries.table("cases", night.cases)
        from_tables(night, cleaned)
        find_outliers(night, workspace)
        find_label_issues(night)
        tables = assemble(night, writer)
        for name in TABLES:
            write_rows(writer, name, tables[name])


def register_inputs(queries: Queries, corpus: Corpus, cleaned: StageOutput, duplicates: StageOutput) -> None:
    """The inputs as views; of the samples only our own columns, whose names are known."""
    queries.table("samples", corpus.samples.select("sample_id", "position", "content_hash", "label", "split"))
    queries.table("places", corpus.samples.select("sample_id", "split", pl.Series("unit", corpus.unit)))
    queries.table("edges", edges_frame(corpus))
    queries.table("duplicates", duplicates.read("duplicates"))
    queries.table("leaks", duplicates.read("leaks"))
    for facts in ("image_facts", "text_facts"):
        if parts := cleaned.parts(facts):
            queries.parquet(facts, parts)


def from_tables(night: Night, cleaned: StageOutput) -> None:
    """The measures that are one SELECT each: duplicates, leaks, conflicts, and the content's own issues."""
    for name in ("duplicate", "leak", "label_conflict"):
        night.measures.append(night.queries.run(name))
    for name, facts in (("image_issues", "image_facts"), ("text_issues", "text_facts")):
        if facts in night.queries.names:
            night.measures.append(night.queries.run(name).with_columns(pl.lit(None, pl.Boolean).alias("is_issue")))


def find_outliers(night: Night, workspace: Workspace) -> None:
    """knn_distance, local_outlier, junk_cluster, off_class and their combination, as measures per sample."""
    corpus, n = night.corpus, night.corpus.n_units
    if n == 0:
        return
    gap, size = outliers.isolation(corpus, outliers.cluster_limit(n))
    raw = {
        "knn_distance": by_unit(night.queries.run("knn_distance", neighbors=outliers.NEIGHBORS), n),
        "local_outlier": by_unit(
            night.queries.run("local_outlier", neighbors=outliers.NEIGHBORS, floor=outliers.FLOOR), n
        ),
    }
    cases = night.cases
    off = outliers.off_class_ratio(
        corpus, cases["unit"].to_numpy(), cases["label"].to_numpy(), cases["share"].to_numpy(), len(night.labels.names)
    )
    raw["isolation"] = np.where(gap > 0, gap, np.nan)
    known = {**raw, "off_class": off[np.isfinite(off)]}
    scales = outliers.stored_reference(workspace.facts / "reference", corpus.embedder, known, n)
    z = {name: outliers.standardize(values, scales.get(name)) for name, values in raw.items()}
    both = outliers.combined(z["knn_distance"], z["isolation"])
    add_unit_measure(night, "outlier", both, raw["knn_distance"])
    add_unit_measure(night, "knn_distance", z["knn_distance"], raw["knn_distance"])
    add_unit_measure(night, "local_outlier", z["local_outlier"], raw["local_outlier"])
    add_unit_measure(night, "junk_cluster", z["isolation"], gap, only=size >= 2)
    add_case_measure(night, "off_class", outliers.tail_score(outliers.standardize(off, scales.get("off_class"))), off)


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


def find_label_issues(night: Night) -> None:
    """Beliefs about the labels, and what confident learning makes of them."""
    if not night.enough:
        night.metrics["label_issues_note"] = (None, "labels are not judged: fewer than two classes with vectors")
        return
    if not night.spec.metrics.label_issues:
        return
    section = night.spec.metrics
    night.beliefs = beliefs.believe(
        night.corpus, night.cases, len(night.labels.names), night.queries, section.folds, section.seed
    )
    night.findings = confident.find(night.beliefs)


def assemble(night: Night, writer: StageWriter) -> dict[str, pl.DataFrame]:
    """All tables of the stage."""
    codings, notes = groups.group_codings(night.corpus, night.spec.metrics.group_columns)
    night.metrics.update({f"group_skipped:{name}": (None, note) for name, note in notes.items()})
    tables = {"label_issues": label_issues(night), "label_noise": label_noise(night)}
    add_label_measure(night, tables["label_issues"])
    tables["scores"] = all_scores(night)
    for name in ("label_issues", "label_noise", "scores"):
        night.queries.table(name, tables[name])
    tables["classes"] = classes(night)
    tables["groups"] = group_table(night, codings)
    tables["proposals"], tables["proposal_quality"] = all_proposals(night, codings)
    debias(night, codings, writer)
    tables["dataset_metrics"] = dataset_metrics(night, codings, tables)
    return tables


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
    if night.findings is None:
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
        abstains = (suggested < 0) | (~known & (found.confidence[case] < proposals.ABSTAIN_BELOW))
        proposed = pl.select(pl.when(pl.Series(~abstains)).then(names.gather(np.maximum(suggested, 0)))).to_series()
        data = {
            "suggested_label": proposed,
            "confidence": found.confidence[case],
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


def add_label_measure(night: Night, issues: pl.DataFrame) -> None:
    """The metric `label_issue` of the long table."""
    if night.findings is not None:
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


def classes(night: Night) -> pl.DataFrame:
    """The `classes` table; what the vectors say is null where there are none."""
    names = pl.Series(night.labels.names, dtype=pl.String)
    queries = night.queries
    queries.table("cases", night.cases)
    silhouette = (
        queries.run("silhouette", typical=dataset.typical_distance(night.corpus.vectors))
        .group_by("label")
        .agg(pl.col("silhouette").mean(), pl.col("purity").mean())
    )
    overlap, coverage = (
        queries.run("class_overlap"),
        queries.run("class_coverage", radius=dataset.reference_radius(night.corpus)),
    )
    frame = pl.DataFrame(
        {"code": np.arange(len(names), dtype=np.int32), "label": names}, schema_overrides={"label": pl.String}
    )
    frame = frame.join(silhouette, left_on="code", right_on="label", how="left")
    frame = frame.join(overlap, left_on="code", right_on="label", how="left")
    frame = frame.join(coverage, left_on="code", right_on="label", how="left")
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


def probe_right(night: Night) -> np.ndarray:
    """(m,) whether the probe's best class of a case is its own."""
    return night.beliefs.label[night.beliefs.best(night.beliefs.probe)] == night.beliefs.given


def group_table(night: Night, codings: list[Coding]) -> pl.DataFrame:
    """The `groups` table."""
    section, frames = night.spec.metrics, []
    features = beliefs.probe.principal_axes(night.corpus.vectors) if codings and night.corpus.n_units >= 10 else None
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


def all_proposals(night: Night, codings: list[Coding]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Proposals for missing labels and for gaps in group columns, and their measured quality."""
    section, ids, unit = night.spec.metrics, night.corpus.samples["sample_id"], night.corpus.unit
    made = [
        pl.DataFrame(
            schema={"sample_id": pl.String, "column": pl.String, "proposed": pl.String, "confidence": pl.Float64}
        )
    ]
    measured = [proposals.quality_empty()]
    if night.beliefs is not None:
        made.append(proposals.propose("label", night.labels.names, night.beliefs, ids, unit, night.labels.codes))
        measured.append(proposals.quality("label", night.beliefs))
    for coding in codings:
        if len(coding.names) < 2 or not ((coding.codes < 0) & (unit >= 0)).any() or coding.column == "label":
            continue
        cases = cases_frame(night.corpus, coding.codes)
        if cases.filter(pl.col("label") >= 0)["label"].n_unique() < 2:
            continue
        found = beliefs.believe(night.corpus, cases, len(coding.names), night.queries, section.folds, section.seed)
        made.append(proposals.propose(coding.column, coding.names, found, ids, unit, coding.codes))
        measured.append(proposals.quality(coding.column, found))
    return pl.concat(made).sort("sample_id", "column"), pl.concat(measured).sort("column", "coverage")


def debias(night: Night, codings: list[Coding], writer: StageWriter) -> None:
    """For each column asked for: a copy of the vectors without it, and how well it can be read before and after."""
    section, corpus = night.spec.metrics, night.corpus
    for coding in codings:
        if coding.column not in section.debias or corpus.n_units < 10:
            continue
        codes = groups.unit_codes(corpus, coding.codes)
        if len(np.unique(codes[codes >= 0])) < 2:
            continue
        cleaned = groups.leace(corpus.vectors, codes)
        for when, vectors in (("before", corpus.vectors), ("after", cleaned)):
            features = beliefs.probe.principal_axes(vectors)
            found = groups.group_probe(features, codes, len(coding.names), section.folds, section.seed)
            value = max(0.5, float(np.nanmean(found))) if found is not None and np.isfinite(found).any() else None
            night.metrics[f"leakage_{when}_debias:{coding.column}"] = (
                value,
                "mean AUC of reading the group off the vectors; 0.5 is chance, nothing below is told",
            )
        number = section.debias.index(coding.column)
        frame = pl.DataFrame({"sample_id": corpus.unit_ids, "vector": cleaned})
        frame.write_parquet(writer.folder("debiased") / f"column-{number:02d}.parquet")


def dataset_metrics(night: Night, codings: list[Coding], tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """One number per row."""
    corpus, queries = night.corpus, night.queries
    radius = dataset.reference_radius(corpus)
    frames = [queries.run("dataset_counts"), queries.run("leakage"), queries.run("split_coverage", radius=radius)]
    night.metrics["vectors_unusable"] = (float(corpus.n_unusable), "samples whose vector is zero or not finite")
    night.metrics["n_units"] = (float(corpus.n_units), "samples with a vector, duplicates collapsed")
    noise_metrics(night)
    space_metrics(night, tables["classes"], radius)
    spurious_metrics(night)
    under_performing(night, tables["groups"])
    worth_metrics(night, tables)
    frames.append(dataset.rows(night.metrics))
    return pl.concat(frames).unique("metric", keep="last").sort("metric")


def noise_metrics(night: Night) -> None:
    """The estimated share of wrong labels, with its interval."""
    if night.findings is None:
        return
    joint = night.findings.joint
    total = float(joint["count"].sum())
    wrong = float(joint.filter(pl.col("given") != pl.col("true"))["count"].sum())
    rate = wrong / max(total, 1e-9)
    low, high = confident.wilson(np.array([rate]), np.array([total]))
    night.metrics["estimated_noise_rate"] = (rate, "share of wrong labels by confident learning")
    night.metrics["estimated_noise_rate_low"] = (float(low[0]), "95% interval, lower end")
    night.metrics["estimated_noise_rate_high"] = (float(high[0]), "95% interval, upper end")
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
    """Separability, coverage, diversity and order."""
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
            night.metrics[f"{name}_gap_ratio"] = (
                result[0],
                "gap in file order between neighbours ÷ by chance; below 1: data drifts along the file",
            )
            night.metrics[f"{name}_p_value"] = (result[1], "by permutation")


def spurious_metrics(night: Night) -> None:
    """How far each image or text property alone predicts the label."""
    if len(night.labels.names) < 2:
        return
    fold = beliefs.probe.stratified_folds(night.labels.codes, night.spec.metrics.folds, night.spec.metrics.seed)
    for name, values in properties(night).items():
        found = dataset.spurious_correlation(dataset.binned(values), night.labels.codes, fold)
        if found is not None:
            night.metrics[f"spurious:{name}"] = (
                found,
                "accuracy of the label from this property alone, above the majority class",
            )


def properties(night: Night) -> dict[str, np.ndarray]:
    """Numeric measurements of each sample's content, NaN where there is none."""
    wanted = {
        "image_facts": ("width", "height", "brightness", "contrast", "entropy_bits", "sharpness", "colorfulness"),
        "text_facts": ("n_characters", "n_words", "repetition", "uppercase", "symbols"),
    }
    out = {}
    for table, columns in wanted.items():
        if table not in night.queries.names:
            continue
        facts = pl.from_arrow(night.queries.connection.table(table).select("content_hash", *columns).to_arrow_table())
        facts = facts.unique("content_hash", keep="first")
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
