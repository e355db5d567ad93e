"""The readers of tables, one file at a time."""

import io

import polars as pl
import pytest

from assay.contracts.errors import SourceError
from assay.sources.batches import Rules
from assay.sources.readers import reader_of

ROWS = {"text": ["one", "two", "three"], "label": ["a", "b", "a"]}


def table_file(name: str) -> io.BytesIO:
    """`ROWS` as a table of the kind that the name says."""
    file, frame = io.BytesIO(), pl.DataFrame(ROWS)
    writers = {
        "csv": frame.write_csv,
        "tsv": lambda f: frame.write_csv(f, separator="\t"),
        "jsonl": frame.write_ndjson,
        "parquet": frame.write_parquet,
    }
    writers[name.split(".")[1]](file)
    file.seek(0)
    return file


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.parquet"])
def test_a_reader_leaves_its_file_to_whoever_opened_it(name):
    """It stays open when all is read, and when reading stops at the first batch."""
    for wanted in (None, 1):
        file = table_file(name)
        batches = reader_of(name)(file, name, Rules())
        found = [next(batch for batch in batches if batch.columns)] if wanted else list(batches)
        batches.close()
        found = [batch for batch in found if batch.columns]
        assert not file.closed
        assert [str(cell) for cell in found[0].columns["text"]] == ROWS["text"]


def test_a_csv_that_is_cut_off_is_left_open_too():
    """So that the error is the reader's own."""
    file = io.BytesIO(b"text,label\none,a\ntwo")
    with pytest.raises(SourceError, match="cut off"):
        list(reader_of("t.csv")(file, "t.csv", Rules()))
    assert not file.closed
