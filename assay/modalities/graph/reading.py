"""A folder with tables of nodes and edges → rows, a sample a node; edges and features become tables of their own.

A node's content is its id and its features, never who its neighbours are: of two nodes that are tied to the same ones
neither is a copy of the other.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from assay.contracts.errors import SourceError, UnreadableSample
from assay.contracts.spec import Spec
from assay.contracts.tables import empty
from assay.modalities.graph.adjacency import read_ends
from assay.modalities.graph.features import FeatureFile, cosines, places_of, read_features, unit_length
from assay.sources.batches import Batch
from assay.sources.columns import Fates, strings, values_of
from assay.sources.files import Source, open_source
from assay.sources.guards import refuse_unready
from assay.sources.label_text import id_text
from assay.sources.matrix import as_matrix
from assay.sources.own import OwnRows
from assay.sources.readers import ENDINGS, reader_of
from assay.sources.roles import Roles, carried
from assay.sources.rows import CELL_LIMIT
from assay.sources.table_files import TableFile, read_batches, rules_of, with_digests
from assay.sources.told import Told
from assay.store.files import hash_bytes, hash_text
from assay.store.workspace import Workspace

IDS = ("sample_id", "node_id", "id", "node", "name")
ENDS = (
    ("source", "target"), ("src", "dst"), ("from", "to"), ("u", "v"), ("head", "tail"), ("citing", "cited"),
    ("source_id", "target_id"), ("from_id", "to_id"), ("node1", "node2"),
)  # fmt: skip
MATRICES = ("npz", "npy")
METHOD = 2  # of reading; another one reads unchanged files again


@dataclass(frozen=True)
class Files:
    """The files of a graph."""

    nodes: TableFile
    edges: TableFile
    features: TableFile | None


@dataclass
class Nodes:
    """What was read of the nodes, as it goes along: `hashes` by id, each one's features, the names of their columns."""

    hashes: dict[str, tuple[str, int]] = field(default_factory=dict)
    blocks: list[tuple[list[str], sparse.csr_matrix, NDArray[np.int64]]] = field(default_factory=list)
    width: int | None = None
    columns: set[str] = field(default_factory=set)

    def add(self, ids: Sequence[str | None], matrix: sparse.csr_matrix, bad: NDArray[np.int64]) -> None:
        """Take the ids that were not met before, with their features; NaN and infinity are 0 from here on."""
        first: dict[str, int] = {}
        for row, name in enumerate(ids):
            if name is not None and name not in self.hashes:
                first.setdefault(name, row)
        names, rows = list(first), list(first.values())
        matrix, bad = matrix[rows], bad[rows]
        finite = np.isfinite(matrix.data)
        if not finite.all():
            wrong = np.bincount(np.repeat(np.arange(len(rows)), np.diff(matrix.indptr))[~finite], minlength=len(rows))
            bad = bad + wrong
            matrix.data[~finite] = 0.0
        matrix.eliminate_zeros()
        matrix.sort_indices()
        for place, name in enumerate(names):
            part = slice(matrix.indptr[place], matrix.indptr[place + 1])
            stored = [matrix.indices[part].astype("<i4").tobytes(), matrix.data[part].astype("<f4").tobytes()]
            data = b"\0".join([name.encode(), *stored, str(bad[place]).encode()])
            self.hashes[name] = hash_bytes(data), len(data)
        self.blocks.append((names, matrix, bad))


