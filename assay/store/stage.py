"""The one mechanism behind every stage: keyed, cached, contract-checked, atomic output folders; and the facts store.

    HOME/DATASET/work/STAGE-KEY/     one stage's output: TABLE/part-00000.parquet …, other files, manifest.json
    HOME/DATASET/facts/NAME/FINGERPRINT/part-*.parquet     append-only facts, keyed by content hash

A stage's key is the hash of its VERSION, the versions of its tables' contracts, its part of the spec and the keys of
its inputs. Output is written aside, fsynced, moved, its manifest last: finding the manifest *is* the cache hit. So a
killed run resumes, and a repeated run computes nothing. A fact part is written aside and renamed: it is there or not.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from assay.contracts.errors import ContractError
from assay.contracts.tables import CONTRACTS, empty
from assay.store.snapshots import Workspace

ROW_GROUP = 122_880  # DuckDB's own vector-friendly row-group size
VECTOR_GROUP_BYTES = 32 * 2**20
PARTITION = 100_000  # rows of one part file


@dataclass(frozen=True)
class StageOutput:
    """A finished stage: a folder of tables (and other files) with its key. Small enough to pass between tasks."""

    stage: str
    key: str
    path: Path
    tables: tuple[str, ...]

    @property
    def config(self) -> dict:
        """What it was made with, besides its inputs."""
        return json.loads((self.path / "manifest.json").read_text(encoding="utf-8"))["config"]

    def parts(self, table: str) -> list[Path]:
        """The table's Parquet files in row order."""
        return sorted((self.path / table).glob("*.parquet"))

    def scan(self, table: str) -> pl.LazyFrame:
        """The whole table, lazily. An output without that table gives an empty frame of its contract."""
        parts = self.parts(table)
        return pl.scan_parquet(parts) if parts else empty(table).lazy()

    def read(self, table: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The whole table, or some columns of it, in memory."""
        frame = self.scan(table)
        return (frame.select(columns) if columns is not None else frame).collect()


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


def stage_key(stage: str, version: int, tables: Iterable[str], config: Mapping, inputs: Iterable[StageOutput]) -> str:
    """Hex key of everything that a stage's output depends on."""
    described = {
        "stage": stage,
        "version": version,
        "contracts": {name: CONTRACTS[name].VERSION for name in sorted(tables)},
        "config": config,
        "inputs": [(output.stage, output.key) for output in inputs],
    }
    return hash_text(json.dumps(described, sort_keys=True, default=str))[:24]


def run_stage(
    workspace: Workspace,
    stage: str,
    *,
    version: int,
    tables: Sequence[str],
    config: Mapping,
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
    if (path / "manifest.json").exists():
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
        }
        sync_tree(aside)
        write_json(aside / "manifest.json", manifest)
        sync_path(aside)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)  # a folder without a manifest: an older, interrupted move
        os.rename(aside, path)
        sync_path(workspace.work)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return found


@dataclass(frozen=True)
class FactStore:
    """Append-only facts of one kind, keyed by `content_hash`; `fingerprint` names the method that made them."""

    workspace: Workspace
    table: str
    fingerprint: str

    @property
    def folder(self) -> Path:
        return self.workspace.facts / self.table / self.fingerprint

    def known(self) -> pl.DataFrame:
        """Columns `content_hash`, `part` (file name) of every stored fact."""
        parts = sorted(self.folder.glob("part-*.parquet"))
        if not parts:
            return pl.DataFrame(schema={"content_hash": pl.String, "part": pl.String})
        frames = [
            pl.scan_parquet(part).select("content_hash", pl.lit(part.name).alias("part")).collect() for part in parts
        ]
        return pl.concat(frames).unique("content_hash", keep="first", maintain_order=True)

    def missing(self, content_hashes: pl.Series) -> pl.Series:
        """Those of `content_hashes` that have no fact yet, once each, in their order."""
        wanted = content_hashes.unique(maintain_order=True)
        return wanted.filter(~wanted.is_in(self.known()["content_hash"].implode()))

    def lookup(self, content_hashes: pl.Series, column: str) -> pl.Series:
        """One column of the facts of `content_hashes`, in their order; null where there is no fact."""
        names = ["content_hash", column]
        facts = [pl.read_parquet(part, columns=names) for part in self.parts_for(content_hashes)]
        found = pl.concat([empty(self.table).select(names), *facts]).unique("content_hash", keep="first")
        wanted = content_hashes.alias("content_hash").to_frame()
        return wanted.join(found, on="content_hash", how="left", maintain_order="left")[column]

    def append(self, frame: pl.DataFrame) -> None:
        """Add one part, named by the contents it holds; whole or not at all, and safe to repeat.

        Raises:
            ContractError: the rows break the table's contract.
        """
        if frame.is_empty():
            return
        frame = check(self.table, frame)
        self.folder.mkdir(parents=True, exist_ok=True)
        name = hash_text("\n".join(frame["content_hash"]))[:16]
        with atomic_file(self.folder / f"part-{name}.parquet") as aside:
            write_part(self.table, frame, aside)

    def parts_for(self, content_hashes: pl.Series) -> list[Path]:
        """The parts that hold at least one of `content_hashes`, ordered by the first of them that each holds."""
        order = content_hashes.unique(maintain_order=True).alias("content_hash").to_frame()
        needed = order.join(self.known(), on="content_hash", how="inner", maintain_order="left")
        return [self.folder / name for name in needed["part"].unique(maintain_order=True)]


