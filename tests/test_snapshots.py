"""Published snapshots: numbered, whole, comparable, and safe to query."""

import json
import shutil
import threading

import duckdb
import polars as pl
import pytest

from assay.contracts.errors import ContractError, SnapshotError, SpecError
from assay.contracts.tables import FACTS, PUBLISHED, empty
from assay.night import sweep
from assay.publishing.stage import publish
from assay.store import garbage
from assay.store.decisions import append_decisions, read_decisions, undo_batch
from assay.store.digests import write_sealed
from assay.store.facts import FactStore
from assay.store.garbage import collect_garbage
from assay.store.snapshots import diff, list_snapshots, open_snapshot, verify
from assay.store.workspace import Workspace
from tests.snapshot_builder import publish_toy, samples, stage_output, toy_spec


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path / "a 'home' with %_", "toy")


def test_snapshots_are_numbered_and_name_their_parent(workspace):
    """Each publication is the next number, whole, with a report."""
    first, second = publish_toy(workspace, ["a"]), publish_toy(workspace, ["a", "b"])
    assert [s.name for s in list_snapshots(workspace)] == ["v00000001", "v00000002"]
    assert (first.manifest["parent"], second.manifest["parent"]) == (None, 1)
    assert second.manifest["headline"]["n_samples"] == 2
    assert (second.path / "report.html").exists()
    assert verify(first) == verify(second) == []


def test_the_same_input_gives_the_same_tables(tmp_path):
    """Two homes agree on the digest of every table."""
    one, two = (publish_toy(Workspace(tmp_path / home, "toy"), ["a", "b"]) for home in ("one", "two"))
    digests = [{name: t["digest"] for name, t in s.manifest["tables"].items()} for s in (one, two)]
    assert digests[0] == digests[1]


def test_the_diff_names_what_changed(workspace):
    """Added, removed, relabelled, newly flagged, resolved and worse, by sample."""
    issues = [("a", "dark", 0.9, True), ("b", "dark", 0.6, True), ("c", "dark", 0.1, False)]
    old = publish_toy(workspace, ["a", "b", "c", "d"], issues, ["x", "x", "x", "x"])
    issues = [("a", "dark", 0.2, False), ("b", "dark", 0.8, True), ("c", "dark", 0.9, True)]
    new = publish_toy(workspace, ["a", "b", "c", "e"], issues, ["x", "y", "x", "x"])
    rows = pl.read_parquet(new.parts("diff")).select("sample_id", "change", "metric").rows()
    assert rows == [
        ("a", "resolved", "dark"),
        ("b", "label_changed", ""),
        ("b", "worse", "dark"),
        ("c", "new_issue", "dark"),
        ("d", "removed", ""),
        ("e", "added", ""),
    ]
    assert pl.read_parquet(old.parts("diff")).is_empty()
    assert diff(new, new).is_empty()


def test_plain_duckdb_answers_from_the_catalog(workspace):
    """The newest snapshot by table name, all of them in `history`."""
    publish_toy(workspace, ["a"], [("a", "dark", 0.9, True)])
    publish_toy(workspace, ["a", "b"], [("a", "dark", 0.8, True)])
    connection = duckdb.connect(workspace.root / "catalog.duckdb", read_only=True)
    assert connection.sql("select count(*) from samples").fetchall() == [(2,)]
    rows = connection.sql("select snapshot, score from history.scores order by snapshot").fetchall()
    assert [(n, round(s, 3)) for n, s in rows] == [(1, 0.9), (2, 0.8)]


def test_every_published_table_has_a_history(workspace):
    """All that is published is in `history` with the number of its snapshot, but facts, neighbours and projections."""
    from assay.publishing.stage import publish

    tables = {name: empty(name) for name in PUBLISHED if name not in ("diff", *FACTS)}
    stage = stage_output(workspace, "all", tables | {"samples": samples(["a"])})
    connection = publish(toy_spec(), workspace, stage).connect()
    found = connection.sql("select table_name from information_schema.tables where table_schema = 'history'").fetchall()
    wanted = set(PUBLISHED) - set(FACTS) - {"neighbors", "projection"}
    assert {name for (name,) in found} - {"decisions"} == wanted
    assert connection.sql("select * from history.proposals").columns[:2] == ["snapshot", "sample_id"]


def test_the_catalog_is_replaced_while_someone_reads_it(workspace):
    """A reader keeps its old view; a new reader sees the new one."""
    publish_toy(workspace, ["a"])
    reader = duckdb.connect(workspace.root / "catalog.duckdb", read_only=True)
    publish_toy(workspace, ["a", "b"])
    assert reader.sql("select count(*) from samples").fetchall() == [(1,)]


