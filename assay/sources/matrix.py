"""Vectors out of a table's column, as one float32 matrix and a reason for each row that has none."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.sources.columns import values_of

LISTED = re.compile(  # [1, 2], also as array([1, 2], dtype=float32); or without brackets
    r"\s*(?:[A-Za-z_.]+\()?\s*[\[(]([^\[\]()]*)[\])]\s*(?:,\s*\w+=[\w.]+\s*)*\)?\s*|([^\[\]()]*)"
)
MISSING, NOT_NUMERIC, WRONG_LENGTH, NOT_FINITE = "missing_vector", "not_numeric", "wrong_length", "not_finite"


def as_matrix(column: Any, dimensions: int | None) -> tuple[np.ndarray, list[str | None], int | None]:
    """
    Args:
        column: an Arrow list array, a list of Python values (lists of numbers, or text that spells one, such as
            "[0.1, 0.2]"), or a matrix.
        dimensions: length of a vector; None: the most common one here, the shorter of equals.

    Returns:
        `(matrix, reasons, dimensions)`: float32 of shape (n, d) with zeros in refused rows; a reason code or None for
        each row; d, or None where no row has a vector.
    """
    flat, lengths, reasons = _arrow_parts(column) if isinstance(column, pa.Array) else _python_parts(column)
    usable = lengths[(lengths > 0) & np.array([reason is None for reason in reasons], dtype=bool)]
    if dimensions is None and len(usable):
        counts = Counter(usable.tolist())
        dimensions = min(counts, key=lambda length: (-counts[length], length))
    matrix = np.zeros((len(lengths), dimensions or 0), dtype=np.float32)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64) if len(lengths) else lengths
    fits = (lengths == dimensions) if dimensions else np.zeros(len(lengths), dtype=bool)
    if fits.any():
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and is refused below
            matrix[fits] = flat[starts[fits][:, None] + np.arange(matrix.shape[1])]
    finite = np.isfinite(matrix).all(axis=1)
    for row in np.flatnonzero(~(fits & finite)):
        if reasons[row] is None:
            reasons[row] = NOT_FINITE if fits[row] else WRONG_LENGTH
    matrix[[reason is not None for reason in reasons]] = 0.0
    return matrix, reasons, dimensions


def _arrow_parts(column: pa.Array) -> tuple[np.ndarray, np.ndarray, list[str | None]]:
    """Values end to end, the length of each row, and reasons for rows that are missing or no list of numbers."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _arrow_parts(column.dictionary_decode())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return _python_parts(values_of(column))
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    reasons: list[str | None] = [None if ok else MISSING for ok in valid]
    value_type = kind.value_type if is_list else None
    if not is_list or not (pa.types.is_floating(value_type) or pa.types.is_integer(value_type)):
        zeros = np.zeros(len(column), dtype=np.int64)
        return np.zeros(0), zeros, [reason or NOT_NUMERIC for reason in reasons]
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    lengths[~valid] = 0
    flat = column.flatten().to_numpy(zero_copy_only=False)  # a null inside becomes NaN: not finite
    return flat, lengths, reasons


def _python_parts(column: Sequence[Any]) -> tuple[np.ndarray, np.ndarray, list[str | None]]:
    """As `_arrow_parts`, for parsed JSON or the rows of a matrix."""
    pieces, lengths, reasons = [], np.zeros(len(column), dtype=np.int64), []
    for row, value in enumerate(column):
        piece = _numbers(value)
        reasons.append((MISSING if value is None else NOT_NUMERIC) if piece is None else None)
        if piece is not None:
            pieces.append(piece)
            lengths[row] = len(piece)
    return (np.concatenate(pieces) if pieces else np.zeros(0)), lengths, reasons


def _numbers(value: object) -> np.ndarray | None:
    """A list of numbers as float64; None where it is anything else. null inside a list is NaN."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype.kind in "fiu" else None
    if isinstance(value, str):
        return _spelled(value)
    if not isinstance(value, list) or not all(type(item) in (int, float, type(None)) for item in value):
        return None
    try:
        return np.array([np.nan if item is None else item for item in value], dtype=np.float64)
    except OverflowError:  # an integer beyond float64
        return np.full(len(value), np.inf)


def _spelled(text: str) -> np.ndarray | None:
    """The numbers that a cell of text lists, parted by commas, semicolons (then with decimal commas) or blanks."""
    match = LISTED.fullmatch(text)
    inside = (match[1] if match[1] is not None else match[2]) if match else ""
    if ";" in inside:
        cells = [cell.strip().replace(",", ".") for cell in inside.rstrip("; ").split(";")]
    else:
        cells = [cell.strip() for cell in inside.rstrip(", ").split(",")] if "," in inside else inside.split()
    try:
        numbers = [np.nan if cell in ("null", "None") else float(cell) for cell in cells]
    except ValueError:
        return None
    return np.array(numbers, dtype=np.float64) if numbers else None
