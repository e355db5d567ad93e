"""The numbers of a home, read back by Prometheus' own parser."""

from datetime import datetime

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from assay.cli import main
from assay.operating.nights import Ended, note
from assay.operating.prometheus import datasets_of, metrics_text
from assay.operating.watch import watched
from assay.store.workspace import Workspace
from tests.snapshot_builder import publish_toy, toy_spec


def read(text: bytes | str) -> dict[tuple, float]:
    """`{(name, label, label …): value}`."""
    text = text.decode() if isinstance(text, bytes) else text
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path, "toy")


def test_a_snapshots_numbers_are_gauges(workspace):
    """Samples, issues by metric, gates with their level, and the nights on record."""
    gates = {"n_samples": {"min": 5, "level": "warn"}}
    snapshot = publish_toy(workspace, ["a", "b"], [("a", "dark", 1.0, True)], gates=gates)
    note(workspace, Ended(1000.0, 5.0, 3, "", 123_000))
    note(workspace, Ended(2000.0, 7.0, None, "it broke", 0))
    found = read(metrics_text([workspace]))
    assert found["assay_metric", "toy", "n_samples"] == 2 and found["assay_issues", "toy", "dark"] == 1
    assert found["assay_gate_ok", "toy", "n_samples", "warn"] == 0 and found["assay_snapshot_number", "toy"] == 1
    assert found["assay_night_success", "toy"] == 0 and found["assay_night_duration_seconds", "toy"] == 7
    assert found["assay_night_last_success_timestamp_seconds", "toy"] == 1000
    assert found["assay_night_written_bytes", "toy"] == 123_000 and found["assay_disk_free_bytes", "toy"] > 0
    made = datetime.fromisoformat(snapshot.manifest["created_at"]).timestamp()
    assert found["assay_snapshot_timestamp_seconds", "toy"] == pytest.approx(made, abs=1.0)


def test_a_name_that_prometheus_must_escape(workspace):
    """Quotes and line breaks in a metric's name stand in a label, and come back."""
    publish_toy(workspace, ["a"], [("a", 'odd "name"\nof two lines', 1.0, True)])
    assert ("assay_issues", "toy", 'odd "name"\nof two lines') in read(metrics_text([workspace]))


def test_every_night_writes_its_file(workspace):
    """One that failed as well, which is when somebody looks."""
    snapshot = publish_toy(workspace, ["a"])
    with watched(toy_spec(), workspace) as watch, watch.holding():
        watch.published(snapshot)
    file = workspace.root / "metrics.prom"
    assert read(file.read_text())["assay_night_success", "toy"] == 1
    with pytest.raises(ValueError, match="broken"), watched(toy_spec(), workspace) as watch, watch.holding():
        raise ValueError("broken")
    assert read(file.read_text())["assay_night_success", "toy"] == 0


def test_the_command_tells_of_a_whole_home(workspace, tmp_path):
    """All datasets, those without a snapshot too; or those that are named; or into a file."""
    publish_toy(workspace, ["a"])
    note(Workspace(tmp_path, "young"), Ended(1.0, 1.0, None, "no source", 0))
    assert [one.dataset for one in datasets_of(tmp_path)] == ["toy", "young"]
    printed = read(CliRunner().invoke(main, ["metrics", "--home", str(tmp_path)]).stdout)
    assert printed["assay_night_success", "young"] == 0 and printed["assay_snapshots", "young"] == 0
    one = CliRunner().invoke(main, ["metrics", "toy", "--home", str(tmp_path), "--to", str(tmp_path / "a.prom")])
    assert one.exit_code == 0 and {key[1] for key in read((tmp_path / "a.prom").read_text())} == {"toy"}
    assert CliRunner().invoke(main, ["metrics", "none", "--home", str(tmp_path)]).exit_code == 1
    assert CliRunner().invoke(main, ["metrics", "--home", str(tmp_path / "empty")]).stdout.strip() == ""
