"""Tables that hurt: each is handled rightly, or set aside with a true reason, or stops the night with one message."""

import json
import struct

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.contracts.errors import AssayError, SourceError
from assay.store.files import hash_text

GOOD = "\n".join(f"text {n},a" for n in range(5)) + "\n"


def test_nul_bytes_are_kept_in_texts(table, reasons):
    """A NUL in a text is content: nothing is cut at it."""
    for name, content in (("t.csv", b"text,label\na\0b,x\n"), ("t.jsonl", b'{"text": "a\\u0000b", "label": "x"}\n')):
        output = table(name, content)
        assert output.read("contents")["text"].to_list() == ["a\0b"]
        assert output.read("ingested")["content_hash"].to_list() == [hash_text("a\0b")]
        assert reasons(output) == []


def test_a_nul_in_a_uri_is_refused(table, data, reasons):
    """No file name holds a NUL."""
    (data / "x.png").write_bytes(b"x")
    output = table("t.csv", b"uri\nx.png\nx.png\0.txt\n", modality="image")
    assert reasons(output) == ["bad_path"] and len(output.read("ingested")) == 1


def test_byte_order_marks(table):
    """UTF-8's mark is no part of the first column's name; UTF-16 with its mark is read, but as JSONL."""
    for name, content in (
        ("t.csv", "\ufefftext,label\nhello,a\n"),
        ("t.jsonl", '\ufeff{"text": "hello", "label": "a"}\n'),
    ):
        assert table(name, content).read("contents")["text"].to_list() == ["hello"]
    content = "text,label\nschön,a\n".encode("utf-16")
    assert table("t.csv", content).read("contents")["text"].to_list() == ["schön"]
    with pytest.raises(SourceError, match="UTF-16"):
        table("t.jsonl", '{"text": "hello"}\n'.encode("utf-16"))
    with pytest.raises(SourceError, match='source.encoding = "utf-16-le"'):
        table("t.csv", content[2:])


def test_invalid_utf8(table, reasons):
    """The row is set aside; the others are as they were; what is written is valid UTF-8."""
    output = table("t.csv", b"text,label\ngood,a\nb\xff\xfead,a\nfine,b\xc3\nlast,a\n")
    assert reasons(output) == ["invalid_unicode"] * 2
    assert output.read("contents")["text"].to_list() == ["good", "last"]
    output = table("t.jsonl", b'{"text": "good"}\n{"text": "b\xff"}\n')
    assert reasons(output) == ["invalid_unicode"] and len(output.read("ingested")) == 1


def test_invalid_utf8_in_parquet(data, run, reasons):
    """Parquet that claims to be text and is not: the row is set aside, also where the column is a dictionary."""
    for encode in (False, True):
        cells = pa.array([b"good", b"b\xff", b"fine"], pa.binary())
        text = pa.Array.from_buffers(pa.string(), 3, cells.buffers())
        pq.write_table(pa.table({"text": text}), data / "t.parquet", use_dictionary=encode)
        output = run({"kind": "table", "path": "t.parquet"}, "text")
        assert reasons(output) == ["invalid_unicode"]
        assert output.read("contents")["text"].to_list() == ["good", "fine"]


def test_lone_surrogates(table, reasons):
    """JSON can spell what Unicode cannot hold: in a value or a key, the row is set aside."""
    output = table(
        "t.jsonl",
        '{"text": "\\ud800"}\n{"text": "ok", "group": "\\udfff"}\n{"text": "ok", "\\ud800": 1}\n{"text": "ok"}\n',
    )
    assert reasons(output) == ["invalid_unicode"] * 3 and len(output.read("ingested")) == 1
    table("t.jsonl", '{"text": "\\ud83d\\ude00"}\n')  # a pair is a character


