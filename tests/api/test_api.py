"""The Python API: what a notebook does with it."""

import subprocess
import sys
import urllib.request

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_digits

import assay
from tests.corpus import write_digits

FAST = {"project": {"methods": ["pca"]}}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def digits(home):
    """Vectors with labels, a few of them wrong, run twice; the second without ten samples."""
    data = load_digits()
    labels = [str(label) for label in data.target[:400]]
    labels[:5] = ["9" if label != "9" else "1" for label in labels[:5]]
    assay.run(vectors=data.data[:400], labels=labels, name="digits", home=home, **FAST)
    return assay.run(vectors=data.data[:390], labels=labels[:390], name="digits", home=home, **FAST)


def test_vectors_in_memory_become_a_snapshot(digits):
    """Tables are frames, SQL is a relation, and the planted wrong labels are found."""
    assert digits.number == 2 and digits.tables["samples"] == 390 and digits.passed and digits.verify() == []
    issues = digits.table("label_issues").filter("is_issue")
    assert isinstance(issues, pl.DataFrame) and len(issues) >= 3
    assert digits.sql("select count(*) as n from samples").pl()["n"].to_list() == [390]
    assert digits.scan("scores").select(pl.len()).collect().item() == digits.tables["scores"]
    assert len(digits.clean()) == 390 - digits.table("duplicates").filter(~pl.col("keep")).height


def test_snapshots_compare(digits, home):
    """With the one before as published, with any other anew."""
    first = assay.open("digits", 1, home)
    assert first.number == 1 and assay.open("digits", home=home).number == 2
    removed = digits.diff().filter(change="removed")
    assert len(removed) == 10 and digits.diff(first).filter(change="removed").equals(removed)
    assert digits.diff(1).filter(change="removed").equals(removed)


def test_a_notebook_asks_about_this_night_and_then_about_all(digits):
    """Views of all nights are made when they are named, beside what the notebook made."""
    digits.sql("create temp table mine as select sample_id from samples limit 3")
    assert digits.sql("select count(*) from mine join history.samples using (sample_id)").fetchall() >= [(3,)]
    assert digits.sql("from history.scores join history.samples using (snapshot, sample_id)").limit(1).fetchall()
    names = {
        name for (name,) in digits.sql("select view_name from duckdb_views() where schema_name = 'history'").fetchall()
    }
    assert {"classes", "label_issues", "decisions"} < names and "neighbors" not in names


def test_images_texts_and_frames(tmp_path):
    """A folder, a list with labels, a frame with a column of another name."""
    write_digits(tmp_path / "photos", seed=1, n=60)
    assert assay.run(images=tmp_path / "photos", home=tmp_path, **FAST).dataset == "photos"
    words = [f"how do I pay bill number {i}" if i % 2 else f"the weather in town {i} is fine" for i in range(60)]
    topics = ["pay" if i % 2 else "weather" for i in range(60)]
    listed = assay.run(texts=words, labels=topics, home=tmp_path, **FAST)
    frame = pl.DataFrame({"text": words, "category": topics, "source": ["a"] * 60})
    framed = assay.run(texts=frame, label="category", name="f", home=tmp_path, **FAST)
    assert listed.table("samples")["label"].to_list() == framed.table("samples")["label"].to_list() == topics
    assert assay.datasets(tmp_path)["dataset"].to_list() == ["f", "photos", "texts"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({}, "name one of"),
        ({"images": "a", "texts": ["b"]}, "name one of"),
        ({"images": "~nobody-at-all/photos"}, "~nobody-at-all/photos"),
        ({"vectors": np.zeros(3)}, "a matrix of numbers"),
        ({"vectors": np.zeros((3, 2)), "labels": ["a"]}, "1 labels for 3 samples"),
        ({"texts": pl.DataFrame({"words": ["a"]})}, "column `text`"),
        ({"texts": pl.DataFrame({"text": ["a"]}), "label": "topic"}, "no column `topic`"),
        ({"texts": ["a"], "name": "../x"}, "cannot be a dataset name"),
        ({"texts": ["a"], "embd": {}}, "did you mean `embed`"),
        ({"spec": "none.toml"}, "no spec file"),
        ({"spec": "none.toml", "embed": {}}, "a spec file says everything"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, call, message):
    """Before anything is computed."""
    with pytest.raises(assay.AssayError, match=message):
        assay.run(**call, home=tmp_path)


def test_an_unknown_table_names_the_nearest(digits):
    """As a spec's keys do."""
    with pytest.raises(assay.AssayError, match="did you mean 'label_issues'"):
        digits.table("label_issue")


def test_it_shows_itself(digits):
    """One line in a terminal, a table in a notebook; names are text there, never markup."""
    assert repr(digits).startswith("<Snapshot 2 of 'digits': 390 samples")
    assert "<table>" in digits._repr_html_() and "samples" in digits._repr_html_()
    digits.dataset, kept = "<b>x</b>", digits.dataset
    assert "<b>x" not in digits._repr_html_().replace("<b>&lt;", "")
    digits.dataset = kept


def test_the_explorer_runs_beside_a_notebook(digits):
    """Its link lets in, and it ends when told to."""
    from assay.explorer.background import start

    explorer = start(digits._stored)
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    assert b"<title>" in opener.open(explorer.link, timeout=20).read()
    assert "token" not in repr(explorer)
    explorer.stop()


def test_a_night_with_nothing_to_do_is_light():
    """No torch, UMAP or Prefect for the stages before they have work: they take seconds to import."""
    code = "import sys, assay.night; print(sorted({'torch', 'umap', 'numba', 'prefect', 'sklearn'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_importing_is_light():
    """No torch, UMAP, Prefect, Polars or DuckDB for `import assay`."""
    code = "import sys, assay; print(sorted({'torch', 'umap', 'prefect', 'polars', 'duckdb'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
