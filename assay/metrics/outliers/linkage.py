"""Single linkage on the kNN graph: which units form a cluster of their own, and how wide the gap around it is."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from assay.metrics.corpus import Corpus

RANKS = 15  # of the graph, for the spanning tree
ISLAND_LIMIT = 200  # components without an edge to the rest that are measured exactly, smallest first
ISLAND_BLOCK = 4_096  # rows multiplied at a time
ISLAND_PAIRS = 1e9  # pairs of a unit of an island and any unit, up to which all are compared
ISLAND_NEAR = 16  # units nearest to the middle of an island that are compared with all of it, beyond


@dataclass(frozen=True)
class Dendrogram:
    """Clusters that merge at growing distances. Per node, units first, then merges in their order: its parent or −1,
    the distance at which it merges into that, and its number of units."""

    parent: list[int]
    height: list[float]
    count: list[int]
    n_units: int


def cluster_limit(n: int) -> int:
    """Size of the largest cluster that can be junk: 2% of all units or 20, whichever is more, but never over a
    quarter."""
    return max(min(20, n // 4), n // 50, 1)


def dendrogram(corpus: Corpus) -> Dendrogram:
    """Single linkage of the units: merges along the minimum spanning tree of their nearest neighbours."""
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
    return Dendrogram(parent, height, count, n)


def clusters(tree: Dendrogram, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """`(gap, cluster)` of each unit: its largest cluster of at most `limit` units, as a number from 0, and the
    distance at which that merges into more.

    So a lone unit gets the distance to its nearest neighbour, and a member of a junk cluster gets the distance between
    the cluster and the rest; 0 where there is no rest.
    """
    parent, height, count, n = tree.parent, tree.height, tree.count, tree.n_units
    gap, node = np.zeros(len(parent)), np.arange(len(parent))
    for here in range(len(parent) - 1, -1, -1):
        above = parent[here]
        if above >= 0:
            gap[here], node[here] = gap[above], node[above]
        if count[here] <= limit and height[here] > gap[here]:
            gap[here], node[here] = height[here], here
    return gap[:n], np.unique(node[:n], return_inverse=True)[1]


def _islands(corpus: Corpus, component: np.ndarray, height: list[float]) -> None:
    """Give each component without an edge to the rest its distance to the rest; the largest one has none. It is exact
    up to ISLAND_PAIRS, beyond as small as a search from its middle finds."""
    roots, sizes = np.unique(component, return_counts=True)
    order = np.argsort(sizes, kind="stable")[:-1][:ISLAND_LIMIT]
    islands = roots[order[sizes[order] <= cluster_limit(corpus.n_units)]]
    members = np.flatnonzero(np.isin(component, islands))
    if len(members) * corpus.n_units > ISLAND_PAIRS:
        members = _facing_the_rest(corpus.vectors, component, members)
    nearest = _nearest_outside(corpus.vectors, component, members)
    for root in islands.tolist():
        height[root] = max(1.0 - float(nearest[component[members] == root].max()), 1e-9)


def _facing_the_rest(vectors: np.ndarray, component: np.ndarray, members: np.ndarray) -> np.ndarray:
    """One of each island's `members`: the nearest to any of the units outside that are nearest to the island's middle.
    So the work is that of a few rows an island, however many it has."""
    islands, number = np.unique(component[members], return_inverse=True)
    middle = np.zeros((len(islands), vectors.shape[1]), dtype=np.float32)
    np.add.at(middle, number, vectors[members])
    near = min(ISLAND_NEAR, len(vectors) - 1)
    best, outside = np.full((len(islands), 0), -np.inf, dtype=np.float32), np.zeros((len(islands), 0), dtype=np.int64)
    for start in range(0, len(vectors), ISLAND_BLOCK):
        products = middle @ vectors[start : start + ISLAND_BLOCK].T
        products[islands[:, None] == component[None, start : start + ISLAND_BLOCK]] = -np.inf
        best = np.concatenate([best, products], axis=1)
        columns = np.broadcast_to(np.arange(start, start + products.shape[1]), products.shape)
        outside = np.concatenate([outside, columns], axis=1)
        kept = np.argsort(-best, axis=1, kind="stable")[:, :near]
        best, outside = np.take_along_axis(best, kept, axis=1), np.take_along_axis(outside, kept, axis=1)
    order, edges = np.argsort(number, kind="stable"), np.cumsum(np.bincount(number))[:-1]
    return np.array(
        [
            mine[(vectors[mine] @ vectors[outside[place]].T).max(axis=1).argmax()]
            for place, mine in enumerate(np.split(members[order], edges))
        ]
    )


def _nearest_outside(vectors: np.ndarray, component: np.ndarray, members: np.ndarray) -> np.ndarray:
    """(m,) the greatest cosine of each of `members` with a row of another component, some rows of both at a time."""
    best = np.full(len(members), -1.0, dtype=np.float32)
    for first in range(0, len(members), ISLAND_BLOCK):
        mine = members[first : first + ISLAND_BLOCK]
        for start in range(0, len(vectors), ISLAND_BLOCK):
            products = vectors[mine] @ vectors[start : start + ISLAND_BLOCK].T
            products[component[mine][:, None] == component[None, start : start + ISLAND_BLOCK]] = -1.0
            np.maximum(best[first : first + len(mine)], products.max(axis=1), out=best[first : first + len(mine)])
    return best