def test_control_and_bidi_characters_are_content(table):
    """They are for clean to look at; ingest keeps the text to the letter."""
    text = "\u202eevil\u202c \x07 \u200b\x1b[31m"
    output = table("t.jsonl", json.dumps({"text": text}) + "\n")
    assert output.read("contents")["text"].to_list() == [text]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_ten_megabyte_cells(table, reasons, ending):
    """A text over the limit is set aside as too large, and its neighbours are read."""
    huge = "x" * 10 * 2**20
    rows = ["before", huge, "after"]
    content = (
        "text\n" + "\n".join(rows) + "\n" if ending == "csv" else "".join(json.dumps({"text": r}) + "\n" for r in rows)
    )
    output = table(f"t.{ending}", content)
    assert reasons(output) == ["too_large"]
    assert output.read("contents")["text"].to_list() == ["before", "after"]
    assert len(output.read("rejects")["detail"][0]) < 2000


def test_a_repeated_huge_cell_in_parquet_stays_small(data, run, reasons, peak_growth):
    """A dictionary of one ten-megabyte cell in 1,000 rows is a small file and ten gigabytes if written out."""
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * 1000 + [1], pa.int32()), pa.array(["x" * 10 * 2**20, "ok"]))
    pq.write_table(pa.table({"text": cells}), data / "t.parquet")
    output = run({"kind": "table", "path": "t.parquet"}, "text")
    assert set(reasons(output)) == {"too_large"} and len(output.read("ingested")) == 1
    assert peak_growth() < 300


def test_a_huge_label_or_group_value(table, reasons):
    """A label of a megabyte is no label."""
    big = "y" * 2**20
    output = table("t.csv", f"text,label,group\na,{big},1\nb,x,{big}\nc,x,2\n")
    assert reasons(output) == ["too_large"] * 2 and len(output.read("ingested")) == 1


@pytest.mark.parametrize("header", ["text,label,label", "text,label,Label", "text,a,A", "text,text"])
def test_two_columns_of_one_name(table, data, run, header):
    """They are an error that names them; upper and lower case are one to SQL."""
    names = header.split(",")
    with pytest.raises(SourceError, match="two columns"):
        table("t.csv", header + "\n" + ",".join("x" * len(names)) + "\n")
    pq.write_table(pa.table([pa.array(["x"])] * len(names), names=names), data / "t.parquet")
    with pytest.raises(SourceError, match="two columns"):
        run({"kind": "table", "path": "t.parquet"}, "text")


def test_two_values_for_one_key(table, reasons):
    """A JSON object with a key twice is set aside rather than half believed."""
    output = table("t.jsonl", '{"text": "a", "label": "x", "label": "y"}\n{"text": "b"}\n')
    assert reasons(output) == ["duplicate_key"]


def test_a_column_that_samples_needs_for_itself(table):
    """A group column cannot be called content_hash, nor Label where there is no mapping for it."""
    for name in ("content_hash", "position", "Modality"):
        with pytest.raises(SourceError, match=name):
            table("t.csv", f"text,{name}\na,b\n")
    with pytest.raises(SourceError, match="columns = { label = 'Label' }"):
        table("t.csv", "text,Label\na,b\n")
    assert table("t.csv", "text,Label\na,b\n", columns={"label": "Label"}).read("ingested")["label"].to_list() == ["b"]
    with pytest.raises(SourceError, match="'label'"):
        table("t.csv", "text,label,category\na,b,c\n", columns={"label": "category"})


def test_labels_that_differ_only_in_form(table, numbers):
    """NFC and stripping make one label of them, and it is counted; case and width are counted and left alone."""
    labels = ["caf\u00e9", "cafe\u0301", " caf\u00e9 ", "CAF\u00c9", "\uff43af\u00e9", "tea"]
    output = table("t.jsonl", "".join(json.dumps({"text": f"t{n}", "label": x}) + "\n" for n, x in enumerate(labels)))
    assert output.read("ingested")["label"].to_list() == ["caf\u00e9"] * 3 + ["CAF\u00c9", "\uff43af\u00e9", "tea"]
    assert numbers(output)["labels_normalized"] == 2
    assert numbers(output)["labels_confusable"] == 3  # café, CAFÉ and ｃafé


