"""A selection, or the cleaned dataset, to take away: Parquet, CSV, JSONL, COCO, or tasks for Label Studio.

What is taken away can be a source again: `kind = "table"`, with `root` where the pictures are. Parquet and JSONL are
exact; a CSV escapes what a spreadsheet would run, says so in a column, and is read back as it was.
"""

import io
import json
from typing import Any

import numpy as np
import polars as pl

from assay.contracts.spreadsheet import escape
from assay.reading.columns import View
from assay.sources.fragments import parted
from assay.store.decisions import cleaned_samples

FORMATS = {
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "labelstudio": "application/json",
    "coco": "application/json",
    "zip": "application/zip",
}
ENDINGS = {"labelstudio": "json", "coco": "json"}  # of a file's name, where it is not the format's
ADDED = ("suggested_label", "label_confidence", "label_score", "issues", "decision", "tags")


class ExportError(ValueError):
    """Asked for something that cannot be exported."""


def export(view: View, mask: np.ndarray, what: str, form: str) -> bytes:
    """The file's bytes.

    `what`: "selection" has every selected sample with its findings; "cleaned" the samples worth training on: copies
    and whatever was dropped left out, accepted labels in the place of the given ones.

    Raises:
        ExportError: no such kind or format, or COCO of samples that are no boxes.
    """
    if what not in ("selection", "cleaned") or form not in FORMATS or form == "zip":
        raise ExportError(f"export is selection or cleaned, as {sorted(FORMATS)}; got {what!r}, {form!r}")
    frame = with_text(view, cleaned(view, mask) if what == "cleaned" else found(view, mask))
    if form == "parquet":
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        return buffer.getvalue()
    if form == "csv":
        return without_formulas(frame).write_csv().encode("utf-8", "replace")
    if form == "coco":
        return as_coco(frame, view)
    return as_label_studio(frame, view) if form == "labelstudio" else as_tasks(frame, what)


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
    lines = []
    for row in frame.iter_rows(named=True):
        task: dict[str, Any] = {
            "data": {name: value for name, value in row.items() if name not in ADDED and value is not None}
        }
        if what == "selection" and row.get("suggested_label") is not None:
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


def as_label_studio(frame: pl.DataFrame, view: View) -> bytes:
    """A list of Label Studio's tasks with the suggestions as pre-annotations.

    They fit a labelling configuration with `<Image name="image" value="$image"/>` (or `<Text name="text"
    value="$text"/>`) and `<Choices name="label" toName="image">` (or "text").
    """
    shown = "text" if view.face["text"] else "image"
    tasks = []
    for row in frame.iter_rows(named=True):
        data = {name: value for name, value in row.items() if name not in ADDED and value is not None}
        data |= {shown: row["text"] if shown == "text" else row["uri"], "issues": row.get("issues") or ""}
        task: dict[str, Any] = {"data": data}
        for name, score in (("suggested_label", row.get("label_confidence")), ("label", None)):
            if row.get(name) is not None:
                choice = {"from_name": "label", "to_name": shown, "type": "choices", "value": {"choices": [row[name]]}}
                version = "assay" if name == "suggested_label" else "given"
                task.setdefault("predictions", []).append(
                    {"model_version": version, "score": score, "result": [choice]}
                )
        tasks.append(task)
    return json.dumps(tasks, ensure_ascii=False, default=str).encode("utf-8", "replace")


def as_coco(frame: pl.DataFrame, view: View) -> bytes:
    """COCO JSON of boxes in pixels: `images`, `annotations` and `categories`, each with ids from 1; a box without a
    label has the category `unlabelled`."""
    face = view.face
    if not face.get("whole"):
        raise ExportError(
            "COCO holds boxes of pictures; these samples are none. Take them as Parquet, CSV or JSON lines"
        )
    place = ["x", "y", "box_width", "box_height", "image_width", "image_height"]
    facts = view.scan(face["facts"]).select("content_hash", *place).unique("content_hash", keep="any").collect()
    boxes = frame.select("uri", "label", "content_hash").join(facts, on="content_hash", maintain_order="left")
    rows = [(parted(uri)[0], label or "unlabelled", *numbers) for uri, label, _, *numbers in boxes.iter_rows()]
    images = {file: size for file, _, _, _, _, _, *size in rows}
    image_ids = {file: number for number, file in enumerate(sorted(images), start=1)}
    classes = {name: number for number, name in enumerate(sorted({row[1] for row in rows}), start=1)}
    whole = {
        "images": [
            {"id": number, "file_name": file, "width": images[file][0], "height": images[file][1]}
            for file, number in image_ids.items()
        ],
        "categories": [{"id": number, "name": name} for name, number in classes.items()],
        "annotations": [
            {
                "id": number, "image_id": image_ids[file], "category_id": classes[label], "bbox": [x, y, w, h],
                "area": w * h, "iscrowd": 0,
            }
            for number, (file, label, x, y, w, h, *_) in enumerate(rows, start=1)
        ],
    }  # fmt: skip
    return json.dumps(whole, ensure_ascii=False).encode("utf-8", "replace")
