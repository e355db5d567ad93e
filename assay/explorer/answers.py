"""What the page asks for and only reads: points, counts, cards, lists, one sample, two snapshots compared."""

from typing import Any

import numpy as np
import polars as pl
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from assay.explorer import asked
from assay.explorer import points as drawing
from assay.explorer.encoding import can_search_pictures
from assay.explorer.state import Explorer
from assay.reading import compare as comparing
from assay.reading import overview as overviews
from assay.reading import queues as queueing
from assay.reading import samples, tables
from assay.reading.columns import View
from assay.reading.evaluation import evaluation as evaluate
from assay.reading.facts import can_search_words
from assay.reading.filters import checked
from assay.reading.map_names import map_names
from assay.reading.selection import similarity_of, without_each
from assay.store.snapshots import list_snapshots, snapshot_numbers

MOST_HISTORY = 60  # snapshots of a trend


def number_of(request: Request) -> int:
    """The snapshot that an address names."""
    return int(request.path_params["number"])


def query(request: Request, name: str) -> int:
    """A whole number of the address's query; 0 where it has none."""
    return asked.whole(request.query_params, name, 0)


def page_of(body: dict[str, Any], limit: int) -> tuple[int, int]:
    """Offset and limit of a request; `limit` where it names none."""
    return asked.whole(body, "offset", 0), asked.whole(body, "limit", limit)


def refused(status: int, words: str) -> JSONResponse:
    """A mistake in words."""
    return JSONResponse({"error": words[:1_000].encode("utf-8", "replace").decode()}, status)


def snapshots(explorer: Explorer, request: Request, _: object) -> dict[str, Any]:
    """Every snapshot with its headline, newest last; the broken ones named."""
    there = list_snapshots(explorer.workspace)
    good = {snapshot.number for snapshot in there if snapshot.parts("samples")}
    broken = [number for number in snapshot_numbers(explorer.workspace.snapshots) if number not in good]
    lines = [
        {
            "number": s.number, "created_at": s.manifest.get("created_at", ""), "parent": s.manifest.get("parent"),
            "headline": s.manifest.get("headline", {}), "gates": s.manifest.get("gates", []),
        }
        for s in there if s.number in good
    ]  # fmt: skip
    return {"dataset": explorer.workspace.dataset, "snapshots": lines, "broken": broken}


def meta(explorer: Explorer, request: Request, _: object) -> dict[str, Any]:
    """What one snapshot has."""
    return describe(explorer.view(number_of(request))) | {"most_points": explorer.most_points}


def describe(view: View) -> dict[str, Any]:
    """Size, projections, columns, face of a sample, and what can be searched."""
    manifest = view.snapshot.manifest
    return {
        "number": view.snapshot.number,
        "dataset": manifest.get("dataset", view.snapshot.path.parent.parent.name),
        "n": len(view),
        "layouts": [{"method": name} for name in view.layouts()],
        "columns": view.catalog(),
        "face": view.face["kind"],
        "has_thumbnails": view.has_thumbnails(),
        "has_vectors": bool(view.snapshot.parts("vectors")),
        "has_words": can_search_words(view),
        "has_pictures": can_search_pictures(view),
        "created_at": manifest.get("created_at", ""),
        "headline": manifest.get("headline", {}),
        "most_points": drawing.MOST_POINTS,
        "label_separator": view.label_separator,
    }


def points(explorer: Explorer, request: Request, body: dict[str, Any]) -> Response:
    """The points to draw, as `points.packed` lays them out."""
    number = number_of(request)
    asked.given(body, "method")
    mask = explorer.selections(number).mask(body.get("filter") or {})
    data = drawing.packed(explorer.view(number), mask, body)
    return Response(data, media_type="application/octet-stream")


