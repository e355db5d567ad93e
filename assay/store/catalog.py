"""A snapshot's tables as DuckDB views, and `HOME/DATASET/catalog.duckdb`: the same views in a file, for any DuckDB.

The file holds no data. Its storage format is that of DuckDB 1.0, so that every later one opens it. Its views find the
snapshots beside the file itself: a home may be moved or copied, and the file opened from any folder. It is written
after the snapshot is in place; if a kill or a full disk prevents that, the next reader writes it.
"""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.contracts.errors import BusyError, SnapshotError
from assay.store.files import sync_path
from assay.store.snapshots import Snapshot, newest_snapshot
from assay.store.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

    Read = Callable[..., duckdb.DuckDBPyRelation]
    """`(paths relative to HOME/DATASET, **options of read_parquet)` → their rows."""

FILE = "catalog.duckdb"
STORAGE = "v1.0.0"
FACTS = re.compile(r"vectors|[a-z][a-z0-9_]*_facts")
NO_DECISIONS = """
create view decisions as
select
    cast(null as varchar) as batch, cast(null as bigint) as sequence, cast(null as varchar) as sample_id,
    cast(null as varchar) as content_hash, cast(null as varchar) as label, cast(null as varchar) as kind,
    cast(null as varchar) as value, cast(null as varchar) as who, cast(null as timestamptz) as "at",
    cast(null as bigint) as snapshot
where false
"""
FOOTERS_KEPT = "set parquet_metadata_cache = true"  # a view is bound three times: each time opened every footer
OF_ONE_NIGHT = ("neighbors", "projection")  # mere pictures of one snapshot: no history, as facts have none
TABLE = re.compile(r"[a-z][a-z_]*")


def create_views(connection: "duckdb.DuckDBPyConnection", snapshot: Snapshot, read: "Read | None" = None) -> None:
    """A view per table of the snapshot. Facts show only the contents that the snapshot's samples have.

    A relation becomes a view in the current schema; names of tables are checked, and no SQL is built from them.
    """
    root = snapshot.path.parents[1]
    read = read or reader(connection, root)
    tables = [table for table in sorted(snapshot.manifest["tables"]) if snapshot.parts(table)]
    connection.execute("create schema facts")
    for table in tables:
        connection.execute("set schema = 'facts'" if FACTS.fullmatch(table) else "set schema = 'main'")
        read([str(part.relative_to(root)) for part in snapshot.parts(table)]).create_view(table)
    connection.execute("set schema = 'main'")
    for table in filter(FACTS.fullmatch, tables if "samples" in tables else ()):
        live = f"from facts.{table} as f semi join main.samples using (content_hash)"  # letters and _
        connection.execute(f"create view main.{table} as select f.* {live}")


def create_history(
    connection: "duckdb.DuckDBPyConnection",
    root: Path,
    read: "Read | None" = None,
    tables: Collection[str] | None = None,
) -> None:
    """`history.TABLE`: the same table of every snapshot, with the column `snapshot` first; damaged files left out.

    Every table that any of them has is there, except facts and those OF_ONE_NIGHT; of `tables` alone where they are
    named, as each opens the footers of all its files. `root` is `HOME/DATASET`.
    """
    import duckdb

    read = read or reader(connection, root)
    connection.execute("create schema if not exists history")
    connection.execute("set schema = 'history'")
    stored = set() if tables == set() else {part.parent.name for part in root.glob("snapshots/v*/*/*.parquet")}
    wanted = stored.difference(OF_ONE_NIGHT).intersection(stored if tables is None else tables)
    for table in sorted(filter(TABLE.fullmatch, wanted)):
        if FACTS.fullmatch(table):
            continue
        try:
            rows = read([f"snapshots/v*/{table}/*.parquet"], filename=True, union_by_name=True)
        except duckdb.Error:  # one of them is damaged
            found = sorted(root.glob(f"snapshots/v*/{table}/*.parquet"))
            parts = [str(part.relative_to(root)) for part in found if _is_readable(connection, part)]
            if not parts:
                continue
            rows = read(parts, filename=True, union_by_name=True)
        number = "cast(regexp_extract(filename, '.*/v(\\d{8})/[^/]*/[^/]*$', 1) as integer) as snapshot"
        rows.project(f"{number}, * exclude (filename)").create_view(table, replace=True)
    connection.execute("set schema = 'main'")


def create_decisions(connection: "duckdb.DuckDBPyConnection", root: Path, read: "Read | None" = None) -> None:
    """`history.decisions`, every decision ever made; `decisions`, those that stand; `cleaned`, the samples they leave.

    Call it after the other two. `root` is `HOME/DATASET`. Files are listed when a view is queried, so later
    decisions are seen. Unreadable parts are left out.
    """
    import duckdb

    from assay.store.decision_parts import CLEANED, STANDING, is_whole

    read = read or reader(connection, root)
    parts = [part for part in sorted(root.glob("decisions/part-*.parquet")) if is_whole(part)]
    connection.execute("set schema = 'history'")
    rows: duckdb.DuckDBPyRelation | None = None
    if parts:
        try:
            rows = read(["decisions/part-*.parquet"], union_by_name=True)
        except duckdb.Error:  # one of them is damaged
            good = [str(part.relative_to(root)) for part in parts if _is_readable(connection, part)]
            rows = read(good, union_by_name=True) if good else None
    if rows is not None:
        known = "coalesce(sequence, 0)" if "sequence" in rows.columns else "cast(0 as bigint)"
        others = "* exclude (sequence)" if "sequence" in rows.columns else "*"
        rows.project(f"{known} as sequence, {others}").create_view("decisions")
    else:
        connection.execute(NO_DECISIONS)
    connection.execute("set schema = 'main'")
    tables = {
        name for (name,) in connection.execute("select view_name from duckdb_views() where not internal").fetchall()
    }
    if "samples" in tables:
        connection.execute(f"create view decisions as {STANDING.read_text(encoding='utf-8')}")
    if {"samples", "duplicates"} <= tables:
        connection.execute(f"create view cleaned as {CLEANED.read_text(encoding='utf-8')}")


