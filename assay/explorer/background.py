"""The explorer in a thread of this process, for scripts."""

import json
import threading
import time
from dataclasses import dataclass
from urllib.parse import quote

import uvicorn

from assay.explorer.guard import LOCAL
from assay.explorer.serve import admit, bind, opened, settings
from assay.explorer.server import make_app
from assay.store.snapshots import Snapshot
from assay.store.workspace import Workspace

HOST = "127.0.0.1"
START_SECONDS = 30


@dataclass
class RunningExplorer:
    """A running explorer. `link` lets its bearer in, so it is shown to nobody else."""

    link: str
    server: uvicorn.Server

    def open_browser(self) -> None:
        """Show it in a browser of this machine."""
        with opened(self.link):
            time.sleep(1.5)  # for the browser to read the page that leads on to the link

    def stop(self) -> None:
        """End it."""
        self.server.should_exit = True

    def __repr__(self) -> str:
        return f"<explorer at {self.link.partition('?')[0]}>"


def start(snapshot: Snapshot, port: int = 0) -> RunningExplorer:
    """Serve a dataset's snapshots to this machine; the link opens on the given one.

    Raises:
        SpecError: the port is taken.
    """
    assert HOST in LOCAL
    root = snapshot.path.parents[1]
    visitors, bound = admit(HOST), bind(HOST, port)
    server = uvicorn.Server(settings(make_app(Workspace(root.parent, root.name), visitors)))
    threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True).start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    token = next(iter(visitors.names))
    view = quote(json.dumps({"s": snapshot.number}))
    return RunningExplorer(f"http://{HOST}:{bound.getsockname()[1]}/?token={quote(token)}#{view}", server)
