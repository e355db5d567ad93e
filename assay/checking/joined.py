"""The snapshot and the batch side by side, as the stages after `embed` would find them in one night.

Snapshot samples come first, those that stand for their copies before these, so that whoever is kept stays so; the
batch's ids carry a mark. The graph is the snapshot's, with the batch put in.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from assay.checking.batch import Batch
from assay.contracts.spec import Spec
from assay.contracts.splits import split_kind
from assay.contracts.tables import Samples
from assay.duplicates.stage import dedup, near_dedup
from assay.knn.blocked import blocked_knn
from assay.knn.insert import insert_rows
from assay.knn.stage import write_neighbors
from assay.sources.files import LocalSource, open_source
from assay.store.snapshots import Snapshot
from assay.store.stage import StageOutput, StageWriter, run_stage, write_rows
from assay.store.tables import TableReader, Tables
from assay.store.units import unit_graph, unit_vectors
from assay.store.workspace import Workspace

VERSION = 1
TOGETHER = ("samples", "units", "vectors", "neighbors", "copies", "leaks")


@dataclass(frozen=True)
class Joined:
    """Snapshot and batch together.

    Attributes:
        spec: how they are to be read: their files below one folder, the first of copies kept.
        tables: `samples`, the facts, `units`, `vectors`, `neighbors`, `copies`, `leaks` of both.
        mark: what the batch's sample ids begin with.
        hidden: which of both, `snapshot` or `batch`, has files that cannot be looked at again.
        split: the split in which samples of the batch stand that name none; None where the snapshot has none either.
    """

    spec: Spec
    tables: TableReader
    mark: str
    split: str | None
    hidden: tuple[str, ...] = ()

    def is_new(self, column: str = "sample_id") -> pl.Expr:
        """Whether a sample id is the batch's."""
        return pl.col(column).str.starts_with(self.mark)

    def plain(self, column: str = "sample_id") -> pl.Expr:
        """A sample id without the mark."""
        return pl.col(column).str.strip_prefix(self.mark)


def join(batch: Batch, snapshot: Snapshot, place: Workspace, split: str | None) -> Joined:
    """Both together, with what a night's stages say of copies among them.

    Args:
        split: for samples of the batch that name none; by default the snapshot's training split, if it has one.
    """
    old, new = _read_samples(snapshot), batch.cleaned.read("samples").sort("position")
    split = split or _training_split(old["split"])
    mark = _mark(old["sample_id"])
    spec, hidden = _spec_of_both(batch.spec, snapshot, place)
    marked = new.with_columns(
        pl.concat_str(pl.lit(mark), "sample_id").alias("sample_id"), pl.col("split").fill_null(pl.lit(split))
    )
    both = _side_by_side(old, marked)

    def write(writer: StageWriter) -> None:
        write_rows(writer, "samples", both)
        for table in ("vectors", *spec.data.fact_tables()):
            _write_facts(writer, table, snapshot, batch)

    tables = ("samples", "vectors", *spec.data.fact_tables())
    config = {"snapshot": snapshot.number, "split": split}
    inputs = batch.stages
    together = run_stage(place, "both", version=VERSION, tables=tables, config=config, inputs=inputs, body=write)
    exact = dedup(spec, place, together)
    graph = _graph(spec, place, snapshot, len(old), together, exact)
    near = near_dedup(spec, place, together, exact, graph)
    reads = (*TOGETHER, *spec.data.fact_tables())
    return Joined(spec, Tables("check", reads, (together, exact, graph, near)), mark, split, hidden)


def _read_samples(snapshot: Snapshot) -> pl.DataFrame:
    """The snapshot's samples by position, those that stand for their copies first."""
    heads = snapshot.scan("units").filter(pl.col("sample_id") == pl.col("unit_id")).select("sample_id").collect()
    samples = snapshot.read("samples", list(Samples.columns()))
    is_head = pl.col("sample_id").is_in(heads["sample_id"].implode())
    return samples.sort(~is_head, "position")


