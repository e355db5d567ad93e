"""What a browser gets first: the page with its headline already in it, and its script and style as one file each.

On a slow line every file is a wait of its own; so the page's modules come bundled, and packed where the browser takes
that, and the first thing to read stands in the HTML.
"""

import gzip
import html
import re
from collections.abc import Callable
from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from assay.contracts.errors import AssayError
from assay.explorer.export import STATIC, bundle, sheets
from assay.reading import overview
from assay.reading.columns import face_of
from assay.store.snapshots import open_snapshot
from assay.store.workspace import Workspace

OPENING = '<section id="overview" class="page" aria-label="Overview" hidden></section>'


def first_page(workspace: Workspace) -> HTMLResponse:
    """The page, with the newest snapshot's sentence in it to read until the rest is there."""
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    page = re.sub(r'(<link rel="stylesheet"[^>]*>\n)+', '<link rel="stylesheet" href="/static/page.css">\n', page)
    page = page.replace('src="/static/app.js"', 'src="/static/page.js"')
    try:
        told = html.escape(first_sentence(workspace))
    except (AssayError, OSError, KeyError, ValueError, pa.ArrowException):
        return HTMLResponse(page)  # the page itself says what is wrong
    opening = OPENING.replace(" hidden", "").replace(
        "></", f'><div class="overview"><p class="headline">{told}</p></div></'
    )
    return HTMLResponse(page.replace(OPENING, opening))


def first_sentence(workspace: Workspace) -> str:
    """The headline of the newest snapshot, from its manifest alone."""
    snapshot = open_snapshot(workspace)
    manifest = snapshot.manifest
    n_classes = sum(pq.read_metadata(part).num_rows for part in snapshot.parts("classes"))
    return overview.sentence(manifest.get("headline", {}), n_classes, face_of(manifest)["plural"])


def script(request: Request) -> Response:
    """Every module of the page as one."""
    return _packed(request, bundle, "text/javascript")


def style(request: Request) -> Response:
    """Every style sheet of the page as one."""
    return _packed(request, sheets, "text/css")


def _packed(request: Request, make: Callable[[], str], kind: str) -> Response:
    media_type = f"{kind}; charset=utf-8"
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(make(), media_type=media_type)
    return Response(_gzip(make), media_type=media_type, headers={"content-encoding": "gzip", "vary": "accept-encoding"})


@cache
def _gzip(make: Callable[[], str]) -> bytes:
    return gzip.compress(make().encode())
