"""Published snapshots: list, open, query, verify, compare, remove. Light imports: no Prefect, no torch.

    HOME/DATASET/snapshots/v00000001/   TABLE/part-00000.parquet …, index/, report.html, manifest.json
    HOME/DATASET/catalog.duckdb         views of the newest snapshot; `history.TABLE` across all of them

A snapshot folder that is there is whole: it was written aside, fsynced and renamed. Readers take no lock.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from assay.contracts.errors import SnapshotError, SpecError

if TYPE_CHECKING:
    import duckdb
    import polars as pl

NAME = re.compile(r"v(\d{8})")
HISTORY = (
    "samples", "rejects", "duplicates", "leaks", "scores", "label_issues", "label_noise", "classes", "groups",
    "group_issues", "annotators", "embedding_health", "dataset_metrics", "diff",
)  # fmt: skip
FACTS = ("image_facts", "text_facts", "vectors")
DIFF_SQL = Path(__file__).with_name("diff.sql")


@dataclass(frozen=True)
class Workspace:
    """Where one dataset's results live.

    Raises:
        SpecError: the home's path has a character that Polars and DuckDB take for a pattern.
    """

    home: Path
    dataset: str

    def __post_init__(self):
        if found := sorted(set("*?[]").intersection(str(self.home))):
            raise SpecError(
                f"the home {self.home} has {' '.join(found)} in its path, which Parquet readers take for a pattern; "
                "name another with --home"
            )

    @property
    def root(self) -> Path:
        return self.home / self.dataset

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def facts(self) -> Path:
        return self.root / "facts"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"


@dataclass(frozen=True)
class Snapshot:
    """One published version of one dataset."""

    number: int
    path: Path
    manifest: dict

    @property
    def name(self) -> str:
        return self.path.name

    def parts(self, table: str) -> list[Path]:
        """The table's Parquet files in row order; empty where the snapshot has no such table."""
        return [self.path / file["path"] for file in self.manifest["tables"].get(table, {}).get("files", [])]

    def connect(self, locked: bool = True) -> "duckdb.DuckDBPyConnection":
        """An in-memory DuckDB with one view a table, `history.TABLE` across snapshots.

        `locked`: it can read this dataset's snapshots and nothing else, write nothing, and change no setting.

        Raises:
            SnapshotError: a file of the snapshot is missing or damaged.
        """
        import duckdb

        connection = duckdb.connect()
        try:
            create_views(connection, self)
        except duckdb.Error as error:
            problem = str(error).strip().splitlines()[0]
            raise SnapshotError(f"{self.path} is damaged ({problem}); `assay verify` names every file") from None
        create_history(connection, self.path.parent)
        if locked:
            connection.execute("set allowed_directories = [$folder]", {"folder": str(self.path.parent)})
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


def open_snapshot(workspace: Workspace, number: int | None = None) -> Snapshot:
    """One snapshot; the newest readable one by default.

    Raises:
        SnapshotError: there is none, or not that one; the message lists what there is.
    """
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
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        found = Snapshot(int(NAME.fullmatch(path.name)[1]), path, {"tables": {}, **manifest})
        outside = [file["path"] for file in all_files(found.manifest) if not is_inside(file["path"])]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SnapshotError(f"{path} has no readable manifest.json ({error}); it cannot be used") from None
    if outside:
        raise SnapshotError(f"{path}/manifest.json names {outside[0]!r:.200}, outside the snapshot; it cannot be used")
    return found


def create_views(connection: "duckdb.DuckDBPyConnection", snapshot: Snapshot) -> None:
    """A view per table of the snapshot. Facts show only the contents that the snapshot's samples have.

    A relation becomes a view in the current schema: paths are data, and no SQL is built from them.
    """
    tables = [table for table in sorted(snapshot.manifest["tables"]) if snapshot.parts(table)]
    connection.execute("create schema facts")
    for table in tables:
        connection.execute("set schema = 'facts'" if table in FACTS else "set schema = 'main'")
        connection.read_parquet([str(part) for part in snapshot.parts(table)]).create_view(table)
    connection.execute("set schema = 'main'")
    for table in set(FACTS).intersection(tables if "samples" in tables else ()):
        live = f"from facts.{table} as f semi join main.samples using (content_hash)"  # one of three constants
        connection.execute(f"create view main.{table} as select f.* {live}")


def create_history(connection: "duckdb.DuckDBPyConnection", folder: Path) -> None:
    """`history.TABLE`: the same table of every snapshot, with the column `snapshot` first; damaged files left out."""
    import duckdb

    connection.execute("create schema history")
    connection.execute("set schema = 'history'")
    for table in HISTORY:
        parts = [str(part) for part in sorted(folder.glob(f"v*/{table}/*.parquet"))]
        if not parts:
            continue
        try:
            rows = connection.read_parquet(str(folder / "v*" / table / "*.parquet"), filename=True, union_by_name=True)
        except duckdb.Error:  # one of them is damaged
            parts = [part for part in parts if _is_readable(connection, part)]
            rows = connection.read_parquet(parts, filename=True, union_by_name=True) if parts else None
        if rows is not None:
            number = "cast(regexp_extract(filename, '.*/v(\\d{8})/[^/]*/[^/]*$', 1) as integer) as snapshot"
            rows.project(f"{number}, * exclude (filename)").create_view(table)
    connection.execute("set schema = 'main'")


