"""The `vectors` table as a matrix, and back."""

import functools
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from assay.store.tables import TableReader


def read_vectors(tables: TableReader, content_hashes: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of some contents, two row groups in memory at a time beside the result.

    Returns:
        `(matrix, found)`: float32 of shape (n, d), a row per entry of `content_hashes` (zeros where there is no
        vector), and bool of shape (n,) saying which rows were found.
    """
    wanted = pl.DataFrame({"content_hash": content_hashes}).with_row_index("row")
    found = np.zeros(len(wanted), dtype=bool)
    matrix: np.ndarray | None = None
    for part in tables.parts("vectors"):
        described = pq.read_metadata(part)
        dimensions = described.schema.to_arrow_schema().field("vector").type.list_size
        if matrix is None:
            matrix = np.zeros((len(wanted), dimensions), dtype=np.float32)
        here = pl.read_parquet(part, columns=["content_hash"]).with_row_index("source")
        hits = wanted.join(here, on="content_hash", how="inner").sort("source", "row")
        rows, source = hits["row"].to_numpy(), hits["source"].to_numpy().astype(np.int64)
        found[rows] = True
        sizes = [described.row_group(group).num_rows for group in range(described.num_row_groups)]
        place = functools.partial(_place_group, part, matrix, rows, source)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(place, range(len(sizes)), itertools.accumulate([0, *sizes[:-1]])))
    return (matrix if matrix is not None else np.zeros((len(wanted), 0), dtype=np.float32)), found


def _place_group(part: Path, matrix: np.ndarray, rows: np.ndarray, source: np.ndarray, group: int, start: int) -> None:
    """Copy vectors of a row group to their rows of `matrix`: number `source[i]` of the file to row `rows[i]`. The
    group's first vector is number `start` of the file; `source` is ascending."""
    with pq.ParquetFile(part) as file:
        column = file.read_row_group(group, ["vector"], use_threads=False).column("vector").combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)
    mine = slice(*np.searchsorted(source, [start, start + len(flat)]))
    matrix[_as_slice(rows[mine])] = flat[_as_slice(source[mine] - start)]


def _as_slice(numbers: np.ndarray) -> slice | np.ndarray:
    """Consecutive numbers as a slice, with which NumPy copies several times faster."""
    if len(numbers) and (np.diff(numbers.astype(np.int64)) == 1).all():
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers


def vectors_frame(content_hashes: Sequence[str], embedder: str, matrix: np.ndarray) -> pl.DataFrame:
    """Rows of the `vectors` table from a float16 or float32 matrix of shape (n, d)."""
    flat = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])
    hashes = pa.array(list(content_hashes), pa.string())
    return pl.DataFrame(
        pa.table(
            {"content_hash": hashes, "embedder": pa.array([embedder] * len(hashes), pa.string()), "vector": column}
        )
    )
