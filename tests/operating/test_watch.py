"""Around a night: the record, the room on the disk, what goes. Nothing of it fails a night."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import assay
from assay.operating import nights
from assay.operating.nights import Ended, last_nights, needed, note, short_space
from assay.operating.watch import never_fails, watched
from assay.store.digests import read_sealed, write_sealed
from assay.store.garbage import collect_garbage, divide
from assay.store.snapshots import Snapshot, list_snapshots, snapshot_numbers
from assay.store.workspace import Workspace
from tests.snapshot_builder import publish_toy, toy_spec

FAST = {"project": {"methods": ["pca"]}}


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path, "toy")


def aged(snapshot, days: float) -> None:
    """Make a snapshot that many days old."""
    made = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
    write_sealed(snapshot.path / "manifest.json", read_sealed(snapshot.path / "manifest.json") | {"created_at": made})


def test_nights_are_on_record(tmp_path):
    """When, how long, what came of each and how much it wrote; an unchanged one writes next to nothing."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 16)).astype(np.float32)
    for _ in range(2):
        assay.run(vectors=vectors, name="v", home=tmp_path, **FAST)
    first, second = last_nights(Workspace(tmp_path, "v"))
    assert (first.snapshot, second.snapshot) == (1, 2) and first.error == "" and 0 < first.seconds < 600
    assert first.bytes_written > 300 * 16 * 4 and second.bytes_written < first.bytes_written
    with pytest.raises(assay.AssayError):
        assay.run({"name": "v", "modality": "vectors", "source": {"kind": "table", "path": "none.csv"}}, home=tmp_path)
    failed = last_nights(Workspace(tmp_path, "v"))[-1]
    assert failed.snapshot is None and "none.csv" in failed.error


def test_the_record_is_short_and_may_be_lost(workspace):
    """The last thirty; one that cannot be read is begun anew."""
    for number in range(nights.KEPT + 5):
        note(workspace, Ended(float(number), 1.0, number, "", 10))
    found = last_nights(workspace)
    assert len(found) == nights.KEPT and found[-1].snapshot == nights.KEPT + 4
    (workspace.root / "nights.json").write_text("{")
    assert last_nights(workspace) == [] and needed(workspace) == 0


@pytest.mark.parametrize("keep, days, left", [
    (1, None, [3]), (2, None, [2, 3]), (9, None, [1, 2, 3]), (1, 5.0, [3]), (1, 15.0, [2, 3]), (1, 25.0, [1, 2, 3]),
    (1, float("inf"), [1, 2, 3]), (1, 1e30, [1, 2, 3]), (1, float("nan"), [1, 2, 3]), (2, 0.0, [2, 3]),
])  # fmt: skip
def test_what_stays_is_the_newest_and_the_young(tmp_path, keep, days, left):
    """Snapshots of twenty, ten and six days; no number of days is too many, and one that is none removes nothing."""
    ages = {1: 20, 2: 10, 3: 6}
    made = {number: (datetime.now(UTC) - timedelta(days=age)).isoformat() for number, age in ages.items()}
    kept, old = divide([Snapshot(number, tmp_path, {"created_at": at}) for number, at in made.items()], keep, days)
    assert [snapshot.number for snapshot in kept] == left
    assert sorted(snapshot.number for snapshot in [*kept, *old]) == [1, 2, 3]


def test_short_space_is_told_before_a_night(workspace, monkeypatch, capsys):
    """Less than twice what a night has needed lately; and what to do."""
    note(workspace, Ended(0.0, 1.0, 2, "", 10**9))
    monkeypatch.setattr(nights, "free_bytes", lambda _: 3 * 10**9)
    assert short_space(workspace) == ""
    monkeypatch.setattr(nights, "free_bytes", lambda _: 15 * 10**8)
    assert "1.5 GB are free" in short_space(workspace) and "up to 1.0 GB" in short_space(workspace)
    with watched(toy_spec(), workspace) as watch, watch.holding():
        pass
    assert "assay gc toy --keep N" in capsys.readouterr().err


def test_the_first_night_says_nothing_of_the_later_ones(workspace):
    """It wrote everything; once there is another night, that one counts."""
    note(workspace, Ended(0.0, 1.0, 1, "", 10**9))
    assert needed(workspace) == 10**9
    note(workspace, Ended(1.0, 1.0, 2, "", 10**6))
    assert needed(workspace) == 10**6


def test_what_is_not_known_is_not_short(workspace):
    """A first night has nothing to be measured by."""
    assert short_space(workspace) == "" and nights.free_bytes(workspace) > 0


def test_old_snapshots_go_after_publication(workspace):
    """Those beyond the newest `keep` and older than `days`; the newest never."""
    for age in (40, 20, 5, 0):
        aged(publish_toy(workspace, ["a"]), age)
    spec = toy_spec(retention={"keep": 1, "days": 30})
    with watched(spec, workspace) as watch:
        watch.published(list_snapshots(workspace)[-1])
    assert snapshot_numbers(workspace.snapshots) == [2, 3, 4]
    for section, left in (({"days": 10}, [3, 4]), ({"keep": 1}, [4]), ({}, [4])):
        with watched(toy_spec(retention=section), workspace) as watch:
            watch.published(list_snapshots(workspace)[-1])
        assert snapshot_numbers(workspace.snapshots) == left
    aged(list_snapshots(workspace)[0], 99)
    assert collect_garbage(workspace, 1, days=1.0) == [] and snapshot_numbers(workspace.snapshots) == [4]


def test_a_night_keeps_what_the_spec_says(tmp_path):
    """Through a whole night, with the work that only the old ones needed."""
    for seed in range(2):
        vectors = np.random.default_rng(seed).normal(size=(60, 8)).astype(np.float32)
        assay.run(vectors=vectors, name="v", home=tmp_path, retention={"keep": 1, "grace_hours": 0}, **FAST)
    workspace = Workspace(tmp_path, "v")
    assert snapshot_numbers(workspace.snapshots) == [2]
    newest = list_snapshots(workspace)[0]
    assert {path.name for path in workspace.work.iterdir()} == set(newest.manifest["stages"])
    assert assay.open("v", home=tmp_path).verify() == []


def test_what_stands_around_a_night_fails_none(workspace, monkeypatch, capsys):
    """A record that cannot be written, a removal that does not work: said, and the night goes on."""

    def broken(*_, **__):
        raise OSError("the disk is gone")

    for name in ("note", "short_space"):
        monkeypatch.setattr(nights, name, broken)
    monkeypatch.setattr("assay.operating.watch.retain", broken)
    snapshot = publish_toy(workspace, ["a"])
    with watched(toy_spec(), workspace) as watch, watch.holding():
        watch.published(snapshot)
    said = capsys.readouterr().err
    assert said.count("the night goes on") == 4 and "the disk is gone" in said
    with pytest.raises(KeyboardInterrupt), never_fails("waiting"):
        raise KeyboardInterrupt
