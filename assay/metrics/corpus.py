"""The stage's inputs as integer arrays: samples and units by their row, the kNN graph, labels as codes.

Everything is computed for *units* (duplicates collapsed onto one representative) that have a usable vector; a sample
inherits what is found for its unit. Strings come back only when tables are written.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assay.store.tables import TableReader
from assay.store.units import embedder_of, numbered_edges, only
from assay.store.vectors import read_vectors

if TYPE_CHECKING:  # torch
    from assay.metrics.probe import Space


@dataclass(frozen=True)
class Coding:
    """A column of strings as codes: `codes` (n_samples,) int32 with −1 for missing, `names` sorted."""

    column: str
    codes: np.ndarray
    names: list[str]


@dataclass(frozen=True)
class Corpus:
    """Everything that the metrics read.

    Attributes:
        samples: the samples by position.
        unit: (n_samples,) int32, the row in `units` or −1 where the sample has no usable vector.
        unit_ids: sample_id of each unit's representative, (n_units,).
        vectors: (n_units, d) float32 of unit length.
        neighbors: (n_units, k) int32 rows of units, nearest first, −1 where there are fewer.
        similarities: (n_units, k) float32 cosine, 0 where there is no neighbour.
        embedder: fingerprint of the vectors, "" where there are none.
        n_unusable: samples whose vector is zero or not finite.
    """

    samples: pl.DataFrame
    unit: np.ndarray
    unit_ids: pl.Series
    vectors: np.ndarray
    neighbors: np.ndarray
    similarities: np.ndarray
    embedder: str
    n_unusable: int

    @property
    def n_units(self) -> int:
        return len(self.vectors)

    @functools.cached_property
    def space(self) -> "Space":
        """`probe.principal_space` of the vectors, which every probe learns in."""
        from assay.metrics.probe import principal_space

        return principal_space(self.vectors)

    @functools.cached_property
    def contents(self) -> pl.Series:
        """(n_units,) the content hash of each unit's representative."""
        known = self.samples.select("sample_id", "content_hash")
        heads = self.unit_ids.alias("sample_id").to_frame()
        return heads.join(known, on="sample_id", how="left", maintain_order="left")["content_hash"]


def read_corpus(tables: TableReader) -> Corpus:
    """Corpus of the stages' outputs."""
    samples = tables.read("samples").sort("position", "sample_id")
    units = tables.read("units", ["sample_id", "unit_id"])
    joined = samples.select("sample_id").join(units, on="sample_id", how="left", maintain_order="left")
    unit_of = joined.select(pl.coalesce("unit_id", "sample_id").alias("unit_id"))["unit_id"]
    heads = samples.filter(samples["sample_id"].is_in(unit_of.unique().implode()))
    matrix, found = read_vectors(tables, heads["content_hash"])
    usable, vectors = normalized(matrix, found)
    unit_ids = heads["sample_id"].filter(pl.Series(usable))
    place = pl.DataFrame({"unit_id": unit_ids, "unit": np.arange(len(unit_ids), dtype=np.int32)})
    unit = unit_of.to_frame().join(place, on="unit_id", how="left", maintain_order="left")["unit"]
    neighbors, similarities = neighbor_arrays(tables.parts("neighbors"), unit_ids)
    return Corpus(
        samples=samples,
        unit=unit.fill_null(-1).to_numpy().astype(np.int32),
        unit_ids=unit_ids,
        vectors=vectors,
        neighbors=neighbors,
        similarities=similarities,
        embedder=embedder_of(tables),
        n_unusable=int((found & ~usable).sum()),
    )


def normalized(matrix: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(usable, vectors)`: which rows are found, finite and not zero, and those rows at unit length."""
    norms = np.sqrt(np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64))
    usable = found & np.isfinite(norms) & (norms > 1e-12)
    vectors = only(matrix, usable)
    vectors /= norms[usable, None].astype(np.float32)
    return usable, vectors


def neighbor_arrays(parts: list[Path], unit_ids: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """The `neighbors` table as `(rows, similarities)` of shape (n_units, k); edges to unknown units are left out.

    A unit's edges keep the order of the parts.
    """
    k = int(pl.scan_parquet(parts).select(pl.col("rank").max()).collect().item() or 0) if parts else 0
    rows = np.full((len(unit_ids), k), -1, dtype=np.int32)
    similarities = np.zeros((len(unit_ids), k), dtype=np.float32)
    filled = np.zeros(len(unit_ids), dtype=np.int64)
    for found in numbered_edges(parts, unit_ids):
        usable = (pl.col("sample_id") != pl.col("neighbor_id")) & pl.col("similarity").is_finite()
        edges = found.drop_nulls(["sample_id", "neighbor_id"]).filter(usable).sort("sample_id", "rank", "neighbor_id")
        unit = edges["sample_id"].to_numpy()
        at = filled[unit] + edges.select(at=pl.int_range(pl.len()).over("sample_id"))["at"].to_numpy()
        rows[unit, at] = edges["neighbor_id"].to_numpy()
        similarities[unit, at] = np.clip(edges["similarity"].to_numpy(), -1.0, 1.0)
        filled += np.bincount(unit, minlength=len(filled))
    k = int(filled.max(initial=0))
    return rows[:, :k], similarities[:, :k]


def code(samples: pl.DataFrame, column: str) -> Coding:
    """A column as codes. Values of any type become strings; lists and structs become missing."""
    values = samples[column]
    if values.dtype.is_nested() or values.dtype == pl.Binary:
        values = pl.Series(column, [None] * len(samples), dtype=pl.String)
    values = values.cast(pl.String, strict=False)
    names = sorted(values.drop_nulls().unique().to_list())
    lookup = pl.DataFrame(
        {"value": names, "code": np.arange(len(names), dtype=np.int32)}, schema_overrides={"value": pl.String}
    )
    codes = values.alias("value").to_frame().join(lookup, on="value", how="left", maintain_order="left")["code"]
    return Coding(column, codes.fill_null(-1).to_numpy().astype(np.int32), names)


def edges_frame(corpus: Corpus, start: int = 0, stop: int | None = None) -> pl.DataFrame:
    """The kNN graph (or of some units) as columns unit, neighbor, rank (from 1), distance (1 − cosine), for SQL."""
    unit, at = np.nonzero(corpus.neighbors[start:stop] >= 0)
    unit += start
    return pl.DataFrame(
        {
            "unit": unit.astype(np.int32),
            "neighbor": corpus.neighbors[unit, at],
            "rank": (at + 1).astype(np.int32),
            "distance": np.maximum(1.0 - corpus.similarities[unit, at].astype(np.float64), 0.0),
        }
    )


def cases_frame(corpus: Corpus, codes: np.ndarray) -> pl.DataFrame:
    """One row per (unit, label) that occurs, label −1 for missing, with `n` members and `share` of the unit's labelled.

    A unit whose copies carry different labels has several cases; each is judged on its own.
    """
    frame = pl.DataFrame({"unit": corpus.unit, "label": codes}).filter(pl.col("unit") >= 0)
    cases = frame.group_by("unit", "label").agg(pl.len().cast(pl.Int32).alias("n")).sort("unit", "label")
    labeled = pl.col("n").filter(pl.col("label") >= 0).sum().over("unit")
    return cases.with_columns(
        pl.when(pl.col("label") >= 0).then(pl.col("n") / labeled).otherwise(0.0).alias("share"),
        pl.len().over("unit").cast(pl.Int32).alias("n_values"),
    )