def decided_toy(workspace):
    """A snapshot with decisions about it, and source columns that are called like a decision's."""
    ids, hostile = list("abcdef"), {name: "x" for name in ("kind", "value", "who", "at", "snapshot", "row", "batch")}
    rows = samples(ids, ["cat"] * 6).with_columns(**{name: pl.lit(value) for name, value in hostile.items()})
    members = [("a", "a", True), ("a", "b", False), ("a", "c", False)]
    duplicates = pl.DataFrame(
        [{"group_id": g, "sample_id": s, "tier": "bytes", "keep": k, "similarity": 1.0} for g, s, k in members]
    )
    stages = [stage_output(workspace, "made", {"samples": rows, "duplicates": duplicates})]
    publish(toy_spec(), workspace, *stages)
    for sample, kind, value in [("b", "keep", None), ("d", "drop", None), ("e", "accept_label", "dog")]:
        append_decisions(workspace, rows.filter(sample_id=sample), kind, value, "kim", 1)


CLEANED = [("a", "cat"), ("b", "cat"), ("e", "dog"), ("f", "cat")]


def test_the_cleaned_dataset_is_a_view(workspace):
    """`cleaned` in SQL, locked or not, and in plain DuckDB: no copies but the kept one, labels as accepted."""
    decided_toy(workspace)
    ask = "select sample_id, label from cleaned"
    for locked in (True, False):
        assert open_snapshot(workspace).connect(locked=locked).sql(ask).fetchall() == CLEANED
    with duckdb.connect(workspace.root / "catalog.duckdb", read_only=True) as connection:
        assert connection.sql(ask).fetchall() == CLEANED
        assert connection.sql("select sample_id, kind, who from decisions").fetchall() == [
            ("b", "keep", "kim"), ("d", "drop", "kim"), ("e", "accept_label", "kim")
        ]  # fmt: skip


def test_a_view_sees_what_is_decided_after_it_was_made(workspace):
    """An open catalog and an open connection both: no publishing in between."""
    decided_toy(workspace)
    plain = duckdb.connect(workspace.root / "catalog.duckdb", read_only=True)
    locked = open_snapshot(workspace).connect()
    undo_batch(workspace, read_decisions(workspace)["batch"][0], "lee", 1)
    for connection in (plain, locked):
        assert [row[0] for row in connection.sql("select sample_id from cleaned").fetchall()] == ["a", "e", "f"]
        assert connection.sql("select count(*) from history.decisions").fetchall() == [(4,)]


def test_views_of_decisions_before_there_are_any(workspace):
    """Or after all of it was removed by hand: nothing stands, and copies are out."""
    decided_toy(workspace)
    for part in (workspace.root / "decisions").glob("part-0000000000*"):
        part.unlink()
    connection = open_snapshot(workspace).connect()
    assert connection.sql("select count(*) from decisions").fetchall() == [(0,)]
    assert connection.sql("select count(*) from cleaned").fetchall() == [(4,)]


def test_a_damaged_decision_does_not_close_the_snapshot(workspace):
    """One unreadable part is left out of the views."""
    decided_toy(workspace)
    (workspace.root / "decisions" / "part-000000000009-x.parquet").write_bytes(b"PAR1 not really")
    assert open_snapshot(workspace).connect().sql("select sample_id, label from cleaned").fetchall() == CLEANED


def test_a_locked_connection_reads_nothing_else(workspace, tmp_path):
    """The explorer's connection cannot leave the snapshots, write, or unlock itself."""
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    connection = publish_toy(workspace, ["a"]).connect()
    assert connection.sql("select count(*) from samples").fetchall() == [(1,)]
    assert connection.sql("select count(*) from history.samples").fetchall() == [(1,)]
    for attempt in (
        f"select * from read_csv('{secret}')",
        f"copy (select 1) to '{tmp_path / 'out.csv'}'",
        "set enable_external_access = true",
        f"attach '{tmp_path / 'x.db'}'",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(attempt)


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "extra"])
def test_verify_names_what_is_damaged(workspace, damage):
    """Any change to any file is found."""
    snapshot = publish_toy(workspace, ["a"])
    part = snapshot.parts("samples")[0]
    data = part.read_bytes()
    part.unlink()  # it is a hard link: replace it, do not write through it
    part.write_bytes(data)
    if damage == "flip":
        part.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:])
    elif damage == "truncate":
        part.write_bytes(data[:-1])
    elif damage == "remove":
        part.unlink()
    else:
        (snapshot.path / "stray.txt").write_text("x")
    assert len(verify(open_snapshot(workspace))) == 1


@pytest.mark.parametrize("path", ["../../secret", "/etc/passwd", "samples/../../x", "a\0b"])
def test_a_manifest_cannot_point_outside(workspace, path):
    """A snapshot whose manifest names a file elsewhere is not read at all."""
    snapshot = publish_toy(workspace, ["a"])
    manifest = json.loads((snapshot.path / "manifest.json").read_text())
    manifest["tables"]["samples"]["files"][0]["path"] = path
    write_sealed(snapshot.path / "manifest.json", manifest)
    with pytest.raises(SnapshotError, match="outside the snapshot"):
        open_snapshot(workspace, 1)


