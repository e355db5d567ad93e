"""A query's rows as text or Parquet: every type that SQL has, in every format."""

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import polars as pl

from assay.contracts.errors import SpecError
from assay.contracts.spreadsheet import escape
from assay.reading.fitted import columns_of
from assay.store.files import atomic_file

if TYPE_CHECKING:
    import duckdb

A_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
MOST_DAYS = 95_000_000  # from 1970, about the year 262,000
FORMATS = ("csv", "json", "parquet")
AS_TEXT = ("interval", "bit", "bignum", "union")  # DuckDB's types that Arrow or Polars has none for
NESTED = ("list", "array", "struct", "map")


def write_rows(relation: "duckdb.DuckDBPyRelation", form: str, out: BinaryIO) -> None:
    """All rows of `relation` to `out`.

    `csv`: lists, structs and maps are JSON in their cells. `json`: one object a line; whole numbers of any size and
    decimals are numbers, NaN and infinity are null. Bytes are hexadecimal in both.
    """
    write_frame(read_frame(relation), form, out)


def write_frame(frame: pl.DataFrame, form: str, out: BinaryIO) -> None:
    """A frame in one of `FORMATS`, as `write_rows` has them."""
    if form == "parquet":
        frame.write_parquet(out)
    else:
        out.write((csv_text(frame) if form == "csv" else json_lines(frame)).encode("utf-8", "replace"))


def write_file(frame: pl.DataFrame, path: Path) -> None:
    """A frame as a file, whose ending says in which of `FORMATS`. Raises `SpecError` where it is another."""
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise SpecError(f"{path.name} ends in none of {', '.join('.' + name for name in FORMATS)}; name one that does")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as aside, open(aside, "wb") as out:
        write_frame(frame, form, out)


def read_frame(relation: "duckdb.DuckDBPyRelation") -> pl.DataFrame:
    """The rows in memory; columns of types that only DuckDB has are text."""
    columns = [
        (column.cast("VARCHAR") if _is_only_duckdbs(kind) else column).alias(name)
        for column, name, kind in columns_of(relation)
    ]
    return relation.select(*columns).pl()


def _is_only_duckdbs(kind: Any) -> bool:
    """Whether a type of DuckDB is, or holds, one that Arrow or Polars has none for."""
    if kind.id in AS_TEXT:
        return True
    inner = [one for _, one in kind.children if not isinstance(one, int)] if kind.id in NESTED else []
    return any(map(_is_only_duckdbs, inner))


def csv_text(frame: pl.DataFrame) -> str:
    """A header and a line a row; what is nested is JSON, and what a spreadsheet would run is escaped.

    Raises:
        SpecError: a date or a time lies at infinity, or beyond the years that CSV is written of.
    """
    flat = frame.with_columns(
        _json_cells(frame[name]) if kind.is_nested() or isinstance(kind, pl.Binary) else frame[name]
        for name, kind in frame.schema.items()
    )
    if beyond := [name for name in flat.columns if _is_beyond_calendars(flat[name])]:
        raise SpecError(f"a date of {beyond[0]!r} lies too far away for CSV; ask for it as text: cast(… as varchar)")
    return escape(flat).write_csv()


def _is_beyond_calendars(column: pl.Series) -> bool:
    """Whether a date or time, as infinity, lies outside the years that Polars can write."""
    kind = column.dtype
    if not isinstance(kind, pl.Date | pl.Datetime):
        return False
    a_day = A_DAY[kind.time_unit] if isinstance(kind, pl.Datetime) else 1
    return not (column.to_physical().drop_nulls() // a_day).is_between(-MOST_DAYS, MOST_DAYS).all()


def json_lines(frame: pl.DataFrame) -> str:
    """One JSON object a line."""
    frame = frame.with_columns(_as_numbers(frame[name]) for name, kind in frame.schema.items() if kind.is_decimal())
    if not any(map(_is_beyond_json, frame.dtypes)):
        return frame.write_ndjson()
    names = [json.dumps(name, ensure_ascii=False) for name in frame.columns]
    rows = zip(*(_raw_cells(frame[name]) for name in frame.columns), strict=True)
    return "".join(f"{{{','.join(map(':'.join, zip(names, row, strict=True)))}}}\n" for row in rows)


def _json_cells(values: pl.Series) -> pl.Series:
    """Each value as JSON text, bytes as plain hexadecimal; null stays null."""
    if isinstance(values.dtype, pl.Binary):
        return values.alias("v").bin.encode("hex").alias(values.name)  # a name such as `^.*$` would be a pattern
    cells = [None if cell == "null" else cell for cell in _raw_cells(values)]
    return pl.Series(values.name, cells, dtype=pl.String)


def _raw_cells(values: pl.Series) -> list[str]:
    """Each value as JSON: by Polars, which keeps single precision short, but for what it cannot write."""
    if _is_beyond_json(values.dtype):
        return [json.dumps(_plain(value), ensure_ascii=False) for value in values.to_list()]
    return [line[len('{"v":') : -1] for line in values.alias("v").to_frame().write_ndjson().split("\n")[:-1]]


def _as_numbers(values: pl.Series) -> pl.Series:
    """Decimals as integers where they are whole, else as floats."""
    if isinstance(values.dtype, pl.Decimal) and values.dtype.scale:
        return values.cast(pl.Float64)
    fits = values.drop_nulls().cast(pl.Float64).abs().to_numpy().max(initial=0.0)
    return values.cast(pl.Int64 if fits < 2.0**62 else pl.Int128)


def _is_beyond_json(kind: Any) -> bool:
    """Whether a type holds bytes, decimals or 128 bits, which Polars cannot write as JSON numbers or text."""
    if isinstance(kind, pl.Struct):
        return any(_is_beyond_json(field.dtype) for field in kind.fields)
    inner = [getattr(kind, name, None) for name in ("inner", "key", "value")]
    return isinstance(kind, pl.Binary | pl.Decimal | pl.Int128) or any(
        _is_beyond_json(one) for one in inner if one is not None
    )


def _plain(value: object) -> object:
    """A value as JSON has it."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
