"""A query's rows cut to fit a terminal. Loads DuckDB alone, as `assay query` should start quickly."""

from typing import TYPE_CHECKING

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
    for name, kind in zip(relation.columns, relation.types, strict=True):
        column = duckdb.ColumnExpression(name)
        if str(kind) == "VARCHAR":
            end = duckdb.FunctionExpression("right", column, duckdb.ConstantExpression(room - 1))
            cut = duckdb.FunctionExpression("concat", duckdb.ConstantExpression("…"), end)
            is_long = duckdb.FunctionExpression("length", column) > duckdb.ConstantExpression(room)
            column = duckdb.CaseExpression(is_long, cut).otherwise(column).alias(name)
        elif str(kind) in ("FLOAT", "DOUBLE"):
            exact = column.cast("DOUBLE")
            column = duckdb.FunctionExpression("round", exact, duckdb.ConstantExpression(DIGITS)).alias(name)
        columns.append(column)
    return relation.select(*columns)
