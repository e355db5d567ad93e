"""judge: turns scores into issues. The spec's thresholds and people's decisions are used here and in no earlier stage,
so changing one trains nothing: it takes a few SELECTs over what the metrics stage measured."""

import tempfile
from pathlib import Path

import polars as pl

from assay.contracts.metrics import leeways, thresholds
from assay.contracts.operations import Run
from assay.contracts.spec import Spec
from assay.judge.last_night import last_verdicts
from assay.metrics.groups.groups import attributes, group_codings
from assay.metrics.sql import select
from assay.store.decisions import dismissed_suspicions, kept_by_decision, read_decisions
from assay.store.files import hash_text
from assay.store.stage import StageWriter, Work, stage, write_rows
from assay.store.tables import Tables
from assay.store.workspace import Workspace

VERSION = 3
MEASURED = (
    "copies",
    "measures",
    "label_findings",
    "class_flags",
    "class_measures",
    "group_measures",
    "dataset_measures",
)
WRITES = ("duplicates", "scores", "label_issues", "classes", "groups", "group_issues", "dataset_metrics")
THRESHOLDS = {"metric": pl.String, "threshold": pl.Float64, "leeway": pl.Float64}
HERE = Path(__file__).parent


@stage(version=VERSION, reads=("samples", "vectors", *MEASURED), writes=WRITES, hours=1)
def judge(spec: Spec, workspace: Workspace, tables: Tables) -> Work:
    """samples, vectors, copies, measures, label_findings, class_flags, class_measures, group_measures,
    dataset_measures → duplicates, scores, label_issues, classes, groups, group_issues, dataset_metrics.

    A sample that has not changed since last night keeps its verdict, unless the evidence against it is clear. A
    suspicion that somebody dismissed in the explorer is no issue until the content or the label changes; its score
    stays. A duplicate that somebody chose to keep has `keep` set, for as long as its content stays the same.
    """
    now = tables.read("samples", ["sample_id", "content_hash", "label"])
    decisions = read_decisions(workspace)
    dismissed = dismissed_suspicions(decisions, now)
    kept = pl.DataFrame({"sample_id": kept_by_decision(decisions, now)}, schema={"sample_id": pl.String})
    last = last_verdicts(spec, workspace, tables, decisions)
    limits, section = thresholds(spec.thresholds.model_dump()), spec.metrics
    leeway = leeways()

    def body(writer: StageWriter) -> None:
        samples = tables.read("samples")
        others = (*section.annotator_labels, spec.data.face.outline)
        codings, _ = group_codings(samples, section.group_columns, without=others)
        given = {
            "samples": samples.select("sample_id", "label"),
            "dismissed": dismissed,
            "kept": kept,
            "thresholds": pl.DataFrame(
                [(name, limit, leeway.get(name, 0.0)) for name, limit in limits.items()], THRESHOLDS, orient="row"
            ),
            "attributes": attributes(samples, codings),
        }
        given |= {name: tables.read(name) for name in MEASURED}
        workspace.work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=workspace.work, prefix=".judge-sql-") as spill:
            given["last_verdicts"] = last.read(now, Path(spill), spec.run)
            for name, frame in judged(given, Path(spill), spec.run).items():
                write_rows(writer, name, frame)

    config = {
        "thresholds": limits,
        "leeways": leeway,
        "last_night": hash_text(" ".join(last.identity())),
        "dismissed": hash_text(dismissed.write_json()),
        "kept": hash_text(kept.write_json()),
        "group_columns": section.group_columns,
        "annotator_labels": section.annotator_labels,
    }
    return Work(config, body)


def judged(given: dict[str, pl.DataFrame], spill: Path, run: Run | None = None) -> dict[str, pl.DataFrame]:
    """The stage's tables, computed from those that it reads, `dismissed` (sample_id, metric), `kept` (sample_id),
    `last_verdicts` (sample_id, metric, was_issue), `thresholds` (metric, threshold, leeway) and `attributes`
    (sample_id, column, value)."""

    def table(name: str, *relations: str, **further: pl.DataFrame) -> pl.DataFrame:
        return select(HERE / f"{name}.sql", {name: given[name] for name in relations} | further, spill, run)

    scores = table("scores", "measures", "thresholds", "last_verdicts", "dismissed")
    issues = table("label_issues", "label_findings", scores=scores)
    counts = table("dataset_counts", "samples", scores=scores)
    numbers = pl.concat([counts, given["dataset_measures"]]).unique("metric", keep="last")
    return {
        "duplicates": table("duplicates", "copies", "kept"),
        "scores": scores,
        "label_issues": issues,
        "classes": table("classes", "class_measures", "class_flags", label_issues=issues),
        "groups": table("groups", "samples", "attributes", "group_measures", scores=scores),
        "group_issues": table("group_issues", "attributes", scores=scores),
        "dataset_metrics": numbers.sort("metric"),
    }
