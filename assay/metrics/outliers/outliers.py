"""Outliers on the duplicate-collapsed kNN graph: far from everything, locally sparse, off their class, junk clusters.

A measurement becomes a score through a *reference*: its median and upper spread on the log scale, stored at the
first fit of an embedder and kept, so that nights can be compared. Score = −log10 p ÷ 5, where p is the upper tail of
that log-normal: 0.5 is three in a thousand by chance, 1 is one in a hundred thousand.

The combined score has two parts. The first adds two views of a unit: its distance to its neighbours, and the gap around
the handful of units that it belongs to. Both are blind to a clump with more units than the graph has neighbours. Such a
clump is junk if it is both far from the rest and dense, and then the second part, which measures that, is the score.
The gap around larger clusters is not added to the distance: many datasets have whole classes of that size, and there it
would say which class a unit is in, not how odd it is.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.special import log_ndtr, ndtri

from assay.metrics.corpus import Corpus
from assay.metrics.outliers import linkage
from assay.metrics.verdict import Verdict, with_leeway
from assay.store.digests import read_mended, write_sealed
from assay.store.files import hash_text

NEIGHBORS = 10
HANDFUL = 20  # units; the gap around so few counts beside their distances, around more only where it is great
DENSEST = 7.0  # standard deviations; so a clump of near copies counts only where it is far as well
MOST = 12.0  # standard deviations in the sum of the two views; far beyond a score of 1
ENOUGH = 100  # units from which a reference is kept for good
FALSE = 0.1  # share of the outliers that may be expected by chance; a third are wrong, as tails are heavier yet
LEEWAY = 1.0  # of that share, from night to night
UPPER = np.array([0.8, 0.95])  # quantiles; the greater spread counts: by the first alone most flags are wrong
OF_CLUMPS = ("isolation", "contrast")
BY_FIRST = {*OF_CLUMPS, "off_class"}  # the second would hide 35 of 43 junk clusters of Caltech-101
FLOOR = 1e-6  # of a distance, before its logarithm


def reference_of(measurements: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """`{name: [median, spread]}` of the logs; the spread is from the median to the UPPER quantiles, as a σ."""
    out = {}
    for name, values in measurements.items():
        logs = np.log(np.maximum(values[np.isfinite(values)], FLOOR))
        if not len(logs):
            continue
        median, lower = np.quantile(logs, [0.5, 0.2])
        upper = UPPER[:1] if name in BY_FIRST else UPPER
        spread = max((np.quantile(logs, upper) - median) / ndtri(upper))
        out[name] = [float(median), float(max(spread, max(0.1 * (median - lower), 0.02) / 0.8416))]
    return out


def stored_reference(folder: Path, embedder: str, measurements: dict[str, np.ndarray], n: int) -> dict[str, Any]:
    """The reference of an embedder: the stored one, or tonight's, stored. One made from few units is outgrown; a
    measurement that it lacks is added."""
    path, kept, made_of = folder / hash_text(embedder)[:16] / "reference.json", {}, n
    try:
        stored = read_mended(path)
        known = {name: [float(x) for x in pair] for name, pair in stored["scales"].items()}
        if stored["n"] >= min(ENOUGH, n):
            kept, made_of = known, int(stored["n"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    added = reference_of({name: values for name, values in measurements.items() if name not in kept})
    if embedder and added:
        write_sealed(path, {"embedder": embedder, "n": made_of, "scales": {**kept, **added}})
    return {**kept, **added}


def standardize(values: np.ndarray, scale: list[float] | None) -> np.ndarray:
    """z of the log against a reference; 0 (nothing unusual) where a value is missing."""
    if scale is None:
        return np.zeros(len(values))
    z = (np.log(np.maximum(values, FLOOR)) - scale[0]) / scale[1]
    return np.where(np.isfinite(z), z, 0.0)


def tail_score(z: np.ndarray) -> np.ndarray:
    """Score in [0, 1] of a standard-normal z: −log10 P(Z > z) ÷ 5."""
    return np.clip(-log_ndtr(-z) / (5 * math.log(10)), 0.0, 1.0)


def measured(corpus: Corpus, distance: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """`({name: (n_units,)}, cluster)` from each unit's mean distance to its neighbours: the measurements of the
    combined score, NaN where there is none, and the number of the cluster that `isolation` and `contrast` are about.

    handful: the gap around the unit's largest cluster of at most HANDFUL units. isolation: the same of at most
    `linkage.cluster_limit`. contrast: isolation ÷ the mean distance to neighbours inside that cluster.
    """
    tree, limit = linkage.dendrogram(corpus), linkage.cluster_limit(corpus.n_units)
    few, _ = linkage.clusters(tree, min(HANDFUL, limit))
    gap, cluster = linkage.clusters(tree, limit)
    size = np.bincount(cluster)
    inside = np.bincount(cluster, np.nan_to_num(distance)) / size
    return {
        "knn_distance": distance,
        "handful": np.where(few > 0, few, np.nan),
        "isolation": np.where(gap > 0, gap, np.nan),
        "contrast": np.where(gap > 0, gap / np.maximum(inside, FLOOR)[cluster], np.nan),
    }, cluster


def clump_sizes(cluster: np.ndarray, label: np.ndarray) -> np.ndarray:
    """(n,) number of units in each unit's cluster; 1 where that is a class of its own, which is no clump of junk: over
    half of its labelled units carry one `label` (n,), −1 for none, and over half of that label's units are in it."""
    pairs = (
        pl.DataFrame({"cluster": cluster, "label": label})
        .filter(pl.col("label") >= 0)
        .group_by("cluster", "label")
        .len()
    )
    half = pl.col("len") * 2 > pl.sum("len").over("cluster"), pl.col("len") * 2 > pl.sum("len").over("label")
    own = pairs.filter(*half)["cluster"].to_numpy()
    return np.where(np.isin(cluster, own), 1, np.bincount(cluster)[cluster])


