"""The graph of a night as matrices, from the tables that ingest wrote."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

from assay.store.tables import TableReader


@dataclass(frozen=True)
class Ends:
    """Edges as rows of the nodes, (m,) each; −1 where an end is no node. Every ordered pair once, `n` times given."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    n: NDArray[np.int64]

    @property
    def ties(self) -> NDArray[np.bool_]:
        """(m,) those between two nodes."""
        return (self.source >= 0) & (self.target >= 0) & (self.source != self.target)


def read_ends(edges: pl.DataFrame, ids: pl.Series) -> Ends:
    """The ends of `edges` as rows of `ids`."""
    rows = pl.DataFrame({"id": ids, "row": np.arange(len(ids), dtype=np.int64)})

    def place(column: str) -> NDArray[np.int64]:
        found = edges.select(column).join(rows, left_on=column, right_on="id", how="left", maintain_order="left")
        return found["row"].fill_null(-1).to_numpy()

    return Ends(place("source"), place("target"), edges["n"].to_numpy().astype(np.int64))


def adjacency_of(ends: Ends, n: int) -> sparse.csr_matrix:
    """(n, n) float32, symmetric, 1 where two different nodes are tied; rows' indices ascend."""
    left, right = ends.source[ends.ties], ends.target[ends.ties]
    ones = np.ones(2 * len(left), dtype=np.float32)
    matrix = sparse.csr_matrix((ones, (np.r_[left, right], np.r_[right, left])), shape=(n, n))
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    matrix.sort_indices()
    return matrix


def read_node_features(tables: TableReader, hashes: pl.Series) -> tuple[sparse.csr_matrix, NDArray[np.int64]]:
    """The features (n, width) of contents, float32, NaN taken for 0, and how many of each are bad (n,); width 0
    without any."""
    place = {name: row for row, name in enumerate(hashes)}
    lengths, bad = np.zeros(len(hashes), dtype=np.int64), np.zeros(len(hashes), dtype=np.int64)
    pieces: dict[int, tuple[NDArray[np.int32], NDArray[np.float32]]] = {}
    width = 0
    for part in tables.parts("node_features"):
        for batch in pq.ParquetFile(part).iter_batches(16_384):
            frame = pl.DataFrame(batch)
            for name, wide, indices, values, n_bad in frame.iter_rows():
                if name in place:
                    row, width = place[name], max(width, wide)
                    lengths[row], bad[row] = len(indices), n_bad
                    pieces[row] = (np.array(indices, dtype=np.int32), np.array(values, dtype=np.float32))
    order = sorted(pieces)
    indices = np.concatenate([pieces[row][0] for row in order]) if order else np.zeros(0, dtype=np.int32)
    values = np.concatenate([pieces[row][1] for row in order]) if order else np.zeros(0, dtype=np.float32)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return sparse.csr_matrix((values, indices, starts), shape=(len(hashes), width)), bad
