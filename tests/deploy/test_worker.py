"""The worker of `deploy/`: what an earlier one left under way holds nothing up."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest

from benchmarks.hardening.deploy import Services
from benchmarks.hardening.serve import ROOT, write_data
from flows.worker import is_alone


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


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> SimpleNamespace:
    """A night and a run by hand are held, their worker is killed, and starts again."""
    folder, said = tmp_path_factory.mktemp("deploy"), SimpleNamespace()
    services = Services(folder, write_data(folder), cron="0 0 1 1 *")
    words = services.spec.read_text()
    try:
        services.spec.unlink()
        os.mkfifo(services.spec)  # the runs wait where they read it
        for name in ("nightly", "manual"):
            services.call("deployment", "run", f"quality-snapshot/{name}")
        services.until(lambda: len(services.runs()) == 2, "two runs")
        runs = services.runs()
        services.until(lambda: services.log.read_text().count("submitted to infrastructure") == 2, "both are told")
        services.stop(["worker"], signal.SIGKILL)
        services.spec.unlink()
        services.spec.write_text(words)
        services.until(lambda: services.published() == 1, "the night that makes up")
        said.alive = [run for run in runs if os.path.exists(f"/proc/{run}")]
        said.log = services.log.read_text()
    finally:
        services.stop(["worker", "server"], signal.SIGTERM)
    return said


@pytest.mark.slow
def test_the_next_worker_says_what_died_and_makes_up_for_the_night(story):
    """Nothing of Prefect's holds it back; the run by hand is told."""
    assert "assay: `nightly`: 1 run(s) died under way; one run makes up for it now\n" in story.log
    assert "assay: `manual`: 1 run(s) died under way; it was asked for by hand" in story.log


@pytest.mark.slow
def test_runs_end_with_their_worker(story):
    """No orphan."""
    assert story.alive == []
