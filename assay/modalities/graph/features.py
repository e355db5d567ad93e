"""The features of a graph's nodes as one sparse matrix: from a SciPy or NumPy file, or from columns of numbers.

Files are data: nothing in them is unpickled, and sizes and positions are checked before anything is made of them.
"""

import io
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from assay.contracts.errors import SourceError

MOST_BYTES = 2**33  # that the arrays of a file may unpack to
BROKEN = (  # what NumPy, SciPy and zipfile raise of files that are damaged, encrypted, or made to harm
    ValueError, OSError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError, RuntimeError,
    SyntaxError, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
IDS = ("ids", "node_ids", "nodes", "index")  # arrays of a file that name its rows


@dataclass(frozen=True)
class FeatureFile:
    """What a file holds: (rows, width) float32, NaN and infinity kept, and the id of each row where the file says."""

    name: str
    matrix: sparse.csr_matrix
    ids: list[str] | None = None


def read_features(name: str, data: bytes) -> FeatureFile:
    """Features out of the bytes of an `.npz` or `.npy`.

    Raises:
        SourceError: the file is broken, holds Python objects, or no matrix of numbers.
    """
    try:
        arrays = _arrays(name, data)
        is_sparse = "indptr" in arrays or {"shape", "data"} <= arrays.keys()
        matrix = _sparse(arrays) if is_sparse else _dense(name, arrays)
        ids = next((arrays[key] for key in IDS if key in arrays and arrays[key].ndim == 1), None)
        named = None if ids is None else [value.decode() if isinstance(value, bytes) else str(value) for value in ids]
    except SourceError:
        raise
    except BROKEN as error:
        raise SourceError(
            f"{name} cannot be read as a matrix of numbers ({str(error)[:200]}); wanted what scipy.sparse.save_npz or "
            "numpy.savez writes, without Python objects"
        ) from None
    if ids is not None and len(ids) != matrix.shape[0]:
        raise SourceError(f"{name} has {matrix.shape[0]:,} rows of features and {len(ids):,} ids of rows")
    return FeatureFile(name, matrix, named)


def _arrays(name: str, data: bytes) -> dict[str, NDArray[Any]]:
    if data.startswith(b"\x93NUMPY"):
        return {"features": np.load(io.BytesIO(data), allow_pickle=False)}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MOST_BYTES:
        raise SourceError(f"{name} unpacks to {size:,} bytes; wanted at most {MOST_BYTES:,}")
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def _sparse(arrays: dict[str, NDArray[Any]]) -> sparse.csr_matrix:
    """A matrix as `scipy.sparse.save_npz` stores it. Raises `ValueError` where an index lies outside."""
    form = arrays["format"].item() if "format" in arrays else "csr"
    form = form.decode() if isinstance(form, bytes) else str(form)
    shape = tuple(int(side) for side in arrays["shape"])
    values = _numbers(arrays["data"])
    if len(shape) != 2 or min(shape) < 0 or max(shape) >= 2**31:
        raise ValueError(f"a shape of {shape}")
    if form == "coo":
        row, column = arrays["row"], arrays["col"]
        if len(row) and (min(row.min(), column.min()) < 0 or row.max() >= shape[0] or column.max() >= shape[1]):
            raise ValueError("an index lies outside the matrix")
        return sparse.csr_matrix((values, (row, column)), shape=shape)
    if form not in ("csr", "csc"):
        raise ValueError(f"the sparse format {form!r}; wanted csr, csc or coo")
    if len(arrays["indptr"]) != shape[form == "csc"] + 1:
        raise ValueError(f"{len(arrays['indptr'])} row pointers for a shape of {shape}")
    kind = sparse.csr_matrix if form == "csr" else sparse.csc_matrix
    matrix = kind((values, arrays["indices"], arrays["indptr"]), shape=shape)
    matrix.check_format(full_check=True)
    found = sparse.csr_matrix(matrix)
    found.sum_duplicates()
    return found


def _dense(name: str, arrays: dict[str, NDArray[Any]]) -> sparse.csr_matrix:
    found = {key: array for key, array in arrays.items() if array.ndim == 2}
    if len(found) != 1:
        described = ", ".join(f"{key} of shape {array.shape}" for key, array in arrays.items()) or "nothing"
        raise SourceError(f"{name} holds {described[:300]}; wanted one matrix of numbers, a row a node")
    return sparse.csr_matrix(_numbers(next(iter(found.values()))))


def _numbers(array: NDArray[Any]) -> NDArray[np.float32]:
    if array.dtype.kind not in "fiub":
        raise ValueError(f"values of type {array.dtype}; wanted numbers")
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def places_of(file: FeatureFile, ids: list[str | None]) -> NDArray[np.int64]:
    """(n,) for each row of the nodes its row of the features, −1 where the file names its rows and not this one.

    Rows that the file does not name are node ids where these are just the numbers from 0 on, else they go with the rows
    of the nodes, one by one.

    Raises:
        SourceError: the rows match in none of these ways.
    """
    rows = file.matrix.shape[0]
    if file.ids is not None:
        known = {name: row for row, name in enumerate(file.ids)}
        return np.array([known.get(name, -1) if name is not None else -1 for name in ids], dtype=np.int64)
    distinct = {name for name in ids if name is not None}
    if len(distinct) == rows and distinct == set(map(str, range(rows))):
        return np.array([-1 if name is None else int(name) for name in ids], dtype=np.int64)
    if len(ids) == rows:
        return np.arange(rows, dtype=np.int64)
    raise SourceError(
        f"{file.name} has {rows:,} rows of features, and the nodes are {len(distinct):,} ids in {len(ids):,} rows; "
        "wanted a row a node: by its number where the ids are 0, 1, 2 …, in the order of the nodes, or named by an "
        "array `ids`"
    )


def unit_length(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Rows of length 1, NaN and infinity taken for 0; a row of zeros stays one."""
    clean = matrix.copy().astype(np.float64)
    clean.data = np.where(np.isfinite(clean.data), clean.data, 0.0)
    lengths = np.sqrt(np.asarray(clean.multiply(clean).sum(axis=1)).reshape(-1))
    return sparse.csr_matrix(sparse.diags(1.0 / np.where(lengths > 0, lengths, 1.0)) @ clean)


def cosines(unit: sparse.csr_matrix, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float64]:
    """(m,) cosines of pairs of rows of length 1, in [−1, 1]; NaN where one has no feature."""
    found = np.empty(len(left), dtype=np.float64)
    empty = np.diff(unit.indptr) == 0
    for start in range(0, len(left), 50_000):
        part = slice(start, start + 50_000)
        found[part] = np.asarray(unit[left[part]].multiply(unit[right[part]]).sum(axis=1)).reshape(-1)
    found[empty[left] | empty[right]] = np.nan
    return np.clip(found, -1.0, 1.0)
