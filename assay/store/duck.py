"""A DuckDB in memory that keeps to its share of the machine and spills to a folder of the home."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contracts.operations import Run
from assay.store.machine import cores, memory_bytes

if TYPE_CHECKING:
    import duckdb

Config = dict[str, str | bool | int | float | list[str]]

SHARE = 8  # of the machine's memory, the part that a query has before it spills
LEAST = 2**29
FOLDER = "temp_directory"
IDLE = 4  # connections that are kept for the next query

_idle: "list[tuple[Config, duckdb.DuckDBPyConnection]]" = []
_lock = threading.Lock()


def connect(spill: Path, run: Run | None = None, threads: int | None = None) -> "duckdb.DuckDBPyConnection":
    """A connection.

    Args:
        spill: a folder for what does not fit into memory; made where it is needed.
        run: what the spec allows; by default what the machine has.
        threads: instead of those of `run`, where sums are to be the same to the last bit: one.
    """
    return _made(_config(spill, run, threads))


@contextlib.contextmanager
def lent(spill: Path, run: Run | None = None, threads: int | None = None) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A connection as `connect` makes it, kept for the next query: making one takes longer than most queries do.

    What is made in it is gone afterwards, and one that a query failed in, or that has spilled, is not used again.
    """
    config = _config(spill, run, threads) | {"enable_external_file_cache": False}
    connection = _kept(config) or _made(config)
    try:
        connection.begin()
        yield connection
        connection.rollback()
    except BaseException:
        connection.close()
        raise
    with _lock:
        _idle.append((config, connection))
        surplus = _idle[:-IDLE]
        del _idle[:-IDLE]
    for _, old in surplus:
        old.close()


def _kept(config: Config) -> "duckdb.DuckDBPyConnection | None":
    """A connection that was kept, set to another folder for what it spills; None where there is none."""
    import duckdb

    with _lock:
        place = next((n for n, (kept, _) in enumerate(_idle) if kept | {FOLDER: ""} == config | {FOLDER: ""}), None)
        if place is None:
            return None
        _, connection = _idle.pop(place)
    try:
        connection.execute(f"set {FOLDER} = $folder", {"folder": config[FOLDER]})
    except duckdb.Error:  # it has spilled
        connection.close()
        return None
    return connection


def _made(config: Config) -> "duckdb.DuckDBPyConnection":
    import duckdb

    return duckdb.connect(":memory:", config=config)


def _config(spill: Path, run: Run | None, threads: int | None) -> Config:
    run = run or Run()
    memory = int(run.memory_gb * 2**30) or max(LEAST, memory_bytes() // SHARE)
    return {"memory_limit": f"{memory}B", "threads": threads or run.threads or cores(), FOLDER: str(spill)}
