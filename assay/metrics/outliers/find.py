"""The outlier metrics of every sample: far from everything, in a junk cluster, locally sparse, off its class."""

from pathlib import Path

import numpy as np
import polars as pl

from assay.metrics.groups import groups
from assay.metrics.inputs import Inputs
from assay.metrics.measures import by_unit, of_cases, of_units
from assay.metrics.outliers import outliers

HERE = Path(__file__).parent


def find_outliers(inputs: Inputs, references: Path) -> list[pl.DataFrame]:
    """knn_distance, local_outlier, junk_cluster, off_class and their combination, as rows of `measures`.

    `references`: the folder of what each embedder's distances were when it was first used.
    """
    corpus, n, cases = inputs.corpus, inputs.corpus.n_units, inputs.cases
    if not n:
        return []
    parameters = {"neighbors": outliers.NEIGHBORS}
    distance = by_unit(inputs.select(HERE / "knn_distance.sql", parameters, edges=inputs.edges), n)
    raw, cluster = outliers.measured(corpus, distance)
    parameters["floor"] = outliers.FLOOR
    sparse = by_unit(inputs.select(HERE / "local_outlier.sql", parameters, edges=inputs.edges), n)
    labels = cases["label"].to_numpy() if inputs.sets is None else np.full(len(cases), -1)  # no set has a centre
    off = outliers.off_class_ratio(
        corpus, cases["unit"].to_numpy(), labels, cases["share"].to_numpy(), len(inputs.labels.names)
    )
    own = groups.unit_codes(corpus, inputs.labels.codes) if inputs.sets is None else np.full(n, -1)
    size = outliers.clump_sizes(cluster, own)

    def reference(measurements: dict[str, np.ndarray]) -> dict:
        return outliers.stored_reference(references, corpus.embedder, measurements, n)

    scales = reference({**raw, "local_outlier": sparse, "off_class": off[np.isfinite(off)]})

    def score(name: str, values: np.ndarray) -> np.ndarray:
        return outliers.tail_score(outliers.standardize(values, scales.get(name)))

    combined = outliers.tail_score(outliers.outlier_z(raw, size, scales, reference))
    gap = raw["isolation"]
    return [
        of_units(inputs, "outlier", combined, distance),
        of_units(inputs, "knn_distance", score("knn_distance", distance), distance),
        of_units(inputs, "local_outlier", score("local_outlier", sparse), sparse),
        of_units(inputs, "junk_cluster", score("isolation", gap), np.nan_to_num(gap), only=size >= 2),
        of_cases(inputs, "off_class", score("off_class", off), off),
    ]
