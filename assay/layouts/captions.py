"""The captions of samples as a graph, from their vectors alone: each distinct caption and its nearest ones."""

import numpy as np
import polars as pl

from assay.layouts.layout import Graph
from assay.store.tables import TableReader

MOST_CAPTIONS = 50_000  # whose nearest ones are searched
NEIGHBORS = 15
BLOCK = 2_048


def caption_graph(tables: TableReader, hashes: pl.Series) -> tuple[Graph, str]:
    """The graph of those captions of `hashes` that have a vector, and the embedder of these."""
    parts = [pl.read_parquet(part) for part in tables.parts("caption_vectors")]
    if not parts:
        return Graph([], np.zeros((0, 1), np.float32), np.zeros((0, 0), np.int32), np.zeros((0, 0), np.float32)), ""
    found = pl.concat(parts).unique("content_hash")
    wanted = hashes.drop_nulls().unique(maintain_order=True).alias("content_hash").to_frame()
    known = wanted.join(found, on="content_hash", maintain_order="left")
    vectors = known["vector"].to_numpy().astype(np.float32) if len(known) else np.zeros((0, 1), np.float32)
    k = NEIGHBORS if len(known) <= MOST_CAPTIONS else 0
    return Graph(known["content_hash"].to_list(), vectors, *nearest(vectors, k)), found["embedder"][0]


def nearest(vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, k) int32 of the others nearest to each of (n, d) vectors of length 1, nearest first, and their cosines;
    k is less where there are not so many."""
    n = len(vectors)
    k = max(min(k, n - 1), 0)
    rows, cosines = np.zeros((n, k), dtype=np.int32), np.zeros((n, k), dtype=np.float32)
    for start in range(0, n if k else 0, BLOCK):
        close = vectors[start : start + BLOCK] @ vectors.T
        here = np.arange(len(close))
        close[here, start + here] = -np.inf
        order = _top(close, k)
        rows[start : start + BLOCK] = order
        cosines[start : start + BLOCK] = np.take_along_axis(close, order, axis=1)
    return rows, cosines


def _top(close: np.ndarray, k: int) -> np.ndarray:
    """The columns of the `k` largest of each row, largest first."""
    some = np.sort(np.argpartition(-close, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(-np.take_along_axis(close, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)
