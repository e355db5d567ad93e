"""What the graph of a night says of each of its nodes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from assay.contracts.tables import empty
from assay.modalities.graph.adjacency import Ends, adjacency_of, read_ends
from assay.modalities.graph.drawing import Neighbourhoods
from assay.store.machine import cores
from assay.store.tables import TableReader

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Graph:
    """A night's graph over the rows of its samples.

    Attributes:
        label: (n,) codes, −1 where unlabelled.
        likeness: (m,) of each edge, NaN where it has none.
    """

    ids: pl.Series
    ends: Ends
    adjacency: sparse.csr_matrix
    label: Ints
    likeness: NDArray[np.float64]


def node_facts(
    tables: TableReader, samples: pl.DataFrame, chunks: Sequence[Sequence[str]]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Rows of `node_facts` of each chunk of contents; nothing fails."""
    samples = samples.unique("content_hash", keep="first", maintain_order=True)
    graph = read_graph(tables, samples)
    measured = measure(graph).with_columns(content_hash=samples["content_hash"])
    bad = pl.concat([empty("node_features").select("content_hash", "n_bad"),
                     tables.read("node_features", ["content_hash", "n_bad"])])  # fmt: skip
    measured = measured.join(
        bad.rename({"n_bad": "n_bad_features"}), on="content_hash", how="left", maintain_order="left"
    )
    measured = measured.with_columns(pl.col("n_bad_features").fill_null(0))
    drawn, row = (
        Neighbourhoods(graph.adjacency, graph.label),
        {name: i for i, name in enumerate(samples["content_hash"])},
    )
    columns = list(empty("node_facts").schema)
    for chunk in chunks:
        rows = [row[name] for name in chunk]
        with ThreadPoolExecutor(cores()) as pool:
            pictures = pl.Series("thumbnail", list(pool.map(drawn.draw, rows, chunksize=64)), dtype=pl.Binary)
        yield measured[rows].with_columns(pictures).select(columns), empty("failures"), empty("failures")


def read_graph(tables: TableReader, samples: pl.DataFrame) -> Graph:
    """The graph over some samples, in their order."""
    edges = tables.read("edges")
    ends = read_ends(edges, samples["sample_id"])
    label = samples["label"].rank("dense").cast(pl.Int64).fill_null(-1).to_numpy()
    likeness = edges["likeness"].fill_null(np.nan).to_numpy()
    return Graph(samples["sample_id"], ends, adjacency_of(ends, len(samples)), label, likeness)


def measure(graph: Graph) -> pl.DataFrame:
    """The columns of `node_facts` that come from the graph alone, a row a node in its order."""
    n, ends = len(graph.ids), graph.ends
    loop = (ends.source == ends.target) & (ends.source >= 0)
    half = (ends.source >= 0) != (ends.target >= 0)
    component, size = components(graph.adjacency)
    twins, twin = twins_of(graph.adjacency)
    labelled, unlike = unlike_neighbors(graph.adjacency, graph.label)
    known = (graph.label >= 0) & (labelled > 0)
    ids = graph.ids.to_list()
    return pl.DataFrame(
        {
            "degree": np.diff(graph.adjacency.indptr).astype(np.int32),
            "n_loops": _count(ends.source[loop], ends.n[loop], n),
            "n_repeated": _at_both(ends, ends.n - 1, n),
            "n_dangling": _count(np.maximum(ends.source, ends.target)[half], ends.n[half], n),
            "component": component.astype(np.int32),
            "component_size": size.astype(np.int32),
            "n_twins": twins.astype(np.int32),
            "twin": [ids[row] if row >= 0 else None for row in twin],
            "n_labelled": labelled.astype(np.int32),
            "n_unlike": unlike.astype(np.int32),
            "homophily": pl.Series(np.where(known, 1 - unlike / np.maximum(labelled, 1), np.nan)).fill_nan(None),
            "likeness": pl.Series(mean_likeness(ends, graph.likeness, n)).fill_nan(None),
        },
        schema_overrides={"twin": pl.String},
    )


def components(adjacency: sparse.csr_matrix) -> tuple[Ints, Ints]:
    """(n,) number of each node's connected component, from 1 by falling size, then by its first node; and its size."""
    n, code = sparse.csgraph.connected_components(adjacency, directed=False)
    sizes = np.bincount(code, minlength=n)
    first = np.full(n, len(code), dtype=np.int64)
    np.minimum.at(first, code, np.arange(len(code)))
    number = np.empty(n, dtype=np.int64)
    number[np.lexsort((first, -sizes))] = np.arange(1, n + 1)
    return number[code], sizes[code].astype(np.int64)


def twins_of(adjacency: sparse.csr_matrix) -> tuple[Ints, Ints]:
    """(n,) how many other nodes are tied to exactly the same ones, and the row of the first of these, −1 for none.

    Sets are told apart by two sums of 64 random bits a member, and by their size. Nodes without an edge have no twins.
    """
    n, degree = adjacency.shape[0], np.diff(adjacency.indptr)
    bits = np.random.default_rng(0).integers(0, 2**64, (2, n), dtype=np.uint64)
    keys = np.zeros((n, 3), dtype=np.uint64)
    tied = np.flatnonzero(degree)
    for column in range(2):
        if len(tied):
            keys[tied, column] = np.add.reduceat(bits[column][adjacency.indices], adjacency.indptr[tied])
    keys[:, 2] = degree
    _, first, code, count = np.unique(keys[tied], axis=0, return_index=True, return_inverse=True, return_counts=True)
    twins, twin = np.zeros(n, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    code = code.reshape(-1)
    twins[tied] = count[code] - 1
    second = np.full(len(first), -1, dtype=np.int64)  # what the first of a set is a twin of
    others = np.setdiff1d(np.arange(len(tied)), first)
    second[code[others][::-1]] = others[::-1]
    other = np.where(np.arange(len(tied)) == first[code], second[code], first[code])
    twin[tied] = np.where(other >= 0, tied[other] if len(tied) else other, -1)
    return twins, twin


def unlike_neighbors(adjacency: sparse.csr_matrix, label: Ints) -> tuple[Ints, Ints]:
    """(n,) how many of a node's neighbours are labelled, and how many of these otherwise than it is itself."""
    n = len(label)
    row = np.repeat(np.arange(n), np.diff(adjacency.indptr))
    other = label[adjacency.indices]
    labelled = np.bincount(row[other >= 0], minlength=n)
    unlike = np.bincount(row[(other >= 0) & (label[row] >= 0) & (other != label[row])], minlength=n)
    return labelled, unlike


def mean_likeness(ends: Ends, likeness: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """(n,) mean likeness of the edges at a node; NaN without any."""
    known = ends.ties & np.isfinite(likeness)
    rows = np.r_[ends.source[known], ends.target[known]]
    total = np.bincount(rows, np.r_[likeness[known], likeness[known]], minlength=n)
    count = np.bincount(rows, minlength=n)
    return np.clip(np.where(count > 0, total / np.maximum(count, 1), np.nan), -1.0, 1.0)


def _count(rows: Ints, weight: Ints, n: int) -> NDArray[np.int32]:
    return np.bincount(rows, weight, minlength=n).astype(np.int32)


def _at_both(ends: Ends, weight: Ints, n: int) -> NDArray[np.int32]:
    """(n,) sums of a weight over the edges at each node, a loop's once."""
    here, there = ends.source >= 0, (ends.target >= 0) & (ends.target != ends.source)
    return _count(ends.source[here], weight[here], n) + _count(ends.target[there], weight[there], n)
