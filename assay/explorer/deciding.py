"""What the page writes or takes away: decisions, their undoing, and files."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import polars as pl
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from assay.explorer import asked
from assay.explorer.answers import number_of
from assay.explorer.guard import WHO
from assay.explorer.state import Explorer
from assay.exporting import takeaway
from assay.exporting.folder import write_zip
from assay.exporting.hugging_face import zip_hugging_face
from assay.reading.columns import View
from assay.remote.home import share_decisions
from assay.sources.label_text import canonical, normalize_label
from assay.store.decisions import append_decisions, read_decisions, undo_batch
from assay.store.predictions import keep_predictions
from assay.store.views import read_views, save_view


def decide(explorer: Explorer, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Write one decision for every sample of a filter, or of `ids`, that it changes something for.

    With `dry` nothing is written: the answer says what would be. Answer: `n` samples decided, `unchanged` by reason
    (`no_suggestion`, `no_label`, `same_label`, `decided`), `batch` to undo it by.
    """
    number = number_of(request)
    view, kind = explorer.view(number), asked.given(body, "kind")
    if kind == "undo":
        raise ValueError("undo a batch by its name")
    rows = _rows(explorer, number, body)
    value = _value(view, kind, asked.text(body, "value") or None)
    if len(rows) == 0 and not body.get("dry"):
        raise ValueError("no samples were given to decide about; select some first")
    rows, values, unchanged = changing(view, rows, kind, value)
    if body.get("dry") or len(rows) == 0:
        return {"batch": None, "n": len(rows), "unchanged": unchanged}
    batch = append_decisions(explorer.workspace, view.samples_of(rows), kind, values, request.scope[WHO], number)
    share_decisions(explorer.workspace)
    explorer.decided()
    return {"batch": batch, "n": len(rows), "unchanged": unchanged}


def _rows(explorer: Explorer, number: int, body: dict[str, Any]) -> np.ndarray:
    if "filter" not in body and "ids" not in body:
        raise ValueError("the request names no samples; wanted a `filter`, or a list of `ids`")
    wanted = body["filter"] if "filter" in body else {"ids": body["ids"]}
    return np.flatnonzero(explorer.selections(number).mask(wanted))


def _value(view: View, kind: str, value: str | None) -> str | None:
    """The value as labels are spelt. Raises `ValueError` for a tag without a name, or a label that is none."""
    if kind in ("tag", "untag"):
        value = normalize_label(value)
        if value is None:
            raise ValueError("a tag needs a name")
    if kind == "accept_label" and value is not None and view.label_separator:
        value = canonical(value, view.label_separator)
        if value is None or len(value) > 1_000:
            raise ValueError("a label is a set of classes, of 1,000 characters in all; the separator alone is none")
    elif kind == "accept_label" and value is not None:
        value = normalize_label(value)
        if value is None:
            raise ValueError("a label needs a name")
    return value


def changing(
    view: View, rows: np.ndarray, kind: str, value: str | None
) -> tuple[np.ndarray, str | list[str | None] | None, dict[str, int]]:
    """The rows for which a decision changes something, its value for each, and why the others are left out.

    Returns:
        rows, int64; the value for all of them, or a list of one each; a dict of counts by reason.
    """
    label = view.category("label")
    given = [label.names[code] if code >= 0 else None for code in label.codes[rows]]
    wanted = [value] * len(rows)
    if kind == "accept_label" and value is None:
        suggested = view.category("suggested")
        wanted = [suggested.names[code] if code >= 0 else None for code in suggested.codes[rows]]
    standing = view.decisions().filter(pl.col("kind") == kind).select("sample_id", "value")
    made = set(zip(standing["sample_id"], standing["value"], strict=True))
    ids = view.ids.gather(rows)
    kept, unchanged = [], {"no_suggestion": 0, "no_label": 0, "same_label": 0, "decided": 0}
    for place, sample in enumerate(ids):
        if kind == "accept_label" and wanted[place] is None:
            unchanged["no_suggestion"] += 1
        elif kind == "reject_label" and given[place] is None:
            unchanged["no_label"] += 1
        elif kind == "accept_label" and wanted[place] == given[place]:
            unchanged["same_label"] += 1
        elif (sample, wanted[place]) in made:
            unchanged["decided"] += 1
        else:
            kept.append(place)
    values = [wanted[place] for place in kept] if kind == "accept_label" else value
    return rows[kept], values, {reason: n for reason, n in unchanged.items() if n}


