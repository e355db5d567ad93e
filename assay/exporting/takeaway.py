"""A selection, or the cleaned dataset, to take away: Parquet, CSV, JSONL, COCO, CVAT, or tasks for Label
Studio.

What is taken away can be a source again: `kind = "table"`, with `root` where the pictures are. Parquet and JSONL are
exact; a CSV escapes what a spreadsheet would run, says so in a column, and is read back as it was.
"""

import io
import json
from typing import Any

import numpy as np
import polars as pl

from assay.contracts.spreadsheet import escape
from assay.exporting.annotations import ADDED, ExportError, as_coco, as_cvat, as_label_studio
from assay.reading.columns import View
from assay.store.decisions import cleaned_samples

FORMATS = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "labelstudio": "application/json",
    "coco": "application/json",
    "cvat": "application/xml",
    "zip": "application/zip",
    "huggingface": "application/zip",
}
ANNOTATED = {"labelstudio": as_label_studio, "coco": as_coco, "cvat": as_cvat}
ENDINGS = {"labelstudio": "json", "coco": "json", "cvat": "xml", "huggingface": "zip"}
ZIPPED = (
    "zip",
    "huggingface",
)  # of the cleaned dataset; not made in memory  # of a file's name, where it is not the format's


def export(view: View, mask: np.ndarray, what: str, form: str) -> bytes:
    """The file's bytes.

    `what`: "selection" has every selected sample with its findings; "cleaned" the samples worth training on: copies
    and whatever was dropped left out, accepted labels in the place of the given ones.

    Raises:
        ExportError: no such kind or format, or one that does not hold such samples.
    """
    if what not in ("selection", "cleaned") or form not in FORMATS or form in ZIPPED:
        raise ExportError(f"export is selection or cleaned, as {sorted(FORMATS)}; got {what!r}, {form!r}")
    frame = with_text(view, cleaned(view, mask) if what == "cleaned" else found(view, mask))
    if form == "parquet":
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        return buffer.getvalue()
    if form == "csv":
        return without_formulas(frame).write_csv().encode("utf-8", "replace")
    if form in ANNOTATED:
        return ANNOTATED[form](frame, view)
    return as_tasks(frame, what)


def found(view: View, mask: np.ndarray) -> pl.DataFrame:
    """The selected samples with all their source columns and what was found about them, in source order."""
    frame = view.scan("samples").sort("position").collect().filter(pl.Series(mask))
    label = view.scan("label_issues").select(
        "sample_id",
        "suggested_label",
        pl.col("confidence").alias("label_confidence"),
        pl.col("score").alias("label_score"),
    )
    issues = (
        view.scan("scores").filter(pl.col("is_issue")).sort("metric")
        .group_by("sample_id", maintain_order=True).agg(pl.col("metric").str.join(" ").alias("issues"))
    )  # fmt: skip
    frame = frame.select(name for name in frame.columns if name not in ADDED)
    frame = frame.join(label.collect(), on="sample_id", how="left", maintain_order="left")
    frame = frame.join(issues.collect(), on="sample_id", how="left", maintain_order="left")
    return frame.join(_decided(view), on="sample_id", how="left", maintain_order="left")


def _decided(view: View) -> pl.DataFrame:
    standing = view.decisions()
    made = (
        standing.filter(pl.col("kind") != "tag")
        .group_by("sample_id")
        .agg(pl.col("kind").sort().str.join(" ").alias("decision"))
    )
    tags = (
        standing.filter(pl.col("kind") == "tag")
        .group_by("sample_id")
        .agg(pl.col("value").sort().str.join(" ").alias("tags"))
    )
    return made.join(tags, on="sample_id", how="full", coalesce=True)


def cleaned(view: View, mask: np.ndarray) -> pl.DataFrame:
    """The selected samples of `cleaned.sql`: no copies, none dropped, accepted labels put in; source columns only."""
    frame = view.scan("samples").sort("position").collect()
    good = cleaned_samples(
        frame.select("sample_id", "position", "label"),
        view.scan("duplicates").select("sample_id", "keep").collect(),
        view.decisions(),
    )
    frame = frame.filter(pl.Series(mask)).drop("label").join(good, on="sample_id", maintain_order="left")
    return frame.select(view.scan("samples").collect_schema().names())


def with_text(view: View, frame: pl.DataFrame) -> pl.DataFrame:
    """The samples of a text dataset with the text itself, as given, which is what they are."""
    table, column = view.face["facts"], view.face["text"]
    if not column:
        return frame
    facts = view.scan(table).select("content_hash", pl.col(column).alias("text")).collect()
    if facts.is_empty() or "text" in frame.columns:
        return frame
    facts = facts.unique("content_hash", keep="first")
    return frame.join(facts, on="content_hash", how="left", maintain_order="left")


def without_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """A flat frame, in which text cells, and headers, that a spreadsheet would run get a leading apostrophe."""
    nested = [name for name, kind in frame.schema.items() if kind.is_nested() or kind == pl.Binary]
    return escape(frame.drop(nested))


def as_tasks(frame: pl.DataFrame, what: str) -> bytes:
    """One JSON object a line: `data` (the source columns) and, for a selection, `predictions` (the suggestion)."""
    lines, added = [], ADDED if what == "selection" else ()
    for row in frame.iter_rows(named=True):
        task: dict[str, Any] = {
            "data": {name: value for name, value in row.items() if name not in added and value is not None}
        }
        if added and row.get("suggested_label") is not None:
            task["predictions"] = [
                {
                    "result": [{"value": row["suggested_label"]}],
                    "score": row["label_confidence"],
                    "model_version": "assay",
                }
            ]
            task["meta"] = {"issues": row["issues"], "tags": row["tags"]}
        lines.append(json.dumps(task, ensure_ascii=False, default=str))
    return "".join(line + "\n" for line in lines).encode("utf-8", "replace")
