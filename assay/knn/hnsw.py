"""Approximate cosine neighbours by HNSW (Malkov and Yashunin, 2016), through hnswlib.

One thread builds the graph, because only that is reproducible. Vectors longer than 256 are searched in their leading
256 principal directions, which is several times cheaper; candidates are then ranked in the full space.
"""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hnswlib
import numpy as np

from assay.knn.blocked import PCA_DIMENSIONS, principal_basis, rerank
from assay.knn.sharded_hnsw import ShardedGraph, build_shard, shard_starts
from assay.store.machine import cores
from assay.store.units import to_unit_length

CHUNK = 10_000


def build_graph(
    vectors: np.ndarray, m: int, ef_construction: int, advance: Callable[[int], None] = lambda count: None
) -> tuple[hnswlib.Index, np.ndarray | None]:
    """The HNSW graph over unit-length rows (n, d), and the basis (d, 256) of its space, None where that is the full
    space."""
    basis = principal_basis(vectors) if vectors.shape[1] > PCA_DIMENSIONS else None
    dimensions = vectors.shape[1] if basis is None else basis.shape[1]
    graph = hnswlib.Index(space="ip", dim=dimensions)
    graph.init_index(max_elements=len(vectors), M=m, ef_construction=ef_construction, random_seed=0)
    for start in range(0, len(vectors), CHUNK):
        block = in_space(vectors[start : start + CHUNK], basis)
        graph.add_items(block, np.arange(start, start + len(block)), num_threads=1)
        advance(len(block))
    return graph, basis


def build_graphs(
    vectors: np.ndarray, m: int, ef_construction: int, shards: int, build: Callable[..., list[Any]]
) -> tuple[ShardedGraph, np.ndarray | None]:
    """As `build_graph`, several graphs over runs of the rows.

    Args:
        build: `(space, starts, m, ef_construction)` → the graphs, such as `build_here`.
    """
    basis = principal_basis(vectors) if vectors.shape[1] > PCA_DIMENSIONS else None
    return ShardedGraph(build(in_space(vectors, basis), shard_starts(len(vectors), shards), m, ef_construction)), basis


def build_here(space: np.ndarray, starts: Sequence[int], m: int, ef_construction: int) -> list[Any]:
    """The graphs of the runs of rows that begin at `starts`, one a core at a time."""
    with ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(lambda ends: build_shard(space, ends, m, ef_construction), itertools.pairwise(starts)))


def in_space(vectors: np.ndarray, basis: np.ndarray | None) -> np.ndarray:
    """Unit-length rows in the space of the graph."""
    return vectors if basis is None else to_unit_length(vectors @ basis)


def graph_knn(
    graph: hnswlib.Index,
    basis: np.ndarray | None,
    vectors: np.ndarray,
    k: int,
    ef: int,
    rows: np.ndarray | None = None,
    advance: Callable[[int], None] = lambda count: None,
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest other rows of each row (or of `rows`), as `blocked_knn` gives them.

    Raises:
        RuntimeError: fewer than `k` are reachable in the graph at this `ef`.
    """
    rows = np.arange(len(vectors)) if rows is None else rows
    candidates = min(len(vectors), k + 1 if basis is None else 2 * k + 1)
    graph.set_ef(max(ef, candidates))
    picked = np.empty((len(rows), k), dtype=np.int32)
    similar = np.empty((len(rows), k), dtype=np.float32)
    for start in range(0, len(rows), CHUNK):
        mine = rows[start : start + CHUNK]
        near, _ = graph.knn_query(in_space(vectors[mine], basis), k=candidates)
        near = near.astype(np.int32)
        picked[start : start + CHUNK], similar[start : start + CHUNK], _ = rerank(vectors, mine, near, k)
        advance(len(mine))
    return picked, similar
