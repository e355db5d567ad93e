"""The explorer in a notebook's cell, whose selection comes back to Python.

The page stands in a frame that can reach neither the notebook nor any address; what it asks travels as messages of the
widget to the kernel, where the server's own application answers. No port is opened, so it works wherever the notebook
is shown. Needs the extra `notebook`.
"""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anywidget
import httpx
import polars as pl
import traitlets

from assay.explorer.export import compose
from assay.explorer.guard import Visitors, new_token
from assay.explorer.server import make_app
from assay.exporting.takeaway import found, with_text
from assay.reading.filters import checked
from assay.store.account import account
from assay.store.snapshots import Snapshot, open_snapshot
from assay.store.workspace import Workspace

HERE = Path(__file__).parent
HEIGHT = 760  # pixels
MOST_POINTS = 40_000  # drawn at a time: a Jupyter server passes about a megabyte a second on to its page
AT_ONCE = 4  # questions
ADDRESS = "http://127.0.0.1"  # never opened: the name under which the application answers


class ExplorerCell(anywidget.AnyWidget):
    """The page of one dataset, and what is selected in it.

    Attributes:
        filter: what is selected, as the page's filter bar holds it; setting it selects in the page.
        number: the snapshot that is open; None is the newest.
        sample: the id of the sample that is open.
        height: of the frame, in pixels.
    """

    _esm = (HERE / "cell.js").read_text(encoding="utf-8")
    filter = traitlets.Dict().tag(sync=True)
    number = traitlets.Int(None, allow_none=True).tag(sync=True)
    sample = traitlets.Unicode(None, allow_none=True).tag(sync=True)
    height = traitlets.Int(HEIGHT).tag(sync=True)

    def __init__(self, snapshot: Snapshot, height: int = HEIGHT) -> None:
        root, token = snapshot.path.parents[1], new_token()
        self._app = make_app(Workspace(root.parent, root.name), Visitors({token: account()}))
        self._app.explorer.most_points = MOST_POINTS
        self._headers = {"authorization": f"Bearer {token}"}
        self._opened = snapshot.number
        self._workers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="assay-explorer")
        super().__init__(number=snapshot.number, height=height)
        self.on_msg(self._asked)

    @property
    def selection(self) -> pl.DataFrame:
        """The selected samples with all that was found about them, in the order of the source."""
        explorer = self._app.explorer
        number = open_snapshot(explorer.workspace, self.number).number
        view, mask = explorer.view(number), explorer.selections(number).mask(self.filter)
        return with_text(view, found(view, mask))

    @traitlets.validate("filter")
    def _checked(self, proposal: Any) -> dict[str, Any]:
        """The filter as it is. Raises `FilterError` (a `ValueError`) where it is none."""
        checked(proposal["value"])
        return proposal["value"]

    def _asked(self, _: object, question: dict[str, Any], parts: list[Any]) -> None:
        self._workers.submit(self._reply, question, bytes(parts[0]) if parts else None)

    def _reply(self, question: dict[str, Any], body: bytes | None) -> None:
        answer, data = self.answer(question, body)
        self.send(answer, [data] if data is not None else None)

    def answer(self, question: dict[str, Any], body: bytes | None) -> tuple[dict[str, Any], bytes | None]:
        """What the page, or the frame around it, is told: the message and its bytes."""
        to, path = question.get("to"), str(question.get("path"))
        if path == "page":
            return {"to": to, "page": page_of(self._opened)}, None
        try:
            done = asyncio.run(self._call(str(question.get("method", "GET")), path, body))
        except Exception as error:  # the page says it; a notebook's log is read by nobody
            words = json.dumps({"error": f"{type(error).__name__}: {error}"})
            return {"to": to, "id": question.get("id"), "status": 500, "type": "application/json"}, words.encode()
        kind = done.headers.get("content-type", "")
        return {"to": to, "id": question.get("id"), "status": done.status_code, "type": kind}, done.content

    async def _call(self, method: str, path: str, body: bytes | None) -> httpx.Response:
        kind = "application/octet-stream" if path.endswith("/picture") else "application/json"
        headers = self._headers | ({} if body is None else {"content-type": kind})
        inside = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(transport=inside, base_url=ADDRESS, headers=headers) as client:
            return await client.request(method, path, content=body)

    def close(self) -> None:
        """End it."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        super().close()


def page_of(number: int) -> str:
    """The page as one HTML text that opens on a snapshot and asks its frame instead of a server."""
    before = (HERE / "cell_page.js").read_text(encoding="utf-8")
    return compose(json.dumps({"s": number}), "assay-cell", before)