def test_labels_that_are_sql_numbers_html_or_empty(table):
    """They are data: kept to the letter, as text; empty and blank ones are none."""
    labels = ["'; drop table samples; --", "007", "<script>alert(1)</script>", "=cmd()", "NaN", "null", "", "   "]
    content = "text,label\n" + "".join(f'row {n},"{label}"\n' for n, label in enumerate(labels))
    assert table("t.csv", content).read("ingested")["label"].to_list() == [*labels[:6], None, None]
    values = [7, 7.5, True, None, ["a", "b"], float("nan")]
    content = "".join(json.dumps({"text": f"t{n}", "label": value}) + "\n" for n, value in enumerate(values))
    assert table("t.jsonl", content).read("ingested")["label"].to_list() == [
        "7",
        "7.5",
        "true",
        None,
        '["a", "b"]',
        None,
    ]


def test_rows_with_too_few_or_too_many_fields(table, reasons):
    """They are set aside, blank lines are nothing, and row numbers still count what is in the file."""
    output = table("t.csv", "text,label\na,x\nb\n\nc,x,y\nd,x\n")
    assert reasons(output) == ["wrong_number_of_fields"] * 2
    assert output.read("ingested")["sample_id"].to_list() == ["row-00000000", "row-00000003"]
    assert output.read("rejects")["sample_id"].to_list() == ["row-00000001", "row-00000002"]


def test_quotes_line_ends_and_empty_names(table):
    """Quoted line ends stay in the cell; all three line ends are read; a column without a name gets its place."""
    output = table("t.csv", ',text\r\n0,"a ""b""\r\nc"\r\n1,d\r\n')
    assert output.read("contents")["text"].to_list() == ['a "b"\r\nc', "d"]
    assert output.read("ingested")["column_1"].to_list() == [0, 1]
    assert table("t.csv", "text\ra\rb\r").read("contents")["text"].to_list() == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "text,label\na,x\nb,y\nhalf a te"),
        ("t.csv", 'text,label\na,x\n"a quote that never'),
        ("t.jsonl", '{"text": "a"}\n{"text": "b'),
        ("t.csv", ""),
        ("t.csv", "text,label\n"),
        ("t.jsonl", ""),
        ("t.jsonl", "\n\n"),
        ("t.csv", "\n"),
    ],
)
def test_half_written_and_empty_tables_stop_the_night(table, name, content):
    """A last row that is cut off, or no row at all, is never published."""
    with pytest.raises(SourceError, match="half-written|empty|rejected"):
        table(name, content)


def test_a_last_row_without_its_line_end_is_a_row(table):
    """Many writers leave the last line end out."""
    assert len(table("t.csv", "text,label\na,x\nb,y").read("ingested")) == 2
    assert len(table("t.jsonl", '{"text": "a"}\n{"text": "b"}').read("ingested")) == 2


