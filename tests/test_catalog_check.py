"""`verify` looks at the catalog, too."""

import os

import duckdb
import pytest

from assay.store.catalog_check import verify_catalog
from assay.store.workspace import Workspace
from tests.snapshot_builder import publish_toy


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path, "toy")


@pytest.fixture
def newest(workspace):
    """The newer of two snapshots."""
    publish_toy(workspace, ["a"])
    return publish_toy(workspace, ["a", "b"])


def changed(workspace, *statements):
    """The catalog after somebody's statements, with the time that it had."""
    path = workspace.root / "catalog.duckdb"
    stat = path.stat()
    with duckdb.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_what_assay_wrote_is_whole(workspace, newest):
    """Right after publishing."""
    assert verify_catalog(workspace, newest) == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("create table main.mine as select 1", "main.mine"),
        ("create macro add_one(x) as x + 1", "add_one"),
        ("create sequence s", "main.s"),
        ("create type mood as enum ('a')", "mood"),
        ("drop view samples", "no view samples"),
        ("create or replace view samples as select * from history.samples where snapshot = 1", "shows 1 rows"),
        ("create or replace view scores as select * from '/nowhere/x.parquet'", "scores"),
    ],
)
def test_what_somebody_put_there_is_named(workspace, newest, statement, words):
    """Tables, macros, views that are gone, show something else or do not answer."""
    if "nowhere" in statement:
        statement = statement.replace("'/nowhere/x.parquet'", f"'{workspace.root}/x.parquet'")
        duckdb.sql("select 1").write_parquet(str(workspace.root / "x.parquet"))
        changed(workspace, statement)
        (workspace.root / "x.parquet").unlink()
    else:
        changed(workspace, statement)
    problems = verify_catalog(workspace, newest)
    assert problems and words in " ".join(problems)


@pytest.mark.parametrize("damage", ["cut", "zeros", "removed"])
def test_a_damaged_catalog_is_named(workspace, newest, damage):
    """Cut, overwritten or gone."""
    path = workspace.root / "catalog.duckdb"
    data = path.read_bytes()
    path.unlink()
    if damage != "removed":
        path.write_bytes(data[:100] if damage == "cut" else bytes(len(data)))
    assert verify_catalog(workspace, newest)