def test_a_manifest_that_counts_other_rows_is_found(workspace):
    """A part whose rows are not as many as the manifest says is named."""
    snapshot = publish_toy(workspace, ["a"])
    snapshot.manifest["tables"]["samples"]["files"][0]["rows"] = 7
    assert verify(snapshot) == ["samples/part-00000.parquet: 1 rows, 7 in the manifest"]


def test_a_home_that_reads_as_a_pattern_is_refused(tmp_path):
    """Parquet readers would look for other files than those that were written."""
    with pytest.raises(SpecError, match="takes? for a pattern"):
        Workspace(tmp_path / "photos [2024]", "toy")


def test_a_broken_snapshot_is_passed_over(workspace):
    """A folder without a manifest is not the newest snapshot, and keeps its number."""
    publish_toy(workspace, ["a"])
    (workspace.snapshots / "v00000002" / "samples").mkdir(parents=True)
    assert open_snapshot(workspace).number == 1
    with pytest.raises(SnapshotError, match="no readable manifest"):
        open_snapshot(workspace, 2)
    third = publish_toy(workspace, ["a", "b"])
    assert third.number == 3 and "v00000003" in (third.path / "report.html").read_text()


def test_what_is_not_there_is_said(workspace):
    """The message lists what there is."""
    with pytest.raises(SnapshotError, match="assay run"):
        open_snapshot(workspace)
    publish_toy(workspace, ["a"])
    with pytest.raises(SnapshotError, match=r"there are \[1\]"):
        open_snapshot(workspace, 7)
    with pytest.raises(SnapshotError, match="there are datasets \\['toy'\\]"):
        open_snapshot(Workspace(workspace.home, "tyo"))


def test_two_stages_cannot_write_one_key(workspace):
    """`embedding_health` is shared by stages; a check belongs to one of them."""
    from assay.publishing.stage import publish

    row = pl.DataFrame([{"check": "norm", "value": 1.0, "wanted": "> 0", "ok": True, "note": None}])
    health = {"embedding_health": row.with_columns(pl.col("note").cast(pl.String))}
    outputs = [stage_output(workspace, name, health) for name in ("embed", "index")]
    cleaned = stage_output(workspace, "clean", {"samples": samples(["a"])})
    with pytest.raises(ContractError, match="norm"):
        publish(toy_spec(), workspace, cleaned, *outputs)
    assert list(workspace.snapshots.iterdir()) == []


def test_a_failed_gate_marks_the_snapshot(workspace):
    """It is published all the same; an unknown metric fails rather than passes."""
    gates = {"n_samples": {"min": 2}, "n_outliers": {"max": 0}, "no_such_metric": {"max": 1}}
    snapshot = publish_toy(workspace, ["a"], gates=gates)
    assert {g["metric"]: g["ok"] for g in snapshot.manifest["gates"]} == {
        "n_samples": False,
        "n_outliers": True,
        "no_such_metric": False,
    }


def test_gc_keeps_the_newest_and_what_they_need(workspace):
    """Old snapshots go, with the work that only they used; a dry run removes nothing."""
    for ids in (["a"], ["a", "b"], ["a", "b", "c"]):
        publish_toy(workspace, ids)
    assert len(collect_garbage(workspace, 1, dry_run=True, grace_hours=0)) == 4
    assert len(list_snapshots(workspace)) == 3
    collect_garbage(workspace, 1, grace_hours=0)
    assert [s.number for s in list_snapshots(workspace)] == [3]
    assert verify(open_snapshot(workspace)) == []
    assert len(list(workspace.work.glob("clean-*"))) == 1
    assert publish_toy(workspace, ["a"]).number == 4


def test_gc_of_facts_about_pairs(workspace):
    """What two pictures came to stays as long as a kept snapshot has one of them."""
    snapshot = publish_toy(workspace, ["a"])
    live = pl.read_parquet(snapshot.parts("samples"))["content_hash"][0]
    store = FactStore(workspace, "picture_matches", "method")
    for first in (live, "0" * 32):
        store.append(pl.DataFrame({"content_hash": [first + "f" * 32], "similarity": [0.5], "turn": [0]}))
    collect_garbage(workspace, 1, grace_hours=0)
    assert store.known()["content_hash"].to_list() == [live + "f" * 32]


