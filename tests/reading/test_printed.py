"""A query's rows in every format, whatever their types: no panic, and numbers that are numbers."""

import csv
import io
import json

import duckdb
import polars as pl
import pytest

from assay.contracts.errors import SpecError
from assay.reading.fitted import fitted
from assay.reading.printed import FORMATS, write_file, write_rows

CONNECTION = duckdb.connect()
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
    "union": ("union_value(k := 1)", "1", "1"),
    "a field that is called bit": ("{'bit': 1, 'interval': 2}", {"bit": 1, "interval": 2}, '{"bit":1,"interval":2}'),
    "bits": ("{'b': '01'::bit}", "{'b': 01}", "{'b': 01}"),
    "a line's end in a list": ("['a\u2028b\x85c']", ["a\u2028b\x85c"], '["a\u2028b\x85c"]'),
    "text": ("'a, \"b\"' || chr(10)", 'a, "b"\n', 'a, "b"\n'),
}


def written(sql: str, form: str) -> bytes:
    """What `form` makes of a query."""
    out = io.BytesIO()
    write_rows(CONNECTION.sql(sql), form, out)
    return out.getvalue()


@pytest.mark.parametrize("name", TYPES)
def test_every_type_is_json(name):
    """One object a line, which any reader of JSON takes."""
    value, expected, _ = TYPES[name]
    line = written(f"select {value} as v", "json").decode()
    assert json.loads(line) == {"v": expected}
    assert line.count("\n") == 1


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
    relation = CONNECTION.sql(
        f"select '{path}' as sample_id, 'cougar_face' as label, null::varchar as suggested, "
        "0.924311840194956::double as confidence, 0.8857501::float as score, 3 as n, [1.23456::double] as list"
    )
    row = fitted(relation, 80).fetchall()[0]
    assert row == ("…ge_0048.jpg", "cougar_face", None, 0.9243, 0.8858, 3, [1.23456])
    assert fitted(relation, 1_000).fetchall()[0][0] == path


@pytest.mark.parametrize("second", ["score", "Score"])
def test_two_columns_of_one_name_are_two(second):
    """A join of two nights shows the score of each, not the first one's twice; the second has a name of its own."""
    relation = CONNECTION.sql(f'select 0.25 as score, 0.75::double as "{second}", 2 as n')
    for width in (80, 1_000):
        assert fitted(relation, width).fetchall() == [(0.25, 0.75, 2)]
    out = io.BytesIO()
    write_rows(relation, "csv", out)
    assert out.getvalue().decode() == f"score,{second}_1,n\n0.25,0.75,2\n"
    out = io.BytesIO()
    write_rows(relation, "json", out)
    assert json.loads(out.getvalue()) == {"score": 0.25, f"{second}_1": 0.75, "n": 2}


@pytest.mark.parametrize("name", ["*", "^.*$", "^a$", "a.b", 'a"b', "from", "#1", "'", "", "ä\u2028"])
@pytest.mark.parametrize("value", ["'=1+1'", "'\\xAA'::blob", "[1]"])
def test_a_name_that_is_a_pattern_is_a_name(name, value):
    """A column called `*`, which Polars and DuckDB take for all columns, in every format."""
    quoted = name.replace('"', '""')
    relation = CONNECTION.sql(f"""select 7 as a, {value} as "{quoted or " "}" """)
    assert fitted(relation, 80).fetchall()[0][0] == 7
    for form in ("csv", "json"):
        out = io.BytesIO()
        write_rows(relation, form, out)
        text = out.getvalue().decode()
        found = json.loads(text) if form == "json" else next(csv.DictReader(io.StringIO(text, newline="")))
        assert list(found)[:2] == ["a", name or " "]
        assert str(found["a"]) == "7"


def test_rows_go_into_the_file_that_its_ending_says(tmp_path):
    """In a folder that is made for it; an ending that says nothing is refused with those that do."""
    frame = pl.DataFrame({"a": [1], "b": ["x"]})
    wanted = {"out.csv": "a,b\n1,x\n", "out.JSON": '{"a":1,"b":"x"}\n'}
    for name, text in wanted.items():
        write_file(frame, tmp_path / "new" / name)
        assert (tmp_path / "new" / name).read_text() == text
    write_file(frame, tmp_path / "out.parquet")
    assert pl.read_parquet(tmp_path / "out.parquet").equals(frame)
    with pytest.raises(SpecError, match=r"out\.xlsx ends in none of \.csv, \.json, \.parquet"):
        write_file(frame, tmp_path / "out.xlsx")
    assert not (tmp_path / "out.xlsx").exists()


@pytest.mark.parametrize("value", ["'infinity'::date", "'-infinity'::timestamp", "'290000-01-01'::timestamptz"])
def test_a_date_beyond_all_calendars_is_refused_as_csv(value):
    """In words, where Polars panics; as text it is written."""
    with pytest.raises(SpecError, match="a date of 'v' lies too far away for CSV"):
        written(f"select {value} as v", "csv")
    assert b"infinity" in written("select cast('infinity'::date as varchar) as v", "csv")


def test_dates_of_far_years_and_fine_units_are_csv():
    """As long as they can be written."""
    text = written("select '250000-01-01'::timestamp as a, '1700-01-01 00:00:00.000000001'::timestamp_ns as b", "csv")
    assert text.decode().splitlines()[1] == "+250000-01-01T00:00:00.000000,1700-01-01T00:00:00.000000001"