def test_parquet_without_its_footer(data, run):
    """A Parquet file cut anywhere, or one that is none, is half-written."""
    whole = data / "whole.pq"
    pq.write_table(pa.table({"text": [f"t{n}" for n in range(1000)]}), whole)
    content = whole.read_bytes()
    for cut in (4, len(content) // 2, len(content) - 1):
        (data / "t.parquet").write_bytes(content[:cut])
        with pytest.raises(SourceError, match="half-written"):
            run({"kind": "table", "path": "t.parquet"}, "text")


def test_parquet_with_damaged_pages(data, run):
    """A flipped byte inside is a message or a defined result, never a crash."""
    pq.write_table(pa.table({"text": [f"t{n}" for n in range(1000)]}), data / "whole.pq", compression="zstd")
    content = bytearray((data / "whole.pq").read_bytes())
    random = np.random.default_rng(0)
    for _ in range(25):
        damaged = bytearray(content)
        damaged[random.integers(4, len(content) - 8)] ^= int(random.integers(1, 256))
        (data / "t.parquet").write_bytes(damaged)
        try:
            run({"kind": "table", "path": "t.parquet"}, "text")
        except AssayError:
            pass


def test_json_lines_that_are_no_objects(table, reasons):
    """Wrong JSON, other values, too deep a nesting and too long a number are set aside one by one."""
    deep = '{"text": ' + "[" * 100_000 + "]" * 100_000 + "}"
    lines = ["{bad}", "[1]", '"text"', "12", "null", deep, '{"text": "n", "x": ' + "9" * 5000 + "}", '{"text": "fine"}']
    output = table("t.jsonl", "\n".join(lines) + "\n")
    assert reasons(output) == ["invalid_json"] * 7 and len(output.read("ingested")) == 1


def test_missing_content(table, reasons):
    """A row without a text is set aside; an empty JSON text is a text."""
    assert reasons(table("t.csv", "text,label\n,x\na,x\n")) == ["missing_text"]
    output = table("t.jsonl", '{"label": "x"}\n{"text": null}\n{"text": ""}\n')
    assert reasons(output) == ["missing_text"] * 2 and len(output.read("ingested")) == 1


def test_no_column_that_holds_the_samples(table):
    """The message lists the columns there are and the key to set."""
    with pytest.raises(SourceError, match=r"'sentence', 'label'.*columns"):
        table("t.csv", "sentence,label\na,x\n")
    with pytest.raises(SourceError, match="categry"):
        table("t.csv", "text,category\na,x\n", columns={"label": "categry"})


def test_vectors_that_are_none(data, table, reasons):
    """NaN, infinity, wrong length, text, null: each its own reason; zero vectors are carried on."""
    rows = [[1, 2], [float("nan"), 1], [float("inf"), 1], [1], [1, 2, 3], [], None, "x", ["1", "2"], [True, False],
            [None, 1], [0, 0], [1e300, 1], [10**400, 1], [[1], [2]], [3, 4]]  # fmt: skip
    content = "".join(json.dumps({"vector": row}) + "\n" for row in rows)
    output = table("t.jsonl", content, modality="vectors")
    wanted = ["not_finite", "not_finite", "wrong_length", "wrong_length", "wrong_length", "missing_vector",
              "not_numeric", "not_numeric", "not_numeric", "not_finite", "not_finite", "not_finite",
              "not_numeric"]  # fmt: skip
    assert reasons(output) == wanted
    assert output.read("contents")["vector"].to_list() == [[1, 2], [0, 0], [3, 4]]


def test_vectors_in_parquet(data, run, reasons):
    """The same from list columns of any float or integer; text in lists is not numeric."""
    rows = [[1.0, 2.0], None, [np.nan, 1.0], [1.0], [np.inf, 0.0], [None, 1.0], [0.0, 0.0]]
    wanted = ["missing_vector", "not_finite", "wrong_length", "not_finite", "not_finite"]
    for kind in (pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float16())):
        values = [
            None if r is None else [None if v is None else kind.value_type.to_pandas_dtype()(v) for v in r]
            for r in rows
        ]
        pq.write_table(pa.table({"vector": pa.array(values, kind)}), data / "t.parquet")
        output = run({"kind": "table", "path": "t.parquet"}, "vectors")
        assert reasons(output) == wanted
        assert output.read("contents")["vector"].to_list() == [[1, 2], [0, 0]]
    fixed = pa.array([[1.0, 2.0], None, [np.nan, 1.0], [0.0, 0.0]], pa.list_(pa.float32(), 2))
    pq.write_table(pa.table({"vector": fixed}), data / "t.parquet")
    assert reasons(run({"kind": "table", "path": "t.parquet"}, "vectors")) == ["missing_vector", "not_finite"]
    pq.write_table(pa.table({"vector": pa.array([["a"]])}), data / "t.parquet")
    with pytest.raises(SourceError, match="not_numeric"):
        run({"kind": "table", "path": "t.parquet"}, "vectors")


