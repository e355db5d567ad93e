"""One label whatever its storage type; class names in metadata; partitions; vectors as text; dates off the calendar."""

import datetime
import decimal
import json

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.contracts.errors import SourceError
from assay.sources.columns import Fates, group_column
from assay.sources.label_text import label_texts, value_text
from assay.sources.matrix import as_matrix
from assay.sources.roles import numbered_families


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (1, "1"), (1.0, "1"), ("1.0", "1"), ("1", "1"), (" 1.00 ", "1"), (decimal.Decimal("1.0"), "1"),
        (np.float32(0.1).item(), "0.10000000149011612"), (-1.0, "-1"), ("-0.0", "0"), (0.5, "0.5"), ("0.50", "0.50"),
        (True, "true"), ("True", "true"), ("FALSE", "false"), ("true", "true"), ("truely", "truely"),
        ("007", "007"), ("007.0", "007.0"), ("1.10", "1.10"), ("1e3", "1e3"), (1e15, "1000000000000000"),
        (2**53 + 1, "9007199254740993"), ("cat", "cat"), (None, None), (float("nan"), None), ("", ""),
    ],
)  # fmt: skip
def test_a_label_has_one_spelling(value, label):
    """What is a whole number or a boolean is spelled as one; a name with zeros in front stays."""
    assert value_text(value) == label


def test_numbers_with_and_without_gaps_are_one_label(run, data):
    """int64 in one split, float64 in another, text in a third, as pandas and CSV write them."""
    for name, values in (("train", [0, 1, 2]), ("val", [0.0, None, 2.0])):
        pq.write_table(pa.table({"text": [f"{name} {n}" for n in range(3)], "label": values}), data / f"{name}.parquet")
    (data / "test.csv").write_text("text,label\ntest 0,0.0\ntest 1,1\ntest 2,2.0\n")
    (data / "dev.jsonl").write_text('{"text": "dev 0", "label": 0.0}\n{"text": "dev 1", "label": "1"}\n')
    files = {"train": "train.parquet", "val": "val.parquet", "test": "test.csv", "dev": "dev.jsonl"}
    frame = run({"kind": "table", "files": files}, "text").read("ingested")
    assert frame["label"].to_list() == ["0", "1", "2", "0", None, "2", "0", "1", "2", "0", "1"]


def test_booleans_in_any_case_are_one_label(run, data):
    """Stored as such, or as text by whoever wrote the CSV."""
    pq.write_table(pa.table({"text": ["a", "b"], "label": [True, False]}), data / "train.parquet")
    (data / "test.csv").write_text("text,label\nc,True\nd,FALSE\n")
    frame = run({"kind": "table", "files": {"train": "train.parquet", "test": "test.csv"}}, "text").read("ingested")
    assert frame["label"].to_list() == ["true", "false", "true", "false"]


def test_sets_of_classes_and_annotators_spell_alike():
    """Lists of numbers, and columns that each hold one person's labels."""
    assert label_texts(pl.Series([1.0, None, 2.0])).to_list() == ["1", None, "2"]
    assert label_texts(pl.Series(["True", "1.0"])).to_list() == ["true", "1"]


def test_sets_of_numbers(run, data):
    """[1.0, 2.0] and [1, 2] and "1|2" are one set."""
    lines = ['{"text": "a", "label": [1.0, 2.0]}', '{"text": "b", "label": [1, 2]}', '{"text": "c", "label": "2.0|1"}']
    (data / "t.jsonl").write_text("\n".join(lines) + "\n")
    frame = run({"kind": "table", "path": "t.jsonl", "label_separator": "|"}, "text").read("ingested")
    assert frame["label"].to_list()[:2] == ["1|2", "1|2"]


def test_ids_that_a_gap_made_decimal_are_the_same_ids(run, data):
    """A float64 column of ids would else be another dataset."""
    found = []
    for values in ([1, 2, 3], [1.0, 2.0, 3.0]):
        pq.write_table(pa.table({"sample_id": values, "text": ["a", "b", "c"]}), data / "t.parquet")
        found.append(run({"kind": "table", "path": "t.parquet"}, "text").read("ingested")["sample_id"].to_list())
    assert found[0] == found[1] == ["1", "2", "3"]


