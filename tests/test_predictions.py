"""A model's predictions as people have them: under several names, with and without how sure it is."""

import re

import polars as pl
import pytest

from assay.contracts.errors import SpecError
from assay.store.predictions import bring_predictions, read_predictions
from assay.store.workspace import Workspace


@pytest.fixture
def bring(tmp_path):
    """Bring a file of these bytes, and read what is kept."""
    workspace = Workspace(tmp_path / "home", "toy")

    def do(content: str | bytes | pl.DataFrame, name: str = "p.csv") -> list[tuple]:
        path = tmp_path / name
        if isinstance(content, pl.DataFrame):
            content.write_parquet(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        n = bring_predictions(workspace, path)
        kept = read_predictions(workspace)
        assert kept is not None and len(kept) == n
        return kept.rows()

    return do


def test_columns_go_by_several_names(bring):
    """The last of two lines about a sample counts; a line without a prediction is none."""
    assert bring("id,pred,prob\na,cat,0.5\nb,,1\na,dog,1\n") == [("a", "dog", 1.0)]
    assert bring("path,prediction\n1,007\n") == [("1", "007", None)]
    assert bring(pl.DataFrame({"uri": [1, 2], "predicted_class": [3, None]}), "p.PARQUET") == [("1", "3", None)]
    assert bring("sample_id,predicted\n") == []


def test_a_name_with_brackets_is_a_name(bring):
    """A second download is called so, and is no pattern of files."""
    assert bring("id,pred\na,cat\n", "p[1].csv") == [("a", "cat", None)]
    assert bring(pl.DataFrame({"id": ["a"], "pred": ["cat"]}), "p[1]*.parquet") == [("a", "cat", None)]


@pytest.mark.parametrize("content, said", [
    ("id,pred,prob\na,cat,-0.5\n", "lies in 0 to 1; these run from -0.5 to -0.5"),
    ("id,pred,prob\na,cat,0.1\nb,cat,1.5\n", "these run from 0.1 to 1.5"),
    ("id,pred,prob\na,cat,nan\n", "these run from nan to nan"),
    ("id,pred,prob\na,cat,high\n", "do not read as"),
    ("id,label\na,cat\n", "need a column 'predicted' (or prediction, "),
    ("", "cannot be read as CSV or Parquet"), (b"id,pred\n\xff,\xfe\n", "cannot be read as CSV or Parquet"),
])  # fmt: skip
def test_what_is_wrong_is_said(bring, content, said):
    """What was found and what was wanted; what was kept before stays."""
    bring("id,pred\na,dog\n")
    with pytest.raises(SpecError, match=re.escape(said)):
        bring(content)
    assert bring(b"id,pred\n") == []


def test_a_damaged_file_is_no_predictions(tmp_path):
    """Cut off or overwritten, it is said to be damaged, with what to do; without one there are none."""
    workspace = Workspace(tmp_path, "toy")
    assert read_predictions(workspace) is None
    (tmp_path / "p.csv").write_text("id,pred\na,cat\n")
    bring_predictions(workspace, tmp_path / "p.csv")
    kept = workspace.root / "predictions.parquet"
    whole = kept.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole.replace(b"cat", b"dog")):
        kept.write_bytes(damaged)
        with pytest.raises(SpecError, match="is damaged .* supply the predictions again, or remove it"):
            read_predictions(workspace)
