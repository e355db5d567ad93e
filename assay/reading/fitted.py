"""A query's rows cut to fit a terminal. Loads DuckDB alone, as `assay query` should start quickly."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

NARROWEST = 12  # characters that a column of text keeps
DIGITS = 4  # after the point


def fitted(relation: "duckdb.DuckDBPyRelation", width: int) -> "duckdb.DuckDBPyRelation":
    """The same rows for a terminal of `width` characters: numbers rounded, and texts cut at their beginning, since what
    differs between paths is at their end, so that more columns have room."""
    import duckdb

    room = max(NARROWEST, width // max(len(relation.columns), 1) - 3)
    columns = []
    for column, name, kind in columns_of(relation):
        if str(kind) == "VARCHAR":
            end = duckdb.FunctionExpression("right", column, duckdb.ConstantExpression(room - 1))
            cut = duckdb.FunctionExpression("concat", duckdb.ConstantExpression("…"), end)
            is_long = duckdb.FunctionExpression("length", column) > duckdb.ConstantExpression(room)
            column = duckdb.CaseExpression(is_long, cut).otherwise(column)
        elif str(kind) in ("FLOAT", "DOUBLE"):
            exact = column.cast("DOUBLE")
            column = duckdb.FunctionExpression("round", exact, duckdb.ConstantExpression(DIGITS))
        columns.append(column.alias(name))
    return relation.select(*columns)


def columns_of(
    relation: "duckdb.DuckDBPyRelation",
) -> Iterator[tuple["duckdb.Expression", str, Any]]:
    """Each column, its name and its type. A column is told by its place: by its name the second of two `score` would
    be the first again, and `*` would be all."""
    import duckdb

    for place, (name, kind) in enumerate(zip(relation.columns, relation.types, strict=True), 1):
        yield duckdb.SQLExpression(f"#{place}"), name, kind