def test_vectors_beside_the_table(data, table, reasons):
    """A .npy goes row by row with its table; a pickled or damaged one, or another number of rows, is refused."""
    np.save(data / "v.npy", np.array([[1, 2], [3, 4], [np.nan, 0]], dtype=np.float64))
    columns = {"vector": "v.npy"}
    output = table("t.csv", "label\na\nb\nc\n", modality="vectors", columns=columns)
    assert output.read("contents")["vector"].to_list() == [[1, 2], [3, 4]] and reasons(output) == ["not_finite"]
    with pytest.raises(SourceError, match="3 vectors.*2 rows"):
        table("t.csv", "label\na\nb\n", modality="vectors", columns=columns)
    np.save(data / "v.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(SourceError, match="npy"):
        table("t.csv", "label\na\n", modality="vectors", columns=columns)
    np.save(data / "v.npy", np.array([[1.0, 2.0]]))
    before = table("t.csv", "label\na\n", modality="vectors", columns=columns)
    np.save(data / "v.npy", np.array([[1.0, 3.0]]))
    after = table("t.csv", "label\na\n", modality="vectors", columns=columns)
    assert before.key != after.key and after.read("contents")["vector"].to_list() == [[1, 3]]
    (data / "v.npy").write_bytes(b"\x93NUMPY" + struct.pack("<H", 1))
    with pytest.raises(SourceError, match="npy"):
        table("t.csv", "label\na\n", modality="vectors", columns=columns)


def test_uris_of_a_table(data, table, reasons):
    """A table cannot reach out of its root, by path, link or URL, and an absent file is one reject."""
    (data / "a.png").write_bytes(b"a")
    (data / "empty.png").write_bytes(b"")
    (data / "folder").mkdir()
    (data.parent / "secret").write_bytes(b"secret")
    (data / "link").symlink_to(data.parent / "secret")
    cells = ["a.png", "../secret", str(data.parent / "secret"), "link", "http://127.0.0.1/x", "file:///etc/passwd",
             "none.png", "folder", "empty.png", "", "a.png"]  # fmt: skip
    output = table("t.csv", "uri,n\n" + "".join(f"{cell},{n}\n" for n, cell in enumerate(cells)), modality="image")
    wanted = ["outside_root"] * 5 + ["not_found", "not_a_file", "empty_file", "missing_uri"]
    assert reasons(output) == wanted
    assert output.read("ingested")["uri"].to_list() == ["a.png", "a.png"]
    assert output.read("ingested")["sample_id"].to_list() == ["a.png", "a.png#2"]


def test_a_uri_is_known_again_when_rows_come_and_go(data, table):
    """Without a `sample_id` column a row is known by its uri, however often and wherever that stands."""
    for name in ("a", "a#2", "b"):
        (data / name).write_bytes(name.encode())

    def ids(*uris: str) -> list[str]:
        rows = "".join(f"{uri},x\n" for uri in uris)
        return table("t.csv", f"uri,label\n{rows}", modality="image").read("ingested")["sample_id"].to_list()

    assert ids("a", "b") == ["a", "b"]
    assert ids("b") == ["b"]
    assert ids("a", "a", "a#2", "a", "b") == ["a", "a#2", "a#2#2", "a#3", "b"]


def test_sample_ids(table, reasons):
    """The first of two equal ids stays; a row without one is set aside; contract rules are reasons too."""
    output = table("t.csv", "sample_id,text\na,1\na,2\n,3\nb,4\n")
    assert reasons(output) == ["duplicate_sample_id", "missing_sample_id"]
    assert output.read("ingested")["sample_id"].to_list() == ["a", "b"]
    output = table("t.jsonl", '{"sample_id": "", "text": "x"}\n{"sample_id": 7, "text": "y"}\n')
    assert reasons(output) == ["sample_id_min_length"] and output.read("ingested")["sample_id"].to_list() == ["7"]


def test_thousands_of_columns(table):
    """A table of columns without end is refused."""
    with pytest.raises(SourceError, match="columns"):
        table("t.csv", "text," + ",".join(f"c{n}" for n in range(3000)) + "\n" + "," * 3000 + "\n")
    with pytest.raises(SourceError, match="columns"):
        table("t.jsonl", "".join(json.dumps({"text": "x", f"k{n}": 1}) + "\n" for n in range(3000)))


def test_names_that_no_column_may_have(table):
    """A NUL in a name or a name of a megabyte is refused."""
    for name in ("a\0b", "x" * 2**20):
        with pytest.raises(SourceError, match="named"):
            table("t.csv", f"text,{name}\na,b\n")


@pytest.mark.parametrize("name", ["*", "^a.*$", "^$"])
def test_a_name_that_is_a_pattern_is_refused(table, name):
    """Polars would read it as several columns, somewhere in the night; a column that has a role may be called so."""
    with pytest.raises(SourceError, match="a pattern of several columns; rename it"):
        table("t.csv", f"text,abc,{name}\nx,y,z\n")
    assert table("t.csv", f"text,{name}\nx,y\n", columns={"label": name}).read("ingested")["label"].to_list() == ["y"]


def test_everything_written_is_valid_and_contract_true(table):
    """What a hostile table leaves behind reads back with another engine."""
    output = table("t.csv", b'text,label,"se""lect; --"\n\xff,a,1\n<b>,\xe2\x80\xae,2\n"a\n\0",b,3\n')
    import duckdb

    rows = duckdb.sql(f"select * from read_parquet('{output.path}/ingested/*.parquet') order by position").pl()
    assert rows.columns[-1] == 'se"lect; --' and rows['se"lect; --'].to_list() == [2, 3]
    assert isinstance(output.read("rejects"), pl.DataFrame)


ANY_CSV = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from(["text", "label", ",", '"', "\n", "\r", "\0", "\xff", "a", "é", "1", "sample_id", "="]),
             max_size=60).map(lambda parts: ("text,label\n" + "".join(parts)).encode("utf-8")),
    st.binary(max_size=200).map(lambda tail: b"text,label\na,b\n" + tail),
)  # fmt: skip


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(content=ANY_CSV)
def test_any_bytes_as_csv(table, content):
    """Arbitrary bytes give a result or an AssayError, and every row is a sample or a reject."""
    try:
        output = table("t.csv", content)
    except AssayError:
        return
    samples = output.read("ingested")
    assert samples["sample_id"].is_unique().all()
    assert set(samples["content_hash"]) == set(output.read("contents")["content_hash"])


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda tail: b'{"text": "a"}\n' + tail)))
def test_any_bytes_as_jsonl(table, content):
    """Likewise for JSONL."""
    try:
        table("t.jsonl", content)
    except AssayError:
        pass


