"""The one mechanism behind every stage: keyed, cached, contract-checked, atomic output folders.

    HOME/DATASET/work/STAGE-KEY/     one stage's output: TABLE/part-00000.parquet …, other files, manifest.json

A stage says by name which tables it reads and which it writes. Its key is the hash of its version, the versions of its
tables' contracts, what its plan depends on, and the keys of the outputs that hold what it reads. Output is written
aside, fsynced, moved, its manifest last: finding the manifest *is* the cache hit. So a killed run resumes, and a
repeated run computes nothing.
"""

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from assay.contracts.errors import ContractError
from assay.contracts.spec import Spec
from assay.contracts.tables import CONTRACTS
from assay.store.digests import FileDigest, problem_of, read_sealed, take, write_sealed
from assay.store.files import hash_text, link_or_copy, sync_path, sync_tree
from assay.store.parts import check, write_part
from assay.store.tables import TableReader, Tables
from assay.store.workspace import Workspace

PARTITION = 100_000  # rows of one part file


@dataclass(frozen=True)
class StageOutput(TableReader):
    """A finished stage: a folder of tables (and other files) with its key. Small enough to pass between processes."""

    stage: str
    key: str
    path: Path
    tables: tuple[str, ...]

    @property
    def config(self) -> dict[str, Any]:
        """What it was made with, besides its inputs."""
        return read_sealed(self.path / "manifest.json")["config"]

    def digests(self) -> dict[str, FileDigest]:
        """Of each file, by its path below the output's folder, as it was written."""
        return read_sealed(self.path / "manifest.json")["files"]

    def parts(self, table: str) -> list[Path]:
        """The table's Parquet files in row order."""
        return sorted((self.path / table).glob("*.parquet"))


@dataclass
class StageWriter:
    """Where a stage's body writes: `write` appends a part to a table, `folder` is for other files, `link` for facts."""

    path: Path
    tables: dict[str, int] = field(default_factory=dict)

    def write(self, table: str, frame: pl.DataFrame) -> None:
        """Append `frame` as one part of `table`.

        Raises:
            ContractError: the rows break the table's contract.
        """
        write_part(table, check(table, frame), self._next_part(table))

    def write_parts(self, table: str, count: int, make: Callable[[int], pl.DataFrame]) -> None:
        """Append `count` parts, two of them in work at a time; `make` gives each by its number.

        Raises:
            ContractError: as `write`.
        """
        places = [self._next_part(table) for _ in range(count)]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda number: write_part(table, check(table, make(number)), places[number]), range(count)))

    def link(self, table: str, part: Path) -> None:
        """Take an existing fact part into the output without copying its bytes."""
        link_or_copy(part, self._next_part(table))

    def folder(self, name: str) -> Path:
        """A sub-folder for files that are not tables."""
        (self.path / name).mkdir(parents=True, exist_ok=True)
        return self.path / name

    def _next_part(self, table: str) -> Path:
        self.folder(table)
        number = self.tables.get(table, 0)
        self.tables[table] = number + 1
        return self.path / table / f"part-{number:05d}.parquet"


def _passes(_: StageOutput) -> None:
    """Nothing to object to."""


@dataclass(frozen=True)
class Work:
    """What a stage will do.

    Attributes:
        config: what the output depends on besides the tables read.
        body: writes the output; not called where an output with the same key is there.
        check: looks at the output, new or found; raises to stop the night.
    """

    config: Mapping[str, Any]
    body: Callable[[StageWriter], None]
    check: Callable[[StageOutput], None] = _passes


Names = tuple[str, ...] | Callable[[Spec], tuple[str, ...]]


@dataclass(frozen=True)
class Stage:
    """One step of a night: which tables it reads and writes, by name, and how it plans its work."""

    name: str
    version: int
    reads: Names
    writes: Names
    hours: float  # after which an orchestrator takes it for hung
    plan: Callable[[Spec, Workspace, Tables], Work]

    def __call__(self, spec: Spec, workspace: Workspace, *outputs: StageOutput) -> StageOutput:
        """The stage's output, found or made from the outputs of earlier stages (in any order; those it does not read
        are ignored).

        Raises:
            ContractError: it wrote rows that break a contract, or read what it did not declare.
        """
        tables = Tables(self.name, names(self.reads, spec), outputs)
        work = self.plan(spec, workspace, tables)
        output = run_stage(
            workspace,
            self.name,
            version=self.version,
            tables=names(self.writes, spec),
            config=work.config,
            inputs=tables.outputs,
            body=work.body,
        )
        work.check(output)
        return output


