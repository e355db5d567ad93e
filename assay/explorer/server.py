"""The HTTP routes: JSON for what is read, columns of raw bytes for what is drawn. Every route names its snapshot.

A browser holds rows, which are places in one snapshot; whatever is kept or shared uses sample ids.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from assay.contracts.errors import AssayError, SnapshotError
from assay.explorer import answers, asked, deciding, shell
from assay.explorer.export import STATIC
from assay.explorer.guard import Guard, Visitors
from assay.explorer.shell import first_page
from assay.explorer.state import Explorer
from assay.exporting.annotations import ExportError
from assay.reading.filters import FilterError
from assay.store.damage import damage
from assay.store.workspace import Workspace

Answer = Callable[[Explorer, Request, Any], Any]
Handler = Callable[[Request], Awaitable[Response]]


class Json(JSONResponse):
    """JSON in which a number that is none, or infinite, is null: a source's own columns may hold such numbers."""

    def render(self, content: Any) -> bytes:
        """The bytes of the answer."""
        try:
            return super().render(content)
        except ValueError:
            return super().render(_finite(content))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def make_app(workspace: Workspace, visitors: Visitors | None = None) -> Guard:
    """The ASGI application over one dataset's snapshots, for `visitors`; by default whoever knows a fresh token."""
    app = Starlette(
        routes=[
            Route("/", lambda request: first_page(workspace)),
            Route("/static/page.js", shell.script),
            Route("/static/page.css", shell.style),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/api/snapshots", _get(answers.snapshots)),
            Route("/api/{number:int}/meta", _get(answers.meta)),
            Route("/api/{number:int}/points", _post(answers.points), methods=["POST"]),
            Route("/api/{number:int}/facets", _post(answers.facets), methods=["POST"]),
            Route("/api/{number:int}/gallery", _post(answers.gallery), methods=["POST"]),
            Route("/api/{number:int}/lifts", _post(answers.lifts), methods=["POST"]),
            Route("/api/{number:int}/picture", _bytes(answers.picture), methods=["POST"]),
            Route("/api/{number:int}/overview", _get(answers.overview)),
            Route("/api/{number:int}/queue", _post(answers.queue), methods=["POST"]),
            Route("/api/{number:int}/cards", _post(answers.cards), methods=["POST"]),
            Route("/api/{number:int}/names", _get(answers.names)),
            Route("/api/{number:int}/classes", _get(answers.classes)),
            Route("/api/{number:int}/duplicates", _post(answers.duplicates), methods=["POST"]),
            Route("/api/{number:int}/leaks", _post(answers.leaks), methods=["POST"]),
            Route("/api/{number:int}/confusion", _get(answers.confusion)),
            Route("/api/{number:int}/table/{table}", _get(answers.table)),
            Route("/api/{number:int}/sample", _get(answers.sample)),
            Route("/api/{number:int}/peek", _get(answers.peek)),
            Route("/api/{number:int}/history", _get(answers.history)),
            Route("/api/{number:int}/thumbnail", _get(answers.thumbnail)),
            Route("/api/{number:int}/raw", _get(answers.raw)),
            Route("/api/{number:int}/decide", _post(deciding.decide), methods=["POST"]),
            Route("/api/{number:int}/undo", _post(deciding.undo), methods=["POST"]),
            Route("/api/{number:int}/export", _post(deciding.export), methods=["POST"]),
            Route("/api/{number:int}/compare/{other:int}", _get(answers.compare)),
            Route("/api/{number:int}/compare/{other:int}/plots", _get(answers.compare_plots)),
            Route("/api/{number:int}/evaluation", _post(answers.evaluation), methods=["POST"]),
            Route("/api/predictions", _post(deciding.predictions), methods=["POST"]),
            Route("/api/views", _get(deciding.views), methods=["GET"]),
            Route("/api/views", _post(deciding.keep_view), methods=["POST"]),
            Route("/api/decisions", _get(deciding.decisions)),
        ],
        exception_handlers={Exception: _failed},
    )
    app.state.explorer = explorer = Explorer(workspace)
    return Guard(app, explorer, visitors or Visitors())


def _get(answer: Answer) -> Handler:
    async def handle(request: Request) -> Response:
        return await run_in_threadpool(_answered, answer, request, {})

    return handle


def _post(answer: Answer) -> Handler:
    async def handle(request: Request) -> Response:
        try:
            body = asked.parse(await request.body())
        except asked.AskedError as error:
            return answers.refused(400, str(error))
        return await run_in_threadpool(_answered, answer, request, body)

    return handle


def _bytes(answer: Answer) -> Handler:
    async def handle(request: Request) -> Response:
        return await run_in_threadpool(_answered, answer, request, await request.body())

    return handle


def _answered(answer: Answer, request: Request, body: dict[str, Any] | bytes) -> Response:
    """The answer, or the mistake in words."""
    try:
        found = answer(request.app.state.explorer, request, body)
        return found if isinstance(found, Response) else Json(found)
    except (FilterError, ExportError, TypeError, ValueError) as error:
        return answers.refused(400, str(error))
    except KeyError as error:  # written out, its words are in quotes
        return answers.refused(404, str(error.args[0]))
    except SnapshotError as error:
        return answers.refused(404, str(error))
    except AssayError as error:
        return answers.refused(409, str(error))
    except Exception as error:
        asked_of = [request.path_params[name] for name in ("number", "other") if name in request.path_params]
        if problem := damage(request.app.state.explorer.workspace, asked_of):
            return answers.refused(409, problem)
        if isinstance(error, FileNotFoundError):
            return answers.refused(410, "this snapshot is being removed; open another")
        raise


async def _failed(request: Request, error: Exception) -> Response:
    return answers.refused(500, f"{type(error).__name__}: {error}")
