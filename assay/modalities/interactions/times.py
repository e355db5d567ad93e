"""Times as tables give them: dates, time stamps, ISO text, or seconds, milliseconds, … since 1970."""

from typing import Any

import polars as pl

UNITS = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (0.0, "s"))  # from this size of a number on, it counts these
TO_MICROSECONDS = {"ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6}
FIRST, LAST = 31_536_000.0, 4_133_980_800.0  # seconds since 1970: the years 1971 to 2100


def as_times(column: Any) -> tuple[pl.Series, int]:
    """The times as UTC datetimes of microseconds, null where there is none, and how many cells are no times.

    The unit of numbers is that of their median, so that one wrong cell costs one cell.
    """
    values = column.to_pylist() if hasattr(column, "to_pylist") else list(column)
    given = pl.Series(values, strict=False)
    if given.dtype.is_temporal() and given.dtype != pl.Time:
        found = given.cast(pl.Datetime("us"), strict=False).dt.epoch("us").cast(pl.Float64)
    else:
        found = _of_numbers(given) if given.dtype != pl.Null else given.cast(pl.Float64)
    good = found.is_between(FIRST * 1e6, LAST * 1e6)
    kept = pl.select(pl.when(good).then(found)).to_series().cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    return kept, kept.null_count() - given.null_count()


def _of_numbers(given: pl.Series) -> pl.Series:
    """Microseconds since 1970 of numbers, or of text that spells numbers or dates."""
    numbers = given.cast(pl.Float64, strict=False)
    if numbers.null_count() == given.null_count():
        middle = float(numbers.abs().fill_nan(None).drop_nulls().median() or 0.0)  # type: ignore[arg-type]
        unit = next(name for least, name in UNITS if middle >= least)
        return numbers * TO_MICROSECONDS[unit]
    text = given.cast(pl.String, strict=False)
    formats = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y")
    plain = text.str.strip_chars().str.replace(r"(Z|[+-]00:?00)$", "")
    parsed = [plain.str.to_datetime(form, strict=False, time_unit="us") for form in formats]
    return pl.select(pl.coalesce(parsed)).to_series().dt.epoch("us").cast(pl.Float64)
