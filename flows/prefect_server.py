"""The Prefect server that is started where none is configured, and the guard before every server of ours.

Prefect's API runs code for whoever may use it. So ours asks for a password that is new with each server, answers under
its own address alone, and takes nothing from the pages of other origins. `flows/prefect_server.py` is the server's
process; it ends with its parent, however that ends.
"""

import argparse
import contextlib
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from assay.contracts.errors import AssayError
from assay.store.lock import disk_full_is_clear
from flows.lifeline import end_when_input_ends

STARTUP_SECONDS = 300
DATABASE_BYTES = 8 * 2**20  # what a new server writes, and some more
PORT = 4200  # Prefect's own; another where it is taken
HOSTS = "ASSAY_PREFECT_HOSTS"
"""Names, separated by commas, under which a server that others reach answers."""
QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_CLI_COLORS": "false",
}


def configured_server() -> str:
    """The address of the Prefect server that the environment or the active profile names; empty where none is."""
    if address := os.environ.get("PREFECT_API_URL", ""):
        return address
    folder = Path(os.environ.get("PREFECT_HOME", Path.home() / ".prefect"))
    path = Path(os.environ.get("PREFECT_PROFILES_PATH", folder / "profiles.toml"))
    try:
        profiles = tomllib.loads(path.read_text(encoding="utf-8"))
        active = os.environ.get("PREFECT_PROFILE", profiles.get("active", ""))
        return str(profiles.get("profiles", {}).get(active, {}).get("PREFECT_API_URL", ""))
    except (OSError, ValueError, AttributeError):
        return ""


class Server:
    """A server of our own: its address, its process, and where it keeps its files."""

    def __init__(self, folder: Path, listening: socket.socket) -> None:
        self.folder, self.listening = folder, listening
        self.port = listening.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.password_file = folder / "password"
        self.log = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, brief: bool = False, group: bool = False) -> None:
        """Start the process.

        Args:
            brief: for one run; no interface, and nothing that runs in the background.
            group: where its parent dies it ends the rest of their process group.
        """
        set_damaged_database_aside(self.folder / "prefect.db")
        own = {
            "PREFECT_SERVER_API_AUTH_STRING": os.environ["PREFECT_API_AUTH_STRING"],
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": self.address,
            "PREFECT_UI_API_URL": f"{self.address}/api",
            "PREFECT_UI_STATIC_DIRECTORY": str(self.folder / "interface"),  # the installed one may not be ours to write
        }
        if brief:
            own |= {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"}
        number = self.listening.fileno()  # stays open here too: nobody else gets the port while our clients live
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", __file__, "--socket", str(number), *["--group"] * group],
                env=os.environ | own,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=[number],
            )

    def end(self) -> None:
        """Let go of the process, which ends, and of the port."""
        if self.process is not None:
            if self.process.stdin is not None:
                self.process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        self.listening.close()

    def wait(self) -> None:
        """Until the API answers.

        Raises:
            AssayError: it did not in time, or the process ended; where the disk is full, that is what it says.
        """
        deadline = time.monotonic() + STARTUP_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.address}/api/health", timeout=5):
                return
            if self.process is None or self.process.poll() is not None:
                break
            time.sleep(0.05)
        refuse_full_disk(self.folder)
        said = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise AssayError(
            f"the Prefect server at {self.address} did not start"
            + (f" ({said[-1]:.300})" if said else "")
            + f"; see {self.log}, or start one with `prefect server start` and name it in PREFECT_API_URL"
        )


@contextlib.contextmanager
def prefect_server(folder: Path) -> Iterator[Server | None]:
    """The server for the block: none of ours where one is configured, else our own, to be started; files in `folder`.

    Must be entered before Prefect is imported: it sets the environment that makes this process, and those it starts,
    clients of the server. What the user has set stays.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if configured_server():
        yield None
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    server = Server(folder, listen(PORT))
    password = os.environ.get("PREFECT_SERVER_API_AUTH_STRING") or f"assay:{secrets.token_urlsafe(32)}"
    write_private(server.password_file, password)
    os.environ.update({
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": f"{server.address}/api",
        "PREFECT_API_AUTH_STRING": password,
    })  # fmt: skip
    try:
        yield server
    finally:
        server.end()


def listen(wanted: int) -> socket.socket:
    """A socket that listens on a port of this machine alone: the wanted one, or any that is free."""
    for port in (wanted, 0):
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
            listening.listen(128)
            return listening
        except OSError:
            listening.close()
    raise AssayError("no port of 127.0.0.1 can be listened on")


def write_private(path: Path, text: str) -> None:
    """A file that only this account reads, replaced whole."""
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    with open(handle, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    os.replace(aside, path)


def set_damaged_database_aside(path: Path) -> None:
    """The server's database is a record of past runs: where it is damaged, nights go on with a new one, and that is
    told. Snapshots are not in it."""
    if not path.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(path)) as database:
            sound = database.execute("pragma quick_check(1)").fetchone() == ("ok",)
    except sqlite3.OperationalError:
        return  # locked or unreadable: the server says so itself
    except sqlite3.DatabaseError:
        sound = False
    if not sound:
        aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
        os.replace(path, aside)
        for more in ("-wal", "-shm"):
            path.with_name(path.name + more).unlink(missing_ok=True)
        print(f"assay: Prefect's record of past runs was damaged; it is in {aside}, a new one begins", file=sys.stderr)


def refuse_full_disk(folder: Path) -> None:
    """Raise `AssayError` where there is no room for the server's database."""
    with disk_full_is_clear(folder), tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(bytes(DATABASE_BYTES))
        probe.flush()


class Guard:
    """ASGI, before everything else: the request names one of our hosts, and comes from none but our own pages.

    A page of another origin can send requests here, but not without saying so in `Origin`; one whose name was pointed
    at this machine names itself in `Host`.
    """

    def __init__(self, app: Any, hosts: Sequence[str]) -> None:
        self.app, self.hosts = app, frozenset(hosts)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Passes on what may pass; answers 403, or closes a socket, where it may not."""
        if scope["type"] in ("http", "websocket"):
            headers = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]
            hosts = [value for name, value in headers if name == b"host"]
            origins = [value for name, value in headers if name == b"origin"]
            known = len(hosts) == 1 and hosts[0].rsplit(":", 1)[0] in self.hosts
            if not known or any(origin.partition("://")[2] != hosts[0] for origin in origins):
                return await self.refuse(scope["type"], send)
        await self.app(scope, receive, send)
        return None

    async def refuse(self, kind: str, send: Any) -> None:
        """403."""
        if kind == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        body = f"This server answers as {', '.join(sorted(self.hosts))}, to its own pages alone.\n".encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def main() -> None:
    """The server's process: on a socket that its parent listens on, or on an address (in a container)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", type=int, help="file descriptor; the server ends with standard input")
    parser.add_argument("--group", action="store_true", help="and its process group with it")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    chosen = parser.parse_args()
    if chosen.socket is not None:
        end_when_input_ends(chosen.group)
    import uvicorn
    from prefect.server.api.server import create_app

    hosts = os.environ.get(HOSTS, "127.0.0.1").split(",")
    app = Guard(create_app(final=True), [host.strip() for host in hosts])
    config = uvicorn.Config(app, host=chosen.host, port=chosen.port, log_level="critical", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run([socket.socket(fileno=chosen.socket)] if chosen.socket is not None else None)


if __name__ == "__main__":
    main()
