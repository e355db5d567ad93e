"""The embedding tier: units whose vectors are close, confirmed on their aligned pixels or on their text."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl

from assay.contracts.spec import Spec
from assay.contracts.tables import empty
from assay.duplicates.grouping import star_groups
from assay.duplicates.reference import (
    FEWEST,
    NEAR,
    Health,
    probe_pairs,
    reference_health,
    stored_reference,
    typical_radius,
)
from assay.modalities.tier import union
from assay.store.tables import TableReader, Tables
from assay.store.units import embedder_of, numbered_edges, to_unit_length
from assay.store.vectors import read_vectors
from assay.store.workspace import Workspace

RANKS = 10  # of the graph; candidates are among so many nearest neighbours

Pairs = tuple[np.ndarray, np.ndarray]
Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Confirmer(Protocol):
    """What decides on candidates; `left` and `right` are rows of samples.

    Attributes:
        method: raise it when similarities change; references and facts of another method are not used.
        rings: pairs (ranks, reach). A candidate satisfies at least one: one of the two is among the other's `ranks`
            nearest neighbours, and they are nearer than `reach` times the reference radius.
    """

    method: int
    rings: tuple[tuple[int, float], ...]

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(m,) float64 in [0, 1]."""

    def typical(self, left: np.ndarray, right: np.ndarray) -> dict[str, float]:
        """What goes into the reference, from pairs of neighbours that are hardly ever duplicates."""

    def least(self, reference: dict[str, float]) -> float:
        """The similarity that confirms a pair."""


@dataclass(frozen=True)
class Graph:
    """The kNN graph over rows of samples: `right` is the `rank`th neighbour of `left`."""

    left: np.ndarray
    right: np.ndarray
    rank: np.ndarray
    similarity: np.ndarray

    def near(self, rings: tuple[tuple[int, float], ...], radius: float) -> Pairs:
        """The pairs `left < right` within one of the rings, once each."""
        distance = np.sqrt(np.maximum(2.0 - 2.0 * self.similarity.astype(np.float64), 0.0))
        close = np.zeros(len(self.rank), dtype=bool)
        for ranks, reach in rings:
            close |= (self.rank <= ranks) & (distance <= reach * radius)
        a, b = np.minimum(self.left, self.right)[close], np.maximum(self.left, self.right)[close]
        return tuple(np.unique(np.stack([a, b], axis=1), axis=0).T) if len(a) else (a, b)


@dataclass(frozen=True)
class Near:
    """What was found.

    Attributes:
        group: (n,) for each sample the row of its group's kept unit.
        similarity: in [0, 1] of any pairs of unit rows, as the confirmer measures it.
        least: the similarity that confirms one.
        tiers: the names of the tiers of pairs of unit rows.
        health: rows of `embedding_health` on the reference.
    """

    group: np.ndarray
    similarity: Measure
    least: float
    tiers: Measure
    health: Health


def near_groups(
    spec: Spec,
    workspace: Workspace,
    samples: pl.DataFrame,
    unit: np.ndarray,
    order: np.ndarray,
    tables: Tables,
) -> Near:
    """Groups of samples through their units. Units without a vector, or all where there is no graph, stay apart.

    Args:
        samples: by position.
        unit: (n,) the row of each sample's unit.
        order: (n,) preference; the lowest of a group is kept.
    """
    if not spec.dedup.embedding:
        return Near(unit, lambda left, right: np.zeros(len(left)), 0.0, by_embedding, [])
    graph = read_graph(samples, tables)
    copies = spec.data.copies
    confirmer: Any = copies.confirmer(spec, samples, tables, workspace) if copies else Vectors(samples, graph, tables)
    scope = f"{spec.modality} {confirmer.method}"
    reference, health = _reference(workspace, embedder_of(tables), scope, graph, confirmer, tables)
    candidates = graph.near(confirmer.rings, reference["radius"]) if reference else (unit[:0], unit[:0])
    if hasattr(confirmer, "look_alikes"):
        candidates = union(candidates, confirmer.look_alikes(np.unique(unit)))
    similarity = confirmer.similarity(*candidates)
    least = confirmer.least(reference)
    confirmed = similarity >= least
    left, right = (ends[confirmed] for ends in candidates)
    star = star_groups(len(samples), left, right, similarity[confirmed], order)
    tiers = getattr(confirmer, "tiers", by_embedding)
    return Near(star[unit], confirmer.similarity, least, tiers, health)


