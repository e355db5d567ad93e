"""What the page writes or takes away: decisions, their undoing, and files."""

import numpy as np
import polars as pl
from starlette.requests import Request
from starlette.responses import Response

from assay.explorer import asked, takeaway
from assay.explorer.answers import number_of
from assay.explorer.guard import WHO
from assay.explorer.state import Explorer
from assay.sources.label_text import canonical
from assay.store.decisions import append_decisions, read_decisions, undo_batch


def decide(explorer: Explorer, request: Request, body: dict) -> dict:
    """Write one decision for every sample of a filter (or of `ids`)."""
    number = number_of(request)
    view, kind = explorer.view(number), asked.given(body, "kind")
    mask = explorer.selections(number).mask(body["filter"] if "filter" in body else {"ids": body["ids"]})
    if kind == "accept_label" and not body.get("value"):
        mask = mask & (view.column("suggested").codes >= 0)
    rows = np.flatnonzero(mask)
    value = asked.text(body, "value") or None
    if kind == "accept_label" and value is None:
        suggested = view.column("suggested")
        value = [suggested.names[code] for code in suggested.codes[rows]]
    elif kind == "accept_label" and view.label_separator:
        value = canonical(value, view.label_separator)
        if value is None or len(value) > 1_000:
            raise ValueError("a label is a set of classes, of 1,000 characters in all; the separator alone is none")
    if kind in ("tag", "untag") and not value:
        raise ValueError("a tag needs a name")
    if kind == "undo":
        raise ValueError("undo a batch by its name")
    batch = append_decisions(explorer.workspace, view.samples_of(rows), kind, value, request.scope[WHO], number)
    explorer.decided()
    return {"batch": batch, "n": len(rows)}


def undo(explorer: Explorer, request: Request, body: dict) -> dict:
    """Take one batch back."""
    batch = asked.given(body, "batch")
    made = read_decisions(explorer.workspace)
    if batch not in made["batch"]:
        raise KeyError(f"no decisions {batch[:100]!r}")
    undo_batch(explorer.workspace, batch, request.scope[WHO], number_of(request))
    explorer.decided()
    return {"undone": batch}


def decisions(explorer: Explorer, request: Request, _) -> dict:
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


def export(explorer: Explorer, request: Request, body: dict) -> Response:
    """A selection or the cleaned dataset as a file."""
    number = number_of(request)
    what, form = asked.text(body, "what") or "selection", asked.text(body, "format") or "parquet"
    mask = explorer.selections(number).mask(body.get("filter") or {})
    data = takeaway.export(explorer.view(number), mask, what, form)
    name = f"{explorer.workspace.dataset}-v{number}-{what}.{form}"
    return Response(
        data, media_type=takeaway.FORMATS[form], headers={"content-disposition": f'attachment; filename="{name}"'}
    )
