"""The HTTP routes: JSON for what is read, columns of raw bytes for what is drawn. Every route names its snapshot.

A browser holds rows, which are places in one snapshot; whatever is kept or shared uses sample ids.
"""

import getpass
import json
import threading
from pathlib import Path

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from assay.contracts.errors import AssayError, SnapshotError
from assay.explorer import points as drawing
from assay.explorer import takeaway
from assay.explorer.guard import Guard
from assay.reading import compare as comparing
from assay.reading import samples, tables
from assay.reading.columns import View
from assay.reading.facts import can_search_words
from assay.reading.selection import FilterError, Selections, similarity_of
from assay.sources.label_text import canonical
from assay.store.decisions import append_decisions, read_decisions, undo_batch
from assay.store.snapshots import list_snapshots, open_snapshot, snapshot_numbers
from assay.store.stage import Workspace

STATIC = Path(__file__).with_name("static")
KEPT_VIEWS = 2


class Explorer:
    """One dataset: its open views and what is remembered of each."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self._views: dict[int, tuple[View, Selections, samples.Raw]] = {}
        self._lock = threading.RLock()

    def view(self, number: int) -> View:
        """The view of one snapshot; the least recently opened of the others is let go."""
        return self._open(number)[0]

    def selections(self, number: int) -> Selections:
        """Its recent selections."""
        return self._open(number)[1]

    def raw(self, number: int) -> samples.Raw:
        """Its raw samples."""
        return self._open(number)[2]

    def _open(self, number: int):
        with self._lock:
            if number not in self._views:
                view = View(open_snapshot(self.workspace, number), lambda: read_decisions(self.workspace))
                self._views[number] = (view, Selections(view), samples.Raw(view))
                while len(self._views) > KEPT_VIEWS:
                    del self._views[next(iter(self._views))]
            found = self._views.pop(number)
            self._views[number] = found
            return found

    def warm(self) -> None:
        """Read what the first picture of the newest snapshot needs, before anybody asks."""
        view = self.view(open_snapshot(self.workspace).number)
        everything = self.selections(view.snapshot.number).mask({})
        for method in view.layouts()[:1]:
            drawing.choose(view, method, None, everything, drawing.MOST_POINTS)
        for key in ("issue", "label", "duplicate", "decision"):
            view.column(key)
        view.flags()
        for table in ("image_facts", "text_facts"):
            if view.snapshot.parts(table):
                view.place(table)

    def decided(self) -> None:
        """Decisions changed: what depends on them is read anew."""
        with self._lock:
            for view, selections, _ in self._views.values():
                view.forget("decisions", ("column", "decision"), ("counts", "decision"))
                selections.forget()


def make_app(workspace: Workspace, token: str | None = None) -> Guard:
    """The ASGI application over one dataset's snapshots."""
    app = Starlette(
        routes=[
            Route("/", lambda request: FileResponse(STATIC / "index.html")),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/api/snapshots", _get(snapshots)),
            Route("/api/{number:int}/meta", _get(meta)),
            Route("/api/{number:int}/points", _post(points), methods=["POST"]),
            Route("/api/{number:int}/facets", _post(facets), methods=["POST"]),
            Route("/api/{number:int}/gallery", _post(gallery), methods=["POST"]),
            Route("/api/{number:int}/duplicates", _post(duplicates), methods=["POST"]),
            Route("/api/{number:int}/leaks", _post(leaks), methods=["POST"]),
            Route("/api/{number:int}/confusion", _get(confusion)),
            Route("/api/{number:int}/table/{table}", _get(table)),
            Route("/api/{number:int}/sample", _get(sample)),
            Route("/api/{number:int}/peek", _get(peek)),
            Route("/api/{number:int}/history", _get(history)),
            Route("/api/{number:int}/thumbnail", _get(thumbnail)),
            Route("/api/{number:int}/raw", _get(raw)),
            Route("/api/{number:int}/decide", _post(decide), methods=["POST"]),
            Route("/api/{number:int}/undo", _post(undo), methods=["POST"]),
            Route("/api/{number:int}/export", _post(export), methods=["POST"]),
            Route("/api/{number:int}/compare/{other:int}", _get(compare)),
            Route("/api/{number:int}/compare/{other:int}/plots", _get(compare_plots)),
            Route("/api/decisions", _get(decisions)),
        ],
        exception_handlers={Exception: _failed},
    )
    app.state.explorer = Explorer(workspace)
    return Guard(app, token)


def _get(answer):
    async def handle(request: Request) -> Response:
        return await run_in_threadpool(_answered, answer, request, {})

    return handle


