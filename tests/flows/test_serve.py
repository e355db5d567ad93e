"""`assay serve`, whole: what dies in the middle of a night ends no later night, and nobody else's spec is run.

One story, told once for the module, and asked about by the tests; a Prefect server takes ten seconds to start.
`benchmarks/hardening/serve.py` kills each process, in both ways, at both moments.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from assay.contracts.errors import BusyError
from assay.store.lock import held_lock
from benchmarks.hardening.serve import is_alive, processes, write_data
from flows import scheduler

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 240
STOPPED = "assay: stopped; a night that was under way goes on at the next start\n"


def until(what: Callable[[], object], log: Path) -> None:
    """Wait until it is so, else fail with the log."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


@contextlib.contextmanager
def served(spec: Path, home: Path, log: Path, *, folder: Path = ROOT, path: str = str(ROOT)) -> Iterator:
    """`assay serve` in `folder`; yields its process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {"HOME": str(home.parent), "PYTHONPATH": path}
    with open(log, "ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "assay", "serve", str(spec), "--home", str(home)],
            cwd=folder, env=environment, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        process.wait(60)


CLIENT = """
import json, os, sys
password, address, question, *rest = sys.argv[1:]
os.environ |= {"PREFECT_API_URL": address + "/api", "PREFECT_API_AUTH_STRING": password}
from prefect import get_client
with get_client(sync_client=True) as client:
    runs = sorted(client.read_flow_runs(), key=lambda run: run.created)
    if question == "run":
        (deployment,) = client.read_deployments()
        parameters = deployment.parameters | json.loads(rest[0])
        print(client.create_flow_run_from_deployment(deployment.id, parameters=parameters).id)
    else:
        print(json.dumps([[run.state_name, run.state.message, run.tags, run.auto_scheduled] for run in runs]))
"""


class Interface:
    """Prefect's interface of a served home, as its owner uses it."""

    def __init__(self, home: Path, log: Path):
        self.home, self.log = home, log

    def ask(self, *question: str) -> str:
        """An answer of the API."""
        addresses = [line for line in self.log.read_text().splitlines() if line.startswith("Prefect's interface: ")]
        password = (self.home / ".prefect/password").read_text().strip()
        environment = os.environ | {"PREFECT_HOME": str(self.home / "client")}
        command = [sys.executable, "-c", CLIENT, password, addresses[-1].split()[2], *question]
        return subprocess.check_output(command, env=environment, text=True).strip()

    def runs(self) -> list[tuple]:
        """State, message, tags and whether it was scheduled, of all runs that have begun or ended."""
        import json

        return [tuple(run) for run in json.loads(self.ask("runs")) if run[0] != "Scheduled" or not run[3]]


@pytest.fixture(scope="module")
def story(a_database, tmp_path_factory) -> SimpleNamespace:
    """A night is held and all killed; it starts again, publishes, is asked for a foreign spec, and is stopped."""
    folder = tmp_path_factory.mktemp("serve")
    spec, home, log = write_data(folder), folder / "home", folder / "serve.log"
    a_database(home / ".prefect")
    spec.write_text(spec.read_text().replace("* * * * *", "0 0 1 1 *"))
    interface, said, words = Interface(home, log), SimpleNamespace(), spec.read_text()
    ready = lambda n: log.exists() and log.read_text().count("Prefect's interface") >= n  # noqa: E731
    with served(spec, home, log) as serve:
        until(lambda: ready(1), log)
        spec.unlink()
        os.mkfifo(spec)  # the run waits where it reads it
        until(lambda: "run" in processes(serve.pid) or asked(interface), log)
        there = processes(serve.pid)
        until(lambda: any(run[0] == "Running" for run in interface.runs()), log)
        for process in there.values():
            if process != there["run"]:
                os.kill(process, signal.SIGKILL)
        serve.wait(60)
        started = time.monotonic()
        until(lambda: not any(map(is_alive, there.values())), log)
        said.orphaned_seconds = time.monotonic() - started
    spec.unlink()
    spec.write_text(words)
    with served(spec, home, log) as serve:
        until(lambda: list(home.glob("minutely/snapshots/v*")), log)
        until(lambda: all(run[0] in ("Crashed", "Completed") for run in interface.runs()), log)
        said.after_the_kill = interface.runs()
        secret = folder / "secret.toml"
        secret.write_text(words.replace("minutely", "stolen"))
        interface.ask("run", '{"spec_path": "' + str(secret) + '"}')
        until(lambda: interface.runs()[-1][0] == "Failed", log)
        said.foreign = interface.runs()[-1]
        said.datasets = sorted(path.name for path in home.iterdir() if (path / "snapshots").exists())
        before = log.stat().st_size
        started = time.monotonic()
        serve.send_signal(signal.SIGTERM)
        said.status = serve.wait(60)
        said.stop_seconds = time.monotonic() - started
        said.last_words = log.read_bytes()[before:].decode()
    said.log = log.read_text()
    return said