def undo(explorer: Explorer, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Take one batch back."""
    batch = asked.given(body, "batch")
    made = read_decisions(explorer.workspace)
    if batch not in made["batch"]:
        raise KeyError(f"no decisions {batch[:100]!r}")
    undo_batch(explorer.workspace, batch, request.scope[WHO], number_of(request))
    share_decisions(explorer.workspace)
    explorer.decided()
    return {"undone": batch}


def decisions(explorer: Explorer, request: Request, _: object) -> dict[str, Any]:
    """The batches ever decided, newest first, with what was undone."""
    made = read_decisions(explorer.workspace)
    undone = set(made.filter(pl.col("kind") == "undo")["value"])
    batches = (
        made.filter(pl.col("kind") != "undo")
        .group_by("batch", maintain_order=True)
        .agg(
            pl.first("kind", "who", "snapshot"),
            pl.first("at").dt.to_string("%Y-%m-%d %H:%M"),
            pl.len().alias("n"),
            pl.col("value").unique(maintain_order=True).head(4),
            pl.col("sample_id").head(3),
        )
    )
    lines = [line | {"undone": line["batch"] in undone} for line in batches.reverse().head(200).to_dicts()]
    return {"batches": lines, "total": len(batches)}


def views(explorer: Explorer, request: Request, _: object) -> dict[str, Any]:
    """The saved views."""
    return {"views": read_views(explorer.workspace)}


def keep_view(explorer: Explorer, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Save a view by name; without a state, remove it."""
    state = body.get("state")
    if state is not None and not isinstance(state, dict):
        raise ValueError("a view's state is a JSON object")
    save_view(explorer.workspace, asked.given(body, "name"), state, request.scope[WHO])
    return {"views": read_views(explorer.workspace)}


def predictions(explorer: Explorer, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Keep the predictions of a CSV file that was dropped on the page, which comes as its lines."""
    lines = body.get("lines")
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ValueError("predictions come as the lines of a CSV file")
    try:
        frame = pl.read_csv(io.StringIO("\n".join(lines)), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"this is no CSV file: {str(error)[:200]}") from None
    n = keep_predictions(explorer.workspace, frame)
    explorer.brought()
    return {"n": n}


def export(explorer: Explorer, request: Request, body: dict[str, Any]) -> Response:
    """A selection or the cleaned dataset as a file."""
    number = number_of(request)
    what, form = asked.text(body, "what") or "selection", asked.text(body, "format") or "parquet"
    mask = explorer.selections(number).mask(body.get("filter") or {})
    name = f"{explorer.workspace.dataset}-v{number}-{what}.{takeaway.ENDINGS.get(form, form)}"
    attached = {"content-disposition": f'attachment; filename="{name}"'}
    if what == "cleaned" and form in takeaway.ZIPPED:
        write = write_zip if form == "zip" else zip_hugging_face
        return _zip(lambda file: write(explorer.view(number), mask, file), attached)
    data = takeaway.export(explorer.view(number), mask, what, form)
    return Response(data, media_type=takeaway.FORMATS[form], headers=attached)


def _zip(write: Callable[[BinaryIO], object], headers: dict[str, Any]) -> Response:
    """A ZIP file, made on disk and removed once they are sent."""
    with tempfile.NamedTemporaryFile(prefix="assay-", suffix=".zip", delete=False) as file:
        path = Path(file.name)
        try:
            write(cast(BinaryIO, file))
        except BaseException:
            path.unlink()
            raise
    return FileResponse(path, media_type="application/zip", headers=headers, background=BackgroundTask(path.unlink))