def test_single_precision_is_no_other_class(run, data):
    """.1 as float32 and as float64."""
    for name, kind in (("train", pa.float32()), ("test", pa.float64())):
        table = pa.table({"text": [name], "label": pa.array([0.1], kind)})
        pq.write_table(table, data / f"{name}.parquet")
    files = {"train": "train.parquet", "test": "test.parquet"}
    assert run({"kind": "table", "files": files}, "text").read("ingested")["label"].to_list() == ["0.1", "0.1"]


NAMES = ["tree", "fish", "tool"]
FEATURES = {
    "plain": {"label": {"names": NAMES, "_type": "ClassLabel"}},
    "old": {"label": {"names": {"0": "tree", "1": "fish", "2": "tool"}, "_type": "ClassLabel"}},
}


@pytest.mark.parametrize("features", FEATURES)
def test_class_names_of_hugging_face(run, data, features):
    """The file's own metadata names the classes; -1 is none; a number without a name stays."""
    info = {"huggingface": json.dumps({"info": {"features": FEATURES[features]}})}
    table = pa.table({"text": list("abcde"), "label": pa.array([0, 2, -1, None, 7], pa.int64())})
    pq.write_table(table.replace_schema_metadata(info), data / "t.parquet")
    output = run({"kind": "table", "path": "t.parquet"}, "text")
    assert output.read("ingested")["label"].to_list() == ["tree", "tool", None, None, "7"]
    notes = output.read("dataset_metrics")["note"].drop_nulls().to_list()
    assert any("label (3); -1 is none" in note for note in notes)


@pytest.mark.parametrize("kind", ["Sequence", "List", "bare"])
def test_lists_of_class_numbers_are_sets_of_names(run, data, kind):
    """And further columns of class numbers have names too."""
    label = {"names": NAMES, "_type": "ClassLabel"}
    feature = [label] if kind == "bare" else {"feature": label, "_type": kind}
    info = {"huggingface": json.dumps({"info": {"features": {"label": feature, "coarse": label}}})}
    table = pa.table({"text": ["a", "b", "c"], "label": [[0, 2], [], None], "coarse": [0, 1, -1]})
    pq.write_table(table.replace_schema_metadata(info), data / "t.parquet")
    frame = run({"kind": "table", "path": "t.parquet", "label_separator": "|"}, "text").read("ingested")
    assert frame["label"].to_list() == ["tool|tree", "|", None]
    assert frame["coarse"].to_list() == ["tree", "fish", None]


@pytest.mark.parametrize("metadata", [b"{", b"[]", b'{"info": 3}', b'{"info": {"features": {"label": {"names": 3}}}}'])
def test_metadata_of_another_kind_is_no_trouble(run, data, metadata):
    """Numbers stay numbers."""
    table = pa.table({"text": ["a"], "label": [1]}).replace_schema_metadata({b"huggingface": metadata})
    pq.write_table(table, data / "t.parquet")
    assert run({"kind": "table", "path": "t.parquet"}, "text").read("ingested")["label"].to_list() == ["1"]


def partitioned(data, *folders: str, own: dict | None = None) -> None:
    """A Parquet file of two texts in each folder."""
    for number, folder in enumerate(folders):
        (data / folder).mkdir(parents=True)
        table = pa.table({"text": [f"{folder} one", f"{folder} two"], **(own or {})})
        pq.write_table(table, data / folder / f"part-{number}.parquet")


def test_folders_named_column_value_are_columns(run, data):
    """As Spark, DuckDB and pyarrow write them; escaped, absent and numeric values too."""
    partitioned(data, "split=train/label=a%20b/year=2024", "split=test/label=__HIVE_DEFAULT_PARTITION__/year=2025")
    (data / "_SUCCESS").write_text("")
    output = run({"kind": "table", "path": "."}, "text")
    frame = output.read("ingested").unique("split").sort("split")
    assert frame.select("split", "label", "year").rows() == [("test", None, 2025), ("train", "a b", 2024)]
    notes = dict(output.read("dataset_metrics").select("metric", "note").iter_rows())
    assert notes["source_partitions"].endswith("label, split, year")