def test_gc_of_damaged_facts(workspace):
    """A part that cannot be read is of no use to any night: it goes, and the others stay."""
    live = pl.read_parquet(publish_toy(workspace, ["a"]).parts("samples"))["content_hash"][0]
    store = FactStore(workspace, "picture_matches", "method")
    for turn in (0, 1):
        store.append(pl.DataFrame({"content_hash": [live + "f" * 31 + str(turn)], "similarity": [0.5], "turn": [turn]}))
    damaged, whole = sorted(store.folder.glob("part-*"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert collect_garbage(workspace, 1, dry_run=True, grace_hours=0) == [damaged]
    collect_garbage(workspace, 1, grace_hours=0)
    assert sorted(store.folder.glob("*")) == [whole]


def test_gc_spares_work_in_progress(workspace):
    """What is younger than the grace time may belong to a run that has not published yet."""
    stage_output(workspace, "clean", {"samples": samples(["unpublished"])})
    publish_toy(workspace, ["a"])
    assert collect_garbage(workspace, 1) == []


@pytest.mark.parametrize("moment", ["looked at", "removed"])
def test_gc_while_others_write(workspace, monkeypatch, moment):
    """A worker that outlived its night renames its file, a reader ends its pull: what is gone is no error."""
    publish_toy(workspace, ["a"])
    stray = workspace.facts / "vectors" / ".part-x.parquet.y"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.touch()
    if moment == "looked at":
        monkeypatch.setattr(garbage, "_leftovers", lambda workspace: [stray.unlink(), stray][1:])
    else:
        real = garbage.remove
        monkeypatch.setattr(garbage, "remove", lambda path: (path.unlink(), real(path)))
    found = collect_garbage(workspace, 1, grace_hours=0)
    assert (stray in found) == (moment == "removed") and not stray.exists()


def test_gc_sweeps_up_after_killed_runs(workspace):
    """Hidden leftovers of a removal, a publication, a catalog, a check, a fact, a decision and a record go in time."""
    publish_toy(workspace, ["a"])
    left = [workspace.snapshots / ".removed-v00000000", workspace.snapshots / ".aside-x", workspace.root / ".catalog-x"]
    left.append(workspace.root / ".check-x")
    for folder in left:
        folder.mkdir()
    parts = [
        workspace.facts / "vectors" / "f" / ".part-1.parquet.x",
        workspace.root / "decisions" / ".part-2.parquet.x",
        workspace.root / ".nights.json.x",
        workspace.root / ".metrics.prom.x",
    ]
    for part in parts:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    decided = workspace.root / "decisions" / "part-1.parquet"
    decided.touch()
    assert collect_garbage(workspace, 1) == []
    assert set(collect_garbage(workspace, 1, grace_hours=0)) >= {*left, *parts}
    assert not any(path.exists() for path in [*left, *parts]) and open_snapshot(workspace).number == 1
    assert decided.exists()


def test_readers_never_meet_half_a_snapshot(workspace):
    """While one thread publishes, another always opens a whole one."""
    publish_toy(workspace, ["a"])
    stop, problems = threading.Event(), []

    def read():
        try:
            while not stop.is_set():
                problems.extend(verify(open_snapshot(workspace)))
        except Exception as error:  # a thread's own error would fail nothing
            problems.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(5):
        publish_toy(workspace, ["a", *map(str, range(n))])
    stop.set()
    reader.join()
    assert problems == []


def test_leftovers_of_a_killed_night_go(workspace):
    """Hidden folders of an earlier run are removed before the next."""
    publish_toy(workspace, ["a"])
    shutil.copytree(workspace.snapshots / "v00000001", workspace.snapshots / ".aside-killed")
    (workspace.work / ".embed-killed").mkdir()
    sweep(workspace)
    assert sorted(path.name for path in workspace.snapshots.iterdir()) == ["v00000001"]
    assert [path for path in workspace.work.iterdir() if path.name.startswith(".")] == []


def test_a_parent_that_lost_its_files_does_not_stop_the_night(workspace):
    """Where there is nothing left to compare with, the next snapshot has no parent and an empty diff."""
    first = publish_toy(workspace, ["a"])
    first.parts("samples")[0].unlink()
    second = publish_toy(workspace, ["a", "b"])
    assert second.manifest["parent"] is None and pl.read_parquet(second.parts("diff")).is_empty()


def test_a_damaged_old_snapshot_is_left_out_of_the_history(workspace):
    """A truncated part stops neither the next night nor a query on whole snapshots; its own is named as damaged."""
    first = publish_toy(workspace, ["a"])
    part = first.parts("samples")[0]
    data = part.read_bytes()
    part.unlink()
    part.write_bytes(data[:-5])
    publish_toy(workspace, ["a", "b"])
    assert open_snapshot(workspace).connect().sql("select snapshot from history.samples").fetchall() == [(2,), (2,)]
    with duckdb.connect(workspace.root / "catalog.duckdb", read_only=True) as catalog:
        assert catalog.sql("select count(*) from history.samples").fetchall() == [(2,)]
    with pytest.raises(SnapshotError, match="is damaged"):
        open_snapshot(workspace, 1).connect()