@pytest.mark.parametrize("harm", ["cut", "pages", "noise"])
def test_a_damaged_parquet_costs_itself_where_others_are_whole(data, run, reasons, numbers, harm):
    """A reject with its reason and a doubt that is told; mended, the next night has its rows. All damaged: refused."""
    for name in "abc":
        texts = [f"{name} {i} {'some words ' * (i % 7)}" for i in range(500)]
        pq.write_table(pa.table({"text": texts}), data / f"{name}.parquet", write_page_checksum=True)
    whole = {name: (data / f"{name}.parquet").read_bytes() for name in "abc"}
    harmed = bytearray(whole["b"])
    harmed[200:210] = bytes(10)
    damaged = {"cut": whole["b"][:-50], "pages": bytes(harmed), "noise": bytes(range(256)) * 9}[harm]
    (data / "b.parquet").write_bytes(damaged)
    source = {"kind": "table", "path": "*.parquet"}
    for _ in range(2):  # the second time from what is remembered
        output = run(source, "text")
        assert reasons(output) == ["damaged_table"] and output.read("rejects")["uri"].to_list() == ["b.parquet"]
        assert "b.parquet" in output.read("rejects")["detail"][0]
        assert numbers(output)["n_ingested"] == 1000 and numbers(output)["n_source_doubts"] >= 1
    (data / "b.parquet").write_bytes(whole["b"])
    assert numbers(run(source, "text"))["n_ingested"] == 1500
    for name in "abc":
        (data / f"{name}.parquet").write_bytes(damaged)
    with pytest.raises(SourceError, match=r"a\.parquet"):
        run(source, "text")