def _side_by_side(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Our own columns of both, in this order, with uris below the folders that `_spec_of_both` makes."""
    parts = [
        frame.select(list(Samples.columns())).with_columns(pl.concat_str(pl.lit(folder), "uri").alias("uri"))
        for folder, frame in (("snapshot/", old), ("batch/", new))
    ]
    return pl.concat(parts).with_columns(position=pl.int_range(pl.len(), dtype=pl.Int64))


def _mark(ids: pl.Series) -> str:
    """A beginning that no id has."""
    mark = "batch:"
    while ids.str.starts_with(mark).any():
        mark = f"{mark}:"
    return mark


def _training_split(splits: pl.Series) -> str | None:
    """The most frequent training split; the most frequent of any where none is called so."""
    counts = splits.drop_nulls().value_counts(sort=True, name="n").sort("n", "split", descending=[True, False])
    names = counts["split"].to_list()
    return next((name for name in names if split_kind(name) == "train"), names[0] if names else None)


def _spec_of_both(spec: Spec, snapshot: Snapshot, place: Workspace) -> tuple[Spec, tuple[str, ...]]:
    """The spec by which files of both are read: below one folder, which links to each; and which of both has files that
    cannot be looked at again, for they are in no folder of this machine."""
    folder = place.root / "both"
    folder.mkdir(parents=True, exist_ok=True)
    base = Path(snapshot.manifest.get("spec_base", spec.base))
    before = spec.model_copy(
        update={"source": spec.source.model_validate(snapshot.manifest["config"]["source"]), "base": base}
    )
    hidden = []
    for name, one in (("snapshot", before), ("batch", spec)):
        opened = open_source(one)
        if isinstance(opened, LocalSource) and Path(opened.root).is_dir():
            (folder / name).symlink_to(opened.root)
        elif spec.data.content == "file":
            hidden.append(name)
    source = spec.source.model_copy(
        update={
            "kind": "folder",
            "path": str(folder),
            "root": "",
            "follow_symlinks": True,
            "include": (),
            "exclude": (),
        }
    )
    spec = spec.model_copy(update={"source": source, "dedup": spec.dedup.model_copy(update={"keep": "first"})})
    return spec, tuple(hidden)


def _write_facts(writer: StageWriter, table: str, snapshot: Snapshot, batch: Batch) -> None:
    """The snapshot's parts as links, and of the batch what these do not hold."""
    for part in snapshot.parts(table):
        writer.link(table, part)
    output = batch.embedded if table == "vectors" else batch.cleaned
    known = snapshot.scan(table).select("content_hash").collect()["content_hash"]
    fresh = output.read(table).filter(~pl.col("content_hash").is_in(known.implode()))
    fresh = fresh.unique("content_hash", keep="first", maintain_order=True)
    if len(fresh):
        writer.write(table, fresh)


def _graph(spec: Spec, place: Workspace, snapshot: Snapshot, n_old: int, *outputs: StageOutput) -> StageOutput:
    """The `neighbors` of both: the snapshot's, with the batch put in."""

    def write(writer: StageWriter) -> None:
        units, vectors = unit_vectors(Tables("graph", ("samples", "units", "vectors"), outputs))
        before = units.filter(pl.col("position") < n_old)["sample_id"]
        rows, similarities = _neighbors(vectors, before, snapshot, spec.index.k)
        write_neighbors(writer, units["sample_id"], rows, similarities)

    config = {"k": spec.index.k, "snapshot": snapshot.number}
    return run_stage(place, "graph", version=VERSION, tables=("neighbors",), config=config, inputs=outputs, body=write)


def _neighbors(vectors: np.ndarray, before: pl.Series, snapshot: Snapshot, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The graph of all vectors, of which those of `before` are the first. It is made anew where the snapshot's has
    shorter lists than now, or other units."""
    wanted = min(k, max(len(vectors) - 1, 0))
    linked = snapshot.scan("neighbors").filter(pl.col("rank") == 1).select("sample_id").collect()["sample_id"]
    if wanted and len(before) and len(linked) == len(before) and before.is_in(linked.implode()).all():
        rows, similarities = unit_graph(snapshot, linked)
        if rows.shape[1] == wanted:
            order = before.to_frame().with_columns(place=pl.int_range(pl.len(), dtype=pl.Int32))
            place_of = (
                linked.to_frame().join(order, on="sample_id", how="left", maintain_order="left")["place"].to_numpy()
            )
            at = np.argsort(place_of)
            return insert_rows(vectors, place_of[rows[at]], similarities[at])
    if not wanted:
        return np.zeros((len(vectors), 0), dtype=np.int32), np.zeros((len(vectors), 0), dtype=np.float32)
    return blocked_knn(vectors, wanted)
