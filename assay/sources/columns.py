"""Values and types of a table's columns: text that is safe to store, and further columns with one type each."""

import datetime
import zoneinfo
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from assay.contracts.tables import Ingested
from assay.sources.label_text import EXACT, as_text
from assay.sources.unicode import is_unicode

INTEGER = r"^-?(0|[1-9][0-9]*)$"  # no leading zeros: 007 is a name, not a number
DECIMAL = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$"
PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
FIRST_DAY, END_DAY = -719_162, 2_932_897  # of the years 1 to 9999, counted from 1970
BOOLEAN = r"^(true|false|True|False|TRUE|FALSE)$"


UNKEPT = object()  # stands for a cell that Python cannot hold


class Fates:
    """Why each row of a batch is refused, if it is; the first reason stands. `lost`: cells of a column that became
    null, since no type can hold them."""

    def __init__(self, n: int) -> None:
        self.lost: Counter[str] = Counter()
        self.reasons: list[str | None] = [None] * n
        self.details: list[str] = [""] * n

    def refuse(self, place: int, reason: str, detail: str) -> None:
        """Refuse one row."""
        if self.reasons[place] is None:
            self.reasons[place], self.details[place] = reason, detail


def values_of(column: Sequence[Any] | pa.Array) -> list[Any]:
    """A column as Python values. Bytes that are not UTF-8 become lone surrogates, as in Python's own file names."""
    if not isinstance(column, pa.Array):
        return list(column)
    kind = column.type
    if pa.types.is_dictionary(kind):
        values = values_of(column.dictionary)  # each distinct value is made once, however often it stands
        return [None if place is None else values[place] for place in column.indices.to_pylist()]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        found = column.cast(pa.large_binary()).to_pylist()
        return [None if value is None else value.decode("utf-8", "surrogateescape") for value in found]
    if pa.types.is_float32(kind) or pa.types.is_float16(kind):  # .1 is .1 in any width
        return [None if value is None else float(str(np.float32(value))) for value in column.to_pylist()]
    if getattr(kind, "unit", "") == "ns":  # Python's times end at microseconds
        makers = {pa.types.is_time: pa.time64, pa.types.is_duration: pa.duration}
        make = next((made for test, made in makers.items() if test(kind)), lambda unit: pa.timestamp(unit, kind.tz))
        column = column.cast(make("us"), safe=False)
    try:
        return column.to_pylist()
    except (ValueError, OverflowError, UnicodeDecodeError):  # a date beyond Python's, text inside a list
        return [_value(cell) for cell in column]


def _value(cell: pa.Scalar) -> object:
    """One cell as a Python value; `UNKEPT` where there is none for it."""
    try:
        return cell.as_py()
    except (ValueError, OverflowError, UnicodeDecodeError):
        return UNKEPT


def strings(
    column: Sequence[Any] | pa.Array,
    fates: Fates,
    name: str,
    limit: int,
    spell: Callable[[object], str | None] = as_text,
) -> list[str | None]:
    """A column as text; a row whose value is not Unicode or over `limit` characters is refused."""
    values = kept_values(column, fates, name)
    if spell is as_text:
        found = [as_text(value) for value in values]
    else:  # of labels few are distinct
        spelled = {value: spell(value) for value in {value for value in values if type(value) is str}}
        found = [spelled[value] if type(value) is str else spell(value) for value in values]
    for place, text in enumerate(found):
        if text is None:
            continue
        if len(text) > limit:
            fates.refuse(place, "too_large", f"{len(text):,} characters in {name!r}, wanted at most {limit:,}")
            found[place] = None
        elif not is_unicode(text):
            fates.refuse(place, "invalid_unicode", f"{name!r} holds bytes that are not UTF-8, or a lone surrogate")
            found[place] = None
    return found


def kept_values(column: Sequence[Any] | pa.Array, fates: Fates, name: str) -> list[Any]:
    """`values_of`, with null for what Python cannot hold, which `fates` counts."""
    values = values_of(column)
    n = sum(value is UNKEPT for value in values) if isinstance(column, pa.Array) else 0
    if n:
        fates.lost[name] += n
    return [None if value is UNKEPT else value for value in values] if n else values