def _is_readable(connection: "duckdb.DuckDBPyConnection", part: Path) -> bool:
    """Whether a Parquet file has a whole footer."""
    import duckdb

    try:
        connection.read_parquet(str(part))
    except duckdb.Error:
        return False
    return True


def reader(connection: "duckdb.DuckDBPyConnection", root: Path) -> "Read":
    """Reads Parquet files by their absolute paths."""

    def read(paths: Sequence[str], **options: Any) -> "duckdb.DuckDBPyRelation":
        return connection.read_parquet([str(root / path) for path in paths], **options)

    return read


def movable_reader(connection: "duckdb.DuckDBPyConnection", root: Path) -> "Read":
    """Reads Parquet files beside the opened database file, wherever that is by then.

    DuckDB names its folder for temporary files after the file that it opened, and folds the setting into a constant
    when a view is bound. Where that was set to something else, or the file is attached to another, `root` counts.
    """
    beside = (
        f"case when regexp_matches(current_setting('temp_directory'), '(^|[/\\\\]){FILE}[.]tmp$') "
        f"then regexp_replace(current_setting('temp_directory'), '{FILE}[.]tmp$', '') else {literal(f'{root}/')} end"
    )

    def read(paths: Sequence[str], **options: Any) -> "duckdb.DuckDBPyRelation":
        listed = ", ".join(f"({beside}) || {literal(path)}" for path in paths)
        flags = "".join(f", {name} = {value}" for name, value in options.items())
        return connection.sql(f"select * from read_parquet([{listed}]{flags})")

    return read


def literal(text: str) -> str:
    """An SQL string literal, for where no parameter is allowed. DuckDB has no escape in one but the doubled quote."""
    return "'" + text.replace("'", "''") + "'"


def write_catalog(workspace: Workspace) -> Path:
    """Replace `catalog.duckdb` atomically by one whose views show the newest snapshot.

    Its time is set to that of the snapshot's manifest, by which `mend_catalog` knows what it shows.

    Raises:
        SnapshotError: there is no readable snapshot, or a file of the newest one is damaged.
    """
    import duckdb

    from assay.store.decisions import write_first_part

    target = workspace.root / FILE
    newest = newest_snapshot(workspace)
    if newest is None:
        raise SnapshotError(f"no snapshot of `{workspace.dataset}` in {workspace.home} for a catalog to show")
    write_first_part(workspace)
    with tempfile.TemporaryDirectory(dir=workspace.root, prefix=".catalog-") as aside:
        path = Path(aside) / "new.duckdb"  # not yet beside the snapshots, so not by that name
        try:
            connection = duckdb.connect(path, config={"storage_compatibility_version": STORAGE})
            connection.execute(FOOTERS_KEPT)
            create_views(connection, newest, movable_reader(connection, workspace.root))
            create_history(connection, workspace.root, movable_reader(connection, workspace.root))
            create_decisions(connection, workspace.root, movable_reader(connection, workspace.root))
            connection.close()
        except duckdb.Error as error:
            problem = str(error).strip().splitlines()[0]
            raise SnapshotError(f"{newest.path} cannot be shown in {target}: {problem}") from None
        shown = (newest.path / "manifest.json").stat().st_mtime_ns
        os.utime(path, ns=(shown, shown))
        sync_path(path)
        os.replace(path, target)
        sync_path(target.parent)
    return target


def show_in_catalog(snapshot: Snapshot, workspace: Workspace) -> None:
    """`write_catalog` for a snapshot that is already published: a failure is reported, and the snapshot stays."""
    try:
        write_catalog(workspace)
    except (OSError, SnapshotError) as error:
        print(
            f"assay: {snapshot.path} is published, but {workspace.root / FILE} could not be written ({error}) and "
            "still shows the one before; the next assay command that reads the dataset writes it again",
            file=sys.stderr,
        )


def mend_catalog(workspace: Workspace) -> None:
    """Write the catalog again if it does not show the newest snapshot and no run is about to do so; says so in one
    line."""
    from assay.store.lock import dataset_lock

    if catalog_is_current(workspace):
        return
    with contextlib.suppress(OSError, BusyError, SnapshotError), dataset_lock(workspace, "a reader that mends"):
        if not catalog_is_current(workspace):
            write_catalog(workspace)
            print(f"assay: {workspace.root / FILE} did not show the newest snapshot; it does now", file=sys.stderr)


def catalog_is_current(workspace: Workspace) -> bool:
    """Whether the catalog was written for the newest snapshot; also true where there is none to show."""
    newest = newest_snapshot(workspace)
    if newest is None:
        return True
    try:
        shown = (workspace.root / FILE).stat().st_mtime_ns
    except FileNotFoundError:
        return False
    return shown == (newest.path / "manifest.json").stat().st_mtime_ns
