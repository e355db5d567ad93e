"""The server and the worker of `deploy/`, on Postgres where the system has one: what an earlier worker left under way
holds nothing up; runs by hand, with parameters, cancelled; and what an operator reads of them."""

import base64
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.request import Request, urlopen

import pytest

from benchmarks.hardening.deploy import Services
from benchmarks.hardening.serve import ROOT, write_data
from flows.worker import is_alone
from tests.deploy.database import postgres, programs


def test_a_worker_knows_whether_it_is_alone(tmp_path):
    """One that shares the lock with others does not take their runs for dead; the lock goes with its process."""
    first, second, third = (os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT) for _ in range(3))
    assert is_alone(first) and not is_alone(second)
    fcntl.flock(first, fcntl.LOCK_SH)
    assert not is_alone(second)
    fcntl.flock(second, fcntl.LOCK_SH)
    os.close(first)
    assert not is_alone(third)
    os.close(second)
    assert is_alone(third)
    os.close(third)


def test_a_server_that_does_not_answer_is_one_line(tmp_path):
    """And a status, by which a container is started again."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        there = {"PREFECT_API_URL": f"http://127.0.0.1:{nobody.getsockname()[1]}/api", "HOME": str(tmp_path)}
        call = [sys.executable, "flows/worker.py", "--home", str(tmp_path / "home")]
        found = subprocess.run(call, cwd=ROOT, env=os.environ | there, capture_output=True, text=True, check=False)
    assert found.returncode == 1 and "Traceback" not in found.stderr
    assert found.stderr.startswith("assay: the Prefect server") and "cannot be asked" in found.stderr


class Told(Services):
    """The services, and what an operator asks of them."""

    def asked(self, what: str) -> list[dict]:
        """Rows of Prefect's API, with the password and the token that its interface sends."""
        basic = "Basic " + base64.b64encode(b"a:b").decode()
        token = Request(f"{self.address}/csrf-token?client=test", headers={"Authorization": basic})
        with urlopen(token, timeout=30) as response:
            own = {"Prefect-Csrf-Token": json.load(response)["token"], "Prefect-Csrf-Client": "test"}
        headers = {"Authorization": basic, "Content-Type": "application/json", **own}
        with urlopen(Request(f"{self.address}/{what}/filter", b'{"limit": 200}', headers), timeout=30) as response:
            return json.load(response)

    def told(self) -> list[tuple[str, str, str, str]]:
        """Runs that are not merely scheduled: id, deployment, state, message."""
        names = {one["id"]: one["name"] for one in self.asked("deployments")}
        runs = [(run["id"], names[run["deployment_id"]], run["state"]) for run in self.asked("flow_runs")]
        return [
            (run, name, state["name"], state["message"] or "")
            for run, name, state in runs
            if state["name"] != "Scheduled"
        ]

    def ids(self, state: str) -> list[str]:
        """The runs in a state."""
        return [run[0] for run in self.told() if run[2] == state]

    def run(self, name: str, *parameters: str) -> None:
        """A run of a deployment, as an operator starts it by hand."""
        self.call("deployment", "run", f"quality-snapshot/{name}", *parameters)

    def hold(self) -> None:
        """Runs wait where they read the spec."""
        self.spec.unlink()
        os.mkfifo(self.spec)

    def release(self, words: str) -> None:
        """Runs find the spec again."""
        self.spec.unlink()
        self.spec.write_text(words)


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> SimpleNamespace:
    """Told once more where a machine that others use was too slow for it."""
    try:
        return told_on(tmp_path_factory.mktemp("deploy"))
    except TimeoutError:
        return told_on(tmp_path_factory.mktemp("deploy"))


def told_on(folder: Path) -> SimpleNamespace:
    """A night and a run by hand are held, their worker is killed, and starts again; then runs by hand: one with
    parameters, one with a home that is not the deployment's, and one that is cancelled on its way."""
    said = SimpleNamespace()
    with postgres() as database:
        services = Told(folder, write_data(folder), "0 0 1 1 *", database)
        words = services.spec.read_text()
        try:
            killed(services, words, said)
            services.run("manual", "--param", 'dataset="minutely"')
            services.until(lambda: services.published() == 2, "the run with parameters")
            services.run("manual", "--param", f'home="{folder}/other"')
            services.until(lambda: services.ids("Failed"), "the run that is refused")
            cancelled(services, words)
            said.told = services.told()
            said.artifacts = {one["key"]: one for one in services.asked("artifacts") if one["key"]}
            said.others = [path.name for path in folder.glob("other*")]
        finally:
            services.stop(["worker", "server"], signal.SIGTERM)
    return said


def killed(services: Told, words: str, said: SimpleNamespace) -> None:
    """Two runs are under way; their worker is killed."""
    services.hold()
    for name in ("nightly", "manual"):
        services.run(name)
    services.until(lambda: len(services.runs()) == 2, "two runs")
    runs = services.runs()
    services.until(lambda: services.log.read_text().count("submitted to infrastructure") == 2, "both are told")
    services.stop(["worker"], signal.SIGKILL)
    services.release(words)
    services.until(lambda: services.published() == 1, "the night that makes up")
    said.alive = [run for run in runs if os.path.exists(f"/proc/{run}")]
    said.log = services.log.read_text()


def cancelled(services: Told, words: str) -> None:
    """A run is under way and is cancelled by name; its process ends."""
    services.hold()
    services.run("manual")
    services.until(lambda: services.runs() and services.ids("Running"), "a run")
    services.call("flow-run", "cancel", *services.ids("Running"))
    services.until(lambda: not services.runs() and services.ids("Cancelled"), "no run")
    services.release(words)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # the story: a server, a worker twice, six runs; on a busy machine minutes each
def test_the_next_worker_says_what_died_and_makes_up_for_the_night(story):
    """Nothing of Prefect's holds it back; the run by hand is told."""
    assert "assay: `nightly`: 1 run(s) died under way; one run makes up for it now\n" in story.log
    assert "assay: `manual`: 1 run(s) died under way; it was asked for by hand" in story.log


@pytest.mark.slow
def test_runs_end_with_their_worker(story):
    """No orphan."""
    assert story.alive == []


@pytest.mark.slow
def test_an_operator_reads_what_became_of_each_run(story):
    """The made-up night and the run by hand with parameters are completed; the dead run by hand crashed, the one for
    another home failed, and the one that was cancelled is, each with a reason."""
    states = sorted((name, state) for _, name, state, _ in story.told)
    assert states == [
        ("manual", "Cancelled"), ("manual", "Completed"), ("manual", "Crashed"), ("manual", "Failed"),
        ("nightly", "Completed"), ("nightly", "Crashed"),
    ]  # fmt: skip
    messages = {(name, state): message for _, name, state, message in story.told}
    assert "home" in messages["manual", "Failed"] and "serve" in messages["manual", "Failed"]
    assert story.others == []


@pytest.mark.slow
def test_the_artifacts_lead_to_the_report(story):
    """A headline, a plot, and a link to a report that is there."""
    kinds = {key: one["type"] for key, one in story.artifacts.items()}
    assert kinds["minutely-headline"] == "table" and kinds["minutely-embedding-plot"] == "image"
    assert "report.html" in story.artifacts["minutely-report"]["data"]


@pytest.mark.slow
def test_this_was_postgres(story):
    """Where the system has one."""
    if programs() is None:
        pytest.skip("no Postgres is installed; the story was told on SQLite")
    assert "sqlite" not in story.log
