"""Garbage collected on a schedule: the flow removes what is not to stay, and is scheduled where the spec says when."""

import subprocess
import sys
from pathlib import Path

import pytest

from assay.contracts.errors import SpecError
from assay.contracts.spec import load_spec
from assay.store.snapshots import snapshot_numbers
from assay.store.workspace import Workspace
from flows.scheduler import check_schedule, collecting, deployments_of
from tests.flows.test_checks import by_hand
from tests.snapshot_builder import publish_toy

ROOT = Path(__file__).parents[2]
TOML = (
    'name = "toy"\nmodality = "text"\n[source]\nkind = "table"\npath = "toy.csv"\n[schedule]\ntimezone = "Asia/Seoul"\n'
)


def write_spec(folder: Path, retention: str) -> Path:
    """A spec with a `[retention]`."""
    (folder / "toy.toml").write_text(f"{TOML}[retention]\n{retention}\n")
    return folder / "toy.toml"


def test_the_flow_removes_what_is_not_kept(a_database, tmp_path):
    """By hand, on a Prefect server for this run only."""
    a_database(tmp_path / "home/.prefect/by-hand")
    workspace = Workspace(tmp_path / "home", "toy")
    for ids in (["a"], ["a", "b"], ["a", "b", "c"]):
        publish_toy(workspace, ids)
    spec = write_spec(tmp_path, "keep = 2")
    finished = by_hand(tmp_path, "flows/collect_garbage.py", str(spec), str(workspace.home))
    assert finished.returncode == 0, finished.stderr
    assert snapshot_numbers(workspace.snapshots) == [2, 3] and "v00000001 went" in finished.stderr


def test_it_is_scheduled_where_the_spec_says_when(tmp_path):
    """Beside the nights, in their time zone; without a cron line there is one deployment."""
    spec = load_spec(write_spec(tmp_path, 'days = 30\ncron = "0 5 * * 0"'))
    nightly, gc = deployments_of(tmp_path / "toy.toml", spec, tmp_path)
    assert (nightly.flow_name, gc.flow_name) == ("quality-snapshot", "collect-garbage")
    schedule = gc.schedules[0].schedule
    assert (schedule.cron, schedule.timezone) == ("0 5 * * 0", "Asia/Seoul")
    assert gc.parameters == nightly.parameters and gc.entrypoint == "flows/collect_garbage.py:collect_garbage"
    assert len(deployments_of(tmp_path / "toy.toml", load_spec(write_spec(tmp_path, "days = 30")), tmp_path)) == 1


def test_a_cron_line_that_is_none_is_refused(tmp_path):
    """With the key that has it."""
    spec = load_spec(write_spec(tmp_path, 'days = 30\ncron = "every sunday"'))
    with pytest.raises(SpecError, match=r"retention\.cron = 'every sunday'"):
        check_schedule(tmp_path / "toy.toml", collecting(spec), "retention.cron")


def test_the_entrypoint_is_there():
    """As Prefect's runner loads it: a file and a flow in it."""
    code = "from flows.collect_garbage import collect_garbage; print(collect_garbage.name)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "collect-garbage"
