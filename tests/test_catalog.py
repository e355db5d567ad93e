"""`catalog.duckdb`: any DuckDB opens it, wherever it has been moved, and it shows the newest snapshot."""

import os
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import assay.store.catalog as catalog
from assay.store.lock import dataset_lock
from assay.store.snapshots import open_snapshot
from assay.store.workspace import Workspace
from tests.snapshot_builder import publish_toy

ROOT = Path(__file__).parents[1]
COUNTS = "select (select count(*) from samples), (select count(*) from history.samples)"
OTHERS = os.environ.get("ASSAY_OTHER_DUCKDB", "")
"""Folders, separated by colons, each with another DuckDB: `pip install --target FOLDER duckdb==1.1.3`."""


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path / "a 'home' with %_", "toy")


def counts(path: Path | str, **options: bool) -> tuple[int, int]:
    """Samples in the newest snapshot, and in all."""
    with duckdb.connect(path, **options) as connection:
        return connection.execute(COUNTS).fetchone()


def test_the_file_has_the_oldest_format_that_all_read(workspace):
    """Version 64 is that of DuckDB 1.0; 2.0 by itself writes one that no 1.x opens."""
    publish_toy(workspace, ["a"])
    header = (workspace.root / "catalog.duckdb").read_bytes()[:20]
    assert header[8:12] == b"DUCK" and struct.unpack("<Q", header[12:20]) == (64,)


@pytest.mark.skipif(not OTHERS, reason="ASSAY_OTHER_DUCKDB names no folder with another DuckDB")
def test_other_versions_answer_alike(workspace):
    """A user's own DuckDB, from any folder, on a home that has moved."""
    publish_toy(workspace, ["a"])
    publish_toy(workspace, ["a", "b"])
    moved = workspace.home.rename(workspace.home.with_name("moved"))
    code = f"import duckdb; c = duckdb.connect('catalog.duckdb', read_only=True); print(c.sql('{COUNTS}').fetchall())"
    for folder in OTHERS.split(":"):
        environment = os.environ | {"PYTHONPATH": folder}
        command = [sys.executable, "-c", code]
        answer = subprocess.check_output(command, cwd=moved / "toy", env=environment, text=True)
        assert answer == "[(2, 3)]\n", folder


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_a_home_that_went_elsewhere_answers(workspace, how, monkeypatch):
    """By its absolute path, by a relative one, from its own folder, for reading and for writing; and attached, once
    assay has read it there."""
    publish_toy(workspace, ["a"])
    publish_toy(workspace, ["a", "b"])
    if how == "moved":
        home = workspace.home.rename(workspace.home.with_name("else 'where'"))
    else:
        home = shutil.copytree(workspace.home, workspace.home.with_name("else 'where'"))
        for part in workspace.home.rglob("*.parquet"):
            part.unlink()  # only the copy's own files can answer
    path = home / "toy" / "catalog.duckdb"
    assert counts(path) == (2, 3)
    monkeypatch.chdir(home.parent)
    assert counts(path.relative_to(home.parent), read_only=True) == (2, 3)
    monkeypatch.chdir(home / "toy")
    assert counts("catalog.duckdb", read_only=True) == (2, 3)
    path.unlink()
    open_snapshot(Workspace(home, "toy"))
    with duckdb.connect() as connection:
        connection.execute("attach 'catalog.duckdb' as there (read_only)")
        assert connection.execute("select count(*) from there.samples").fetchone() == (2,)


def test_a_night_killed_before_its_catalog_is_mended_by_the_next_reading(workspace, capsys):
    """The snapshot is there and the catalog shows the one before, until somebody asks; that is told once."""
    publish_toy(workspace, ["a"])
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom assay.store import catalog\n"
        "catalog.create_views = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from assay.store.workspace import Workspace\nfrom tests.snapshot_builder import publish_toy\n"
        "publish_toy(Workspace(Path(sys.argv[1]), 'toy'), ['a', 'b'])\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(workspace.home)], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert counts(workspace.root / "catalog.duckdb")[0] == 1
    assert open_snapshot(workspace).number == 2
    assert counts(workspace.root / "catalog.duckdb") == (2, 3)
    assert capsys.readouterr().err.count("did not show the newest snapshot; it does now") == 1
    open_snapshot(workspace)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("loss", ["catalog", "newest snapshot"])
def test_a_catalog_that_was_lost_or_shows_what_is_gone_is_written_again(workspace, loss):
    """By hand or by accident."""
    publish_toy(workspace, ["a"])
    newest = publish_toy(workspace, ["a", "b"])
    if loss == "catalog":
        (workspace.root / "catalog.duckdb").unlink()
    else:
        shutil.rmtree(newest.path)
    shown = len(open_snapshot(workspace).connect().sql("from samples").fetchall())
    assert counts(workspace.root / "catalog.duckdb")[0] == shown


def test_a_reader_leaves_the_catalog_to_the_run_that_is_about_to_write_it(workspace):
    """Two writers could put an older view over a newer one."""
    publish_toy(workspace, ["a"])
    (workspace.root / "catalog.duckdb").unlink()
    with dataset_lock(workspace):
        assert open_snapshot(workspace).number == 1
    assert not (workspace.root / "catalog.duckdb").exists()


def test_a_disk_that_is_full_after_the_snapshot_fails_no_night(workspace, monkeypatch, capsys):
    """What is published is published; the message says so, and the next reading mends the catalog."""
    publish_toy(workspace, ["a"])
    monkeypatch.setattr(catalog.os, "replace", full_at("catalog.duckdb", os.replace))
    assert publish_toy(workspace, ["a", "b"]).number == 2
    said = capsys.readouterr().err
    assert "v00000002 is published, but" in said and "No space left" in said
    monkeypatch.undo()
    open_snapshot(workspace)
    assert counts(workspace.root / "catalog.duckdb") == (2, 3)
    assert [path.name for path in workspace.root.glob(".catalog-*")] == []


def full_at(name: str, replace):
    """`os.replace`, for which the disk is full where it would write a file of that name."""

    def refuse(source, target):
        if Path(target).name == name:
            raise OSError(28, "No space left on device", str(target))
        return replace(source, target)

    return refuse


def test_a_home_that_cannot_be_written_is_read_all_the_same(workspace, monkeypatch):
    """A reader who may only read gets his answer."""
    publish_toy(workspace, ["a"])
    (workspace.root / "catalog.duckdb").unlink()

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system", str(workspace.root))

    monkeypatch.setattr(catalog.tempfile, "TemporaryDirectory", refuse)
    assert open_snapshot(workspace).number == 1
