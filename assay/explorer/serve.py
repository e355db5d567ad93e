"""Start the explorer on a port of this machine, and open a browser on it."""

import contextlib
import html
import os
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvicorn

from assay.contracts.errors import SpecError
from assay.explorer.guard import LOCAL, Guard, Visitors, new_token
from assay.explorer.patience import Patient
from assay.explorer.server import make_app
from assay.explorer.state import Explorer
from assay.store.account import account
from assay.store.snapshots import open_snapshot
from assay.store.workspace import Workspace

MOST_CONNECTIONS = 500
LONGEST_NAME = 64
LEADS_ON = '<!doctype html><meta http-equiv="refresh" content="0;url={0}"><title>assay</title><a href="{0}">assay</a>'


def explore(
    workspace: Workspace,
    port: int = 0,
    open_browser: bool = True,
    host: str = "127.0.0.1",
    guests: Sequence[str] = (),
) -> None:
    """Serve one dataset's snapshots until Ctrl-C.

    Prints one link, whose token lets its bearer in, and one more for each of `guests`, whose decisions carry that
    name. The first link's carry this account's name on the machine itself, else the address they come from.

    Raises:
        SnapshotError: the dataset has no snapshot yet.
        SpecError: the port is taken, the host is not one of this machine's, or a guest's name is none.
    """
    open_snapshot(workspace)
    visitors = admit(host, guests)
    bound = bind(host, port)
    shown = f"[{host}]" if ":" in host else host
    links = [f"http://{shown}:{bound.getsockname()[1]}/?token={token}" for token in visitors.names]
    print(f"explorer of {workspace.dataset}: {links[0]}   (Ctrl-C stops it)", file=sys.stderr, flush=True)
    for guest, link in zip(guests, links[1:], strict=True):
        print(f"  for {guest}: {link}", file=sys.stderr, flush=True)
    app = make_app(workspace, visitors)
    threading.Thread(target=_warm, args=[app.explorer], daemon=True).start()
    browser = opened(links[0]) if open_browser else contextlib.nullcontext()
    with browser, contextlib.suppress(KeyboardInterrupt):  # that is how it ends
        uvicorn.Server(settings(app)).run(sockets=[bound])


def settings(app: Guard) -> uvicorn.Config:
    """How the server runs: no log of requests, slow clients let go."""
    return uvicorn.Config(
        app, http=Patient, ws="none", log_level="warning", access_log=False, server_header=False, lifespan="off",
        limit_concurrency=MOST_CONNECTIONS,
    )  # fmt: skip


def admit(host: str, guests: Sequence[str] = ()) -> Visitors:
    """The tokens of a fresh explorer: first that of the printed link, then one for each guest.

    Raises:
        SpecError: a guest's name is empty, too long, given twice or not printable.
    """
    for guest in guests:
        if not guest.strip() or len(guest) > LONGEST_NAME or not guest.isprintable() or guests.count(guest) > 1:
            raise SpecError(
                f"{guest[:100]!r} cannot be a guest's name; wanted 1 to {LONGEST_NAME} characters, each name once"
            )
    is_local = host in LOCAL
    owner = account() if is_local else None  # a link that is handed round is not this account's
    return Visitors({new_token(): owner, **{new_token(): guest for guest in guests}}, is_local)


@contextlib.contextmanager
def opened(link: str) -> Iterator[None]:
    """Open a browser on a link that nobody else sees.

    A browser's command line is there for all accounts to read: what stands on it is the path of a file for this
    account alone, which leads on to the link.
    """
    with tempfile.TemporaryDirectory(prefix="assay-explorer-") as folder:
        page = Path(folder) / "open.html"
        with open(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            address = html.escape(link)
            file.write(
                f'<!doctype html><meta http-equiv="refresh" content="0;url={address}"><a href="{address}">assay</a>'
            )
        timer = threading.Timer(0.5, webbrowser.open, [page.as_uri()])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _warm(explorer: Explorer) -> None:
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
