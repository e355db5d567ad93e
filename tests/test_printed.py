"""A query's rows in every format, whatever their types: no panic, and numbers that are numbers."""

import csv
import io
import json

import duckdb
import polars as pl
import pytest

from assay.reading.fitted import fitted
from assay.reading.printed import FORMATS, write_rows

TYPES = {
    "integers": ("[1, 2]", [1, 2], "[1,2]"),
    "struct": ("{'a': 1, 'b': [null, 'x']}", {"a": 1, "b": [None, "x"]}, '{"a":1,"b":[null,"x"]}'),
    "map": ("map {'k': 1}", {"k": 1}, '{"k":1}'),
    "array": ("[1.5, 0.1]::float[2]", [1.5, 0.1], "[1.5,0.1]"),
    "lists": ("[['x'], []]", [["x"], []], '[["x"],[]]'),
    "empty list": ("[]::varchar[]", [], "[]"),
    "null list": ("null::varchar[]", None, ""),
    "sum": ("(select sum(i) from range(3) t(i))", 3, "3"),
    "hugeint": ("170141183460469231731687303715884105727::hugeint", 2**127 - 1, str(2**127 - 1)),
    "decimal": ("1.25::decimal(10, 2)", 1.25, "1.25"),
    "blob": ("'\\xAA\\x00'::blob", "aa00", "aa00"),
    "blobs": ("['\\xAA'::blob]", ["aa"], '["aa"]'),
    "decimals": ("[1.5::decimal(3, 1), 2]", [1.5, 2], "[1.5, 2]"),
    "interval": ("interval 3 days", "3 days", "3 days"),
    "interval in a list": ("[interval 3 days]", "[3 days]", "[3 days]"),
    "nan": ("'nan'::double", None, "NaN"),
    "infinity": ("'inf'::float", None, "inf"),
    "single": ("0.1::float", 0.1, "0.1"),
    "boolean": ("true", True, "true"),
    "enum": ("'a'::enum('a', 'b')", "a", "a"),
    "null": ("null", None, ""),
    "text": ("'a, \"b\"' || chr(10)", 'a, "b"\n', 'a, "b"\n'),
}


def written(sql: str, form: str) -> bytes:
    """What `form` makes of a query."""
    out = io.BytesIO()
    write_rows(duckdb.connect().sql(sql), form, out)
    return out.getvalue()


@pytest.mark.parametrize("name", TYPES)
def test_every_type_is_json(name):
    """One object a line, which any reader of JSON takes."""
    value, expected, _ = TYPES[name]
    (line,) = written(f"select {value} as v", "json").splitlines()
    assert json.loads(line) == {"v": expected}


@pytest.mark.parametrize("name", TYPES)
def test_every_type_is_csv(name):
    """What is nested is JSON in its cell."""
    value, _, expected = TYPES[name]
    rows = list(csv.reader(io.StringIO(written(f"select {value} as v, 1 as w", "csv").decode(), newline="")))
    assert rows == [["v", "w"], [expected, "1"]]


@pytest.mark.parametrize("name", TYPES)
def test_every_type_is_parquet(name):
    """And one row of it."""
    assert len(pl.read_parquet(io.BytesIO(written(f"select {TYPES[name][0]} as v", "parquet")))) == 1


@pytest.mark.parametrize("form", FORMATS)
def test_no_rows_are_no_trouble(form):
    """Of nested types too."""
    assert isinstance(written("select [1] as a, 1::hugeint as b, {'x': 1} as c where false", form), bytes)


def test_single_precision_keeps_its_digits_beside_bytes():
    """0.1 is not 0.10000000149011612."""
    (line,) = written("select 0.1::float as f, [0.1::float] as l, '\\xAA'::blob as b", "json").splitlines()
    assert json.loads(line) == {"f": 0.1, "l": [0.1], "b": "aa"}


def test_rows_fit_a_terminal():
    """At 80 characters five columns have room: a path keeps its end, a number four digits, the rest is as it was."""
    path = "carrier.tar#101_ObjectCategories/cougar_face/image_0048.jpg"
    relation = duckdb.connect().sql(
        f"select '{path}' as sample_id, 'cougar_face' as label, null::varchar as suggested, "
        "0.924311840194956::double as confidence, 0.8857501::float as score, 3 as n, [1.23456::double] as list"
    )
    row = fitted(relation, 80).fetchall()[0]
    assert row == ("…ge_0048.jpg", "cougar_face", None, 0.9243, 0.8858, 3, [1.23456])
    assert fitted(relation, 1_000).fetchall()[0][0] == path
