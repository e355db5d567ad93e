"""Outliers on the duplicate-collapsed kNN graph: far from everything, locally sparse, off their class, junk clusters.

A measurement becomes a score through a *reference*: its median and upper spread on the log scale, stored at the
first fit of an embedder and kept, so that nights can be compared. Score = −log10 p ÷ 6, where p is the upper tail of
that log-normal: 0.5 is one in a thousand by chance, 1 is one in a million.
"""

import json
import math
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import log_ndtr

from tasks.metrics.corpus import Corpus
from tasks.stage import hash_text, write_json

NEIGHBORS = 10
MUTUAL = 5  # ranks within which an edge must be mutual to tie a cluster
CLUSTER_LIMIT = 20  # units of the largest junk cluster
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
        out[name] = [float(median), float(max(upper - median, 0.5 * lower, 0.02) / 0.8416)]
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
    """Score in [0, 1] of a standard-normal z: −log10 P(Z > z) ÷ 6."""
    return np.clip(-log_ndtr(-z) / (6 * math.log(10)), 0.0, 1.0)


def small_clusters(corpus: Corpus, ranks: int = MUTUAL, limit: int = CLUSTER_LIMIT) -> np.ndarray:
    """(n_units,) cluster id of units in mutual-neighbour components of 2 to `limit` units, −1 for the others."""
    n = corpus.n_units
    near = corpus.neighbors[:, :ranks]
    source, at = np.nonzero(near >= 0)
    target = near[source, at]
    graph = coo_array((np.ones(len(source), dtype=np.int8), (source, target)), shape=(n, n)).tocsr()
    graph = graph.minimum(graph.T)
    count, component = connected_components(graph, directed=False)
    size = np.bincount(component, minlength=count)[component]
    largest = min(limit, max(n // 10, 1))
    return np.where((size >= 2) & (size <= largest), component, -1)


def outside_distance(corpus: Corpus, cluster: np.ndarray) -> np.ndarray:
    """(n_units,) mean distance to the nearest neighbours outside the unit's own small cluster; NaN off clusters.

    Where fewer than `NEIGHBORS` are left in the graph, of those; where none is left, the farthest known.
    """
    out = np.full(len(cluster), np.nan)
    members = np.nonzero(cluster >= 0)[0]
    if not len(members):
        return out
    near = corpus.neighbors[members]
    distance = np.maximum(1.0 - corpus.similarities[members].astype(np.float64), 0.0)
    foreign = (near >= 0) & (cluster[near] != cluster[members][:, None])
    foreign &= np.cumsum(foreign, axis=1) <= NEIGHBORS
    count = foreign.sum(axis=1)
    farthest = np.where(near >= 0, distance, 0.0).max(axis=1)
    mean = np.where(foreign, distance, 0.0).sum(axis=1) / np.maximum(count, 1)
    mean = np.where(count > 0, mean, farthest)
    size = np.bincount(cluster[members], minlength=cluster.max() + 1)
    total = np.bincount(cluster[members], mean, minlength=cluster.max() + 1)
    out[members] = (total / np.maximum(size, 1))[cluster[members]]
    return out


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
