"""The comparison and the self-test as Prefect flows: what `assay` does, seen in Prefect's UI, and no more served."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assay.contracts.errors import SpecError
from assay.contracts.spec import make_spec
from flows.by_hand import own_folder
from flows.served import SERVED, check_models
from tests.flows.test_selftest import write_vectors

ROOT = Path(__file__).parents[2]


def by_hand(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A flow as a user starts it, who has no Prefect server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "ASSAY_"))}
    return subprocess.run(
        [sys.executable, str(ROOT / arguments[0]), *arguments[1:]],
        env=kept | {"HOME": str(folder)}, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def shown(home: Path) -> dict[str, str]:
    """The artifacts that the flow's server holds, `{key: data}`."""
    with contextlib.closing(sqlite3.connect(home / ".prefect/by-hand/prefect.db")) as database:
        return dict(database.execute("select key, data from artifact where key is not null"))


def test_flows_by_hand_do_not_wait_for_each_others_server(tmp_path):
    """Each has a folder of its own while it runs; the next one takes the first that is free."""
    with own_folder(tmp_path) as first:
        with own_folder(tmp_path) as second:
            assert [first, second] == [tmp_path / "by-hand", tmp_path / "by-hand-2"]
        with own_folder(tmp_path) as third:
            assert third == second
    with own_folder(tmp_path) as fourth:
        assert fourth == first


@pytest.mark.slow
def test_three_nights_by_hand_in_a_new_home(a_database, tmp_path):
    """The first publishes, the second when it has ended; the third is told that one waits already."""
    spec, _ = write_vectors(tmp_path, 200, 0.0)
    for folder in ("by-hand", "by-hand-2", "by-hand-3"):
        a_database(tmp_path / "home/.prefect" / folder)
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(by_hand, tmp_path, "flows/quality_snapshot.py", str(spec), "home") for _ in range(3)]
    done = sorted((run.result() for run in runs), key=lambda one: one.returncode)
    assert [one.returncode for one in done[:2]] == [0, 0], done[1].stderr
    published = sorted(path.name for path in (tmp_path / "home/points/snapshots").iterdir())
    assert published[:2] == ["v00000001", "v00000002"] and "Traceback" not in "".join(one.stderr for one in done)
    assert len(published) == 3 if done[2].returncode == 0 else "a night waits for it already" in done[2].stderr


@pytest.mark.slow
def test_two_runs_at_once_in_a_new_home(tmp_path):
    """Without Prefect: the second waits for the first, where it was asked to."""
    spec, _ = write_vectors(tmp_path, 200, 0.0)
    command = [sys.executable, "-m", "assay.cli", "run", str(spec), "--home", str(tmp_path / "home"), "--wait", "200"]
    runs = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert not (tmp_path / "home/.prefect").exists()


def test_the_comparison_runs_under_prefect_by_hand(a_database, tmp_path):
    """The table is printed, kept, and shown; a model that cannot be had is a row."""
    a_database(tmp_path / "home/.prefect/by-hand")
    spec, _ = write_vectors(tmp_path, 200, 0.0)
    done = by_hand(tmp_path, "flows/compare.py", str(spec), "home", "--models", "spec, lsa")
    assert done.returncode == 0, done.stderr
    kept = tmp_path / "home/points/compare.json"
    assert Path(done.stdout.splitlines()[-1]) == kept.resolve() and "recommended: spec" in done.stdout
    models = [row["model"] for row in json.loads(kept.read_text())]
    assert models == ["spec", "lsa"] and "Traceback" not in done.stderr and "not shown" not in done.stderr
    rows = json.loads(json.loads(shown(tmp_path / "home")["points-compare"]))
    assert [row["model"] for row in rows] == models and rows[0]["probe_accuracy"] > 0.8 and rows[1]["problem"]


def test_the_self_test_runs_under_prefect_by_hand(a_database, tmp_path):
    """As `assay selftest`; its numbers are shown."""
    a_database(tmp_path / "home/.prefect/by-hand")
    spec, _ = write_vectors(tmp_path, 60, 0.0)
    done = by_hand(tmp_path, "flows/selftest.py", str(spec), "home")
    assert done.returncode == 0, done.stderr
    assert "Planted into a copy of 60 of your samples" in done.stdout and "not shown" not in done.stderr
    kept = json.loads((Path(done.stdout.splitlines()[-1]) / "selftest.json").read_text())["detectors"]
    assert json.loads(json.loads(shown(tmp_path / "home")["points-selftest"])) == kept


@pytest.mark.parametrize("name", ["compare", "selftest", "quality_snapshot"])
def test_a_mistake_is_one_message(tmp_path, name):
    """No spec: the status and the message of `assay`, and no server is started."""
    done = by_hand(tmp_path, f"flows/{name}.py", "none.toml")
    assert done.returncode == 2 and done.stderr.startswith("assay: no spec file"), done.stderr
    assert list(tmp_path.iterdir()) == []
    assert by_hand(tmp_path, f"flows/{name}.py").returncode == 2


@pytest.mark.parametrize("model", ["local-dir:/home/eve", "hf-hub:eve/model", "RN50@openai", "service", ""])
def test_a_served_comparison_takes_no_folder_and_no_address(monkeypatch, model):
    """Whoever reaches Prefect's API chooses among what works here, and nothing else; by hand anything may be named."""
    spec = make_spec({"name": "x", "modality": "image", "source": {"kind": "folder", "path": "."}}, Path())
    assert check_models([model], spec) == [model]
    monkeypatch.setenv(SERVED, "{}")
    assert check_models(["pca", "spec"], spec) == ["pca", "spec"]
    with pytest.raises(SpecError, match="is not served here"):
        check_models(["pca", model], spec)