def test_partitions_below_a_pattern(run, data):
    """A glob scans from its first wildcard on."""
    partitioned(data, "v1/split=train", "v1/split=test")
    frame = run({"kind": "table", "path": "v1/**/*.parquet"}, "text").read("ingested")
    assert sorted(set(frame["split"])) == ["test", "train"]


def test_a_file_s_own_column_stands_against_its_folder(run, data):
    """And where the two differ, that is told."""
    partitioned(data, "label=a", own={"label": ["b", "b"]})
    output = run({"kind": "table", "path": "."}, "text")
    assert output.read("ingested")["label"].to_list() == ["b", "b"]
    notes = dict(output.read("dataset_metrics").select("metric", "note").iter_rows())
    assert "the folder says label = 'a'" in notes["source_doubt:1"]


def test_another_split_of_one_partition_is_another_night(run, data):
    """The key follows the folders' names, since the rows do."""
    partitioned(data, "split=train")
    first = run({"kind": "table", "path": "."}, "text")
    (data / "split=train").rename(data / "split=test")
    second = run({"kind": "table", "path": "."}, "text")
    assert first.key != second.key and set(second.read("ingested")["split"]) == {"test"}


@pytest.mark.parametrize(
    "cell",
    ["[1.5, 2, -3e-1]", "1.5,2,-0.3", "[1.5 2. -0.3]", "(1.5, 2, -0.3)", "array([1.5, 2, -0.3], dtype=float32)",
     "tensor([1.5, 2.0, -0.3])", "1.5 2 -0.3", "[1,5; 2; -0,3]", "[1.5,\n 2,\n -0.3]"],
)  # fmt: skip
def test_a_vector_spelled_out(cell):
    """As JSON, NumPy, PyTorch and spreadsheets spell it."""
    matrix, reasons, d = as_matrix([cell], None)
    assert d == 3 and reasons == [None] and np.allclose(matrix, [[1.5, 2, -0.3]])


@pytest.mark.parametrize(
    ("cell", "reason"),
    [("[1.5, 2, ..., 3]", "not_numeric"), ("[1.5 2. ... 3.]", "not_numeric"), ("cat", "not_numeric"),
     ("[]", "not_numeric"), ("[1, nan, 2]", "not_finite"), ("[1, null, 2]", "not_finite"), ("[1, 2]", "wrong_length"),
     (None, "missing_vector"), ("[[1, 2, 3]]", "not_numeric")],
)  # fmt: skip
def test_a_cell_that_is_no_vector(cell, reason):
    """Also one that was cut short by a print."""
    assert as_matrix(["[1, 2, 3]", "[1, 2, 3]", cell], None)[1] == [None, None, reason]


def test_vectors_of_text_and_of_columns(run, data):
    """One cell a vector, or one column a number, in CSV and Parquet: the same vectors."""
    matrix = np.random.default_rng(1).standard_normal((30, 12)).round(4)
    ids = [f"s{n}" for n in range(30)]
    frame = pl.DataFrame({"sample_id": ids, "vector": [str(row.tolist()) for row in matrix]})
    frame.write_csv(data / "cells.csv")
    frame.write_parquet(data / "cells.parquet")
    wide = pl.DataFrame({"sample_id": ids} | {f"f{n}": matrix[:, n] for n in range(12)})
    wide.write_csv(data / "wide.csv")
    wide.write_parquet(data / "wide.parquet")
    for name in ("cells.csv", "cells.parquet", "wide.csv", "wide.parquet"):
        output = run({"kind": "table", "path": name}, "vectors")
        assert np.allclose(np.array(output.read("contents")["vector"].to_list()), matrix.astype(np.float32)), name
        notes = dict(output.read("dataset_metrics").select("metric", "note").iter_rows())
        assert "source_vector" in notes and output.read("ingested").width == 8