def group_column(column: Sequence[Any] | pa.Array, fates: Fates, name: str, limit: int) -> pl.Series | None:
    """A further column as a typed series; None for bytes, which are no group."""
    if isinstance(column, pa.Array):
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            return None
        plain = _plain_arrow(column, fates, name)
        if plain is not None:
            return plain.alias(name)
    values = kept_values(column, fates, name)
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {bytes}:
        return None
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds and kinds <= {int, float} and not any(type(value) is int and abs(value) > EXACT for value in values):
        return pl.Series(name, values, dtype=pl.Float64, strict=False).fill_nan(None)
    found = strings(values, fates, name, limit)
    return pl.Series(name, found, dtype=pl.String if kinds else pl.Null)


def _plain_arrow(column: pa.Array, fates: Fates, name: str) -> pl.Series | None:
    """Numbers, booleans and dates as they are, in the widest type of their kind; None for what must become text."""
    kind = column.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return pl.Series(_within_calendar(column, fates, name))
    if pa.types.is_boolean(kind):
        return pl.Series(column)
    if pa.types.is_integer(kind):
        wide = kind if pa.types.is_uint64(kind) else pa.int64()
        return pl.Series(column.cast(wide))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pl.Series(column.cast(pa.float64())).fill_nan(None)
    return None


def _within_calendar(column: pa.Array, fates: Fates, name: str) -> pa.Array:
    """Dates and times between the years 1 and 9999; what lies beyond is null, and counted as lost."""
    kind = column.type
    per_day = 1 if pa.types.is_date32(kind) else PER_DAY[getattr(kind, "unit", "ms")]
    counts = column.view(pa.int32() if pa.types.is_date32(kind) else pa.int64())
    is_within = pc.and_(
        pc.greater_equal(counts, max(FIRST_DAY * per_day, -(2**63))),
        pc.less(counts, min(END_DAY * per_day, 2**63 - 1)),
    )
    n = len(column) - column.null_count - (pc.sum(is_within).as_py() or 0)
    if n:
        fates.lost[name] += n
        column = pc.if_else(is_within, column, pa.scalar(None, kind))
    zone = getattr(kind, "tz", None)
    return column.cast(pa.timestamp(kind.unit, "UTC")) if zone and not _is_zone(zone) else column


def _is_zone(name: str) -> bool:
    """Whether a time zone is known here by that name; an offset such as +02:00 is none."""
    try:
        datetime.datetime(2000, 1, 1, tzinfo=zoneinfo.ZoneInfo(name))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return False
    return True


def unify_columns(frames: Sequence[pl.DataFrame], untyped: set[str]) -> pl.DataFrame:
    """All frames in one: contract columns first, each further column in one type, null where a file lacks it.

    Columns in `untyped` (CSV) are text whose values say what they are: integers, decimals, booleans or text.
    """
    core = list(Ingested.columns())
    names = list(dict.fromkeys(name for frame in frames for name in frame.columns if name not in core))
    if not frames:
        return Ingested.create_empty().select(name for name in core if name != "modality")
    kinds = {name: _one_type({f.schema[name] for f in frames if name in f.columns} - {pl.Null()}) for name in names}
    order = [name for name in frames[0].columns if name in core] + names
    whole = pl.concat(
        [
            frame.with_columns(
                (pl.col(name) if name in frame.columns else pl.lit(None)).cast(kinds[name]).alias(name)
                for name in names
            ).select(order)
            for frame in frames
        ]
    )
    return whole.with_columns(_inferred(whole[name]) for name in names if name in untyped)


def _one_type(kinds: set[pl.DataType]) -> pl.DataType:
    if len(kinds) == 1:
        return kinds.pop()
    return pl.Float64() if kinds and kinds <= {pl.Int64(), pl.Float64()} else pl.String()


def _inferred(values: pl.Series) -> pl.Series:
    """CSV text as the narrowest of integer, decimal, boolean and text that holds every value exactly."""
    given = values.drop_nulls()
    if values.dtype != pl.String or given.is_empty():
        return values
    if given.str.contains(INTEGER).all():
        whole = values.cast(pl.Int64, strict=False)
        return whole if whole.null_count() == values.null_count() else values
    if given.str.contains(DECIMAL).all():
        numbers = values.cast(pl.Float64)
        whole = given.str.contains(INTEGER)
        exact = given.filter(whole).cast(pl.Float64).abs().to_numpy().max(initial=0.0)
        return numbers if exact <= EXACT and numbers.drop_nulls().is_finite().all() else values
    if given.str.contains(BOOLEAN).all():
        return values.str.to_lowercase() == "true"
    return values
