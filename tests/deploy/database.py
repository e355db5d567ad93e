"""A Postgres of the system's own, in a folder, as `deploy/` has one in a container."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

PASSWORD = "p@ss:w/rd%2F#?"  # what a URL would trip over


def programs() -> Path | None:
    """The folder of the newest Postgres that is installed; None: there is none."""
    found = shutil.which("initdb")
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    return Path(found).parent if found else newest[-1].parent if newest else None


@contextlib.contextmanager
def postgres() -> Iterator[dict[str, str]]:
    """A running server with an empty database, and the settings by which Prefect's server finds it; none where no
    Postgres is installed: Prefect then keeps to SQLite."""
    there = programs()
    if there is None:
        yield {}
        return
    account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if account:  # Postgres refuses to be root
        entry = pwd.getpwnam("postgres")
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = folder / "password"
    words.write_text(PASSWORD)
    words.chmod(0o644)
    quiet = {"cwd": folder, "check": True, "stdout": subprocess.DEVNULL, **account}
    data, say = folder / "data", f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    subprocess.run([there / "initdb", "-D", data, "-U", "prefect", "-A", "scram-sha-256", f"--pwfile={words}"], **quiet)
    control = [there / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    subprocess.run([*control, "-o", say, "start"], **quiet)
    try:
        yield {
            "PREFECT_SERVER_DATABASE_DRIVER": "postgresql+asyncpg",
            "PREFECT_SERVER_DATABASE_HOST": "127.0.0.1",
            "PREFECT_SERVER_DATABASE_PORT": str(port),
            "PREFECT_SERVER_DATABASE_NAME": "postgres",
            "PREFECT_SERVER_DATABASE_USER": "prefect",
            "PREFECT_SERVER_DATABASE_PASSWORD": PASSWORD,
        }
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(folder, ignore_errors=True)
