"""The reference radius that the embedding tier's thresholds are multiples of: made once for an embedder, then kept.

So a pair is judged tomorrow as it was tonight, however many samples are added. The reference must not depend on what
the first night happened to contain: where most samples have a near copy, the nearest neighbour is a copy. The radius
is therefore the usual distance to the nearest neighbour that is *not* a near copy. Every night it is measured again and
compared with the stored one; `renew_references` discards all references of a dataset.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from assay.store.digests import read_mended, write_sealed
from assay.store.files import hash_text
from assay.store.workspace import Workspace

VERSION = 2  # of how a reference is made; one of another version is not used
FEWEST = 50  # units: from fewer no reference is made
PROBES = 400  # units whose neighbours are measured for the typical misfit
PROBE_RANK = 10  # such a neighbour is similar, but hardly ever a duplicate
NEAR = 0.13  # of the radius: vectors nearer than this are near copies
MOST_COPIES = 0.5  # share of units with a near copy above which the reference is doubted
MOVED = 1.5  # times larger or smaller than the stored radius: then that is doubted

Health = list[tuple[str, float | None, str, bool, str]]


def stored_reference(
    workspace: Workspace, embedder: str, scope: str, fresh: dict[str, float] | None, n: int = 0
) -> dict[str, float]:
    """The reference of an embedder: the stored one, else `fresh`, stored; empty where there is neither.

    Args:
        scope: what else the reference depends on, such as the kind of data and the method.
        n: units that `fresh` was made from.
    """
    stored = _read(reference_path(workspace, embedder))
    if stored.get("scope") == scope and stored.get("version") == VERSION:
        return {name: float(value) for name, value in stored["reference"].items()}
    if fresh:
        lost = reference_path(workspace, embedder).exists() and not stored
        why = (
            "the one before was damaged"
            if lost
            else _read(_renewed(workspace)).get("why", "the embedder's first night")
        )
        made = {"n": n, "at": _now(), "why": why}
        described = {"embedder": embedder, "scope": scope, "version": VERSION, "reference": fresh, "made": made}
        write_sealed(reference_path(workspace, embedder), described)
    return fresh or {}


def reference_path(workspace: Workspace, embedder: str) -> Path:
    """Where the reference is kept."""
    return workspace.facts / "reference" / hash_text(embedder)[:16] / "near_duplicates.json"


def renew_references(workspace: Workspace, why: str) -> None:
    """Forget every reference of a dataset, those of outliers included; the next night makes them anew, and says why."""
    count = renewals(workspace) + 1
    for path in (workspace.facts / "reference").glob("*/*.json"):
        path.unlink(missing_ok=True)
    write_sealed(_renewed(workspace), {"count": count, "at": _now(), "why": why})


def renewals(workspace: Workspace) -> int:
    """How often the references were renewed; part of the key of every output that depends on them."""
    return int(_read(_renewed(workspace)).get("count", 0))


def typical_radius(distances: np.ndarray) -> float:
    """The median distance to the nearest neighbour that is no near copy.

    A near copy is nearer than `NEAR` times that median, so the radius defines itself; the largest that does is taken.
    With few copies it is the median distance to the nearest neighbour.

    Args:
        distances: (n, k) to the nearest neighbours, rising in each row; infinite where there are fewer.
    """
    filled = np.where(np.isfinite(distances), distances, -np.inf)
    radius = float(np.median(filled.max(axis=1)))
    while True:
        apart = np.where(distances >= NEAR * radius, distances, np.inf).min(axis=1)
        smaller = float(np.median(np.where(np.isfinite(apart), apart, filled.max(axis=1))))
        if smaller >= radius * (1 - 1e-9):
            return radius
        radius = smaller


def copies_share(distances: np.ndarray, radius: float) -> float:
    """Share of the rows whose nearest neighbour is nearer than `NEAR` of the radius."""
    return float((distances[:, 0] < NEAR * radius).mean())


def reference_health(workspace: Workspace, embedder: str, reference: dict[str, float], distances: np.ndarray) -> Health:
    """Rows of `embedding_health`: whether tonight agrees with the stored reference, and whether one could be made from
    it."""
    made = _read(reference_path(workspace, embedder)).get("made", {})
    tonight, stored = typical_radius(distances), reference["radius"]
    moved = tonight / stored if stored > 0 else 1.0
    told = (
        f"tonight's radius {tonight:.3g} ÷ the stored {stored:.3g}, made of {made.get('n', 0):,} units on "
        f"{made.get('at', '?')[:10]} ({made.get('why', '?')})"
    )
    fits = 1 / MOVED <= moved <= MOVED
    renew = "; `assay run --new-reference` renews it, and duplicates and outliers are then judged by another measure"
    share = copies_share(distances, tonight)
    many = "; where most have one, look at some pairs: they may be one dense kind of data and no copies"
    return [
        ("reference_radius", moved, f"{1 / MOVED:.2f} to {MOVED}", fits, told + ("" if fits else renew)),
        (
            "reference_near_copies",
            share,
            f"<= {MOST_COPIES}",
            share <= MOST_COPIES,
            f"share of units with another nearer than {NEAR} of the radius" + (many if share > MOST_COPIES else ""),
        ),
    ]


def probe_pairs(left: np.ndarray, right: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Up to `PROBES` pairs of a unit and its `PROBE_RANK`th neighbour (the last one, where there are fewer)."""
    at = np.flatnonzero(rank == min(PROBE_RANK, int(rank.max(initial=1))))
    at = at[np.linspace(0, len(at) - 1, min(PROBES, len(at))).round().astype(int)] if len(at) else at
    return left[at], right[at]


def _renewed(workspace: Workspace) -> Path:
    return workspace.facts / "reference" / "renewed.json"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _read(path: Path) -> dict[str, Any]:
    """The content of a file; empty where it is absent or damaged."""
    try:
        return read_mended(path)
    except (OSError, ValueError):
        return {}
