"""Published snapshots: list, open, query, verify, compare. Light imports: no Prefect, no torch.

    HOME/DATASET/snapshots/v00000001/   TABLE/part-00000.parquet …, index/, report.html, manifest.json
    HOME/DATASET/catalog.duckdb         views of the newest snapshot, and `history.TABLE` (`assay/store/catalog.py`)

A snapshot folder is always whole: it was written aside, fsynced and renamed. Readers take no lock.
"""

import contextlib
import hashlib
import os
import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from assay.contracts.errors import SnapshotError
from assay.store.digests import problem_of, read_sealed
from assay.store.tables import TableReader
from assay.store.workspace import Workspace

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from assay.contracts.operations import Run

COMPARED = ("samples", "scores", "vectors", "dataset_metrics")  # tables that a night reads of the one before
NAME = re.compile(r"v(\d{8})")
DIFF_SQL = Path(__file__).with_name("diff.sql")


@dataclass(frozen=True)
class Snapshot(TableReader):
    """One published version of one dataset."""

    number: int
    path: Path
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path.name

    def parts(self, table: str) -> list[Path]:
        """The table's Parquet files in row order; empty where the snapshot has no such table."""
        return [self.path / file["path"] for file in self.manifest["tables"].get(table, {}).get("files", [])]

    def connect(
        self, locked: bool = True, allow: Sequence[Path] = (), history: Collection[str] | None = None
    ) -> "duckdb.DuckDBPyConnection":
        """An in-memory DuckDB with one view a table, `history.TABLE` across snapshots, `decisions` and `cleaned`.

        Args:
            locked: it can reach this dataset's snapshots and decisions and nothing else, and change no setting. DuckDB
                would still let a COPY write there: SQL of others goes through `assay.reading.ask`.
            allow: further files and folders that it can reach.
            history: the tables wanted of `history`; by default all. Of the others no file of another snapshot is
                opened.

        Raises:
            SnapshotError: a file of the snapshot is missing or damaged.
        """
        import duckdb

        from assay.store.catalog import FOOTERS_KEPT, create_decisions, create_history, create_views

        connection = duckdb.connect()
        connection.execute("set python_enable_replacements = false")  # a name is a table, and no variable of ours
        connection.execute(FOOTERS_KEPT)
        root = self.path.parents[1]
        try:
            create_views(connection, self)
            create_history(connection, root, tables=history)
            create_decisions(connection, root)
        except duckdb.Error as error:
            problem = str(error).strip().splitlines()[0]
            raise SnapshotError(f"{self.path} is damaged ({problem}); `assay verify` names every file") from None
        if locked:
            named = {form for path in allow for form in (path, path.absolute(), path.resolve())}
            folders = [root / "snapshots", root / "decisions", *sorted(path for path in named if path.is_dir())]
            files = sorted(path for path in named if not path.is_dir())
            connection.execute("set allowed_directories = $paths", {"paths": [str(path) for path in folders]})
            connection.execute("set allowed_paths = $paths", {"paths": [str(path) for path in files]})
            connection.execute("set enable_external_access = false")
            connection.execute("set lock_configuration = true")
        return connection


def snapshot_numbers(folder: Path) -> list[int]:
    """Numbers of the snapshots in `HOME/DATASET/snapshots`, oldest first."""
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.is_dir()]
    except FileNotFoundError:
        return []
    return sorted(int(match[1]) for name in names if (match := NAME.fullmatch(name)))


def list_snapshots(workspace: Workspace) -> list[Snapshot]:
    """Every readable snapshot, oldest first; a broken one is left out (`verify` names it)."""
    found = []
    for number in snapshot_numbers(workspace.snapshots):
        with contextlib.suppress(SnapshotError):
            found.append(read_snapshot(workspace.snapshots / f"v{number:08d}"))
    return found


def newest_snapshot(workspace: Workspace) -> Snapshot | None:
    """The newest readable snapshot, if there is one."""
    for number in reversed(snapshot_numbers(workspace.snapshots)):
        with contextlib.suppress(SnapshotError):
            return read_snapshot(workspace.snapshots / f"v{number:08d}")
    return None


def last_night(workspace: Workspace) -> Snapshot | None:
    """The newest snapshot whose tables that the next night compares itself with are intact. A damaged one is reported,
    and the one before it is taken."""
    for number in reversed(snapshot_numbers(workspace.snapshots)):
        try:
            found = read_snapshot(workspace.snapshots / f"v{number:08d}")
        except SnapshotError as error:
            print(f"damaged: {error}", file=sys.stderr)
            continue
        files = [file for table in COMPARED for file in found.manifest["tables"].get(table, {}).get("files", [])]
        problems = {file["path"]: problem_of(found.path / file["path"], file) for file in files}
        wrong = {name: problem for name, problem in problems.items() if problem}
        if not wrong:
            return found
        name, problem = next(iter(wrong.items()))
        print(f"damaged: {found.path / name}: {problem}; the snapshot before it is compared with", file=sys.stderr)
    return None


