"""Runs the `.sql` files of this folder: one file is one SELECT is one table, with named parameters.

DuckDB works in memory, limited, and spills to a folder beside the stage's output. It runs on one thread: sums in a
fixed order are what makes two runs agree to the last bit.
"""

import threading
from pathlib import Path

import duckdb
import polars as pl

FOLDER = Path(__file__).parent
MEMORY_LIMIT = "2GB"


class Queries:
    """An in-memory DuckDB over registered frames; a context manager."""

    def __init__(self, temporary: Path):
        config = {"memory_limit": MEMORY_LIMIT, "threads": 1, "temp_directory": str(temporary)}
        self.connection = duckdb.connect(":memory:", config=config)
        self.lock = threading.Lock()  # one thread at a time
        self.names: set[str] = set()

    def __enter__(self) -> "Queries":
        return self

    def __exit__(self, *_) -> None:
        self.connection.close()

    def table(self, name: str, frame: pl.DataFrame) -> None:
        """Make `frame` readable in SQL as `name`; a second one of that name takes its place."""
        with self.lock:
            self.connection.register(name, frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
        self.names.add(name)

    def parquet(self, name: str, parts: list[Path]) -> None:
        """Make Parquet files readable as `name`."""
        self.connection.read_parquet([str(part) for part in parts]).create_view(name, replace=True)
        self.names.add(name)

    def run(self, name: str, **parameters: float | int | str) -> pl.DataFrame:
        """The result of `NAME.sql` with its named parameters."""
        sql = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
        with self.lock:
            relation = self.connection.sql(sql, params=parameters) if parameters else self.connection.sql(sql)
            return pl.from_arrow(relation.to_arrow_table())