def agreement(z: dict[str, np.ndarray]) -> np.ndarray:
    """Both views of a unit as one measurement, which has its own reference: e to the weighted sum of their z."""
    return np.exp(np.clip(z["knn_distance"] + z["handful"] / 2, -MOST, MOST))


def combined(agreed: np.ndarray, far: np.ndarray, dense: np.ndarray, size: np.ndarray) -> np.ndarray:
    """z of `outlier` from those of the agreement, the isolation and the contrast: the agreement's, or a junk clump's.

    A clump of more than NEIGHBORS units has the geometric mean of the other two, of which the contrast counts up to
    DENSEST: in full from 4.2 on, 0 at 3.5 and less below, so that classes that merely stand apart, or are merely dense,
    keep their place.
    """
    junk = np.sqrt(np.maximum(far, 0.0) * np.clip(dense, 0.0, DENSEST))
    return np.where(size > NEIGHBORS, np.maximum(agreed, np.minimum(junk, 6 * junk - 21)), agreed)


def outlier_z(
    raw: dict[str, np.ndarray],
    size: np.ndarray,
    scales: dict[str, Any],
    reference: Callable[..., Any],
    along: dict[str, np.ndarray],
) -> np.ndarray:
    """z of `outlier`. `scales`: the references of `raw`; `reference({name: values})` gives those of others; `along`:
    the measurements of `directions.py`, which take the place of the distance where there are any."""
    z = {name: standardize(values, scales.get(name)) for name, values in raw.items()}
    name, together, far, dense = "agreement", agreement(z), z["isolation"], z["contrast"]
    if along:
        wide = {f"wide_{name}": raw[name] for name in OF_CLUMPS}  # heavy tails: by both quantiles
        known = reference(along | wide)
        total = sum(standardize(values, known.get(name)) for name, values in along.items())
        name, together = "directions", np.exp(np.clip(total, -MOST, MOST))
        far, dense = (standardize(values, known.get(name)) for name, values in wide.items())
    agreed = standardize(together, reference({name: together}).get(name))
    return combined(agreed, far, dense, size)


def beyond_chance(z: np.ndarray, rate: float = FALSE) -> np.ndarray:
    """(n,) whether a unit is an outlier: the farthest ones, as many as can be named while at most `rate` of them would
    be expected as far out by chance (Benjamini & Hochberg 1995)."""
    order = np.argsort(-z, kind="stable")
    chance = np.exp(log_ndtr(-z[order]))
    below = np.nonzero(chance <= rate * np.arange(1, len(z) + 1) / max(len(z), 1))[0]
    out = np.zeros(len(z), dtype=bool)
    out[order[: below[-1] + 1 if len(below) else 0]] = True
    return out


def verdict(z: np.ndarray) -> Verdict:
    """Whether each unit is an outlier; it stays one at a higher rate, and becomes one at a lower rate."""
    return with_leeway(lambda times: beyond_chance(z, FALSE * times), LEEWAY)


def off_class_ratio(
    corpus: Corpus, unit: np.ndarray, given: np.ndarray, share: np.ndarray, n_classes: int
) -> np.ndarray:
    """(m,) each labelled case's distance to the mean direction of its class (without itself) ÷ the class's median
    distance.

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
        vectors, weight = corpus.vectors[unit[members]], share[members]
        vectors = vectors.astype(np.float64)
        total = weight @ vectors
        along, own = vectors @ total, np.einsum("ij,ij->i", vectors, vectors)
        norm = np.sqrt(np.maximum(total @ total - 2 * weight * along + weight**2 * own, 1e-24))  # of total − weight · v
        distance = np.maximum(1.0 - (along - weight * own) / norm, FLOOR)
        out[members] = distance / np.median(distance)
    return out
