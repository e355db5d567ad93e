"""Runs one `.sql` file: a single SELECT that makes one table, over the relations it is given, with named parameters.

Every query has a DuckDB in memory to itself (`store/duck.py`), so threads share no tables or names. Each runs on one
thread, because only sums in a fixed order make two runs agree to the last bit.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from assay.contracts.operations import Run
from assay.store.duck import lent

Relation = pl.DataFrame | list[Path]


def select(
    file: Path, relations: Mapping[str, Relation], spill: Path, run: Run | None = None, **parameters: float | int | str
) -> pl.DataFrame:
    """The result of the SELECT in `file`.

    Args:
        relations: what it reads, by name: frames, or the Parquet files of one table (at least one).
        spill: a folder for what does not fit into memory; made where it is needed.
        run: what the spec allows of the machine.
    """
    with lent(spill, run, threads=1) as connection:
        for name, relation in relations.items():
            if isinstance(relation, list):
                connection.read_parquet([str(part) for part in relation]).create_view(name)
            else:
                connection.register(name, relation.to_arrow(compat_level=pl.CompatLevel.oldest()))
        sql = file.read_text(encoding="utf-8")
        found = connection.sql(sql, params=parameters) if parameters else connection.sql(sql)
        return pl.DataFrame(found.to_arrow_table())


def columns(relation: Relation, names: Sequence[str] | None = None) -> pl.DataFrame:
    """Some columns of a relation, or all."""
    frame = pl.scan_parquet(relation) if isinstance(relation, list) else relation.lazy()
    return (frame if names is None else frame.select(names)).collect()