def _post(answer):
    async def handle(request: Request) -> Response:
        try:
            body = json.loads(await request.body())
        except (ValueError, RecursionError):
            return _error(400, "the request is not JSON")
        if not isinstance(body, dict):
            return _error(400, "the request is not a JSON object")
        return await run_in_threadpool(_answered, answer, request, body)

    return handle


def _answered(answer, request: Request, body: dict) -> Response:
    """The answer, or the mistake in words."""
    try:
        found = answer(request.app.state.explorer, request, body)
        return found if isinstance(found, Response) else JSONResponse(found)
    except (FilterError, takeaway.ExportError, TypeError, ValueError) as error:
        return _error(400, str(error))
    except (KeyError, SnapshotError) as error:
        return _error(404, str(error).strip("'\""))
    except AssayError as error:
        return _error(409, str(error))
    except FileNotFoundError:
        return _error(410, "this snapshot is being removed; open another")


def _error(status: int, words: str) -> JSONResponse:
    return JSONResponse({"error": words[:1_000]}, status)


async def _failed(request: Request, error: Exception) -> Response:
    return _error(500, f"{type(error).__name__}: {error}")


def _number(request: Request) -> int:
    return int(request.path_params["number"])


def _query(request: Request, name: str) -> int:
    return int(request.query_params.get(name, "0"))


def snapshots(explorer: Explorer, request: Request, _) -> dict:
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


def meta(explorer: Explorer, request: Request, _) -> dict:
    """What one snapshot has: size, projections, columns, what can be searched."""
    view = explorer.view(_number(request))
    return {
        "number": view.snapshot.number,
        "dataset": explorer.workspace.dataset,
        "modality": view.modality,
        "n": len(view),
        "layouts": [{"method": name} for name in view.layouts()],
        "columns": view.catalog(),
        "has_thumbnails": view.has_thumbnails(),
        "has_vectors": bool(view.snapshot.parts("vectors")),
        "has_words": can_search_words(view),
        "created_at": view.snapshot.manifest.get("created_at", ""),
        "headline": view.snapshot.manifest.get("headline", {}),
        "most_points": drawing.MOST_POINTS,
        "label_separator": view.label_separator,
    }


def points(explorer: Explorer, request: Request, body: dict) -> Response:
    """The points to draw, as `points.packed` lays them out."""
    number = _number(request)
    mask = explorer.selections(number).mask(body.get("filter") or {})
    data = drawing.packed(explorer.view(number), mask, body)
    return Response(data, media_type="application/octet-stream")


def facets(explorer: Explorer, request: Request, body: dict) -> dict:
    """Counts of the selection, whole and by each column asked for."""
    number = _number(request)
    view, mask = explorer.view(number), explorer.selections(number).mask(body.get("filter") or {})
    keys = [str(key) for key in body.get("columns", [])][:100]
    whole = bool(mask.all())
    return {
        "total": len(view),
        "selected": int(mask.sum()),
        "facets": [tables.facet(view, key, mask, whole) for key in keys],
    }


def gallery(explorer: Explorer, request: Request, body: dict) -> dict:
    """Some cards of the selection, sorted."""
    number = _number(request)
    view, wanted, sort = explorer.view(number), body.get("filter") or {}, str(body.get("sort") or "position")
    rows = explorer.selections(number).rows(wanted, sort, bool(body.get("descending", True)))
    offset, limit = max(int(body.get("offset", 0)), 0), min(int(body.get("limit", 60)), samples.MOST_CARDS)
    page = rows[offset : offset + limit]
    return {"total": len(rows), "cards": samples.cards(view, page, sort, similarity_of(view, wanted))}


def duplicates(explorer: Explorer, request: Request, body: dict) -> dict:
    """Duplicate groups that the selection touches."""
    number = _number(request)
    mask = explorer.selections(number).mask(body.get("filter") or {})
    return tables.duplicate_groups(explorer.view(number), mask, int(body.get("offset", 0)), int(body.get("limit", 30)))


def leaks(explorer: Explorer, request: Request, body: dict) -> dict:
    """Pairs across splits that the selection touches."""
    number = _number(request)
    mask = explorer.selections(number).mask(body.get("filter") or {})
    offset, limit = int(body.get("offset", 0)), int(body.get("limit", 50))
    return tables.leaks(explorer.view(number), mask, str(body.get("pair") or ""), offset, limit)


def confusion(explorer: Explorer, request: Request, _) -> dict:
    """Flagged labels, given × suggested."""
    return tables.confusion(explorer.view(_number(request)))


def table(explorer: Explorer, request: Request, _) -> dict:
    """Rows of one of the small tables."""
    limit = _query(request, "limit") or tables.MOST_ROWS
    name = request.path_params["table"]
    return tables.plain(explorer.view(_number(request)), name, _query(request, "offset"), limit)