def read_folder(spec: Spec, workspace: Workspace) -> OwnRows:
    """The nodes of a graph, each a row.

    Raises:
        SourceError: a file is missing or broken, or has not the columns that it should have.
    """
    source = open_source(spec)
    refuse_unready(spec, source)
    files = find_files(spec, source)
    days = spec.source.reread_days
    found = [files.nodes, files.edges, *([files.features] if files.features else [])]
    digests = [(file.name, file.content_hash) for file in with_digests(workspace, found, days)]
    told, nodes = Told(), Nodes()

    def batches() -> Iterator[Batch]:
        matrix, places = _feature_rows(spec, files)
        for batch in read_table(spec, files.nodes):
            yield _take(spec, batch, files.nodes.name, nodes, matrix, places) if batch.rows else batch
        if nodes.columns:
            Roles("uri", spec.source.columns, with_vector=True).refuse_absent(nodes.columns, files.nodes.name)

    def resolve(ids: Sequence[str | None], fates: Fates) -> list[tuple[str | None, int, str | None]]:
        rows: list[tuple[str | None, int, str | None]] = []
        for place, name in enumerate(ids):
            if name is None or name not in nodes.hashes:
                fates.refuse(place, "missing_sample_id", "the node has no id")
                rows.append((None, 0, None))
            else:
                rows.append((*nodes.hashes[name], None))
        return rows

    def tables(samples: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
        yield from _feature_tables(nodes)
        yield "edges", describe_edges(read_edges(spec, files.edges, told), samples, nodes)

    return OwnRows(
        hash_text(repr((METHOD, digests, spec.part("graph"), spec.source.columns))),
        files.nodes.name,
        batches,
        resolve,
        told,
        tables,
    )


def find_files(spec: Spec, source: Source) -> Files:
    """The files that the spec names, or that are named as such are. Raises `SourceError`."""
    section = spec.graph
    alone = spec.source.path.rpartition("/")[2] if spec.source.kind == "table" else ""
    nodes = section.nodes or (alone if reader_of(alone) else "")
    there = sorted(entry.uri for entry in source.scan() if entry.uri.count("/") == 0)

    def find(role: str, named: str) -> str | None:
        if named:
            return named
        stem = [name for name in there if name.rpartition(".")[0].lower() == role]
        fits = [name for name in stem if (name.lower().endswith(MATRICES) if role == "features" else reader_of(name))]
        if len(fits) > 1:
            raise SourceError(f"{source.root} holds {', '.join(fits)}; say which in the spec: [graph] {role} = …")
        return fits[0] if fits else None

    names = {role: find(role, name) for role, name in (("nodes", nodes), ("edges", section.edges))}
    for role, name in names.items():
        if name is None or not reader_of(name):
            listed = ", ".join(there[:20]) or "nothing"
            named = f" that can be read: {name!r}" if name else ""
            raise SourceError(
                f"{source.root} has no table of {role}{named}: found {listed}. "
                f"Wanted {role}.csv or another of {ENDINGS}; or name it in the spec: [graph] {role} = …"
            )
    features = find("features", section.features)
    if features and not features.lower().endswith(MATRICES):
        raise SourceError(f"features come from a .npz or .npy, or are columns of the nodes; [graph] says {features!r}")
    return Files(
        table_at(source, names["nodes"] or ""),
        table_at(source, names["edges"] or ""),
        table_at(source, features) if features else None,
    )


def table_at(source: Source, name: str) -> TableFile:
    """A table below a source. Raises `SourceError` where it is not there, or cannot be read."""
    try:
        entry = source.stat(name)
    except UnreadableSample as problem:
        raise SourceError(f"{name!r} in {source.root} cannot be read: {problem.reason} ({problem.detail})") from None
    if entry.reason:
        raise SourceError(f"{name!r} in {source.root} cannot be read: {entry.reason} ({entry.detail})")
    return TableFile(source, entry, None)


def read_table(spec: Spec, file: TableFile) -> Iterator[Batch]:
    """The batches of a table, as the spec wants tables read."""
    with file.source.open(file.name) as handle:
        yield from read_batches(file, rules_of(spec), handle)


def _id_column(spec: Spec, columns: Sequence[str], file: str) -> str:
    given = spec.source.columns.get("sample_id", "")
    by_name = {name: name for name in columns} if given else {name.lower(): name for name in columns}
    name = next((by_name[name] for name in ([given] if given else IDS) if name in by_name), None)
    if name is None:
        wanted = repr(given) if given else "of node ids"
        raise SourceError(
            f"{file} has no column {wanted}; its columns are {', '.join(map(repr, columns[:20]))}. "
            "Wanted one of " + ", ".join(IDS) + '; or name it: source.columns = { sample_id = "…" }'
        )
    return name


def _feature_rows(spec: Spec, files: Files) -> tuple[FeatureFile | None, NDArray[np.int64]]:
    """The file of features, and the row in it of each row of the nodes."""
    if files.features is None:
        return None, np.zeros(0, dtype=np.int64)
    features = read_features(files.features.name, files.features.source.read(files.features.name))
    ids: dict[int, str | None] = {}
    for batch in read_table(spec, files.nodes):
        ids |= dict.fromkeys((row for row, _, _ in batch.refused), None)
        if batch.rows:
            column = batch.columns[_id_column(spec, list(batch.columns), files.nodes.name)]
            ids |= dict(
                zip(batch.rows, strings(column, Fates(len(batch.rows)), "id", CELL_LIMIT, id_text), strict=True)
            )
    last = max(ids, default=-1)
    return features, places_of(features, [ids.get(row) for row in range(last + 1)])


def _take(
    spec: Spec, batch: Batch, file: str, nodes: Nodes, features: FeatureFile | None, places: NDArray[np.int64]
) -> Batch:
    """A batch of nodes as samples: `uri` and `sample_id` are the node's id."""
    columns = dict(batch.columns)
    nodes.columns |= set(columns)
    given = columns.pop(_id_column(spec, list(columns), file))
    ids = strings(given, Fates(len(batch.rows)), "id", CELL_LIMIT, id_text)
    matrix, bad, used = _columns_of_features(spec, columns, len(batch.rows), file, nodes)
    if features is not None:
        rows = places[batch.rows]
        matrix, bad = features.matrix[np.maximum(rows, 0)], (rows < 0).astype(np.int64) * features.matrix.shape[1]
        if (rows < 0).any():
            matrix = sparse.csr_matrix(sparse.diags((rows >= 0).astype(np.float32)) @ matrix)
        nodes.width = features.matrix.shape[1]
    nodes.add(ids, matrix, bad)
    kept = {name: column for name, column in columns.items() if name not in used}
    further = carried(kept, spec.source.columns, ("uri",), "node", file)
    shown = [cell if name is None else name for cell, name in zip(given, ids, strict=True)] if None in ids else ids
    return replace(batch, columns={"uri": ids, "sample_id": shown, **further})


def _columns_of_features(
    spec: Spec, columns: dict[str, Any], n: int, file: str, nodes: Nodes
) -> tuple[sparse.csr_matrix, NDArray[np.int64], list[str]]:
    """The features that stand in columns: one of lists, or one a number; their matrix, and the columns' names."""
    name = spec.source.columns.get("vector", "vector")
    family = Roles("uri", spec.source.columns, with_vector=True).vector_columns(list(columns), file)
    if family:
        rows = np.stack([numbers_of(columns[one]) for one in family], axis=1).astype(np.float32)
        nodes.width = len(family)
        return sparse.csr_matrix(rows), np.zeros(n, dtype=np.int64), family
    if name not in columns:
        return sparse.csr_matrix((n, nodes.width or 0), dtype=np.float32), np.zeros(n, dtype=np.int64), []
    rows, reasons, nodes.width = as_matrix(columns[name], nodes.width)
    width = rows.shape[1]
    bad = np.array([0 if reason is None else max(width, 1) for reason in reasons], dtype=np.int64)
    return sparse.csr_matrix(rows), bad, [name]


def numbers_of(column: Any) -> NDArray[np.float64]:
    """A column of any type as numbers, NaN where a cell is none."""
    if isinstance(column, pa.Array) and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return column.cast(pa.float64(), safe=False).fill_null(np.nan).to_numpy(zero_copy_only=False)
    return np.array([_number(cell) for cell in values_of(column)], dtype=np.float64)


def _number(cell: object) -> float:
    if not isinstance(cell, int | float | Decimal | str):
        return math.nan
    try:
        return float(cell)
    except ValueError:
        return math.nan
    except OverflowError:
        return math.inf


def _feature_tables(nodes: Nodes) -> Iterator[tuple[str, pl.DataFrame]]:
    """Parts of `node_features`."""
    schema = empty("node_features").schema
    width = nodes.width or 0
    if not nodes.blocks:
        yield "node_features", empty("node_features")
    for names, matrix, bad in nodes.blocks:
        parts = [slice(start, end) for start, end in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True)]
        yield (
            "node_features",
            pl.DataFrame(
                {
                    "content_hash": [nodes.hashes[name][0] for name in names],
                    "width": [width] * len(names),
                    "indices": [matrix.indices[part].tolist() for part in parts],
                    "values": [matrix.data[part].tolist() for part in parts],
                    "n_bad": bad,
                },
                schema=schema,
            ),
        )