def check(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` in its contract's columns, order and types; further columns (group columns) are kept after them.

    Raises:
        ContractError: rows break the contract; the message has the rules and how many rows broke each.
    """
    if table not in CONTRACTS:
        raise ContractError(f"table `{table}` has no contract in assay/contracts/tables.py")
    contract = CONTRACTS[table]
    names = list(contract.columns())
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise ContractError(f"table `{table}` lacks the columns {absent}")
    try:
        good, failure = contract.filter(frame.select(names), cast=True)
    except Exception as error:  # dataframely raises on columns that cannot be cast at all
        raise ContractError(f"table `{table}` cannot be cast to its contract: {error}") from error
    if len(failure):
        example = failure.invalid().head(1).to_dicts()[0]
        raise ContractError(f"table `{table}` breaks its contract: {failure.counts()}; for example {example!r:.400}")
    further = [name for name in frame.columns if name not in names] if table in ("samples", "ingested") else []
    return good.hstack(frame.select(further)) if further else good


def write_part(table: str, frame: pl.DataFrame, path: Path) -> None:
    """One Parquet file with the contract's name and version in its schema; byte-identical for identical rows.

    Vectors neither repeat nor compress, and groups of some megabytes of them are decoded side by side.
    """
    arrow = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    arrow = arrow.replace_schema_metadata({"assay.table": table, "assay.contract": str(CONTRACTS[table].VERSION)})
    vectors = [field.name for field in arrow.schema if pa.types.is_fixed_size_list(field.type)]
    options: dict = {"compression": "zstd", "row_group_size": ROW_GROUP}
    if vectors:
        words = [name for name in arrow.schema.names if name not in vectors]
        size = sum(arrow.column(name).nbytes for name in vectors) // max(len(arrow), 1)
        options = {
            "compression": dict.fromkeys(words, "zstd"),  # the rest is not compressed
            "use_dictionary": words,
            "row_group_size": min(ROW_GROUP, max(VECTOR_GROUP_BYTES // max(size, 1), 1024)),
        }
    pq.write_table(arrow, path, **options)


def write_rows(writer: StageWriter, table: str, frame: pl.DataFrame) -> None:
    """Write `frame` as parts of `PARTITION` rows; at least one part, so that the table is there when empty."""
    for start in range(0, max(len(frame), 1), PARTITION):
        writer.write(table, frame.slice(start, PARTITION))


def hash_bytes(data: bytes) -> str:
    """BLAKE2b-128 as 32 hex digits: the content hash of the whole project."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def hash_text(text: str) -> str:
    """`hash_bytes` of UTF-8; lone surrogates hash as themselves."""
    return hash_bytes(text.encode("utf-8", "surrogatepass"))


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link where the file system allows one, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path that becomes `path`, fsynced, when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    os.chmod(name, 0o644)  # mkstemp's 0600 would hide results from colleagues
    try:
        yield Path(name)
        sync_path(Path(name))
        os.replace(name, path)
        sync_path(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def write_json(path: Path, value: object) -> None:
    """Sorted, indented JSON, atomically."""
    with atomic_file(path) as aside:
        aside.write_text(json.dumps(value, indent=2, sort_keys=True, default=str) + "\n", encoding="utf-8")


def sync_path(path: Path) -> None:
    """fsync a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """fsync every file and folder below `root`, deepest first."""
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            sync_path(Path(folder) / name)
        sync_path(Path(folder))


class Progress:
    """`done of total` on standard error, at most twice a second; `listener(fraction)` for an orchestrator."""

    listener: Callable[[str, float], None] | None = None  # set by tasks/stages.py while a Prefect task runs

    def __init__(self, label: str, total: int):
        self.label, self.total, self.done = label, total, 0
        self._started = self._shown = time.monotonic()

    def advance(self, count: int = 1) -> None:
        """Count `count` more units done."""
        self.done += count
        now = time.monotonic()
        if now - self._shown < (0.5 if sys.stderr.isatty() else 5.0) and self.done < self.total:
            return
        self._shown = now
        rate = self.done / max(now - self._started, 1e-9)
        end = "\r" if sys.stderr.isatty() and self.done < self.total else "\n"
        print(f"  {self.label}: {self.done:,} of {self.total:,} ({rate:,.0f}/s)", end=end, file=sys.stderr, flush=True)
        if Progress.listener:
            Progress.listener(self.label, self.done / max(self.total, 1))
