"""The units of a snapshot and their vectors: what index, project and validate work on. Plain functions, no Prefect."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from assay.store.tables import TableReader
from assay.store.vectors import read_vectors

BLOCK = 8_192  # rows at a time


def unit_vectors(tables: TableReader) -> tuple[pl.DataFrame, np.ndarray]:
    """The duplicate-collapsed samples that have a usable vector, in `position` order.

    Returns:
        `(units, vectors)`: the rows of `samples` whose `sample_id` stands for its unit, and float32 of shape
        (n, d), each row of length 1; a zero vector stays zero. Vectors with NaN or infinity are left out.
    """
    samples = tables.scan("samples").select("sample_id", "position", "content_hash", "label", "split")
    heads = tables.scan("units").filter(pl.col("sample_id") == pl.col("unit_id")).select("sample_id")
    units = samples.join(heads, on="sample_id", how="semi").sort("position", "sample_id").collect()
    vectors, found = read_vectors(tables, units["content_hash"])
    for start in range(0, len(vectors), BLOCK):
        found[start : start + BLOCK] &= np.isfinite(vectors[start : start + BLOCK]).all(axis=1)
    return units.filter(pl.Series(found, dtype=pl.Boolean)), to_unit_length(only(vectors, found))


def only(matrix: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The chosen rows (n,) bool of a matrix, moved to its front in place, so that no second copy is held."""
    rows = np.flatnonzero(kept)
    for start in range(0, len(rows) if len(rows) < len(matrix) else 0, BLOCK):
        mine = rows[start : start + BLOCK]
        matrix[start : start + len(mine)] = matrix[mine]
    return matrix[: len(rows)]


def to_unit_length(vectors: np.ndarray) -> np.ndarray:
    """Scale the rows of a float32 matrix to length 1, in place; zero rows stay zero."""
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        largest = np.maximum(block.max(axis=1, initial=0.0), -block.min(axis=1, initial=0.0))
        used = largest[largest > 0]
        if len(used) and not 1e-15 < used.min() <= used.max() < 1e15:  # squares would vanish or overflow
            block /= np.where(largest > 0, largest, 1.0)[:, None]
        length = np.sqrt(np.einsum("ij,ij->i", block, block))
        block /= np.where(length > 0, length, 1.0)[:, None]
    return vectors


def embedder_of(tables: TableReader) -> str:
    """The fingerprint of the embedder that made the vectors; empty where there are none."""
    first = tables.scan("vectors").select("embedder").head(1).collect()
    return first["embedder"][0] if len(first) else ""


def unit_graph(tables: TableReader, ids: pl.Series, k: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The `neighbors` table as arrays: its first `k` ranks (default: all there are).

    Args:
        ids: sample_id of the units, in the order of `unit_vectors`.

    Returns:
        `(rows, similarities)`: int32 and float32 of shape (n, k); `rows` counts in `ids`.
    """
    parts = tables.parts("neighbors")
    total = sum(_nearest(part, k).select(pl.len()).collect().item() for part in parts)
    if not total:
        return np.zeros((len(ids), 0), dtype=np.int32), np.zeros((len(ids), 0), dtype=np.float32)
    rows, similarities, start = np.empty(total, dtype=np.int32), np.empty(total, dtype=np.float32), 0
    for near in numbered_edges(parts, ids, ("neighbor_id",), k):
        here = slice(start, start + len(near))
        rows[here], similarities[here], start = near["neighbor_id"].to_numpy(), near["similarity"].to_numpy(), here.stop
    return rows.reshape(len(ids), -1), similarities.reshape(len(ids), -1)


def numbered_edges(
    parts: Sequence[Path], ids: pl.Series, ends: Sequence[str] = ("sample_id", "neighbor_id"), k: int | None = None
) -> Iterator[pl.DataFrame]:
    """The `neighbors` table with numbers for names: the first `k` ranks (default: all) of one part after the other,
    because the names of all would take more memory than the vectors.

    Args:
        ids: (n,) different names.
        ends: the columns wanted beside `rank` and `similarity`; int32 places in `ids`, null where a name is none of
            them.
    """
    numbers = _Numbers(ids)
    for part in parts:
        edges = _nearest(part, k).select(*ends, "rank", "similarity").collect()
        yield edges.with_columns(numbers.of(edges[end]).alias(end) for end in ends)


class _Numbers:
    """The place of each name in `ids` (n,), found by its hash. A look-up by the name itself takes twice as long, and is
    left to those whose hash is another's, or nobody's."""

    def __init__(self, ids: pl.Series) -> None:
        self._names = pl.DataFrame({"name": ids, "number": np.arange(len(ids), dtype=np.int32)})
        self._hashes = self._names.select(pl.col("name").hash(), "number").unique("name")

    def of(self, names: pl.Series) -> pl.Series:
        """int32, null where a name is none of `ids`; a run of one name is looked up once."""
        runs = names.rle().struct.unnest()
        heads = runs.select(name="value")
        hashes = heads.select(pl.col("name").hash())
        number = hashes.join(self._hashes, on="name", how="left", maintain_order="left")["number"]
        wrong = ~(self._names["name"].gather(number) == heads["name"]).fill_null(False)
        if wrong.any():
            others = heads.filter(wrong).join(self._names, on="name", how="left", maintain_order="left")["number"]
            number = number.scatter(wrong.arg_true(), others)
        return number.gather(np.repeat(np.arange(len(runs), dtype=np.uint32), runs["len"].to_numpy()))


def _nearest(part: Path, k: int | None) -> pl.LazyFrame:
    """The first `k` ranks of a part; all where `k` is None."""
    frame = pl.scan_parquet(part)
    return frame if k is None else frame.filter(pl.col("rank") <= k)
