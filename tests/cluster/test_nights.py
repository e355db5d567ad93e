"""Nights on two real raylets: tables equal to a local night's, whatever dies in the middle; what is refused."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.contracts.errors import EngineError
from assay.contracts.spec import load_spec
from assay.night import run_night, run_spec
from assay.store.snapshots import open_snapshot
from assay.store.workspace import Workspace

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).parents[2]
SPEC = """
name = "noise"
modality = "image"
[source]
kind = "folder"
path = "{path}"
[dedup]
embedding = false
[project]
methods = ["pca"]
[metrics]
label_issues = false
"""


def write_spec(folder: Path, pictures: Path, address: str = "", **run) -> Path:
    """A spec for a night on the cluster at `address`, or here."""
    lines = [SPEC.format(path=pictures)]
    if address:
        run = {"engine": "ray", "address": address, "wait_seconds": 5, **run}
        lines += ["[run]", *(f"{key} = {value!r}" for key, value in run.items())]
    path = folder / f"{'ray' if address else 'local'}.toml"
    path.write_text("\n".join(lines))
    return path


def tables(snapshot) -> dict[str, str]:
    """The digest of each file but the page, which says when it was made."""
    return {f["path"]: f["sha256"] for f in snapshot.manifest["files"] if f["path"] != "report.html"}


@pytest.fixture(scope="module")
def local_night(pictures, tmp_path_factory) -> dict[str, str]:
    """What a night on one machine makes."""
    folder = tmp_path_factory.mktemp("local")
    return tables(run_spec(write_spec(folder, pictures), folder / "home"))


def started(spec: Path, home: Path) -> subprocess.Popen:
    """`assay run` in a process of its own."""
    command = [sys.executable, "-m", "assay", "run", str(spec), "--home", str(home)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}  # workers look where a driver runs, so it runs elsewhere
    return subprocess.Popen(
        command, cwd=spec.parent, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def wait_for_parts(home: Path, table: str, count: int) -> list[Path]:
    """Return once so many parts of facts are written."""
    deadline = time.monotonic() + 120
    while len(found := list((home / "noise" / "facts" / table).glob("*/part-*.parquet"))) < count:
        assert time.monotonic() < deadline, f"{len(found)} parts of {table}"
        time.sleep(0.02)
    return found


def test_a_night_survives_the_death_of_a_machine(raylets, pictures, local_night, tmp_path):
    """One of two raylets is killed while contents are measured: the night ends, its tables are a local night's."""
    first, _ = raylets.add(), raylets.add()
    spec, home = write_spec(tmp_path, pictures, raylets.address, partition=1), tmp_path / "home"
    night = started(spec, home)
    wait_for_parts(home, "image_facts", 1)
    raylets.kill(first)
    assert len(list((home / "noise" / "facts" / "image_facts").glob("*/part-*.parquet"))) < 5, "killed too late"
    _, said = night.communicate(timeout=200)
    assert night.returncode == 0, said
    assert tables(open_snapshot(Workspace(home, "noise"))) == local_night


def test_a_cluster_that_shrinks_to_nothing_is_told_and_gone_on_from(raylets, pictures, local_night, tmp_path):
    """Both machines die: one line, nothing published, what is done is kept; with a new machine the next run ends."""
    nodes = [raylets.add(), raylets.add()]
    spec, home = write_spec(tmp_path, pictures, raylets.address, partition=1), tmp_path / "home"
    night = started(spec, home)
    kept = wait_for_parts(home, "image_facts", 1)
    for node in nodes:
        raylets.kill(node)
    _, said = night.communicate(timeout=100)
    last = said.strip().splitlines()[-1]
    assert night.returncode == 1 and "Traceback" not in said
    assert "has had no machine with a core" in last and "Add machines and run again" in last
    assert not list((home / "noise").glob("snapshots/v*"))
    before = {part: part.stat().st_mtime_ns for part in kept}
    raylets.add()
    night = started(spec, home)
    _, said = night.communicate(timeout=200)
    assert night.returncode == 0, said
    assert tables(open_snapshot(Workspace(home, "noise"))) == local_night
    assert {part: part.stat().st_mtime_ns for part in kept} == before


def other_assay(folder: Path, *, without_engines: bool) -> str:
    """A copy of assay that differs: an older one has no engines at all."""
    shutil.copytree(ROOT / "assay", folder / "assay", ignore=shutil.ignore_patterns("__pycache__", "page"))
    if without_engines:
        shutil.rmtree(folder / "assay" / "engines")
    else:
        (folder / "assay" / "facts.py").open("a").write("\n# another version\n")
    return str(folder)


@pytest.mark.parametrize("without_engines", [False, True])
def test_a_worker_of_another_version_is_refused(raylets, pictures, tmp_path, without_engines):
    """Before it writes anything; the message names the machine or the module that it lacks."""
    raylets.add(other_assay(tmp_path / "other", without_engines=without_engines))
    night = started(write_spec(tmp_path, pictures, raylets.address), tmp_path / "home")
    _, said = night.communicate(timeout=100)
    last = said.strip().splitlines()[-1]
    assert night.returncode == 1 and "Traceback" not in said
    assert "install the same" in last and "on all machines of the cluster" in last
    assert not list((tmp_path / "home" / "noise").glob("facts/image_facts/*/*"))


def test_an_address_that_nobody_answers_is_told(pictures, local_night, tmp_path):
    """Within seconds, and nothing is published; the next run, elsewhere, goes on."""
    spec = write_spec(tmp_path, pictures, "127.0.0.1:1")
    began = time.monotonic()
    with pytest.raises(EngineError, match=r"nobody answers at the Ray address 127\.0\.0\.1:1"):
        run_night(load_spec(spec), Workspace(tmp_path / "home", "noise"))
    assert time.monotonic() - began < 60 and not list((tmp_path / "home" / "noise" / "snapshots").glob("v*"))
    assert tables(run_spec(write_spec(tmp_path, pictures), tmp_path / "home")) == local_night
