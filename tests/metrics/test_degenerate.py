"""Degenerate nights: each gives whole tables that keep their contracts, never a crash, never a score outside [0, 1]."""

import importlib

import numpy as np
import polars as pl
import pytest

from tests.metrics.conftest import Inputs, blobs


def check(output) -> dict[str, pl.DataFrame]:
    """All tables; scores and confidences are in [0, 1] and nothing is NaN."""
    tables = {name: output.read(name) for name in output.tables}
    for frame in tables.values():
        for column in frame.select(pl.selectors.float()).columns:
            assert not frame[column].is_nan().any(), column
    assert tables["scores"]["score"].is_between(0, 1).all()
    assert tables["scores"]["score"].null_count() == 0
    assert tables["label_issues"]["score"].is_between(0, 1).all()
    return tables


RNG = np.random.default_rng(5)
CLOUD = RNG.normal(size=(40, 8)).astype(np.float32)
SOME_NAN = CLOUD.copy()
SOME_NAN[3] = np.nan
SOME_NAN[4] = 0.0
SOME_NAN[5] = np.inf
CASES = {
    "no samples": (np.zeros((0, 4)), []),
    "one sample": (CLOUD[:1], ["a"]),
    "two samples": (CLOUD[:2], ["a", "b"]),
    "two samples, one class": (CLOUD[:2], ["a", "a"]),
    "three samples, one unlabelled": (CLOUD[:3], ["a", "b", None]),
    "one class": (CLOUD, ["a"] * 40),
    "a class of one": (CLOUD, ["a"] * 20 + ["b"] * 19 + ["alone"]),
    "every class of one": (CLOUD, [str(i) for i in range(40)]),
    "no labels": (CLOUD, [None] * 40),
    "one label": (CLOUD, ["a"] + [None] * 39),
    "two labels": (CLOUD, ["a", "b"] + [None] * 38),
    "equal vectors": (np.ones((40, 8)), ["a", "b"] * 20),
    "opposite vectors": (np.r_[np.ones((20, 8)), -np.ones((20, 8))], ["a", "b"] * 20),
    "nan, zero and infinite vectors": (SOME_NAN, ["a", "b"] * 20),
    "all zero": (np.zeros((10, 4)), ["a", "b"] * 5),
    "all nan": (np.full((10, 4), np.nan), ["a", "b"] * 5),
    "one dimension": (CLOUD[:, :1], ["a", "b"] * 20),
    "labels that are numbers": (CLOUD, ["1", "2", "10", "1.0"] * 10),
    "twins in Unicode and SQL": (CLOUD, ["é", "e\u0301", "'; drop table samples; --", "<b>\u202e"] * 10),
}


@pytest.mark.parametrize("name", CASES)
def test_degenerate_input_gives_whole_tables(night, name):
    """Each degenerate corpus gives every table, within its contract, and a count of its samples."""
    vectors, labels = CASES[name]
    tables = check(night(vectors, labels))
    value = dict(tables["dataset_metrics"].select("metric", "value").iter_rows())
    assert value["n_samples"] == len(labels)
    assert value["n_classes"] == len({label for label in labels if label is not None})


def test_unusable_vectors_are_counted_and_not_scored(night):
    """A NaN, a zero and an infinite vector are counted, and their samples get no outlier or label score."""
    tables = check(night(SOME_NAN, ["a", "b"] * 20))
    value = dict(tables["dataset_metrics"].select("metric", "value").iter_rows())
    assert value["vectors_unusable"] == 3
    scored = tables["scores"].filter(pl.col("metric") == "outlier")["sample_id"]
    assert len(scored) == 37 and "s00003" not in scored.to_list()


def test_a_class_of_one_is_not_called_wrong(night):
    """The only sample of a class cannot be judged against it: its score is 0 and it is not flagged."""
    vectors, codes = blobs(200)
    labels = [f"c{c}" for c in codes]
    labels[7] = "alone"
    row = night(vectors, labels).read("label_issues").filter(pl.col("label") == "alone").row(0, named=True)
    assert row["score"] == 0.0 and not row["is_issue"]


def test_a_class_that_nothing_speaks_for_draws_no_suspicion_on_others(night):
    """Of six samples under two names that the vectors know nothing of five are flagged, and of the 300 others none."""
    vectors, codes = blobs(300)
    labels = ["typo", "catt"] * 3 + [f"c{c}" for c in codes[6:]]
    issues = night(vectors, labels).read("label_issues").sort("sample_id")
    assert issues["is_issue"].head(6).sum() >= 5 and not issues["is_issue"].tail(294).any()


