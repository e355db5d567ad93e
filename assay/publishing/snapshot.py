"""Gather the stages' tables into one folder, describe it in a manifest, and move it to the next number."""

import contextlib
import errno
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq

from assay.contracts.errors import ContractError, SnapshotError
from assay.contracts.odcs import contract_text
from assay.contracts.operations import Run
from assay.contracts.plugins import installed
from assay.contracts.spec import Spec
from assay.contracts.tables import CONTRACTS, INTERNAL, empty
from assay.publishing.gates import Night, Parts, judge_gates
from assay.remote.home import offer
from assay.report.page import write_report
from assay.sources.schema import source_changes
from assay.sources.told import source_notes
from assay.store.decisions import lost_decisions
from assay.store.digests import FileDigest, problem_of, take, write_sealed
from assay.store.files import hash_text, link_or_copy, sync_path, sync_tree
from assay.store.parts import write_part
from assay.store.snapshots import Snapshot, diff, last_night, read_snapshot, snapshot_numbers
from assay.store.stage import StageOutput
from assay.store.workspace import Workspace

SOFTWARE = ("assay", "torch", "open_clip_torch", "polars", "duckdb", "pyarrow", "hnswlib", "umap-learn", "prefect")
FOLDERS = ("index", "debiased")  # of a stage, carried into the snapshot beside the tables
HEADLINE_SQL = Path(__file__).with_name("headline.sql")


def write_snapshot(spec: Spec, workspace: Workspace, stages: Sequence[StageOutput]) -> Snapshot:
    """Publish the stages' tables as the next snapshot.

    Raises:
        ContractError: two stages wrote the same key of a table that they share.
        TakenError: the home is on S3, and another publisher was first.
    """
    workspace.snapshots.mkdir(parents=True, exist_ok=True)
    parent = last_night(workspace)
    aside = Path(tempfile.mkdtemp(prefix=".aside-", dir=workspace.snapshots))
    aside.chmod(0o755)
    try:
        written: dict[str, FileDigest] = {}
        tables = gather_tables(stages, aside, written)
        manifest: dict[str, Any] = {
            "dataset": spec.name,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "config": spec.model_dump(mode="json"),
            "face": asdict(spec.data.face),
            "spec_base": str(spec.base),
            "parent": parent.number if parent else None,
            "stages": sorted(stage.path.name for stage in stages),
            "software": {"python": platform.python_version()} | {name: installed(name) for name in SOFTWARE},
        }
        manifest["source"] = source_in_words(parent, tables)
        manifest["lost_decisions"] = sorted(lost := lost_decisions(workspace))
        manifest["source"]["doubts"] += [f"decisions that cannot be read: batch {n}, {why}" for n, why in lost.items()]
        tables["diff"] = write_diff(parent, tables, aside, manifest, spec.run)
        manifest["headline"] = headline(tables)
        night = Night(Parts(tables), dataset_metrics(tables) | manifest["headline"], parent is not None)
        manifest["gates"] = judge_gates(spec, night, parent)
        manifest["tables"] = {
            name: describe_table(name, parts, aside, written) for name, parts in sorted(tables.items())
        }
        number = next_number(workspace.snapshots)
        write_report(tables, report_context(manifest, number), aside / "report.html")
        write_contracts(tables, aside)
        manifest["files"] = [describe_file(path, aside, written) for path in other_files(aside, manifest)]
        sync_tree(aside)
        write_sealed(aside / "manifest.json", manifest)
        sync_path(aside)
        if offer(workspace, aside, manifest, number):
            move_to_number(aside, workspace.snapshots, number)  # a reader may have fetched it from the store meanwhile
            return read_snapshot(workspace.snapshots / f"v{number:08d}")
        return read_snapshot(move_to_next_number(aside, workspace.snapshots))
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def gather_tables(stages: Sequence[StageOutput], aside: Path, written: dict[str, FileDigest]) -> dict[str, list[Path]]:
    """Link the published tables and `FOLDERS` of all stages into `aside`; the parts of one table in stage order.

    Args:
        written: is given the digests that the stages took, by path below `aside`.

    Raises:
        SnapshotError: a file is not what its stage wrote.
    """
    tables: dict[str, list[Path]] = {}
    for stage in stages:
        digests = stage.digests()
        for table in stage.tables:
            if table in INTERNAL:
                continue
            (aside / table).mkdir(exist_ok=True)
            parts = tables.setdefault(table, [])
            for part in stage.parts(table):
                target = aside / table / f"part-{len(parts):05d}.parquet"
                take_in(stage, digests, part, target, aside, written)
                parts.append(target)
        for folder in FOLDERS:
            for file in sorted((stage.path / folder).rglob("*")):
                target = aside / file.relative_to(stage.path)
                if file.is_file():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    take_in(stage, digests, file, target, aside, written)
    for table in ("embedding_health", "dataset_metrics"):
        if len(tables.get(table, ())) > 1:
            require_unique(table, tables[table])
    return tables


def take_in(
    stage: StageOutput,
    digests: dict[str, FileDigest],
    file: Path,
    target: Path,
    aside: Path,
    written: dict[str, FileDigest],
) -> None:
    """Link one file of a stage, as it was written, into the snapshot."""
    digest = digests[str(file.relative_to(stage.path))]
    if problem := problem_of(file, digest):
        raise SnapshotError(f"{file} was damaged while the night ran ({problem}); run again to make it again")
    link_or_copy(file, target)
    written[target.relative_to(aside).as_posix()] = digest


