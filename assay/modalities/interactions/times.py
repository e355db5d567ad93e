"""Times as tables give them: dates, time stamps, ISO text, or seconds, milliseconds, … since 1970."""

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from assay.sources.columns import PER_DAY, values_of

UNITS = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (0.0, "s"))  # from this size of a number on, it counts these
TO_MICROSECONDS = {"ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6}
FIRST, LAST = 31_536_000.0, 4_133_980_800.0  # seconds since 1970: the years 1971 to 2100
EPOCH, MICROSECOND = dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.timedelta(microseconds=1)
FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y")
OFFSET = r"(?i)(:\d\d(?:\.\d+)?) ?(?:Z|UTC|GMT|([+-])(\d\d):?(\d\d)?)$"


def as_times(column: Any) -> tuple[pl.Series, int]:
    """The times as UTC datetimes of microseconds, null where there is none, and how many cells are no times.

    The unit of numbers is that of their median, so that one wrong cell costs one cell; what has no time zone is UTC.
    """
    found, n_empty = _of_arrow(column) if isinstance(column, pa.Array) else _of_cells(column)
    good = found.is_between(FIRST * 1e6, LAST * 1e6)
    kept = pl.select(pl.when(good).then(found)).to_series().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    return kept, kept.null_count() - n_empty


def _of_arrow(column: pa.Array) -> tuple[pl.Series, int]:
    """Microseconds since 1970, and how many cells are empty."""
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date64(kind):
        unit = getattr(kind, "unit", "ms")
        return pl.Series(column.view(pa.int64())).cast(pl.Float64) * TO_MICROSECONDS[unit], column.null_count
    if pa.types.is_date32(kind):
        return pl.Series(column.view(pa.int32())).cast(pl.Float64) * PER_DAY["us"], column.null_count
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _in_unit(pl.Series(column.cast(pa.float64(), safe=False))), column.null_count
    return _of_cells(column)


def _of_cells(column: Any) -> tuple[pl.Series, int]:
    """The same of cells of any types."""
    cells = [None if isinstance(cell, str) and not cell.strip() else cell for cell in values_of(column)]
    text = pl.Series([cell if isinstance(cell, str) else None for cell in cells], dtype=pl.String).str.strip_chars()
    given = pl.Series([_number(cell) for cell in cells], dtype=pl.Float64)
    numbers = pl.select(pl.coalesce(given, text.cast(pl.Float64, strict=False))).to_series()
    moments = pl.Series([_moment(cell) for cell in cells], dtype=pl.Float64)
    return pl.select(pl.coalesce(_in_unit(numbers), moments, _spelled(text))).to_series(), cells.count(None)


def _number(cell: object) -> float | None:
    if not isinstance(cell, int | float | Decimal):
        return None
    try:
        return float(cell)
    except OverflowError:
        return math.inf


def _moment(cell: object) -> float | None:
    """Microseconds since 1970 of a date or a time stamp."""
    if not isinstance(cell, dt.date):
        return None
    moment = cell if isinstance(cell, dt.datetime) else dt.datetime(cell.year, cell.month, cell.day)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)) - EPOCH) / MICROSECOND


def _in_unit(numbers: pl.Series) -> pl.Series:
    """Microseconds of numbers since 1970."""
    middle = float(numbers.abs().fill_nan(None).drop_nulls().median() or 0.0)  # type: ignore[arg-type]
    unit = next(name for least, name in UNITS if middle >= least)
    return numbers * TO_MICROSECONDS[unit]


def _spelled(text: pl.Series) -> pl.Series:
    """Microseconds since 1970 of text that spells dates."""
    sign, hours, minutes = (text.str.extract(OFFSET, group) for group in (2, 3, 4))
    ahead = hours.cast(pl.Float64) * 60 + minutes.cast(pl.Float64).fill_null(0.0)
    ahead = ahead.fill_null(0.0) * pl.Series(np.where(sign.fill_null("+") == "-", -60e6, 60e6))
    plain = text.str.replace(OFFSET, "$1").str.replace(r"^(\d{4}-\d\d-\d\d)[Tt]", "$1 ")
    parsed = [plain.str.to_datetime(form, strict=False, time_unit="us") for form in FORMATS]
    return pl.select(pl.coalesce(parsed)).to_series().dt.epoch("us").cast(pl.Float64) - ahead