def asked(interface: Interface) -> bool:
    """Ask for a run, once the deployment is there; true is nobody's answer but that of the processes."""
    with contextlib.suppress(subprocess.CalledProcessError):
        if not interface.runs():
            interface.ask("run", "{}")
    return False


def test_a_run_whose_starters_were_killed_ends_with_them(story):
    """Nobody is left to tell it anything; it held its dataset for minutes."""
    assert story.orphaned_seconds < 5


def test_the_next_start_says_what_died_and_makes_up_for_it(story):
    """The dead run is no longer running, and holds no slot; a new one has published."""
    (dead, made_up) = story.after_the_kill
    assert dead[0] == "Crashed" and "ended without a word" in dead[1]
    assert made_up[0] == "Completed" and "made-up" in made_up[2]
    assert "assay: `minutely`: 1 run(s) died under way; one run makes up for it now\n" in story.log


def test_a_spec_that_is_not_served_is_not_run(story):
    """Not even read: whoever reaches the API cannot have the service publish what only the service may read."""
    assert story.foreign[0] == "Failed" and "is not served here" in story.foreign[1]
    assert story.datasets == ["minutely"]


def test_sigterm_stops_it_all_within_two_seconds(story):
    """One line, status 130."""
    assert (story.status, story.last_words) == (130, STOPPED)
    assert story.stop_seconds < 2.5


@pytest.mark.parametrize("line", ['cron = "at night"', 'timezone = "Asia/Nowhere"'])
def test_a_schedule_that_is_none_is_named(tmp_path, line):
    """Before anything is scheduled; status 2, as for every wrong spec."""
    spec = tmp_path / "spec.toml"
    spec.write_text(f'name = "x"\nmodality = "text"\n[source]\nkind = "table"\npath = "x.csv"\n[schedule]\n{line}\n')
    with served(spec, tmp_path / "home", tmp_path / "log") as serve:
        assert serve.wait(120) == 2
    said = (tmp_path / "log").read_text()
    assert "is no schedule" in said and "Traceback" not in said


def test_two_specs_of_one_name_are_refused(tmp_path):
    """A name is a dataset's folder."""
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text('name = "x"\nmodality = "text"\n[source]\nkind = "table"\npath = "x.csv"\n')
    command = [sys.executable, str(ROOT / "flows/scheduler.py"), "--home", str(tmp_path / "home")]
    with subprocess.Popen(
        [*command, *map(str, tmp_path.glob("*.toml"))], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:  # its standard input stays open: it would end with its parent
        said = process.stderr.read()
    assert process.returncode == 2 and "have the same name: ['x', 'x']" in said


def test_a_home_is_served_by_one_at_a_time(tmp_path, monkeypatch):
    """Two would not know of each other's runs; the second is told who serves it."""
    monkeypatch.setattr(scheduler, "LOCK_SECONDS", 0.1)
    (tmp_path / ".prefect").mkdir()
    held = held_lock(tmp_path / ".prefect/serve.lock", "", "`assay serve`", 0)
    with held, pytest.raises(BusyError, match=r"the schedule of .* is in use by `assay serve` \(process \d+, since"):
        scheduler.schedule_specs([], tmp_path)
