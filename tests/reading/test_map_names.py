"""Names on the plot: each class where most of it is, or each cluster of texts in its own words."""

import numpy as np
import polars as pl
import pytest

from assay.reading.map_names import CLUSTERS, densest, map_names
from tests.reading.made import made_view
from tests.snapshot_builder import samples

TEXT = {"kind": "text", "plural": "texts", "facts": "text_facts", "preview": "", "text": "text"}


def made(folder, xy: np.ndarray, labels: list[str | None], texts: list[str | None] | None = None):
    """A view of samples at these places; NaN is no place."""
    rows = samples([f"s{i:05d}" for i in range(len(xy))], labels)
    places = rows.select("sample_id").with_columns(method=pl.lit("umap"), x=pl.Series(xy[:, 0]), y=pl.Series(xy[:, 1]))
    tables = {"samples": rows, "projection": places.filter(pl.col("x").is_not_nan())}
    if texts is not None:
        tables["text_facts"] = rows.select("content_hash").with_columns(text=pl.Series(texts, dtype=pl.String))
    return made_view(folder, tables, face=TEXT if texts is not None else {"facts": "", "text": ""})


def test_a_class_is_named_on_its_larger_island(tmp_path):
    """Not between the two, where nothing of it is; the largest class first, and one without a place not at all."""
    rng = np.random.default_rng(0)
    islands = [(90, (0, 0)), (30, (20, 0)), (60, (0, 20)), (3, (10, 10))]
    xy = np.concatenate([rng.normal(at, 0.3, (n, 2)) for n, at in islands] + [np.full((5, 2), np.nan)])
    names = map_names(made(tmp_path, xy, ["two"] * 120 + ["one"] * 60 + ["few"] * 3 + ["nowhere"] * 5), "umap")
    assert [(name["name"], name["n"], name["kind"]) for name in names] == [
        ("two", 120, "class"), ("one", 60, "class"), ("few", 3, "class"),
    ]  # fmt: skip
    for name, wanted in zip(names, [(0, 0), (0, 20), (10, 10)], strict=True):
        assert np.hypot(name["x"] - wanted[0], name["y"] - wanted[1]) < 1


@pytest.mark.parametrize("values", [[3.0], [3.0, 3.0], [-1e30, 1e30], [0.0, 1e-30]])
def test_the_fullest_place_is_one_of_the_points(values):
    """Of one point, of equal ones, of any span."""
    x = np.array(values, dtype=np.float32)
    found = densest(x, x)
    assert found[0] == found[1] and x.min() <= found[0] <= x.max()


def test_texts_without_labels_are_named_by_their_words(tmp_path):
    """Each cluster by what others do not say; what all say, numbers and short words name nothing."""
    subjects = ["cats purr", "rockets launch", "bread bakes", "rivers flood"]
    rng = np.random.default_rng(0)
    at = rng.integers(0, 4, 400)
    xy = np.array([(0, 0), (50, 0), (0, 50), (50, 50)])[at] + rng.normal(0, 1, (400, 2))
    texts = [None if i == 9 else f"everybody says {subjects[k]} 2024 of it" for i, k in enumerate(at)]
    names = map_names(made(tmp_path, xy, [None] * 400, texts), "umap")
    assert 4 <= len(names) <= CLUSTERS and sum(name["n"] for name in names) == 400
    assert [name["n"] for name in names] == sorted((name["n"] for name in names), reverse=True)
    for name in names:
        (subject,) = {k for k in range(4) if set(subjects[k].split()) & set(name["name"].split())}
        assert np.hypot(*(np.array([name["x"], name["y"]]) - [(0, 0), (50, 0), (0, 50), (50, 50)][subject])) < 5
        assert set(name["name"].split()) <= set(subjects[subject].split())


@pytest.mark.parametrize("n, text", [(63, "some words here"), (100, "1 2 3"), (100, None)])
def test_few_texts_and_such_without_words_have_no_names(tmp_path, n, text):
    """Nothing is written rather than something that says nothing."""
    xy = np.random.default_rng(0).normal(size=(n, 2))
    assert map_names(made(tmp_path, xy, ["all one class"] * n, [text] * n), "umap") == []


def test_one_class_of_what_is_no_text_has_no_name(tmp_path):
    """There is nothing to tell it from."""
    assert map_names(made(tmp_path, np.zeros((4, 2)), ["a"] * 4), "umap") == []
    with pytest.raises(KeyError, match="no projection 'tsne'"):
        map_names(made(tmp_path / "other", np.zeros((4, 2)), ["a"] * 4), "tsne")
