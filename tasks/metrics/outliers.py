"""Outliers on the duplicate-collapsed kNN graph: far from everything, locally sparse, off their class, junk clusters.

A measurement becomes a score through a *reference*: its median and upper spread on the log scale, stored at the
first fit of an embedder and kept, so that nights can be compared. Score = −log10 p ÷ 5, where p is the upper tail of
that log-normal: 0.5 is three in a thousand by chance, 1 is one in a hundred thousand.
"""

import json
import math
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.special import log_ndtr

from tasks.metrics.corpus import Corpus
from tasks.stage import hash_text, write_json

NEIGHBORS = 10
RANKS = 15  # of the graph, for the spanning tree
ISLAND_LIMIT = 200  # components without an edge to the rest that are measured exactly, smallest first
ISLAND_BLOCK = 4_096  # rows multiplied at a time
ENOUGH = 100  # units from which a reference is kept for good
FLOOR = 1e-6  # of a distance, before its logarithm


def reference_of(measurements: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """`{name: [median, spread]}` of the logs; the spread is from the median to the 80th percentile, as a σ."""
    out = {}
    for name, values in measurements.items():
        logs = np.log(np.maximum(values[np.isfinite(values)], FLOOR))
        if not len(logs):
            continue
        median, upper = np.quantile(logs, [0.5, 0.8])
        lower = median - np.quantile(logs, 0.2)
        out[name] = [float(median), float(max(upper - median, 0.1 * lower, 0.02) / 0.8416)]
    return out


def stored_reference(folder: Path, embedder: str, measurements: dict[str, np.ndarray], n: int) -> dict:
    """The reference of an embedder: the stored one, or tonight's, stored. One made from few units is outgrown."""
    path = folder / hash_text(embedder)[:16] / "reference.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        kept = {name: [float(x) for x in pair] for name, pair in stored["scales"].items()}
        if stored["n"] >= min(ENOUGH, n):
            return {**reference_of({k: v for k, v in measurements.items() if k not in kept}), **kept}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    fresh = reference_of(measurements)
    if embedder and fresh:
        write_json(path, {"embedder": embedder, "n": n, "scales": fresh})
    return fresh


def standardize(values: np.ndarray, scale: list[float] | None) -> np.ndarray:
    """z of the log against a reference; 0 (nothing unusual) where a value is missing."""
    if scale is None:
        return np.zeros(len(values))
    z = (np.log(np.maximum(values, FLOOR)) - scale[0]) / scale[1]
    return np.where(np.isfinite(z), z, 0.0)


def tail_score(z: np.ndarray) -> np.ndarray:
    """Score in [0, 1] of a standard-normal z: −log10 P(Z > z) ÷ 5."""
    return np.clip(-log_ndtr(-z) / (5 * math.log(10)), 0.0, 1.0)


def combined(near: np.ndarray, alone: np.ndarray) -> np.ndarray:
    """z of `outlier` from those of the distance to neighbours and of the isolation.

    Their mean; or the isolation less 0.7, where it alone speaks: a tight cluster of junk has near neighbours.
    """
    return np.maximum((near + alone) / 2, alone - 0.7)


def isolation(corpus: Corpus, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """`(distance, size)` of each unit: the greatest gap around it, and the size of the cluster that the gap surrounds.

    Single linkage on the kNN graph (its minimum spanning tree): going up from a unit, clusters merge at growing
    distances; the greatest merge distance of a cluster of at most `limit` units counts. So a lone unit has the
    distance to its nearest neighbour, and a member of a junk cluster that of the whole cluster to the rest.
    """
    n = corpus.n_units
    parent, height, count = _dendrogram(corpus)
    gap, size = np.zeros(len(parent)), np.ones(len(parent))
    for node in range(len(parent) - 1, -1, -1):
        above = parent[node]
        if above >= 0:
            gap[node], size[node] = gap[above], size[above]
        if count[node] <= limit and height[node] > gap[node]:
            gap[node], size[node] = height[node], count[node]
    return gap[:n], size[:n]


def cluster_limit(n: int) -> int:
    """Units of the largest cluster that can be junk: 2% of all, or 20, but never over a quarter."""
    return max(min(20, n // 4), n // 50, 1)


def _dendrogram(corpus: Corpus) -> tuple[list[int], list[float], list[int]]:
    """Of every node (units first, then merges in order): its parent or −1, the distance it merges at, its size."""
    n = corpus.n_units
    near = corpus.neighbors[:, :RANKS]
    source, at = np.nonzero(near >= 0)
    distance = np.maximum(1.0 - corpus.similarities[source, at].astype(np.float64), 1e-9)  # 0 would be no edge
    graph = coo_array((distance, (source, near[source, at])), shape=(n, n)).tocsr()
    tree = minimum_spanning_tree(graph.maximum(graph.T)).tocoo()
    order = np.lexsort((tree.col, tree.row, tree.data))
    root, parent, height, count = list(range(n)), [-1] * n, [0.0] * n, [1] * n

    def top(node: int) -> int:
        while root[node] != node:
            root[node] = root[root[node]]
            node = root[node]
        return node

    for one, other, gap in zip(
        tree.row[order].tolist(), tree.col[order].tolist(), tree.data[order].tolist(), strict=True
    ):
        one, other, merged = top(one), top(other), len(parent)
        root.append(merged)
        parent.append(-1)
        height.append(0.0)
        count.append(count[one] + count[other])
        for child in (one, other):
            root[child] = parent[child] = merged
            height[child] = gap
    _islands(corpus, np.array([top(unit) for unit in range(n)]), height)
    return parent, height, count


def _islands(corpus: Corpus, component: np.ndarray, height: list[float]) -> None:
    """Give each component without an edge to the rest its exact distance to the rest; the largest one has none."""
    roots, sizes = np.unique(component, return_counts=True)
    small = roots[np.argsort(sizes, kind="stable")][:-1]
    for island in small[:ISLAND_LIMIT].tolist():
        inside = component == island
        if inside.sum() <= cluster_limit(corpus.n_units):
            height[island] = max(1.0 - _nearest_outside(corpus.vectors, inside), 1e-9)


def _nearest_outside(vectors: np.ndarray, inside: np.ndarray) -> float:
    """The greatest cosine of a row of `inside` with any other, some rows of both at a time."""
    best, members = -1.0, vectors[inside]
    for start in range(0, len(vectors), ISLAND_BLOCK):
        others = vectors[start : start + ISLAND_BLOCK][~inside[start : start + ISLAND_BLOCK]]
        for first in range(0, len(members) if len(others) else 0, ISLAND_BLOCK):
            best = max(best, float((members[first : first + ISLAND_BLOCK] @ others.T).max()))
    return best


def off_class_ratio(
    corpus: Corpus, unit: np.ndarray, given: np.ndarray, share: np.ndarray, n_classes: int
) -> np.ndarray:
    """(m,) distance of each labelled case to its class's mean direction, itself left out, ÷ the class's median one.

    NaN for unlabelled cases and for classes of fewer than three units.
    """
    out = np.full(len(unit), np.nan)
    rows = np.nonzero(given >= 0)[0]
    if not len(rows):
        return out
    order = rows[np.argsort(given[rows], kind="stable")]
    edges = np.flatnonzero(np.diff(given[order])) + 1
    for members in np.split(order, edges):
        if len(members) < 3:
            continue
        vectors = corpus.vectors[unit[members]].astype(np.float64)
        weight = share[members][:, None]
        center = (vectors * weight).sum(axis=0) - vectors * weight
        norm = np.maximum(np.linalg.norm(center, axis=1), 1e-12)
        distance = np.maximum(1.0 - np.einsum("ij,ij->i", center, vectors) / norm, FLOOR)
        out[members] = distance / np.median(distance)
    return out
