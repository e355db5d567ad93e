"""The cleaned dataset as files: one folder a class, by the decisions; hostile names stay inside."""

import os
import zipfile
from io import BytesIO

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assay.contracts.errors import SpecError
from assay.exporting.folder import free, numbered, safe, write_folder, write_zip
from assay.reading.columns import View
from assay.store.decisions import append_decisions, read_decisions
from assay.store.workspace import Workspace
from tests.reading.made import made_view
from tests.snapshot_builder import samples


@given(st.text(max_size=300))
def test_any_label_is_one_safe_name(label):
    """No separator, no parent folder, nothing empty, nothing that Windows reserves."""
    name = safe(label)
    assert name not in ("", ".", "..") and len(name) <= 121
    assert not set(name) & set('/\\:*?"<>|\0\n') and not name.startswith("..")
    assert os.path.normpath(f"a/{name}") == os.path.join("a", name)


@pytest.mark.parametrize("start, end", [
    ("x" * 300, ".jpeg"), ("画" * 90, ".png"), ("é" * 119, ".x"), ("画" * 200, ""), ("a." + "b" * 300, ""),
])  # fmt: skip
def test_a_long_name_fits_any_disk_and_keeps_its_ending(tmp_path, start, end):
    """255 bytes are the most that a file system takes; a picture without its ending is none to many programs."""
    short = safe(start + end)
    (tmp_path / numbered(short, 98)).write_bytes(b"")
    assert short.startswith(start[:60]) and short.endswith(end)
    assert start.startswith(short.removesuffix(end))


def test_a_name_that_is_taken_is_numbered():
    """The ending stays."""
    assert numbered("a/b.tar.gz", 1) == "a/b.tar-2.gz"


@given(st.lists(st.sampled_from(["a.jpg", "A.jpg", "a-2.jpg", "a-3.JPG", "a-2-2.jpg", "b.jpg"]), max_size=12))
@example(["a.jpg", "a.jpg", "a-2.jpg"])
def test_no_file_takes_anothers_place(names):
    """Not where one is called as another one is numbered, nor where only case tells them apart; the first keeps its
    name."""
    used: dict[str, int] = {}
    places = [free(name, used) for name in names]
    folded = [place.casefold() for place in places]
    assert len(set(folded)) == len(names)
    assert all(place == name for place, name in zip(places[:1], names[:1], strict=True))


def test_a_folder_holds_every_sample_whatever_files_are_called(tmp_path):
    """Two files of one name, and one that is called as the second would be."""
    uris = ["x/a.txt", "y/a.txt", "z/a-2.txt"]
    rows = samples(["p", "q", "r"], ["cat"] * 3).with_columns(uri=pl.Series(uris))
    facts = rows.select("content_hash", text=pl.Series(["first", "second", "third"]))
    face = {"kind": "text", "plural": "texts", "facts": "text_facts", "preview": "", "text": "text"}
    view = made_view(tmp_path / "v", {"samples": rows, "text_facts": facts}, face=face)
    assert write_folder(view, np.ones(3, dtype=bool), tmp_path / "out").n == 3
    texts = {path.name: path.read_text() for path in (tmp_path / "out" / "cat").iterdir()}
    assert sorted(texts.values()) == ["first", "second", "third"] and texts["a.txt"] == "first"
    buffer = BytesIO()
    write_zip(view, np.ones(3, dtype=bool), buffer)
    archive = zipfile.ZipFile(buffer)
    assert {name.removeprefix("cat/"): archive.read(name).decode() for name in archive.namelist()} == texts


def test_what_is_no_file_is_said_to_be_none(tmp_path):
    """Vectors and boxes, with what they can be taken as."""
    rows = samples(["p"])
    vectors = made_view(
        tmp_path / "v", {"samples": rows}, face={"kind": "none", "facts": "", "preview": "", "text": ""}
    )
    with pytest.raises(SpecError, match="rows of a table, not files; take them as Parquet or CSV"):
        write_folder(vectors, np.ones(1, dtype=bool), tmp_path / "out")
    boxes = made_view(tmp_path / "b", {"samples": rows}, face={"kind": "boxes", "whole": "picture_hash"})
    with pytest.raises(SpecError, match="boxes in pictures, not files; take them as COCO"):
        write_zip(boxes, np.ones(1, dtype=bool), BytesIO())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("link", [False, True])
def test_a_night_is_taken_as_a_folder(digits_night, tmp_path, link):
    """Files by split and class with accepted labels, dropped ones and copies not there; links lead to the source."""
    snapshot = digits_night
    workspace = Workspace(tmp_path, "digits")  # of the decisions alone
    view = View(snapshot, lambda: read_decisions(workspace))
    samples = view.samples_of(np.arange(2))
    append_decisions(workspace, samples.head(1), "drop", None, "tester", 1)
    append_decisions(workspace, samples.tail(1), "accept_label", "../zebra", "tester", 1)
    view.forget("decisions")
    taken = write_folder(view, np.ones(len(view), dtype=bool), tmp_path / "out", link)
    files = sorted(path for path in (tmp_path / "out").rglob("*") if not path.is_dir())
    assert taken.n == len(files) > 100 and not taken.left_out
    assert any(path.parent.name == "_zebra" for path in files)
    assert all(path.is_symlink() == link and path.read_bytes() for path in files)
    with pytest.raises(SpecError, match="not empty"):
        write_folder(view, np.ones(len(view), dtype=bool), tmp_path / "out")
    buffer = BytesIO()
    assert write_zip(view, np.ones(len(view), dtype=bool), buffer).n == taken.n
    assert len(zipfile.ZipFile(buffer).namelist()) == taken.n