@pytest.mark.parametrize("separator", ["", "|"])
def test_no_noise_is_estimated_of_labels_at_random(night, separator):
    """Labels that the vectors know nothing of: no flag, no estimate of the noise, and a note."""
    vectors, _ = blobs(300)
    labels = [f"c{c}" for c in np.random.default_rng(4).integers(0, 4, 300)]
    output = night(vectors, labels, source={"kind": "table", "path": "x.csv", "label_separator": separator})
    metrics = output.read("dataset_metrics")["metric"].to_list()
    assert "label_issues_note" in metrics and "estimated_noise_rate" not in metrics
    assert not output.read("label_issues")["is_issue"].any() and output.read("label_noise").is_empty()
    assert output.read("classes")["noise"].is_null().all()


@pytest.mark.parametrize("name", ["find_outliers", "class_graph", "order_numbers"])
def test_what_fails_beside_the_probe_is_the_error_of_the_stage(night, monkeypatch, name):
    """An error in the second thread ends the stage, and is the one that is told."""

    def fail(*_):
        raise ArithmeticError(name)

    monkeypatch.setattr(importlib.import_module("assay.metrics.measure"), name, fail)
    vectors, codes = blobs(40)
    with pytest.raises(ArithmeticError, match=name):
        night(vectors, [f"c{c}" for c in codes])


def test_contents_that_all_contradict_themselves_are_judged(night):
    """Three copies of each content, and one of the three labelled wrong each time: the wrong ones are flagged."""
    vectors, codes = blobs(100)
    codes = np.concatenate([codes, codes, (codes + 1) % 4])
    output = night(np.tile(vectors, (3, 1)), [f"c{c}" for c in codes], unit=list(range(100)) * 3)
    flagged = output.read("label_issues").sort("sample_id")["is_issue"].to_numpy()
    assert flagged[200:].mean() > 0.9 and not flagged[:200].any()


def test_ten_thousand_classes(tmp_path):
    """Ten thousand classes of two are judged without a probe, and a swapped label still stands out."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(10_000, 24)).astype(np.float32)
    vectors = np.repeat(centers, 2, axis=0) + 0.1 * rng.normal(size=(20_000, 24)).astype(np.float32)
    labels = [f"{i // 2:05d}" for i in range(20_000)]
    labels[0] = "05000"
    inputs = Inputs(tmp_path, vectors, labels)
    near = np.stack([np.arange(20_000) ^ 1, (np.arange(20_000) + 2) % 20_000], axis=1)
    norms = np.linalg.norm(vectors, axis=1)
    similarity = np.einsum("ij,ikj->ik", vectors, vectors[near]) / norms[:, None] / norms[near]
    ids = np.asarray(inputs.ids, dtype=object)
    inputs.graph = pl.DataFrame(
        {
            "sample_id": np.repeat(ids, 2).tolist(),
            "rank": np.tile([1, 2], 20_000),
            "neighbor_id": ids[near].ravel().tolist(),
            "similarity": similarity.ravel(),
        },
        schema_overrides={"rank": pl.UInt16},
    )
    tables = check(inputs.run())
    assert tables["classes"].height == 10_000
    scores = tables["label_issues"]["score"]
    assert scores[0] > 0.4 > scores.median()


def test_more_classes_than_neighbours(night):
    """With 60 classes and 5 neighbours the tables are whole and most labels stand."""
    vectors, codes = blobs(600, classes=60, dimensions=40)
    tables = check(night(vectors, [str(c) for c in codes], k=5))
    assert tables["label_issues"]["is_issue"].mean() < 0.1


def test_group_columns_of_any_type_and_name(night):
    """Group columns with hostile names and values, of every type, are data; an identifier column is left out."""
    vectors, codes = blobs(60)
    groups = {
        "a'; drop table samples; --": ['x"y', None, "<i>"] * 20,
        "number": [1, 2, None] * 20,
        "unit": [True, False, None] * 20,
        "list": [[1, 2], [], None] * 20,
        "id": [f"i{i}" for i in range(60)],
        "void": [None] * 60,
    }
    tables = check(night(vectors, [str(c) for c in codes], groups=groups))
    assert set(tables["groups"]["column"]) == {"a'; drop table samples; --", "number", "unit"}
    skipped = tables["dataset_metrics"].filter(pl.col("metric").str.starts_with("group_skipped:"))
    assert set(skipped["metric"].str.slice(14)) == {"id", "void", "list"}
