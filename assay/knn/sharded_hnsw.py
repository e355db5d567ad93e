"""Several HNSW graphs, each over a run of the rows, that answer as one. Each is built by one thread, so the same rows
make the same graphs, and they are built side by side. Imported without torch, so that any program can search one.

A query asks all of them: it takes about as many times as long as there are graphs, and finds no less than one graph
over all rows, as each has fewer rows to miss.
"""

from collections.abc import Sequence
from typing import Any

import hnswlib
import numpy as np

CHUNK = 10_000


class ShardedGraph:
    """What `hnswlib.Index` offers, over several of them; labels are unique among all."""

    def __init__(self, graphs: Sequence[Any]) -> None:
        self.graphs = list(graphs)

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        return self.graphs[0].dim

    @property
    def ef(self) -> int:
        """Candidates that each graph keeps."""
        return self.graphs[0].ef

    def set_ef(self, ef: int) -> None:
        """The same for all."""
        for graph in self.graphs:
            graph.set_ef(ef)

    def knn_query(self, data: np.ndarray, k: int = 1, num_threads: int = -1) -> tuple[np.ndarray, np.ndarray]:
        """`(labels, distances)` of shape (m, k), nearest first; equal distances by label.

        Raises:
            RuntimeError: fewer than `k` are reachable.
        """
        found = []
        for graph in self.graphs:
            most = min(k, graph.get_current_count())
            found.append(graph.knn_query(data, k=most, num_threads=num_threads))
        labels, distances = (np.concatenate(each, axis=1) for each in zip(*found, strict=True))
        if labels.shape[1] < k:
            raise RuntimeError(f"{labels.shape[1]} rows are in the graphs; wanted {k}")
        order = np.lexsort((labels, distances), axis=1)[:, :k]
        return np.take_along_axis(labels, order, axis=1), np.take_along_axis(distances, order, axis=1)


def shard_starts(n: int, shards: int) -> list[int]:
    """Where each of at most `shards` runs of `n` rows begins, and n."""
    return sorted({n * number // shards for number in range(shards + 1)})


def build_shard(space: np.ndarray, ends: Sequence[int], m: int, ef_construction: int) -> Any:
    """The graph of the rows from one to before the other of the `ends`, whose numbers are its labels.

    Args:
        space: (n, d) float32, rows of length 1.
    """
    start, stop = ends
    graph = hnswlib.Index(space="ip", dim=space.shape[1])
    graph.init_index(max_elements=stop - start, M=m, ef_construction=ef_construction, random_seed=0)
    for at in range(start, stop, CHUNK):
        end = min(at + CHUNK, stop)
        graph.add_items(np.asarray(space[at:end]), np.arange(at, end), num_threads=1)
    return graph
