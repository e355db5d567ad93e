"""The `vectors` table as a matrix, and back."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.stage import StageOutput


def read_vectors(output: StageOutput, content_hashes: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of some contents, one part in memory at a time beside the result.

    Returns:
        `(matrix, found)`: float32 of shape (n, d), a row per entry of `content_hashes` (zeros where there is no
        vector), and bool of shape (n,) saying which rows were found.
    """
    wanted = pl.DataFrame({"content_hash": content_hashes}).with_row_index("row")
    found = np.zeros(len(wanted), dtype=bool)
    matrix: np.ndarray | None = None
    for part in output.parts("vectors"):
        table = pq.read_table(part, columns=["content_hash", "vector"])
        values = table.column("vector").combine_chunks()
        dimensions = values.type.list_size
        if matrix is None:
            matrix = np.zeros((len(wanted), dimensions), dtype=np.float32)
        here = pl.DataFrame({"content_hash": pl.from_arrow(table.column("content_hash"))}).with_row_index("source")
        hits = wanted.join(here, on="content_hash", how="inner").sort("row")
        flat = values.flatten().to_numpy(zero_copy_only=False).reshape(-1, dimensions)
        rows = _as_slice(hits["row"].to_numpy())
        matrix[rows] = flat[_as_slice(hits["source"].to_numpy())]
        found[rows] = True
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
