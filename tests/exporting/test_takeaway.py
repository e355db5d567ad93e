"""What the explorer writes is a source again: nothing of it is changed that the file does not say."""

import csv
import io

import numpy as np
import polars as pl
import pytest

from assay.contracts.spec import make_spec
from assay.contracts.spreadsheet import ESCAPED, escape, unescape_cells, unescape_header
from assay.contracts.tables import empty
from assay.exporting.takeaway import export
from assay.publishing.snapshot import write_snapshot
from assay.reading.columns import View
from assay.sources.ingest import ingest
from assay.store.workspace import Workspace
from tests.snapshot_builder import stage_output

NAMES = ["-kmz00.jpg", "@home.jpg", "=SUM(A1).jpg", "+49 170.jpg", "plain.jpg", "-1+cmd|' !A0.jpg"]
LABELS = ["-1", "1", "-1", '=HYPERLINK("x")', "+1", None]
FURTHER = {"note": ["a", "-", "\t=1", 'say "hi"', "two\nlines", ""], "delta": [-1.5, 2.0, None, 0.0, 1.0, -3.0]}


@pytest.fixture
def pictures(tmp_path):
    """A table of pictures with every kind of dangerous cell; its view."""
    (tmp_path / "img").mkdir()
    for name in NAMES:
        (tmp_path / "img" / name).write_text(name)
    table = pl.DataFrame({"uri": NAMES, "label": LABELS, "split": ["train", "test"] * 3, **FURTHER})
    table.write_parquet(tmp_path / "t.parquet")
    return view_of(tmp_path, "image", "t.parquet", root="img")


def read(folder, modality: str, name: str, home: str = "again", **source) -> tuple[object, object]:
    """`(spec, output)` of one ingest of a table in `folder`."""
    values = {"name": "d", "modality": modality, "source": {"kind": "table", "path": name, **source}}
    spec = make_spec(values, base=folder)
    return spec, ingest(spec, Workspace(folder / home, "d"))


def view_of(folder, modality: str, name: str, facts: dict | None = None, **source) -> View:
    """The view of a snapshot of that table."""
    spec, output = read(folder, modality, name, home="home", **source)
    tables = {"samples": output.read("ingested"), **(facts or {})}
    workspace = Workspace(folder / "home", "d")
    return View(write_snapshot(spec, workspace, [output, stage_output(workspace, "clean", tables)]))


@pytest.mark.parametrize("what", ["cleaned", "selection"])
@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_an_export_is_read_back_as_it_was(tmp_path, pictures, what, form):
    """Ids, places, labels, splits and further columns, in every format."""
    name = f"out.{form}"
    (tmp_path / name).write_bytes(export(pictures, np.ones(len(NAMES), dtype=bool), what, form))
    _, output = read(tmp_path, "image", name, root="img")
    before, after = pictures.scan("samples").collect().sort("position"), output.read("ingested").sort("position")
    assert output.read("rejects").is_empty()
    for column in ("sample_id", "uri", "label", "split", "content_hash", "delta"):
        assert before[column].to_list() == after[column].to_list(), column
    notes = ["" if note is None else note for note in before["note"]]
    assert ["" if note is None else note for note in after["note"]] == notes
    assert before["label"].null_count() == after["label"].null_count() == 1


def test_a_csv_escapes_what_runs_and_nothing_else(pictures):
    """-1 is a number and -kmz00.jpg a name; a call is escaped, and its row says so."""
    text = export(pictures, np.ones(len(NAMES), dtype=bool), "cleaned", "csv").decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["uri"] for row in rows] == [
        "-kmz00.jpg", "@home.jpg", "'=SUM(A1).jpg", "+49 170.jpg", "plain.jpg", "'-1+cmd|' !A0.jpg",
    ]  # fmt: skip
    assert [row["label"] for row in rows][:4] == ["-1", "1", "-1", '\'=HYPERLINK("x")']
    assert rows[0][ESCAPED] == "" and "label" in rows[3][ESCAPED] and "note" in rows[2][ESCAPED]


def test_texts_are_exported_with_their_text(tmp_path):
    """A text dataset without its texts could not be read back."""
    texts = ["=1+1", "-kmz", "'quoted", "plain, with comma", "two\nlines"]
    pl.DataFrame({"text": texts, "label": list("ababa")}).write_parquet(tmp_path / "t.parquet")
    _, output = read(tmp_path, "text", "t.parquet", home="first")
    contents = output.read("contents").select("content_hash", "text")
    facts = pl.concat([empty("text_facts"), contents.with_columns(
        clean_text="text", changes=pl.lit([], dtype=pl.List(pl.String)), n_characters=1, n_words=1, n_tokens=1,
        damaged=0.0, normalized_hash="content_hash", minhash=pl.lit([1], dtype=pl.List(pl.UInt32)),
    )], how="diagonal_relaxed")  # fmt: skip
    view = view_of(tmp_path, "text", "t.parquet", {"text_facts": facts})
    for form in ("csv", "parquet", "jsonl"):
        (tmp_path / f"out.{form}").write_bytes(export(view, np.ones(5, dtype=bool), "cleaned", form))
        _, again = read(tmp_path, "text", f"out.{form}")
        assert again.read("contents")["text"].to_list() == texts
        assert again.read("ingested")["sample_id"].to_list() == output.read("ingested")["sample_id"].to_list()


def test_escaping_is_undone_in_headers_too():
    """A column's name is as dangerous as a cell; without the column that says so nothing is undone."""
    frame = pl.DataFrame({"=a": ["=1", "'=1", None], "b": ["x", "-1", "y"]})
    escaped = escape(frame)
    assert escaped.columns == ["'=a", "b", ESCAPED] and escaped["'=a"].to_list() == ["'=1", "'=1", None]
    names = unescape_header(escaped.columns)
    columns = unescape_cells({name: column.to_list() for name, column in zip(names, escaped, strict=True)})
    assert columns == {"=a": ["=1", "'=1", None], "b": ["x", "-1", "y"]}
    assert escape(frame.select("b")).columns == ["b"]
    assert unescape_header(["'=a", "b"]) == ["'=a", "b"]
