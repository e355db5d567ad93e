"""Data that are handed over in memory: kept as they are, or refused in words before anything is computed."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from assay.contracts.errors import SpecError
from assay.sources.brought import as_frame, is_missing, write_texts, write_vectors


@pytest.fixture
def kept(tmp_path):
    """What is kept of texts or vectors, as rows."""

    def do(write, given, labels=None, label="label") -> list[tuple]:
        write(tmp_path / "samples.parquet", given, labels, label)
        return pl.read_parquet(tmp_path / "samples.parquet").rows()

    return do


class NA:
    """As pandas' own: neither equal nor unequal to anything."""

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


@pytest.mark.parametrize("texts", [
    ["a", None], ("a", float("nan")), np.array(["a", None], dtype=object), pl.Series(["a", None]),
    (x for x in ["a", NA()]),
    pl.DataFrame({"text": ["a", None]}), pl.LazyFrame({"text": ["a", None]}), pa.table({"text": ["a", None]}),
])  # fmt: skip
def test_texts_come_as_people_have_them(kept, texts):
    """A list, an array, one column of a frame, or a frame; one that is missing is missing, whatever says so."""
    assert kept(write_texts, texts) == [("a",), (None,)]


def test_labels_are_names_and_a_missing_one_is_none(kept):
    """NaN, as pandas has it for a cell without a label, is no class of its own."""
    labels = [1, "b", None, float("nan"), np.float32("nan"), np.datetime64("NaT"), NA(), True]
    assert [row[1] for row in kept(write_texts, list("abcdefgh"), labels)] == ["1", "b", *[None] * 5, "True"]
    assert not is_missing(np.array([1.0, float("nan")])) and not is_missing("nan")
    assert kept(write_vectors, [[1, 2], [3, 4]], np.array(["x", "y"])) == [([1, 2], "x"), ([3, 4], "y")]


@pytest.mark.parametrize("texts, said", [
    ("reviews.csv", "a list of strings, or a frame with a column `text`; found str 'reviews.csv'"),
    (b"a", "found bytes"),
    ({"text": ["a"]}, "found dict"), (None, "found NoneType"), (7, "found int 7"), (["a", 7], "text 1 is the int 7"),
    ([b"a"], "text 0 is the bytes"), (pl.DataFrame({"words": ["a"]}), "found words"),
])  # fmt: skip
def test_what_is_no_text_is_refused(kept, texts, said):
    """A path is no list of its letters."""
    with pytest.raises(SpecError, match=said):
        kept(write_texts, texts)


@pytest.mark.parametrize("vectors, said", [
    ([[1, 2], [3]], "inhomogeneous"), (np.zeros((2, 0)), r"shape \(2, 0\)"), (np.zeros(3), r"shape \(3,\)"),
    ([["a"]], "<U1"), (np.array([[True]]), "bool"), (np.array([[1j]]), "complex"), (None, r"shape \(\)"),
])  # fmt: skip
def test_what_is_no_matrix_is_refused(kept, vectors, said):
    """With its shape and type."""
    with pytest.raises(SpecError, match=f"vectors must be a matrix of numbers.*{said}"):
        kept(write_vectors, vectors)


def test_labels_of_a_frame_are_in_one_column(kept):
    """Of the name that is given; a second column `label` would be another one's."""
    frame = pl.DataFrame({"text": ["a"], "topic": ["x"]})
    assert kept(write_texts, frame, label="topic") == [("a", "x")]
    for columns, labels, said in (({"label": ["y"]}, None, "a column `label` besides"), ({}, "x", "labels are a list")):
        with pytest.raises(SpecError, match=said):
            kept(write_texts, frame.with_columns(**{k: pl.Series(v) for k, v in columns.items()}), labels, "topic")
    with pytest.raises(SpecError, match="no column `theme` for the labels; found text, topic"):
        kept(write_texts, frame, label="theme")


def test_a_single_column_is_no_frame():
    """Nor is a list of columns."""
    assert as_frame(pl.Series("text", ["a"])) is None and as_frame([["a"]]) is None and as_frame("a.csv") is None
    assert as_frame(pa.table({"a": [1]})).columns == ["a"]