def _is_readable(connection: "duckdb.DuckDBPyConnection", part: str) -> bool:
    """Whether a Parquet file has a whole footer."""
    import duckdb

    try:
        connection.read_parquet(part)
    except duckdb.Error:
        return False
    return True


def write_catalog(workspace: Workspace) -> Path:
    """Replace `catalog.duckdb` atomically by one whose views show the newest snapshot."""
    import duckdb

    target = workspace.root / "catalog.duckdb"
    newest = open_snapshot(workspace)
    with tempfile.TemporaryDirectory(dir=workspace.root, prefix=".catalog-") as aside:
        path = Path(aside) / "catalog.duckdb"
        connection = duckdb.connect(path)
        create_views(connection, newest)
        create_history(connection, newest.path.parent)
        connection.close()
        os.replace(path, target)
    return target


def diff(previous: Snapshot, current: Snapshot) -> "pl.DataFrame":
    """What changed from `previous` to `current`, as rows of the `diff` table.

    Raises:
        SnapshotError: a file of one of them is missing or damaged.
    """
    import duckdb

    connection = duckdb.connect()
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
        path = snapshot.path / file["path"]
        if not path.is_file():
            problems.append(f"{file['path']}: missing")
        elif path.stat().st_size != file["bytes"]:
            problems.append(f"{file['path']}: {path.stat().st_size} bytes, {file['bytes']} in the manifest")
        elif file_sha256(path) != file["sha256"]:
            problems.append(f"{file['path']}: its SHA-256 differs from the manifest's")
    there = {str(p.relative_to(snapshot.path)) for p in snapshot.path.rglob("*") if p.is_file()}
    problems += [f"{name}: not in the manifest" for name in sorted(there - named)]
    if problems:
        return problems
    for table, entry in sorted(snapshot.manifest["tables"].items()):
        contract = CONTRACTS.get(table)
        if contract is None or contract.VERSION != entry["contract"]:
            continue  # written by another version of assay; its digests hold
        for part, file in zip(snapshot.parts(table), entry["files"], strict=True):
            rows = pl.read_parquet(part, columns=list(contract.columns()))
            if len(rows) != file["rows"]:
                problems.append(f"{table}/{part.name}: {len(rows)} rows, {file['rows']} in the manifest")
            _, failure = contract.filter(rows, cast=True)
            if len(failure):
                problems.append(f"{table}/{part.name}: breaks its contract: {failure.counts()}")
    return problems


def all_files(manifest: dict) -> list[dict]:
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


def collect_garbage(workspace: Workspace, keep: int, dry_run: bool = False, grace_hours: float = 24.0) -> list[Path]:
    """Remove all but the newest `keep` snapshots, work and facts that none of these needs, and killed runs' leftovers.

    Work, facts and leftovers younger than `grace_hours` stay: a run that has not published yet may need them.

    Returns:
        What was, or with `dry_run` would be, removed.
    """
    snapshots = list_snapshots(workspace)
    kept, old = snapshots[-keep:], snapshots[:-keep]
    before = time.time() - grace_hours * 3600
    doomed = [snapshot.path for snapshot in old]
    doomed += [path for path in _leftovers(workspace) if path.stat().st_mtime < before]
    live_work = {name for snapshot in kept for name in snapshot.manifest.get("stages", [])}
    for folder in sorted(workspace.work.glob("*")):
        stamp = folder / "manifest.json"
        age_path = stamp if stamp.exists() else folder
        if folder.name not in live_work and age_path.stat().st_mtime < before:
            doomed.append(folder)
    doomed += [part for part in _dead_facts(workspace, kept) if part.stat().st_mtime < before]
    if not dry_run:
        for path in doomed:
            _remove(path)
        if snapshots:
            write_catalog(workspace)
    return doomed


def _leftovers(workspace: Workspace) -> list[Path]:
    """What killed runs left beside finished things, under hidden names."""
    found = [path for pattern in (".removed-*", ".aside-*") for path in workspace.snapshots.glob(pattern)]
    found += [*workspace.root.glob(".catalog-*"), *(path for path in workspace.facts.rglob(".*") if path.is_file())]
    return sorted(found)


def _dead_facts(workspace: Workspace, kept: list[Snapshot]) -> list[Path]:
    """Fact parts none of whose contents is in a kept snapshot."""
    import polars as pl

    frames = [pl.scan_parquet(snapshot.parts("samples")).select("content_hash") for snapshot in kept]
    live = pl.concat(frames).unique().collect()["content_hash"] if frames else pl.Series([], dtype=pl.String)
    tables = (*FACTS, "picture_matches", "layout")
    parts = sorted(part for table in tables for part in workspace.facts.glob(f"{table}/*/part-*.parquet"))
    dead = []
    for part in parts:
        hashes = pl.read_parquet(part, columns=["content_hash"])["content_hash"]
        if not hashes.str.slice(0, 32).is_in(live.implode()).any():  # of a pair: the first
            dead.append(part)
    return dead


def _remove(path: Path) -> None:
    """Remove a file or folder so that no reader meets half of it: renamed out of sight first."""
    hidden = path.with_name(f".removed-{path.name}")
    os.rename(path, hidden)
    if hidden.is_dir():
        shutil.rmtree(hidden)
    else:
        hidden.unlink()
