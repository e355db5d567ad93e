"""The cleaned dataset as files: one folder a class, by the decisions; hostile names stay inside."""

import os
import zipfile
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.contracts.errors import SpecError
from assay.exporting.folder import numbered, safe, write_folder, write_zip
from assay.reading.columns import View
from assay.store.decisions import append_decisions, read_decisions
from assay.store.workspace import Workspace


@given(st.text(max_size=300))
def test_any_label_is_one_safe_name(label):
    """No separator, no parent folder, nothing empty, nothing that Windows reserves."""
    name = safe(label)
    assert name not in ("", ".", "..") and len(name) <= 121
    assert not set(name) & set('/\\:*?"<>|\0\n') and not name.startswith("..")
    assert os.path.normpath(f"a/{name}") == os.path.join("a", name)


def test_a_name_that_is_taken_is_numbered():
    """The ending stays."""
    assert numbered("a/b.tar.gz", 1) == "a/b.tar-2.gz"


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
