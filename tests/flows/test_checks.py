"""The comparison and the self-test as Prefect flows: what `assay` does, seen in Prefect's UI, and no more served."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from assay.contracts.errors import SpecError
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


def test_the_comparison_runs_under_prefect_by_hand(tmp_path):
    """The table is printed, kept, and shown; a model that cannot be had is a row."""
    spec, _ = write_vectors(tmp_path, 200, 0.0)
    done = by_hand(tmp_path, "flows/compare.py", str(spec), "home", "--models", "spec, lsa")
    assert done.returncode == 0, done.stderr
    kept = tmp_path / "home/points/compare.json"
    assert Path(done.stdout.splitlines()[-1]) == kept.resolve() and "recommended: spec" in done.stdout
    models = [row["model"] for row in json.loads(kept.read_text())]
    assert models == ["spec", "lsa"] and "Traceback" not in done.stderr and "not shown" not in done.stderr
    rows = json.loads(json.loads(shown(tmp_path / "home")["points-compare"]))
    assert [row["model"] for row in rows] == models and rows[0]["probe_accuracy"] > 0.8 and rows[1]["problem"]


def test_the_self_test_runs_under_prefect_by_hand(tmp_path):
    """As `assay selftest`; its numbers are shown."""
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
    assert check_models([model], "image") == [model]
    monkeypatch.setenv(SERVED, "{}")
    assert check_models(["pca", "spec"], "image") == ["pca", "spec"]
    with pytest.raises(SpecError, match="is not served here"):
        check_models(["pca", model], "image")
