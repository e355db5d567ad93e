"""The fixed reference that the embedding tier's thresholds are multiples of: made once for an embedder, then kept.

So a pair is judged tomorrow as it was tonight, however many samples come in between.
"""

import json
from pathlib import Path

import numpy as np

from assay.store.files import hash_text, write_json
from assay.store.workspace import Workspace

FEWEST = 50  # units: from fewer no reference is made
PROBES = 400  # units whose neighbours are measured for the typical misfit
PROBE_RANK = 10  # a neighbour this far is of the same kind, and hardly ever a duplicate


def stored_reference(
    workspace: Workspace, embedder: str, scope: str, fresh: dict[str, float] | None
) -> dict[str, float]:
    """The reference of an embedder: the stored one, else `fresh`, stored; empty where there is neither.

    Args:
        scope: what else the reference depends on, such as the modality and the method.
    """
    path = reference_path(workspace, embedder)
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["scope"] == scope:
            return {name: float(value) for name, value in stored["reference"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    if fresh:
        write_json(path, {"embedder": embedder, "scope": scope, "reference": fresh})
    return fresh or {}


def reference_path(workspace: Workspace, embedder: str) -> Path:
    """Where the reference is kept."""
    return workspace.facts / "reference" / hash_text(embedder)[:16] / "near_duplicates.json"


def median_radius(similarity: np.ndarray) -> float:
    """The median distance √(2 − 2 cos) to the nearest neighbour, from the cosines of rank 1."""
    return float(np.median(np.sqrt(np.maximum(2.0 - 2.0 * similarity.astype(np.float64), 0.0))))


def probe_pairs(left: np.ndarray, right: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Up to `PROBES` pairs of a unit and its `PROBE_RANK`th neighbour (the last one, where there are fewer)."""
    at = np.flatnonzero(rank == min(PROBE_RANK, int(rank.max(initial=1))))
    at = at[np.linspace(0, len(at) - 1, min(PROBES, len(at))).round().astype(int)] if len(at) else at
    return left[at], right[at]