def require_unique(table: str, parts: list[Path]) -> None:
    """Raise `ContractError` where a key appears in two stages' parts of one table."""
    key = CONTRACTS[table].primary_key()
    rows = pl.concat([pl.read_parquet(part, columns=key) for part in parts])
    twice = rows.filter(rows.is_duplicated()).unique()
    if len(twice):
        raise ContractError(f"table `{table}` has the key {twice.head(3).rows()} in more than one stage")


def write_diff(
    parent: Snapshot | None, tables: dict[str, Any], aside: Path, manifest: dict[str, Any], run: Run
) -> list[Path]:
    """The `diff` table against the parent; no rows in a first snapshot, or where the parent is damaged."""
    names = ("samples", "scores")
    described = {name: {"files": [{"path": str(p.relative_to(aside))} for p in tables.get(name, [])]} for name in names}
    current = Snapshot(0, aside, manifest | {"tables": described})
    rows = empty("diff")
    if parent and all(parent.parts(name) and tables.get(name) for name in names):
        with contextlib.suppress(SnapshotError):
            rows = diff(parent, current, run)
    (aside / "diff").mkdir()
    target = aside / "diff" / "part-00000.parquet"
    write_part("diff", rows, target)
    return [target]


def headline(tables: dict[str, list[Path]]) -> dict[str, float]:
    """The rows of headline.sql over the snapshot's tables."""
    connection = duckdb.connect()
    for name in ("samples", "rejects", "duplicates", "leaks", "label_issues", "scores"):
        if tables.get(name):
            connection.read_parquet([str(part) for part in tables[name]]).create_view(name)
        else:
            connection.register(name, empty(name).to_arrow())
    return dict(connection.sql(HEADLINE_SQL.read_text(encoding="utf-8")).fetchall())


def dataset_metrics(tables: dict[str, list[Path]]) -> dict[str, float | None]:
    """The snapshot's `dataset_metrics` as a dictionary."""
    parts = tables.get("dataset_metrics")
    return dict(pl.read_parquet(parts, columns=["metric", "value"]).iter_rows()) if parts else {}


def source_in_words(parent: Snapshot | None, tables: dict[str, list[Path]]) -> dict[str, list[str]]:
    """How the source was read, what is doubtful about it, and what of it is not as in the parent."""
    parts = tables.get("dataset_metrics")
    numbers = pl.read_parquet(parts, columns=["metric", "note"]) if parts else empty("dataset_metrics")
    return source_notes(numbers) | {"changes": source_changes(parent, numbers)}


def write_contracts(tables: dict[str, list[Path]], aside: Path) -> None:
    """The contracts that the tables were written under, beside them."""
    (aside / "contracts").mkdir()
    for name in tables:
        (aside / "contracts" / f"{name}.odcs.yaml").write_text(contract_text(name), encoding="utf-8")


def report_context(manifest: dict[str, Any], number: int) -> dict[str, Any]:
    """What the report says besides the tables."""
    return {
        "dataset": manifest["dataset"],
        "modality": manifest["config"]["modality"],
        "face": manifest["face"],
        "number": number,
        "created_at": manifest["created_at"],
        "parent": manifest["parent"],
        "spec": manifest["config"],
        "gates": manifest["gates"],
        "source": manifest["source"],
        "software": dict(sorted(manifest["software"].items())),  # as a manifest read back has it
    }


def describe_table(name: str, parts: list[Path], aside: Path, written: dict[str, FileDigest]) -> dict[str, Any]:
    """A table's entry in the manifest: its files, rows, contract version and digest over its files' digests."""
    files = [describe_file(part, aside, written) | {"rows": pq.read_metadata(part).num_rows} for part in parts]
    return {
        "contract": CONTRACTS[name].VERSION,
        "rows": sum(file["rows"] for file in files),
        "digest": hash_text(" ".join(file["sha256"] for file in files)),
        "files": files,
    }


def describe_file(path: Path, aside: Path, written: dict[str, FileDigest]) -> dict[str, Any]:
    """A file's entry in the manifest, with the digest that its stage took; one of our own gets its first one here."""
    name = path.relative_to(aside).as_posix()
    digest = written.get(name) or take(path)
    return {"path": name, **digest}


def other_files(aside: Path, manifest: dict[str, Any]) -> list[Path]:
    """Files of the snapshot that belong to no table: the report, the index, debiased vectors."""
    named = {file["path"] for table in manifest["tables"].values() for file in table["files"]}
    paths = sorted(path for path in aside.rglob("*") if path.is_file())
    return [path for path in paths if path.relative_to(aside).as_posix() not in named]


def next_number(snapshots: Path) -> int:
    """One more than the highest number there, readable or not."""
    return max(snapshot_numbers(snapshots), default=0) + 1


def move_to_next_number(aside: Path, snapshots: Path) -> Path:
    """Rename to the next free number."""
    while not move_to_number(aside, snapshots, number := next_number(snapshots)):
        pass
    return snapshots / f"v{number:08d}"


def move_to_number(aside: Path, snapshots: Path, number: int) -> bool:
    """Rename to a number, unless a snapshot has it: whether it was free. A rename onto a folder with files fails: that
    is the compare-and-swap."""
    try:
        os.rename(aside, snapshots / f"v{number:08d}")
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    sync_path(snapshots)
    return True
