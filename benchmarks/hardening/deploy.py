"""The server and the worker of `deploy/` under kills, each started again when it has ended, as a container is.

What compose starts is started here without containers, and by default with SQLite in place of Postgres: the server, the
deployments of `deploy/prefect.yaml`, its nightly one once a minute, and the worker. Wanted: whichever dies, however, no
run outlives its worker and the next snapshot comes.
"""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from benchmarks.hardening.common import Bench, Row, inside
from benchmarks.hardening.serve import LIMIT_SECONDS, MOMENTS, ROOT, SIGNALS, children, write_data

VICTIMS = ("run", "worker", "server", "all")
GRACE_SECONDS = 10.0  # what Docker gives a container between SIGTERM and SIGKILL
PREFECT = [sys.executable, "-m", "prefect", "--no-prompt"]


class Services:
    """The server and the worker; `keep` starts again what has ended."""

    def __init__(
        self, folder: Path, spec: Path, cron: str = "* * * * *", database: dict[str, str] | None = None
    ) -> None:
        self.cron, self.home, self.log, self.spec = cron, folder / "home", folder / "services.log", spec
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}/api"
        ours = {
            "HOME": str(folder), "PREFECT_HOME": str(folder / "prefect"), "PREFECT_API_URL": self.address,
            "PREFECT_API_AUTH_STRING": "a:b", "PREFECT_SERVER_API_AUTH_STRING": "a:b", "ASSAY_HOME": str(self.home),
            "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true", "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "true",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        self.environment |= ours | (database or {})
        self.commands = {
            "server": [sys.executable, "flows/prefect_server.py", "--port", str(port)],
            "worker": [sys.executable, "flows/worker.py", "--pool", "assay"],
        }
        self.running: dict[str, subprocess.Popen] = {}
        self.start("server")
        self.until(self.answers, "the server answers")
        self.call("work-pool", "create", "--type", "process", "--overwrite", "assay")
        self.call("deploy", "--prefect-file", str(self.deployments(folder)), "--all")
        self.start("worker")

    def deployments(self, folder: Path) -> Path:
        """`deploy/prefect.yaml`, with paths of this machine."""
        text = (ROOT / "deploy" / "prefect.yaml").read_text(encoding="utf-8")
        changed = {
            "/srv/assay/app": str(ROOT), "/srv/assay/specs/dataset.toml": str(self.spec),
            "/srv/assay/home": str(self.home), "dataset: dataset": "dataset: minutely", '"0 2 * * *"': f'"{self.cron}"',
        }  # fmt: skip
        for old, new in changed.items():
            text = text.replace(old, new)
        path = folder / "prefect.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    def start(self, name: str) -> None:
        """One of the two."""
        with self.log.open("ab") as log:
            self.running[name] = subprocess.Popen(
                self.commands[name], cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def call(self, *arguments: str) -> None:
        """A command of Prefect's."""
        with self.log.open("ab") as log:
            subprocess.run([*PREFECT, *arguments], cwd=ROOT, env=self.environment, stdout=log, stderr=log, check=True)

    def answers(self) -> bool:
        """Whether the server is up."""
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.address}/health", timeout=5):
            return True
        return False

    def keep(self) -> None:
        """Start again what has ended; the worker where the server answers, as compose does."""
        for name, process in self.running.items():
            if process.poll() is not None and (name == "server" or self.answers()):
                self.start(name)

    def until(self, what: Callable[[], object], said: str, seconds: float = LIMIT_SECONDS) -> None:
        """Wait until it is so."""
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds:g} s: {said}; {self.log.read_text()[-300:]}")
            self.keep()
            time.sleep(0.05)

    def runs(self) -> list[int]:
        """Processes of runs that are under way."""
        return [one for one, command in children(self.running["worker"].pid).items() if "prefect" in command]

    def stop(self, names: list[str], number: signal.Signals) -> None:
        """A signal, and what Docker does where it is not enough."""
        for name in names:
            self.running[name].send_signal(number)
        for name in names:
            try:
                self.running[name].wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self.running[name].kill()
                self.running[name].wait()

    def published(self) -> int:
        """How many snapshots."""
        return len(list(self.home.glob("minutely/snapshots/v*")))


def rows(bench: Bench) -> list[Row]:
    """All cases, as many as there is time for: a minute or two each."""
    row, left = Row("the server and worker of deploy/, one or all killed or stopped, or a run"), bench.until()
    if bench.share < 0.2:
        row.left_out = "a case takes minutes: not in the short form"
        return [row]
    folder = bench.base / "deployed"
    folder.mkdir(exist_ok=True)
    services = Services(folder, Path(inside(write_data, folder).value))
    try:
        for moment, victim, number in itertools.product(MOMENTS, VICTIMS, SIGNALS):
            if left():
                try:
                    case(services, moment, victim, number)
                    row.count(None)
                except TimeoutError as error:
                    row.count(f"{victim} {number.name} {moment}: {error}")
    finally:
        services.stop(["worker", "server"], signal.SIGTERM)
    return [row]


def case(services: Services, moment: str, victim: str, number: signal.Signals) -> None:
    """One kill, and the next snapshot.

    Raises:
        TimeoutError: it did not come.
    """
    note = services.home / "minutely" / ".lock.json"
    services.until(lambda: services.runs() and (moment == "submitted" or note.exists()), "a run")
    runs, published = services.runs(), services.published()
    if victim in ("run", "all"):
        for run in runs:
            with contextlib.suppress(ProcessLookupError):
                os.kill(run, number)
    if victim != "run":
        services.stop(["worker", "server"] if victim == "all" else [victim], number)
    if victim in ("worker", "all"):
        services.until(lambda: not any(Path(f"/proc/{run}").exists() for run in runs), "no orphan", 20)
    services.until(lambda: services.published() > published, "the next snapshot")