def open_snapshot(workspace: Workspace, number: int | None = None) -> Snapshot:
    """One snapshot; the newest readable one by default. Mends the catalog if a killed run left it out of date.

    Raises:
        SnapshotError: there is none, or not that one; the message lists what there is.
    """
    from assay.store.catalog import mend_catalog

    mend_catalog(workspace)
    if number is not None:
        path = workspace.snapshots / f"v{number:08d}"
        if path.is_dir():
            return read_snapshot(path)
    elif found := newest_snapshot(workspace):
        return found
    numbers = snapshot_numbers(workspace.snapshots)
    if numbers:
        raise SnapshotError(f"`{workspace.dataset}` has no readable snapshot {number or ''}; there are {numbers}")
    others = sorted(path.parent.name for path in workspace.home.glob("*/snapshots"))
    raise SnapshotError(
        f"no snapshot of `{workspace.dataset}` in {workspace.home}; "
        + (f"there are datasets {others}" if others else "publish one with `assay run SPEC.toml`")
        + ", or name another home with --home"
    )


def read_snapshot(path: Path) -> Snapshot:
    """The snapshot in a folder.

    Raises:
        SnapshotError: its manifest is absent, is not one of ours, or names files elsewhere.
    """
    try:
        manifest = read_sealed(path / "manifest.json")
        number = int(path.name.removeprefix("v"))
        found = Snapshot(number, path, {"tables": {}, **manifest})
        outside = [file["path"] for file in all_files(found.manifest) if not is_inside(file["path"])]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SnapshotError(f"{path} has no readable manifest.json ({error}); it cannot be used") from None
    if outside:
        raise SnapshotError(f"{path}/manifest.json names {outside[0]!r:.200}, outside the snapshot; it cannot be used")
    return found


def diff(previous: Snapshot, current: Snapshot, run: "Run | None" = None) -> "pl.DataFrame":
    """What changed from `previous` to `current`, as rows of the `diff` table. `run`: what it may use of the machine.

    Raises:
        SnapshotError: a file of one of them is missing or damaged.
    """
    import duckdb

    from assay.store.duck import connect

    connection = connect(previous.path.parents[1] / "work" / ".diff-sql", run)
    try:
        for prefix, snapshot in (("old", previous), ("new", current)):
            for table in ("samples", "scores"):
                connection.read_parquet([str(p) for p in snapshot.parts(table)]).create_view(f"{prefix}_{table}")
        return connection.sql(DIFF_SQL.read_text(encoding="utf-8")).pl()
    except duckdb.Error as error:
        problem = str(error).strip().splitlines()[0]
        raise SnapshotError(f"{previous.path} cannot be compared with {current.path.name}: {problem}") from None


def verify(snapshot: Snapshot) -> list[str]:
    """Re-read a snapshot and check every digest, size, row count and contract.

    Returns:
        What is wrong, in words; empty where all is well.
    """
    import polars as pl

    from assay.contracts.tables import CONTRACTS

    problems = []
    named = {"manifest.json"}
    for file in all_files(snapshot.manifest):
        named.add(file["path"])
        if problem := damage_of(snapshot, file):
            problems.append(f"{file['path']}: {problem}")
    there = {str(p.relative_to(snapshot.path)) for p in snapshot.path.rglob("*") if p.is_file()}
    problems += [f"{name}: not in the manifest" for name in sorted(there - named)]
    if problems:
        return problems
    for table, entry in sorted(snapshot.manifest["tables"].items()):
        contract = CONTRACTS.get(table)
        if contract is None or entry["contract"] != contract.VERSION:
            continue  # written by another version of assay; its digests hold
        for part, file in zip(snapshot.parts(table), entry["files"], strict=True):
            rows = pl.read_parquet(part, columns=list(contract.columns()))
            if len(rows) != file["rows"]:
                problems.append(f"{table}/{part.name}: {len(rows)} rows, {file['rows']} in the manifest")
            _, failure = contract.filter(rows, cast=True)
            if len(failure):
                problems.append(f"{table}/{part.name}: breaks its contract: {failure.counts()}")
    return problems


def damage_of(snapshot: Snapshot, file: dict[str, Any]) -> str | None:
    """What is wrong with a file that a manifest names, in words; None if it is as published."""
    path = snapshot.path / file["path"]
    try:
        if not path.is_file():
            return "missing"
        if path.stat().st_size != file["bytes"]:
            return f"{path.stat().st_size} bytes, {file['bytes']} in the manifest"
        return "its SHA-256 differs from the manifest's" if file_sha256(path) != file["sha256"] else None
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def all_files(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Every file entry of a manifest: the tables' parts, then the others."""
    files = [file for table in sorted(manifest["tables"]) for file in manifest["tables"][table].get("files", [])]
    return files + manifest.get("files", [])


def is_inside(relative: str) -> bool:
    """Whether a manifest's path stays inside its snapshot."""
    path = PurePosixPath(relative)
    return "\0" not in relative and not path.is_absolute() and ".." not in path.parts


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
