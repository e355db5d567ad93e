"""Data handed over in memory, kept as a table of the home, so that a night can be repeated."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.contracts.errors import SpecError
from assay.store.files import atomic_file


def write_texts(path: Path, texts: Any, labels: Sequence[Any] | None, label: str) -> None:
    """Write a list of strings, or a frame with a column `text`, as a table.

    Args:
        texts: a sequence of strings, or a Polars, pandas or Arrow frame.
        labels: of a sequence; a frame has its own column `label`.

    Raises:
        SpecError: they are neither; the frame lacks a column, or `labels` are not as many as the texts.
    """
    frame = as_frame(texts)
    if frame is None:
        frame = pl.DataFrame({"text": pl.Series(_strings(texts), dtype=pl.String)})
    if "text" not in frame.columns:
        raise SpecError(f"the texts must be in the column `text`; found {', '.join(frame.columns)}. Rename the column")
    _write(path, _labelled(frame, labels, label))


def write_vectors(path: Path, vectors: Any, labels: Sequence[Any] | None, label: str) -> None:
    """Write a matrix of shape (n, d) as a table. Raises as `write_texts`, and where it is no matrix."""
    try:
        matrix = np.asarray(vectors)
    except ValueError as error:
        raise SpecError(f"vectors must be a matrix of numbers, one row per sample; found {error}") from None
    if matrix.ndim != 2 or not matrix.shape[1] or matrix.dtype.kind not in "fiu":
        raise SpecError(
            f"vectors must be a matrix of numbers, one row per sample; found shape {matrix.shape}, {matrix.dtype}"
        )
    column = pl.Series("vector", matrix.astype(np.float32), dtype=pl.Array(pl.Float32, matrix.shape[1]))
    _write(path, _labelled(column.cast(pl.List(pl.Float32)).to_frame(), labels, label))


def as_frame(given: Any) -> pl.DataFrame | None:
    """A Polars, pandas or Arrow frame as Polars; None where it is none, as a single column is."""
    if isinstance(given, pl.LazyFrame):
        return given.collect()
    if isinstance(given, pl.DataFrame):
        return given
    if hasattr(given, "__arrow_c_stream__") and not hasattr(given, "to_frame"):
        found = pl.DataFrame(given)
        return found if found.width else None
    if type(given).__module__.partition(".")[0] == "pandas" and hasattr(given, "columns"):
        return pl.from_pandas(given)
    return None


def _strings(texts: Any) -> list[str | None]:
    """A sequence of strings, None where one is missing. Raises `SpecError` where it is none."""
    if isinstance(texts, str | bytes | Mapping) or not isinstance(texts, Iterable):
        raise SpecError(
            f"texts are a list of strings, or a frame with a column `text`; found {type(texts).__name__} {texts!r:.60}"
        )
    found = [None if is_missing(one) else one for one in texts]
    for place, one in enumerate(found):
        if one is not None and not isinstance(one, str):
            raise SpecError(f"text {place} is the {type(one).__name__} {one!r:.60}; wanted strings")
    return found


def is_missing(value: Any) -> bool:
    """Whether a value stands for none: None, NaN of any library, pandas' NA and NaT."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # NA is neither equal nor unequal
        return True
    except ValueError:  # an array
        return False


def _labelled(frame: pl.DataFrame, labels: Sequence[Any] | None, label: str) -> pl.DataFrame:
    """The frame with its labels in the column `label`."""
    if labels is not None:
        if isinstance(labels, str | bytes):
            raise SpecError(f"labels are a list, one for each sample; found {labels!r:.60}")
        if len(labels) != len(frame):
            raise SpecError(f"{len(labels):,} labels for {len(frame):,} samples; wanted one for each, or None")
        names = [None if is_missing(one) else str(one) for one in labels]
        return frame.with_columns(label=pl.Series(names, dtype=pl.String))
    if label != "label" and {label, "label"} <= set(frame.columns):
        raise SpecError(f"the labels are in `{label}`, and there is a column `label` besides; rename it, or drop it")
    if label == "label" or label in frame.columns:
        return frame.rename({label: "label"}) if label != "label" else frame
    raise SpecError(f"there is no column `{label}` for the labels; found {', '.join(frame.columns)}")


def _write(path: Path, frame: pl.DataFrame) -> None:
    with atomic_file(path) as aside:
        frame.write_parquet(aside)