def facets(explorer: Explorer, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Counts of the selection, whole and by each column asked for."""
    number = number_of(request)
    view, mask = explorer.view(number), explorer.selections(number).mask(body.get("filter") or {})
    keys = [str(key) for key in body.get("columns", [])][:100]
    whole = bool(mask.all())
    return {
        "total": len(view),
        "selected": int(mask.sum()),
        "facets": [tables.facet(view, key, mask, whole) for key in keys],
    }


def lifts(explorer: Explorer, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """For each condition of a filter that lets nothing through: what would pass without it."""
    number = number_of(request)
    return {"lifts": without_each(explorer.view(number), checked(body.get("filter") or {}))}


def overview(explorer: Explorer, request: Request, _: object) -> dict[str, Any]:
    """The first page."""
    number = number_of(request)
    view, there = explorer.view(number), list_snapshots(explorer.workspace)
    history = [
        {"number": s.number, "created_at": s.manifest.get("created_at", ""), "headline": s.manifest.get("headline", {})}
        for s in there if s.number <= number and s.parts("samples")
    ][-MOST_HISTORY:]  # fmt: skip
    return overviews.told(view, view.snapshot.manifest, history, queueing.queues(view), view.face["plural"])


def queue(explorer: Explorer, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """The items of one review queue, and all queues with their progress."""
    number = number_of(request)
    view = explorer.view(number)
    mask = explorer.selections(number).mask(body["filter"]) if body.get("filter") else None
    return queueing.queue(view, asked.given(body, "key"), mask) | {"queues": queueing.queues(view)}


def cards(explorer: Explorer, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Cards of some rows, in their order."""
    view = explorer.view(number_of(request))
    rows = np.array(asked.rows(body, "rows")[: samples.MOST_CARDS], dtype=np.int64)
    if len(rows) and not (rows.min() >= 0 and rows.max() < len(view)):
        raise KeyError("no such row")
    return {"cards": samples.cards(view, rows)}


def names(explorer: Explorer, request: Request, _: object) -> dict[str, Any]:
    """What to write on the plot, and where."""
    view = explorer.view(number_of(request))
    method = request.query_params.get("method") or next(iter(view.layouts()), None)
    return {"names": map_names(view, method) if method else []}


def classes(explorer: Explorer, request: Request, _: object) -> dict[str, Any]:
    """Every class of the dataset and every tag in use: what a new label or tag is completed from."""
    view = explorer.view(number_of(request))
    label, standing = view.category("label"), view.decisions()
    accepted = standing.filter(pl.col("kind") == "accept_label")["value"].drop_nulls().unique(maintain_order=True)
    counts = label.counts()[:-1].tolist()
    found = [[name, n] for name, n in zip(label.names, counts, strict=True)]
    found += [[name, 0] for name in accepted if name not in set(label.names)]
    tags = standing.filter(pl.col("kind") == "tag")["value"].drop_nulls().value_counts(sort=True)
    return {"classes": found, "tags": [list(row) for row in tags.iter_rows()]}


def evaluation(explorer: Explorer, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """How the model does whose predictions were brought; `n` 0 and `brought` false where none were."""
    number = number_of(request)
    view = explorer.view(number)
    if view.predictions() is None:
        return {"brought": False}
    return {"brought": True} | evaluate(view, explorer.selections(number).mask(body.get("filter") or {}))


def gallery(explorer: Explorer, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Some cards of the selection, sorted."""
    number = number_of(request)
    view, wanted, sort = explorer.view(number), body.get("filter") or {}, asked.text(body, "sort") or "position"
    rows = explorer.selections(number).rows(wanted, sort, bool(body.get("descending", True)))
    offset, limit = page_of(body, 60)
    page = rows[offset : offset + min(limit, samples.MOST_CARDS)]
    return {"total": len(rows), "cards": samples.cards(view, page, sort, similarity_of(view, wanted))}


def picture(explorer: Explorer, request: Request, body: bytes) -> dict[str, Any]:
    """The name of a picture to search by, which is the whole of the body."""
    return {"name": explorer.encoder(number_of(request)).keep(body)}


def duplicates(explorer: Explorer, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Duplicate groups that the selection touches."""
    number = number_of(request)
    mask = explorer.selections(number).mask(body.get("filter") or {})
    return tables.duplicate_groups(explorer.view(number), mask, *page_of(body, 30))


def leaks(explorer: Explorer, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Pairs across splits that the selection touches."""
    number = number_of(request)
    mask = explorer.selections(number).mask(body.get("filter") or {})
    offset, limit = page_of(body, 50)
    return tables.leaks(explorer.view(number), mask, asked.text(body, "pair"), offset, limit)


def confusion(explorer: Explorer, request: Request, _: object) -> dict[str, Any]:
    """Flagged labels, given × suggested."""
    return tables.confusion(explorer.view(number_of(request)))


def table(explorer: Explorer, request: Request, _: object) -> dict[str, Any]:
    """Rows of one of the small tables."""
    limit = query(request, "limit") or tables.MOST_ROWS
    name = request.path_params["table"]
    return tables.plain(explorer.view(number_of(request)), name, query(request, "offset"), limit)


def sample(explorer: Explorer, request: Request, _: object) -> dict[str, Any]:
    """Everything about one sample."""
    return samples.detail(explorer.view(number_of(request)), asked.given(request.query_params, "id"))


def peek(explorer: Explorer, request: Request, _: object) -> dict[str, Any]:
    """The card of one row, with its highest scores: what hovering shows."""
    view, row = explorer.view(number_of(request)), query(request, "row")
    if not 0 <= row < len(view):
        raise KeyError(f"no row {row}")
    return samples.peek(view, row)


def history(explorer: Explorer, request: Request, _: object) -> dict[str, Any]:
    """One sample across snapshots."""
    return {"history": samples.history(list_snapshots(explorer.workspace), asked.given(request.query_params, "id"))}


def thumbnail(explorer: Explorer, request: Request, _: object) -> Response:
    """A stored thumbnail, by row."""
    data = samples.small(explorer.view(number_of(request)), query(request, "row"))
    if data is None:
        return refused(404, "no thumbnail")
    return _picture(data, "image/jpeg")


def raw(explorer: Explorer, request: Request, _: object) -> Response:
    """The large view of an image, by row."""
    number, row = number_of(request), query(request, "row")
    if not 0 <= row < len(explorer.view(number)):
        return refused(404, "no such sample")
    return _picture(*explorer.raw(number).image(row))


def _picture(data: bytes, kind: str) -> Response:
    return Response(data, media_type=kind, headers={
        "cache-control": "private, max-age=86400, immutable", "content-security-policy": "default-src 'none'; sandbox",
    })  # fmt: skip


def compare(explorer: Explorer, request: Request, _: object) -> dict[str, Any]:
    """What changed between two snapshots; the older one is `other`."""
    old, new = explorer.view(int(request.path_params["other"])), explorer.view(number_of(request))
    wanted = request.query_params
    return comparing.compare(old, new, wanted.get("change", ""), wanted.get("metric", ""))


def compare_plots(explorer: Explorer, request: Request, _: object) -> dict[str, Any]:
    """Both plots."""
    old, new = explorer.view(int(request.path_params["other"])), explorer.view(number_of(request))
    return comparing.plots(old, new, request.query_params.get("method", ""))