def read_edges(spec: Spec, file: TableFile, told: Told) -> pl.DataFrame:
    """Columns `source`, `target` of every edge, as text, in the file's order; rows without two ends are counted and
    left out. Raises `SourceError` where the columns are not there."""
    frames, n_broken = [empty("edges").select("source", "target")], 0
    for batch in read_table(spec, file):
        n_broken += len(batch.refused)
        if not batch.rows:
            continue
        one, other = _end_columns(spec, list(batch.columns), file.name)
        ends = [
            pl.Series(
                name, strings(batch.columns[column], Fates(len(batch.rows)), name, CELL_LIMIT, id_text), pl.String
            )
            for name, column in (("source", one), ("target", other))
        ]
        frame = pl.DataFrame(ends)
        kept = frame.filter((pl.col("source") != "") & (pl.col("target") != ""))
        n_broken += len(frame) - len(kept)
        frames.append(kept)
    if n_broken:
        told.doubt(f"{n_broken:,} rows of {file.name} name no two nodes, and are left out")
    return pl.concat(frames)


def _end_columns(spec: Spec, columns: list[str], file: str) -> tuple[str, str]:
    """The columns of an edge's two ends."""
    given = spec.graph.from_column, spec.graph.to_column
    by_name = {name.lower(): name for name in columns}
    known = [pair for pair in ENDS if pair[0] in by_name and pair[1] in by_name]
    if not any(given):
        if known:
            return by_name[known[0][0]], by_name[known[0][1]]
        if len(columns) == 2:
            return columns[0], columns[1]
    elif all(name in columns for name in given):
        return given
    wanted = " and ".join(map(repr, given)) if any(given) else "two with the ends, such as source and target"
    raise SourceError(
        f"{file} has the columns {', '.join(map(repr, columns[:20]))}; wanted {wanted}. Name them in the spec: "
        '[graph] from_column = "…", to_column = "…"'
    )