def stage(
    *, version: int, reads: Names, writes: Names, hours: float
) -> Callable[[Callable[[Spec, Workspace, Tables], Work]], Stage]:
    """Decorator: a function `(spec, workspace, tables) -> Work` as a `Stage` of its name."""
    return lambda plan: Stage(plan.__name__, version, reads, writes, hours, plan)


def names(tables: Names, spec: Spec) -> tuple[str, ...]:
    """The names of a stage's tables, where they depend on the spec."""
    return tables(spec) if callable(tables) else tables


def stage_key(
    stage: str, version: int, tables: Iterable[str], config: Mapping[str, Any], inputs: Iterable[StageOutput]
) -> str:
    """Hex key of everything that a stage's output depends on."""
    described = {
        "stage": stage,
        "version": version,
        "contracts": {name: CONTRACTS[name].VERSION for name in sorted(tables)},
        "config": config,
        "inputs": sorted((output.stage, output.key) for output in inputs),
    }
    return hash_text(json.dumps(described, sort_keys=True, default=str))[:24]


def run_stage(
    workspace: Workspace,
    stage: str,
    *,
    version: int,
    tables: Sequence[str],
    config: Mapping[str, Any],
    inputs: Sequence[StageOutput],
    body: Callable[[StageWriter], None],
) -> StageOutput:
    """The stage's output: found by its key, or made by `body` and moved into place.

    Raises:
        ContractError: `body` wrote rows that break a contract. Nothing is left behind.
    """
    key = stage_key(stage, version, tables, config, inputs)
    path = workspace.work / f"{stage}-{key}"
    found = StageOutput(stage, key, path, tuple(tables))
    if is_whole(found):
        os.utime(path / "manifest.json")  # gc keeps what was used lately
        return found
    workspace.work.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{stage}-", dir=workspace.work))
    try:
        started = time.monotonic()
        writer = StageWriter(aside)
        body(writer)
        undeclared = set(writer.tables) - set(tables)
        if undeclared:
            raise ContractError(f"stage {stage} wrote undeclared tables {sorted(undeclared)}")
        manifest = {
            "stage": stage,
            "key": key,
            "version": version,
            "config": config,
            "inputs": {output.stage: output.key for output in inputs},
            "seconds": round(time.monotonic() - started, 3),
            "files": {str(file.relative_to(aside)): take(file) for file in sorted(aside.rglob("*")) if file.is_file()},
        }
        sync_tree(aside)
        write_sealed(aside / "manifest.json", manifest)
        sync_path(aside)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)  # a folder without a manifest, an older, interrupted move; or a damaged one
        os.rename(aside, path)
        sync_path(workspace.work)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return found


def is_whole(output: StageOutput) -> bool:
    """Whether an output is there and is as written. One that is not is reported, and made again."""
    path = output.path / "manifest.json"
    if not path.exists():
        return False
    try:
        manifest = read_sealed(path)
        files, known = manifest.get("files"), manifest.get("key") == output.key
        problems = {name: problem_of(output.path / name, file) for name, file in (files or {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        files, known, problems = {}, True, {"manifest.json": str(error)}
    if files is None or not known:
        return False  # of an earlier version
    for name, problem in problems.items():
        if problem:
            print(f"damaged: {output.path / name}: {problem}; `{output.stage}` is made again", file=sys.stderr)
            return False
    return True


def write_rows(writer: StageWriter, table: str, frame: pl.DataFrame) -> None:
    """Write `frame` as parts of `PARTITION` rows; at least one part, so that the table is there when empty."""
    for start in range(0, max(len(frame), 1), PARTITION):
        writer.write(table, frame.slice(start, PARTITION))