def by_embedding(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(m,) object: every pair is of the tier `embedding`."""
    return np.full(len(left), "embedding", dtype=object)


def read_graph(samples: pl.DataFrame, tables: TableReader) -> Graph:
    """The nearest `RANKS` of the `neighbors` table with rows of `samples` for ids, by row and rank."""
    parts = tables.parts("neighbors")
    known = [frame.drop_nulls() for frame in numbered_edges(parts, samples["sample_id"], k=RANKS)]
    names = {"sample_id": "left", "neighbor_id": "right"}
    edges = pl.concat(known or [empty("neighbors")]).rename(names).sort("left", "rank")
    left, right = (edges[end].cast(pl.Int64).to_numpy() for end in ("left", "right"))
    return Graph(left, right, edges["rank"].to_numpy(), edges["similarity"].to_numpy())


def neighbor_distances(tables: TableReader) -> np.ndarray:
    """(n, k) float32 distances √(2 − 2 cos) of each unit to its neighbours, rising; infinite where there are fewer."""
    parts = [pl.read_parquet(part, columns=["rank", "similarity"]) for part in tables.parts("neighbors")]
    n = sum(int((part["rank"] == 1).sum()) for part in parts)
    k = max((int(part["rank"].to_numpy().max(initial=0)) for part in parts), default=0)
    found, start = np.full((n, k), np.inf, dtype=np.float32), 0
    for part in parts:
        rank = part["rank"].to_numpy().astype(np.int64)
        row = start + np.cumsum(rank == 1)
        similarity = part["similarity"].to_numpy().astype(np.float64)
        found[row - 1, rank - 1] = np.sqrt(np.maximum(2.0 - 2.0 * similarity, 0.0))
        start = int(row[-1]) if len(row) else start
    return found


def _reference(
    workspace: Workspace, embedder: str, scope: str, graph: Graph, confirmer: Confirmer, tables: TableReader
) -> tuple[dict[str, float], Health]:
    """The stored reference, else tonight's if there are enough units to make one, else none; and how tonight fits
    it."""
    distances = neighbor_distances(tables)
    reference = stored_reference(workspace, embedder, scope, None)
    if len(distances) < FEWEST:
        return reference, []
    if not reference:
        typical = confirmer.typical(*probe_pairs(graph.left, graph.right, graph.rank))
        fresh = {"radius": typical_radius(distances), **typical}
        reference = stored_reference(workspace, embedder, scope, fresh, len(distances))
    return reference, reference_health(workspace, embedder, reference, distances)


class Vectors:
    """Confirms a pair by its vectors alone: they must be much closer than neighbours usually are."""

    method = 2
    rings = ((RANKS, NEAR),)

    def __init__(self, samples: pl.DataFrame, graph: Graph, tables: TableReader) -> None:
        self._hashes, self._n, self._tables = samples["content_hash"], len(samples), tables
        packed = np.minimum(graph.left, graph.right) * self._n + np.maximum(graph.left, graph.right)
        self._edges, first = np.unique(packed, return_index=True)
        self._cosines = graph.similarity[first].astype(np.float64)

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(m,) float64 in [0, 1]: the cosine, from the graph where it has the pair, else from the vectors."""
        packed = np.minimum(left, right) * self._n + np.maximum(left, right)
        place = np.searchsorted(self._edges, packed)
        known = np.append(self._edges, -1)[place] == packed
        value = np.append(self._cosines, 0.0)[place]
        if not known.all():
            value[~known] = self._from_vectors(left[~known], right[~known])
        return np.clip(value, 0.0, 1.0)

    def _from_vectors(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        rows = np.union1d(left, right)
        vectors = to_unit_length(read_vectors(self._tables, self._hashes.gather(rows))[0])
        one, other = (vectors[np.searchsorted(rows, ends)] for ends in (left, right))
        return np.einsum("ij,ij->i", one, other).astype(np.float64)

    def typical(self, left: np.ndarray, right: np.ndarray) -> dict[str, float]:
        return {}

    def least(self, reference: dict[str, float]) -> float:
        return 0.0
