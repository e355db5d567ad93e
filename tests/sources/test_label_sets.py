"""Labels that are sets: lists and split texts, tidy or hostile."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.contracts.errors import SpecError
from assay.contracts.spec import make_spec


def labels_of(output) -> list:
    """The labels in order."""
    return output.read("ingested").sort("position")["label"].to_list()


def lines(values) -> str:
    """A JSONL table with these labels."""
    return "".join(json.dumps({"text": f"t{n}", "label": value}) + "\n" for n, value in enumerate(values))


def test_texts_and_lists_give_the_same_sets(table):
    """A CSV cell split at the separator and a JSON list of the same classes are one label."""
    text = table("t.csv", "text,label\na,dog|cat\nb,cat\nc,|\nd,\n", label_separator="|")
    listed = table("t.jsonl", lines([["dog", "cat"], ["cat"], [], None]), label_separator="|")
    assert labels_of(text) == labels_of(listed) == ["cat|dog", "cat", "|", None]


def test_untidy_sets_are_tidied_and_counted(table, numbers):
    """Repeats, blanks, white space and Unicode twins go; order alone is no change; confusable classes are counted."""
    untidy = [["b", "a", "b"], [" a", "b "], ["a", "", "b"], ["cafe\u0301"], ["b", "a"], ["A", "a"]]
    output = table("t.jsonl", lines(untidy), label_separator="|")
    assert labels_of(output) == ["a|b", "a|b", "a|b", "caf\u00e9", "a|b", "A|a"]
    assert numbers(output)["labels_normalized"] == 4
    assert numbers(output)["n_labels"] == 4  # A, a, b, café
    assert numbers(output)["labels_confusable"] == 1


def test_lists_that_say_nothing(table):
    """An empty list is the empty set; only nulls or blanks are unlabelled; a null among names is left out."""
    output = table(
        "t.jsonl", lines([[], [None], [""], ["", " "], None, ["a", None], [float("nan")]]), label_separator=";"
    )
    assert labels_of(output) == [";", None, None, None, None, "a", None]


def test_numbers_and_booleans_are_names(table):
    """Numbers in a list, and a number that is no list, are classes by their usual writing, sorted as text."""
    output = table("t.jsonl", lines([[10, 2, 1.5], 7, [True, False], [2, "2"]]), label_separator="|")
    assert labels_of(output) == ["1.5|10|2", "7", "false|true", "2"]


def test_what_cannot_be_a_set_is_refused_with_its_reason(table, reasons):
    """Nested lists, objects, a separator inside a class and endless labels go to the rejects; the rest goes on."""
    bad = [["a", ["b"]], {"a": 1}, [{"a": 1}], ["a|b", "c"], ["\ud800"], ["x" * 60_000, "y" * 60_000], ["fine"]]
    output = table("t.jsonl", lines(bad), label_separator="|")
    expected = ["nested_label"] * 3 + ["separator_in_class", "invalid_unicode", "too_large"]
    assert reasons(output) == expected
    assert labels_of(output) == ["fine"]
    assert "source.label_separator" in output.read("rejects")["detail"][3]


def test_ten_thousand_classes_in_one_label(table, numbers):
    """A sample may carry ten thousand classes."""
    output = table("t.jsonl", lines([list(range(10_000)), [3]]), label_separator=" ")
    assert numbers(output)["n_labels"] == 10_000
    assert len(labels_of(output)[0].split(" ")) == 10_000


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.large_list(pa.large_string()), pa.list_(pa.string(), 2)])
def test_parquet_lists(run, data, kind):
    """Lists of any Arrow kind, whole and null."""
    column = pa.array([["b", "a"], None, ["c", "b"]], kind)
    pq.write_table(pa.table({"text": ["x", "y", "z"], "label": column}), data / "t.parquet")
    output = run({"kind": "table", "path": "t.parquet", "label_separator": "|"}, "text")
    assert labels_of(output) == ["a|b", None, "b|c"]


def test_lists_without_a_separator_are_said_to_be_taken_for_one_class(table, numbers):
    """As before each list is one class, its JSON; a number says so. Without lists there is no such number."""
    output = table("t.jsonl", lines([["a", "b"], "c"]))
    assert labels_of(output) == ['["a", "b"]', "c"]
    assert numbers(output)["labels_as_lists"] == 1
    assert "labels_as_lists" not in numbers(table("u.jsonl", lines(["a", "b"])))


def test_the_separator_is_part_of_the_key_only_where_it_is_given(table):
    """Another separator gives another output; none gives the key that a spec without it always had."""
    plain = table("t.csv", "text,label\na,x|y\n")
    assert plain.key == table("t.csv", "text,label\na,x|y\n", label_separator="").key
    assert plain.key != table("t.csv", "text,label\na,x|y\n", label_separator="|").key


@pytest.mark.parametrize("sign", ["a", "7", "\0", "\n", "|" * 9, "\u00e9"])
def test_a_separator_is_a_sign(tmp_path, sign):
    """Letters, digits, control characters and long texts are refused by name."""
    source = {"kind": "table", "path": "t.csv", "label_separator": sign}
    with pytest.raises(SpecError, match="label_separator.*cannot separate"):
        make_spec({"name": "d", "modality": "text", "source": source}, base=tmp_path)


def test_a_folder_takes_no_separator(tmp_path):
    """A folder gives each file one class, so that a separator there is a mistake."""
    source = {"kind": "folder", "path": ".", "label_separator": "|"}
    with pytest.raises(SpecError, match="table"):
        make_spec({"name": "d", "modality": "image", "source": source}, base=tmp_path)