def describe_edges(given: pl.DataFrame, samples: pl.DataFrame, nodes: Nodes) -> pl.DataFrame:
    """Rows of `edges` from the edges as given."""
    edges = given.group_by("source", "target", maintain_order=True).agg(pl.len().cast(pl.Int32).alias("n"))
    ends = read_ends(edges, samples["sample_id"])
    whole = (ends.source >= 0) & (ends.target >= 0)
    left, right = ends.source[whole], ends.target[whole]
    label = samples["label"].rank("dense").cast(pl.Int64).fill_null(-1).to_numpy()
    same = pl.Series([None] * len(edges), dtype=pl.Boolean)
    likeness = np.full(len(edges), np.nan)
    known = np.flatnonzero(whole)
    both = (label[left] >= 0) & (label[right] >= 0)
    same = same.scatter(known[both], (label[left] == label[right])[both])
    if nodes.width:
        likeness[known] = cosines(unit_length(_matrix_of(samples["sample_id"], nodes)), left, right)
    return edges.with_columns(
        is_loop=pl.col("source") == pl.col("target"),
        is_dangling=pl.Series(~whole),
        same_label=same,
        likeness=pl.Series(likeness).fill_nan(None),
    )


def _matrix_of(ids: pl.Series, nodes: Nodes) -> sparse.csr_matrix:
    """(n, width) features in the order of `ids`."""
    names = [name for block, _, _ in nodes.blocks for name in block]
    place = {name: row for row, name in enumerate(names)}
    stacked = sparse.vstack([matrix for _, matrix, _ in nodes.blocks], format="csr")
    return stacked[[place[name] for name in ids]]
