"""What the kNN graph says of each class: silhouette, purity, the class it overlaps with most, coverage."""

from pathlib import Path

import numpy as np
import polars as pl

from assay.metrics.dataset import dataset
from assay.metrics.inputs import Inputs
from assay.metrics.label_sets.beliefs import targets_of
from assay.metrics.label_sets.codes import Sets
from assay.metrics.sql import Relation

HERE = Path(__file__).parent
SET_PURITY = HERE.parent / "label_sets" / "set_purity.sql"


def class_graph(inputs: Inputs) -> pl.DataFrame:
    """Columns label, separability, purity, overlap_label, overlap, coverage, of every class; null where that is not
    defined, as separability and overlap are not of classes that stand in sets."""
    found = _of_classes(inputs) if inputs.sets is None else _of_sets(inputs, inputs.sets)
    names = pl.DataFrame({"label": inputs.class_names}, schema={"label": pl.String}).with_row_index("code")
    names = names.with_columns(pl.col("code").cast(pl.Int32))
    out = names
    for frame in found:
        out = out.join(frame.with_columns(pl.col("code").cast(pl.Int32)), on="code", how="left")
    partner = names.select(pl.col("code").alias("partner"), pl.col("label").alias("overlap_label"))
    out = out.with_columns(pl.col("partner").cast(pl.Int32)).join(partner, on="partner", how="left").sort("code")
    numbers = [pl.col(name).cast(pl.Float64) for name in ("separability", "purity", "coverage")]
    return out.select("label", "overlap_label", pl.col("overlap").cast(pl.Float64).clip(0.0, 1.0), *numbers)


def _of_classes(inputs: Inputs) -> list[pl.DataFrame]:
    """Frames by code, of classes that exclude each other."""
    graph: dict[str, Relation] = {"edges": inputs.edges, "cases": inputs.cases}
    typical, radius = dataset.typical_distance(inputs.corpus.vectors), dataset.reference_radius(inputs.corpus)
    cases = inputs.select(HERE / "silhouette.sql", {"typical": typical}, **graph)
    means = cases.group_by("label").agg(pl.col("silhouette").mean().alias("separability"), pl.col("purity").mean())
    overlap = inputs.select(HERE / "class_overlap.sql", None, **graph).rename({"overlap_label": "partner"})
    coverage = inputs.select(HERE / "class_coverage.sql", {"radius": radius}, **graph)
    return [frame.rename({"label": "code"}) for frame in (means, overlap, coverage)]


def _of_sets(inputs: Inputs, sets: Sets) -> list[pl.DataFrame]:
    """Frames by code, of classes of which a sample carries any number."""
    targets = targets_of(inputs.corpus.n_units, inputs.cases, sets.carried)
    entries = targets.units.tocoo()
    of_unit = {"unit": entries.row.astype(np.int32), "label": entries.col.astype(np.int32), "share": entries.data}
    graph: dict[str, Relation] = {"edges": inputs.edges, "cases": pl.DataFrame(of_unit)}
    labelled = pl.DataFrame({"unit": np.nonzero(targets.mass > 0)[0].astype(np.int32)})
    radius = dataset.reference_radius(inputs.corpus)
    purity = inputs.select(SET_PURITY, None, labelled=labelled, **graph).rename({"label": "code"})
    coverage = inputs.select(HERE / "class_coverage.sql", {"radius": radius}, **graph).rename({"label": "code"})
    undefined = {"separability": pl.Float64, "partner": pl.Int32, "overlap": pl.Float64}
    return [purity, coverage, pl.DataFrame(schema={"code": pl.Int32, **undefined})]
