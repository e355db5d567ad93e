"""Two made-up snapshots of one dataset, an HTTP client on the explorer over them, and a browser where there is one."""

import shutil
import socket
import threading
import time

import pytest
import uvicorn

from assay.explorer.serve import settings
from assay.explorer.server import make_app
from assay.store.workspace import Workspace
from tests.explorer.make_snapshot import make_snapshot
from tests.explorer.page_driver import MAP, PENDING, READY, settle
from tests.explorer.visit import BEARER, VISITORS, client_of

N = 1200


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A home with the dataset `toy`: v1, and v2 in which twenty samples are gone and labels differ."""
    home = tmp_path_factory.mktemp("home")
    make_snapshot(home, "toy", N, 1)
    make_snapshot(home, "toy", N, 2, previous=1, drop=20, seed=1)
    make_snapshot(home, "texts", 300, 1, modality="text")
    return home


@pytest.fixture
def workspace(home):
    """The dataset, without any decisions."""
    found = Workspace(home, "toy")
    yield found
    shutil.rmtree(found.root / "decisions", ignore_errors=True)
    (found.root / "predictions.parquet").unlink(missing_ok=True)


@pytest.fixture
def client(workspace):
    """An HTTP client that stands on this machine and knows the token."""
    return client_of(workspace, raise_server_exceptions=False)


@pytest.fixture(scope="session")
def serve():
    """Start a real server over a workspace; gives its address; `BEARER` opens it."""
    servers = []

    def start(workspace):
        server = uvicorn.Server(settings(make_app(workspace, VISITORS)))
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True).start()
        while not server.started:
            time.sleep(0.01)
        servers.append(server)
        return f"http://127.0.0.1:{bound.getsockname()[1]}/"

    yield start
    for server in servers:
        server.should_exit = True


@pytest.fixture
def open_page(browser, serve, workspace):
    """Open the explorer; fails on any script error or refused script."""
    problems, contexts = [], []

    def start(address=None, path=MAP, width=1280, height=720, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, extra_http_headers=BEARER, **options)
        context.add_init_script(PENDING)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda m: problems.append(m.text) if "Content Security" in m.text else None)
        page.goto((address or serve(workspace)) + path)
        page.wait_for_selector(READY if path.startswith(MAP) else "body[data-started]")
        settle(page)
        return page

    yield start
    for context in contexts:
        context.close()
    assert problems == []
