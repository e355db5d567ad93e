"""Nights on two real raylets: tables equal to a local night's, whatever dies in the middle; what is refused."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from assay.contracts.errors import EngineError
from assay.contracts.operations import Run
from assay.contracts.spec import load_spec
from assay.knn.blocked import blocked_knn
from assay.knn.hnsw import build_here
from assay.knn.sharded import OnEngine
from assay.knn.sharded_hnsw import shard_starts
from assay.night import run_night, run_spec
from assay.store.snapshots import open_snapshot
from assay.store.units import to_unit_length
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
[embed]
model = "local-dir:{model}"
[project]
methods = ["pca"]
[metrics]
label_issues = false
"""


def write_spec(folder: Path, given: tuple[Path, Path], address: str = "", **run) -> Path:
    """A spec for a night on the cluster at `address`, or here."""
    lines = [SPEC.format(path=given[0], model=given[1])]
    if address:
        run = {"engine": "ray", "address": address, "wait_seconds": 5, **run}
        lines += ["[run]", *(f"{key} = {value!r}" for key, value in run.items())]
    path = folder / f"{'ray' if address else 'local'}.toml"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="session")
def given(pictures, tiny_model) -> tuple[Path, Path]:
    """A folder of pictures, and a model of random weights."""
    return pictures, tiny_model


def tables(snapshot) -> dict[str, str]:
    """The digest of each file but the page, which says when it was made."""
    return {f["path"]: f["sha256"] for f in snapshot.manifest["files"] if f["path"] != "report.html"}


@pytest.fixture(scope="module")
def local_night(given, tmp_path_factory) -> dict[str, str]:
    """What a night on one machine makes."""
    folder = tmp_path_factory.mktemp("local")
    return tables(run_spec(write_spec(folder, given), folder / "home"))


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


def test_a_night_survives_the_death_of_a_machine(raylets, given, local_night, tmp_path):
    """One of two raylets is killed while contents are measured: the night ends, its tables are a local night's."""
    first, _ = raylets.add(), raylets.add()
    spec, home = write_spec(tmp_path, given, raylets.address, partition=1), tmp_path / "home"
    night = started(spec, home)
    wait_for_parts(home, "image_facts", 1)
    raylets.kill(first)
    assert len(list((home / "noise" / "facts" / "image_facts").glob("*/part-*.parquet"))) < 5, "killed too late"
    _, said = night.communicate(timeout=200)
    assert night.returncode == 0, said
    assert tables(open_snapshot(Workspace(home, "noise"))) == local_night


def test_a_cluster_that_shrinks_to_nothing_is_told_and_gone_on_from(raylets, given, local_night, tmp_path):
    """Both machines die: one line, nothing published, what is done is kept; with a new machine the next run ends."""
    nodes = [raylets.add(), raylets.add()]
    spec, home = write_spec(tmp_path, given, raylets.address, partition=1), tmp_path / "home"
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
def test_a_worker_of_another_version_is_refused(raylets, given, tmp_path, without_engines):
    """Before it writes anything; the message names the machine or the module that it lacks."""
    raylets.add(other_assay(tmp_path / "other", without_engines=without_engines))
    night = started(write_spec(tmp_path, given, raylets.address), tmp_path / "home")
    _, said = night.communicate(timeout=100)
    last = said.strip().splitlines()[-1]
    assert night.returncode == 1 and "Traceback" not in said
    assert "install the same" in last and "on all machines of the cluster" in last
    assert not list((tmp_path / "home" / "noise").glob("facts/image_facts/*/*"))


def test_an_address_that_nobody_answers_is_told(given, local_night, tmp_path):
    """Within seconds, and nothing is published; the next run, elsewhere, goes on."""
    spec = write_spec(tmp_path, given, "127.0.0.1:1")
    began = time.monotonic()
    with pytest.raises(EngineError, match=r"nobody answers at the Ray address 127\.0\.0\.1:1"):
        run_night(load_spec(spec), Workspace(tmp_path / "home", "noise"))
    assert time.monotonic() - began < 60 and not list((tmp_path / "home" / "noise" / "snapshots").glob("v*"))
    assert tables(run_spec(write_spec(tmp_path, given), tmp_path / "home")) == local_night


def test_neighbours_and_graphs_made_on_the_cluster_are_those_made_here(raylets, tmp_path):
    """The lists of the search bit for bit, and the answers of HNSW graphs over shards; nothing stays behind."""
    import ray

    raylets.add()
    vectors = to_unit_length(np.random.default_rng(0).standard_normal((5_000, 24), dtype=np.float32))
    engine = OnEngine(Run(engine="ray", address=raylets.address, partition=1), tmp_path / "shards")
    try:
        found, starts = engine.search(vectors, 10), shard_starts(5_000, 3)
        graphs = engine.build(vectors, starts, 8, 50)
    finally:
        ray.shutdown()
    assert all(np.array_equal(a, b) for a, b in zip(found, blocked_knn(vectors, 10, "cpu"), strict=True))
    for mine, other in zip(graphs, build_here(vectors, starts, 8, 50), strict=True):
        assert np.array_equal(mine.knn_query(vectors[:50], k=5)[0], other.knn_query(vectors[:50], k=5)[0])
    assert not list((tmp_path / "shards").iterdir())
