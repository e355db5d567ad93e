"""A DuckDB in memory that keeps to its share of the machine and spills to a folder of the home."""

from pathlib import Path
from typing import TYPE_CHECKING

from assay.contracts.operations import Run
from assay.store.machine import cores, memory_bytes

if TYPE_CHECKING:
    import duckdb

SHARE = 8  # of the machine's memory, the part that a query has before it spills
LEAST = 2**29


def connect(spill: Path, run: Run | None = None, threads: int | None = None) -> "duckdb.DuckDBPyConnection":
    """A connection.

    Args:
        spill: a folder for what does not fit into memory; made where it is needed.
        run: what the spec allows; by default what the machine has.
        threads: instead of those of `run`, where sums are to be the same to the last bit: one.
    """
    import duckdb

    run = run or Run()
    memory = int(run.memory_gb * 2**30) or max(LEAST, memory_bytes() // SHARE)
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory}B",
        "threads": threads or run.threads or cores(),
        "temp_directory": str(spill),
    }
    return duckdb.connect(":memory:", config=config)
