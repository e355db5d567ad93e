"""Runs the `.sql` files of this folder: one file is one SELECT is one table, with named parameters.

DuckDB works in memory, limited, and spills to a folder beside the stage's output. It runs on one thread: sums in a
fixed order are what makes two runs agree to the last bit. Several threads may ask; they wait for each other.
"""

import threading
from collections.abc import Sequence
from pathlib import Path

import duckdb
import polars as pl

FOLDER = Path(__file__).parent
MEMORY_LIMIT = "2GB"


class Queries:
    """An in-memory DuckDB over registered frames; a context manager."""

    def __init__(self, temporary: Path):
        config = {"memory_limit": MEMORY_LIMIT, "threads": 1, "temp_directory": str(temporary)}
        self._connection = duckdb.connect(":memory:", config=config)
        self._lock = threading.Lock()
        self.names: set[str] = set()

    def __enter__(self) -> "Queries":
        return self

    def __exit__(self, *_) -> None:
        self._connection.close()

    def table(self, name: str, frame: pl.DataFrame) -> None:
        """Make `frame` readable in SQL as `name`; a second one of that name takes its place."""
        with self._lock:
            self._connection.register(name, frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
        self.names.add(name)

    def parquet(self, name: str, parts: list[Path]) -> None:
        """Make Parquet files readable as `name`."""
        with self._lock:
            self._connection.read_parquet([str(part) for part in parts]).create_view(name, replace=True)
        self.names.add(name)

    def read(self, name: str, columns: Sequence[str]) -> pl.DataFrame:
        """Some columns of what is readable as `name`."""
        with self._lock:
            return pl.from_arrow(self._connection.table(name).select(*columns).to_arrow_table())

    def run(self, name: str, **parameters: float | int | str) -> pl.DataFrame:
        """The result of `NAME.sql` with its named parameters."""
        sql = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
        with self._lock:
            relation = self._connection.sql(sql, params=parameters) if parameters else self._connection.sql(sql)
            return pl.from_arrow(relation.to_arrow_table())
