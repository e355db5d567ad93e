"""Connections that are lent: empty each time, one query's alone, and never one that failed or has spilled."""

import threading

import duckdb
import polars as pl
import pytest

from assay.contracts.operations import Run
from assay.store import duck
from assay.store.duck import lent

HUGE = "create table huge as select range as i, md5(range::varchar) as m from range(3_000_000)"


@pytest.fixture(autouse=True)
def none_kept(monkeypatch):
    """No connection of an earlier test."""
    monkeypatch.setattr(duck, "_idle", [])


def tables(connection) -> list[tuple]:
    """What there is in it."""
    return connection.sql("show all tables").fetchall()


def test_a_kept_connection_is_empty_and_spills_where_it_is_told(tmp_path):
    """Tables, views and registered frames of the query before are gone; the folder is this query's."""
    with lent(tmp_path / "one", threads=1) as first:
        first.register("frame", pl.DataFrame({"a": [1]}).to_arrow())
        first.sql("select a + 1 as b from frame").create_view("seen")
        first.execute("create table made as select 1 as c")
        assert len(tables(first)) == 3
    with lent(tmp_path / "two", threads=1) as second:
        assert second is first and tables(second) == []
        assert second.sql("select current_setting('temp_directory')").fetchall() == [(str(tmp_path / "two"),)]
    with lent(tmp_path / "two", threads=2) as other:
        assert other is not first


def test_two_at_a_time_are_two(tmp_path):
    """A thread sees nothing of what another one makes."""
    with lent(tmp_path, threads=1) as first:
        first.execute("create table mine as select 1 as a")
        found = []

        def ask():
            with lent(tmp_path, threads=1) as second:
                found.extend([second is first, tables(second)])

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        assert found == [False, []]


def test_one_that_failed_or_has_spilled_is_not_used_again(tmp_path):
    """An error ends it; the folder of a spill is removed, and the next query gets one with a folder that is there."""
    with pytest.raises(duckdb.Error), lent(tmp_path, threads=1) as failed:
        failed.sql("select nothing from nowhere")
    with lent(tmp_path, Run(memory_gb=0.05), threads=1) as spilled:
        assert spilled is not failed
        spilled.execute(HUGE)
        assert list(tmp_path.glob("duckdb_temp*"))
    with lent(tmp_path / "next", Run(memory_gb=0.05), threads=1) as fresh:
        assert fresh is not spilled and fresh.sql("select 1").fetchall() == [(1,)]