def test_columns_of_a_vector_by_a_pattern(run, data):
    """Where several families could be meant the refusal names them; a pattern chooses one, the other is groups."""
    names = [f"emb_{n:02d}" for n in range(4)] + [f"score{n}" for n in range(1, 4)]
    (data / "t.csv").write_text(",".join(names) + "\n" + "1,2,3,4,5,6,7\n" * 3 + "2,3,4,5,,,\n")
    with pytest.raises(SourceError, match=r"'emb_\*', 'score\*'.*source\.columns"):
        run({"kind": "table", "path": "t.csv"}, "vectors")
    output = run({"kind": "table", "path": "t.csv", "columns": {"vector": "emb_*"}}, "vectors")
    assert output.read("contents")["vector"].to_list() == [[1, 2, 3, 4], [2, 3, 4, 5]]
    assert output.read("ingested").columns[-3:] == ["score1", "score2", "score3"]
    with pytest.raises(SourceError, match="no numbered column"):
        run({"kind": "table", "path": "t.csv", "columns": {"vector": "x*"}}, "vectors")


def test_a_row_without_all_its_numbers_is_a_reject(run, data, reasons):
    """A gap is not finite, a word is no number, and nothing at all is missing."""
    (data / "t.csv").write_text("f0,f1,f2\n1,2,3\n1,,3\n1,x,3\n,,\n")
    output = run({"kind": "table", "path": "t.csv"}, "vectors")
    assert reasons(output) == ["not_finite", "not_numeric", "missing_vector"]


def test_numbered_families():
    """Without a gap from 0 or 1, in the order of their numbers."""
    assert numbered_families(["f10", *(f"f{n}" for n in range(10)), "label"]) == {"f": [f"f{n}" for n in range(11)]}
    assert numbered_families(["0", "1", "2"]) == {"": ["0", "1", "2"]}
    assert numbered_families(["x1", "x2", "x4"]) == {} and numbered_families(["q2023", "q2024"]) == {}


@pytest.mark.parametrize(
    ("column", "n_lost"),
    [
        (pa.array([1_700_000_000_000_000_000, 1_700_000_000_000], pa.timestamp("ms")), 1),
        (pa.array([2**62, 0], pa.timestamp("s")), 1),
        (pa.array([-(2**60), 0], pa.timestamp("us")), 1),
        (pa.array([10**9, 0], pa.date32()), 1),
        (pa.array([10**18, 0], pa.date64()), 1),
        (pa.array([2**62, 1], pa.duration("s")), 1),
        (pa.array([[2**62], [1]], pa.list_(pa.timestamp("s"))), 1),
        (pa.array([1, 2], pa.timestamp("ns", "Nowhere/City")), 0),
        (pa.array([1, 2], pa.timestamp("us", "+02:00")), 0),
        (pa.array([1, 2], pa.time64("ns")), 0),
        (pa.array([1, 2], pa.duration("ns")), 0),
    ],
)
def test_a_date_off_the_calendar_costs_its_cell(column, n_lost):
    """No other cell, no row, no night; and it is counted."""
    fates = Fates(2)
    found = group_column(column, fates, "at", 1000)
    assert found.null_count() == n_lost == fates.lost["at"] and fates.reasons == [None, None]
    assert found.to_list()[1] is not None


def test_a_wrong_unit_is_told(run, data):
    """Nanoseconds in a column of milliseconds: the night goes on, and the column is named."""
    at = pa.array([1_700_000_000_000_000_000] * 3, pa.timestamp("ms"))
    pq.write_table(pa.table({"text": ["a", "b", "c"], "crawled_at": at}), data / "t.parquet")
    output = run({"kind": "table", "path": "t.parquet"}, "text")
    assert output.read("ingested")["crawled_at"].to_list() == [None] * 3
    notes = dict(output.read("dataset_metrics").select("metric", "note").iter_rows())
    assert "3 values of column 'crawled_at'" in notes["source_doubt:1"]


def test_times_keep_their_type(run, data):
    """What a calendar holds is as it was."""
    at = [datetime.datetime(2024, 1, 2, 3), None]
    pq.write_table(pa.table({"text": ["a", "b"], "at": pa.array(at, pa.timestamp("us"))}), data / "t.parquet")
    assert run({"kind": "table", "path": "t.parquet"}, "text").read("ingested")["at"].to_list() == at
