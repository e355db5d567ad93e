"""Is `catalog.duckdb` what assay writes: the views of the newest snapshot, all answering, and nothing else."""

from typing import TYPE_CHECKING

from assay.store.catalog import FACTS, FILE
from assay.store.snapshots import Snapshot
from assay.store.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

FOREIGN = """
select schema_name || '.' || table_name from duckdb_tables() where not internal
union all select schema_name || '.' || function_name from duckdb_functions() where not internal
union all select schema_name || '.' || sequence_name from duckdb_sequences()
union all select schema_name || '.' || type_name from duckdb_types() where not internal
order by 1
"""
OURS = "select schema_name, view_name from duckdb_views() where not internal order by all"


def verify_catalog(workspace: Workspace, newest: Snapshot) -> list[str]:
    """What is wrong with the catalog of a dataset, whose newest snapshot is `newest`; empty where all is well."""
    import duckdb

    path = workspace.root / FILE
    if not path.is_file():
        return [f"{FILE}: missing"]
    try:
        with duckdb.connect(path, read_only=True) as connection:
            return [f"{FILE}: {problem}" for problem in _problems(connection, newest)]
    except duckdb.Error as error:
        return [f"{FILE}: cannot be read: {str(error).strip().splitlines()[0]}"]


def _problems(connection: "duckdb.DuckDBPyConnection", newest: Snapshot) -> list[str]:
    import duckdb

    foreign = [f"holds {name}, which assay does not write" for (name,) in connection.execute(FOREIGN).fetchall()]
    there = set(connection.execute(OURS).fetchall())
    wanted = {table for table in newest.manifest["tables"] if newest.parts(table)} | {"decisions"}
    missing = [f"has no view {name}" for name in sorted(wanted - {name for schema, name in there if schema == "main"})]
    broken = []
    for schema, name in sorted(there):
        try:
            rows = connection.table(f'"{schema}"."{name}"').count("*").fetchall()[0][0]
        except duckdb.Error as error:
            broken.append(f"{schema}.{name} does not answer: {str(error).strip().splitlines()[0]}")
            continue
        listed = newest.manifest["tables"].get(name, {}).get("rows")
        if schema == "main" and not FACTS.fullmatch(name) and listed is not None and rows != listed:
            broken.append(f"{name} shows {rows} rows, {listed} in snapshot {newest.number}")
    return foreign + missing + broken
