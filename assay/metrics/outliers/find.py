"""The outlier metrics of every sample: far from everything, in a junk cluster, or far from its class."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.metrics.groups import groups
from assay.metrics.inputs import Inputs
from assay.metrics.measures import by_unit, of_cases, of_units
from assay.metrics.outliers import directions, outliers

HERE = Path(__file__).parent


def find_outliers(inputs: Inputs, references: Path) -> list[pl.DataFrame]:
    """outlier, knn_distance, junk_cluster and off_class, as rows of `measures`.

    `references`: the folder with the distances of each embedder from when it was first used.
    """
    corpus, n, cases = inputs.corpus, inputs.corpus.n_units, inputs.cases
    if not n:
        return []
    parameters = {"neighbors": outliers.NEIGHBORS}
    distance = by_unit(inputs.select(HERE / "knn_distance.sql", parameters, edges=inputs.edges), n)
    raw, cluster = outliers.measured(corpus, distance)
    labels = cases["label"].to_numpy() if inputs.sets is None else np.full(len(cases), -1)  # no set has a centre
    off = outliers.off_class_ratio(
        corpus, cases["unit"].to_numpy(), labels, cases["share"].to_numpy(), len(inputs.labels.names)
    )
    own = groups.unit_codes(corpus, inputs.labels.codes) if inputs.sets is None else np.full(n, -1)
    size = outliers.clump_sizes(cluster, own)

    def reference(measurements: dict[str, np.ndarray]) -> dict[str, Any]:
        return outliers.stored_reference(references, corpus.embedder, measurements, n)

    scales = reference({**raw, "off_class": off[np.isfinite(off)]})

    def score(name: str, values: np.ndarray) -> np.ndarray:
        return outliers.tail_score(outliers.standardize(values, scales.get(name)))

    along = directions_of(inputs, scales, reference)
    z = outliers.outlier_z(raw, size, scales, reference, along)
    gap = raw["isolation"]
    return [
        of_units(inputs, "outlier", outliers.tail_score(z), distance, verdict=outliers.verdict(z)),
        of_units(inputs, "knn_distance", score("knn_distance", distance), distance),
        of_units(inputs, "junk_cluster", score("isolation", gap), np.nan_to_num(gap), only=size >= 2),
        of_cases(inputs, "off_class", score("off_class", off), off),
    ]


def directions_of(
    inputs: Inputs, scales: dict[str, Any], reference: Callable[[dict[str, np.ndarray]], dict[str, Any]]
) -> dict[str, np.ndarray]:
    """The measurements of `directions.py` where the vectors have heavy tails; none elsewhere. Whether they have is
    decided when an embedder is first used, and kept among its `scales`."""

    def heavy(known: dict[str, Any]) -> bool:
        return bool(np.exp(known["tails"][0]) >= directions.HEAVY)

    if "tails" in scales and not heavy(scales):
        return {}
    found = directions.directions(inputs.corpus.vectors)
    if found is None or not heavy(reference({"tails": np.array([max(found.tails, outliers.FLOOR)])})):
        return {}
    return directions.measured(inputs.corpus, found, outliers.NEIGHBORS)
