"""The `vectors` table as a matrix, and back."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.stage import StageOutput


def read_vectors(output: StageOutput, content_hashes: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of some contents, one row group in memory at a time beside the result.

    Returns:
        `(matrix, found)`: float32 of shape (n, d), a row per entry of `content_hashes` (zeros where there is no
        vector), and bool of shape (n,) saying which rows were found.
    """
    wanted = pl.DataFrame({"content_hash": content_hashes}).with_row_index("row")
    found = np.zeros(len(wanted), dtype=bool)
    matrix: np.ndarray | None = None
    for part in output.parts("vectors"):
        with pq.ParquetFile(part) as file:
            dimensions = file.schema_arrow.field("vector").type.list_size
            if matrix is None:
                matrix = np.zeros((len(wanted), dimensions), dtype=np.float32)
            here = pl.from_arrow(file.read(["content_hash"])).with_row_index("source")
            hits = wanted.join(here, on="content_hash", how="inner").sort("source", "row")
            rows, source = hits["row"].to_numpy(), hits["source"].to_numpy().astype(np.int64)
            found[rows] = True
            end = 0
            for group in range(file.num_row_groups):
                values = file.read_row_group(group, ["vector"]).column("vector").combine_chunks().flatten()
                flat = values.to_numpy(zero_copy_only=False).reshape(-1, dimensions)
                start, end = end, end + len(flat)
                mine = slice(*np.searchsorted(source, [start, end]))
                matrix[_as_slice(rows[mine])] = flat[_as_slice(source[mine] - start)]
    return (matrix if matrix is not None else np.zeros((len(wanted), 0), dtype=np.float32)), found


def _as_slice(numbers: np.ndarray) -> slice | np.ndarray:
    """Consecutive numbers as a slice, with which NumPy copies several times as fast."""
    if len(numbers) and (np.diff(numbers.astype(np.int64)) == 1).all():
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers


def vectors_frame(content_hashes: Sequence[str], embedder: str, matrix: np.ndarray) -> pl.DataFrame:
    """Rows of the `vectors` table from a float16 or float32 matrix of shape (n, d)."""
    flat = pa.array(np.ascontiguousarray(matrix).reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])
    hashes = pa.array(list(content_hashes), pa.string())
    return pl.from_arrow(
        pa.table(
            {"content_hash": hashes, "embedder": pa.array([embedder] * len(hashes), pa.string()), "vector": column}
        )
    )
