"""A Prefect server for as long as one command runs, where the environment names none.

Prefect can start an ephemeral server itself, but only once everything else is imported, and it outlives a killed run.
This one starts while the command still imports its own packages, and ends with it, however it ends: it holds the other
end of a pipe. `python flows/prefect_server.py PORT` is the server's process.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from assay.contracts.errors import AssayError

STARTUP_SECONDS = 300
DATABASE_BYTES = 8 * 2**20  # what a new server writes, and some more
QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_CLI_COLORS": "false",
}


class Starting:
    """A server on its way up, or one that is there already (`process` is None)."""

    def __init__(self, url: str, process: subprocess.Popen | None, folder: Path | None = None):
        self.url, self.process, self.folder = url, process, folder

    def wait(self) -> None:
        """Until the API answers.

        Raises:
            AssayError: it did not in time, or the process ended; where the disk is full, that is what it says.
        """
        deadline = time.monotonic() + STARTUP_SECONDS
        while self.process is not None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/health", timeout=5):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        if self.process is not None:
            if self.folder is not None:
                _refuse_full_disk(self.folder)
            raise AssayError(
                f"the Prefect server at {self.url} did not start; try `prefect server start` by hand, "
                "and name it in PREFECT_API_URL"
            )

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """Waits; within, a server that ends with the run gets no heartbeats of it, whose end takes up to a second."""
        self.wait()
        from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None} if self.process else {}):
            yield


@contextlib.contextmanager
def prefect_server(home: Path, log_level: str = "CRITICAL", ui: bool = False) -> Iterator[Starting]:
    """Settings without telemetry and chatter, and a server: the configured one, or one of our own on a free local port.

    Must be entered before Prefect is imported. What the user has set stays. Our own keeps its files in `home/.prefect`
    and runs no background services unless `ui`.
    """
    for name, value in (QUIET | {"PREFECT_LOGGING_LEVEL": log_level}).items():
        os.environ.setdefault(name, value)
    if "PREFECT_API_URL" in os.environ or (Path.home() / ".prefect" / "profiles.toml").exists():
        with _said_plainly(None):
            yield Starting(os.environ.get("PREFECT_API_URL", ""), None)
        return
    prefect_home = Path(os.environ.setdefault("PREFECT_HOME", str(home.resolve() / ".prefect")))
    prefect_home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    own = {} if ui else {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
    server = subprocess.Popen(
        [sys.executable, "-P", __file__, str(port)],
        env=os.environ | own | {"PREFECT_SERVER_API_PORT": str(port)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the run, which still has to say how it ended
    )
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    if not ui:
        os.environ["ASSAY_NO_TAGS"] = "1"  # read by tasks/stages.py, which says why
    try:
        with _said_plainly(prefect_home):
            yield Starting(os.environ["PREFECT_API_URL"], server, prefect_home)
    finally:
        del os.environ["PREFECT_API_URL"]
        os.environ.pop("ASSAY_NO_TAGS", None)
        server.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(5)


@contextlib.contextmanager
def _said_plainly(folder: Path | None) -> Iterator[None]:
    """Where the server refuses to note how a run failed: why it failed. A full disk is the usual reason for both.

    Raises:
        AssayError: of the run, or because there is no room in the server's own `folder`.
    """
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("prefect", "httpx"):
            raise
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, AssayError):
                raise cause from None
            cause = cause.__cause__ or cause.__context__
        if folder is not None:
            _refuse_full_disk(folder)
        raise


def _refuse_full_disk(folder: Path) -> None:
    """Raise `AssayError` where there is no room for the server's database."""
    from assay.store.lock import disk_full_is_clear

    with disk_full_is_clear(folder), tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(bytes(DATABASE_BYTES))
        probe.flush()


def free_port() -> int:
    """A TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main() -> None:
    """The server's process: it ends when standard input does, that is, with its parent."""
    import uvicorn

    def leave_with_parent() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=leave_with_parent, daemon=True).start()
    app = "prefect.server.api.server:create_app"
    uvicorn.run(app, factory=True, host="127.0.0.1", port=int(sys.argv[1]), log_level="critical")


if __name__ == "__main__":
    main()
