"""What tells copies of nodes: the same thing given twice under two ids has the same features and mostly the same
neighbours. Close vectors alone say nothing: nodes of one neighbourhood are close, and no copies."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.modalities.graph.adjacency import adjacency_of, read_ends, read_node_features
from assay.modalities.tier import Tier
from assay.store.tables import TableReader

SHARED = 0.5  # of the neighbours of the two: intersection ÷ union
FEWEST = 3  # features that two nodes must have in common to be taken for one
MOST = 50  # nodes of equal features that are compared with each other

Rows = NDArray[np.int64]


def no_tier(n: int) -> Tier:
    """Two nodes are never equal: their ids differ."""
    none = np.zeros(0, dtype=np.int64)
    return Tier(
        "bytes",
        "embedding",
        np.full(n, -1, dtype=np.int64),
        lambda rows: (none, none, np.zeros(0)),
        lambda left, right: np.zeros(len(left)),
    )


class Nodes:
    """Confirms pairs of nodes: equal features, and how far they share their neighbours."""

    method = 1
    rings = ((10, 1.0),)

    def __init__(self, samples: pl.DataFrame, tables: TableReader) -> None:
        features, _ = read_node_features(tables, samples["content_hash"])
        ends = read_ends(tables.read("edges"), samples["sample_id"])
        self._adjacency = adjacency_of(ends, len(samples))
        self._same = _codes(features)

    def look_alikes(self, units: Rows) -> tuple[Rows, Rows]:
        """Pairs of units with equal features."""
        known = units[self._same[units] >= 0]
        order = known[np.argsort(self._same[known], kind="stable")]
        groups = np.split(order, np.flatnonzero(np.diff(self._same[order])) + 1)
        pairs = [np.stack(np.triu_indices(len(g), 1)) for g in groups if 1 < len(g) <= MOST]
        chosen = [np.sort(g)[pair] for g, pair in zip([g for g in groups if 1 < len(g) <= MOST], pairs, strict=True)]
        found = np.concatenate(chosen, axis=1) if chosen else np.zeros((2, 0), dtype=np.int64)
        return found[0], found[1]

    def similarity(self, left: Rows, right: Rows) -> NDArray[np.float64]:
        """(m,) in [0, 1]: the share of neighbours in common (the two themselves left out) where features are equal,
        else 0."""
        found = np.zeros(len(left), dtype=np.float64)
        for place in np.flatnonzero((self._same[left] == self._same[right]) & (self._same[left] >= 0)):
            one, other = int(left[place]), int(right[place])
            mine, theirs = self._neighbors(one) - {other}, self._neighbors(other) - {one}
            found[place] = len(mine & theirs) / max(len(mine | theirs), 1)
        return found

    def _neighbors(self, node: int) -> set[int]:
        return set(self._adjacency.indices[self._adjacency.indptr[node] : self._adjacency.indptr[node + 1]].tolist())

    def typical(self, left: Rows, right: Rows) -> dict[str, float]:
        """Nothing: the limit is fixed."""
        return {}

    def least(self, reference: dict[str, float]) -> float:
        """The similarity that confirms a pair."""
        return SHARED


def _codes(features: object) -> Rows:
    """(n,) equal where two rows of a sparse matrix are, −1 where a row has fewer than `FEWEST` entries."""
    indptr, indices, data = features.indptr, features.indices, features.data  # type: ignore[attr-defined]
    known: dict[tuple[bytes, bytes], int] = {}
    codes = np.full(len(indptr) - 1, -1, dtype=np.int64)
    for row in np.flatnonzero(np.diff(indptr) >= FEWEST):
        part = slice(indptr[row], indptr[row + 1])
        codes[row] = known.setdefault((indices[part].tobytes(), data[part].tobytes()), len(known))
    return codes
