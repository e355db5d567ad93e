"""Start the explorer on a port of this machine, and open a browser on it."""

import contextlib
import secrets
import socket
import sys
import threading
import webbrowser

import uvicorn

from assay.contracts.errors import SpecError
from assay.explorer.guard import LOCAL
from assay.explorer.server import make_app
from assay.store.snapshots import open_snapshot
from assay.store.stage import Workspace


def explore(workspace: Workspace, port: int = 0, open_browser: bool = True, host: str = "127.0.0.1") -> None:
    """Serve one dataset's snapshots until Ctrl-C.

    A host other than this machine's own asks every visitor for a token, which is printed once, in the address.

    Raises:
        SnapshotError: the dataset has no snapshot yet.
        SpecError: the port is taken, or the host is not one of this machine's.
    """
    open_snapshot(workspace)
    token = None if host in LOCAL else secrets.token_urlsafe(24)
    bound = bind(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{bound.getsockname()[1]}/" + (f"?token={token}" if token else "")
    print(f"explorer of {workspace.dataset}: {address}   (Ctrl-C stops it)", file=sys.stderr, flush=True)
    app = make_app(workspace, token)
    threading.Thread(target=_warm, args=[app.app.state.explorer], daemon=True).start()
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, lifespan="off")
    if open_browser:
        timer = threading.Timer(0.5, webbrowser.open, [address])
        timer.daemon = True
        timer.start()
    with contextlib.suppress(KeyboardInterrupt):  # that is how it ends
        uvicorn.Server(config).run(sockets=[bound])


def _warm(explorer) -> None:
    with contextlib.suppress(Exception):  # whoever opens the page is told what is wrong
        explorer.warm()


def bind(host: str, port: int) -> socket.socket:
    """A bound socket. Raises `SpecError` where that cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError) as error:
        bound.close()
        raise SpecError(f"cannot listen on {host}:{port} ({error}); choose another with --port") from None
    return bound
