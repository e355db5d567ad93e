"""Values and types of a table's columns: text that is safe to store, and further columns with one type each."""

from collections.abc import Sequence

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from assay.contracts.tables import Ingested
from assay.sources.label_text import as_text

INTEGER = r"^-?(0|[1-9][0-9]*)$"  # no leading zeros: 007 is a name, not a number
EXACT = 2**53  # whole numbers beyond this are not exact as decimals: an account number would become another one
DECIMAL = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$"
BOOLEAN = r"^(true|false|True|False|TRUE|FALSE)$"


class Fates:
    """Why each row of a batch is refused, if it is; the first reason stands."""

    def __init__(self, n: int):
        self.reasons: list[str | None] = [None] * n
        self.details: list[str] = [""] * n

    def refuse(self, place: int, reason: str, detail: str) -> None:
        """Refuse one row."""
        if self.reasons[place] is None:
            self.reasons[place], self.details[place] = reason, detail


def values_of(column: Sequence | pa.Array) -> list:
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
    try:
        return column.to_pylist()
    except (ValueError, OverflowError, UnicodeDecodeError):  # a date beyond Python's, text inside a list
        return [None] * len(column) if pa.types.is_nested(kind) else pc.cast(column, pa.string()).to_pylist()


def is_unicode(text: str) -> bool:
    """Whether a string is valid Unicode: no lone surrogates."""
    try:
        text.isascii() or text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """`text` with lone surrogates written out, so that it can be stored."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def strings(column: Sequence | pa.Array, fates: Fates, name: str, limit: int) -> list[str | None]:
    """A column as text; a row whose value is not Unicode or over `limit` characters is refused."""
    found = [as_text(value) for value in values_of(column)]
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


def group_column(column: Sequence | pa.Array, fates: Fates, name: str, limit: int) -> pl.Series | None:
    """A further column as a typed series; None for bytes, which are no group."""
    if isinstance(column, pa.Array):
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            return None
        plain = _plain_arrow(column)
        if plain is not None:
            return plain.alias(name)
    values = values_of(column)
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds and kinds <= {int, float} and not any(type(value) is int and abs(value) > EXACT for value in values):
        return pl.Series(name, values, dtype=pl.Float64, strict=False).fill_nan(None)
    found = strings(values, fates, name, limit)
    return pl.Series(name, found, dtype=pl.String if kinds else pl.Null)


def _plain_arrow(column: pa.Array) -> pl.Series | None:
    """Numbers, booleans and dates as they are, in the widest type of their kind; None for what must become text."""
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return pl.from_arrow(column)
    if pa.types.is_integer(kind):
        wide = kind if pa.types.is_uint64(kind) else pa.int64()
        return pl.from_arrow(column.cast(wide))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pl.from_arrow(column.cast(pa.float64())).fill_nan(None)
    return None


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
        exact = given.filter(whole).cast(pl.Float64).abs().max() or 0.0
        return numbers if exact <= EXACT and numbers.drop_nulls().is_finite().all() else values
    if given.str.contains(BOOLEAN).all():
        return values.str.to_lowercase() == "true"
    return values