def sample(explorer: Explorer, request: Request, _) -> dict:
    """Everything about one sample."""
    return samples.detail(explorer.view(_number(request)), request.query_params["id"])


def peek(explorer: Explorer, request: Request, _) -> dict:
    """The card of one row, with its highest scores: what hovering shows."""
    view, row = explorer.view(_number(request)), _query(request, "row")
    if not 0 <= row < len(view):
        raise KeyError(f"no row {row}")
    return samples.peek(view, row)


def history(explorer: Explorer, request: Request, _) -> dict:
    """One sample across snapshots."""
    return {"history": samples.history(list_snapshots(explorer.workspace), request.query_params["id"])}


def thumbnail(explorer: Explorer, request: Request, _) -> Response:
    """A stored thumbnail, by row."""
    data = samples.small(explorer.view(_number(request)), _query(request, "row"))
    if data is None:
        return _error(404, "no thumbnail")
    return _picture(data, "image/jpeg")


def raw(explorer: Explorer, request: Request, _) -> Response:
    """The large view of an image, by row."""
    number, row = _number(request), _query(request, "row")
    if not 0 <= row < len(explorer.view(number)):
        return _error(404, "no such sample")
    return _picture(*explorer.raw(number).image(row))


def _picture(data: bytes, kind: str) -> Response:
    return Response(data, media_type=kind, headers={
        "cache-control": "private, max-age=86400, immutable", "content-security-policy": "default-src 'none'; sandbox",
    })  # fmt: skip


def decide(explorer: Explorer, request: Request, body: dict) -> dict:
    """Write one decision for every sample of a filter (or of `ids`)."""
    number = _number(request)
    view, kind = explorer.view(number), str(body["kind"])
    mask = explorer.selections(number).mask(body["filter"] if "filter" in body else {"ids": body["ids"]})
    if kind == "accept_label" and not body.get("value"):
        mask = mask & (view.column("suggested").codes >= 0)
    rows = np.flatnonzero(mask)
    value = str(body["value"])[:1_000] if body.get("value") else None
    if kind == "accept_label" and value is None:
        suggested = view.column("suggested")
        value = [suggested.names[code] for code in suggested.codes[rows]]
    elif kind == "accept_label" and view.label_separator:
        value = canonical(str(body["value"]), view.label_separator)
        if value is None or len(value) > 1_000:
            raise ValueError("a label is a set of classes, of 1,000 characters in all; the separator alone is none")
    if kind in ("tag", "untag") and not value:
        raise ValueError("a tag needs a name")
    if kind == "undo":
        raise ValueError("undo a batch by its name")
    batch = append_decisions(explorer.workspace, view.samples_of(rows), kind, value, who(), number)
    explorer.decided()
    return {"batch": batch, "n": len(rows)}


def undo(explorer: Explorer, request: Request, body: dict) -> dict:
    """Take one batch back."""
    batch = str(body["batch"])
    made = read_decisions(explorer.workspace)
    if batch not in made["batch"]:
        raise KeyError(f"no decisions {batch[:100]!r}")
    undo_batch(explorer.workspace, batch, who(), _number(request))
    explorer.decided()
    return {"undone": batch}


def decisions(explorer: Explorer, request: Request, _) -> dict:
    """The batches ever decided, newest first, with what was undone."""
    import polars as pl

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


def who() -> str:
    """The account that runs the explorer."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def export(explorer: Explorer, request: Request, body: dict) -> Response:
    """A selection or the cleaned dataset as a file."""
    number = _number(request)
    what, form = str(body.get("what", "selection")), str(body.get("format", "parquet"))
    mask = explorer.selections(number).mask(body.get("filter") or {})
    data = takeaway.export(explorer.view(number), mask, what, form)
    name = f"{explorer.workspace.dataset}-v{number}-{what}.{form}"
    return Response(
        data, media_type=takeaway.FORMATS[form], headers={"content-disposition": f'attachment; filename="{name}"'}
    )


def compare(explorer: Explorer, request: Request, _) -> dict:
    """What changed between two snapshots; the older one is `other`."""
    old, new = explorer.view(int(request.path_params["other"])), explorer.view(_number(request))
    query = request.query_params
    return comparing.compare(old, new, query.get("change", ""), query.get("metric", ""))


def compare_plots(explorer: Explorer, request: Request, _) -> dict:
    """Both plots."""
    old, new = explorer.view(int(request.path_params["other"])), explorer.view(_number(request))
    return comparing.plots(old, new, request.query_params.get("method", ""))
