"""The lists of the pages: groups of copies, leaks, the confusion matrix, histograms, each counted again by hand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.reading import tables
from assay.reading.catalog import Number
from assay.reading.selection import select, without_each
from assay.reading.tables import BINS, NoSuchTable, confusion, duplicate_groups, facet, leaks, plain
from tests.reading.made import labelled, made_view
from tests.snapshot_builder import samples, scores

ALL = np.ones(6, dtype=bool)
COPIES = [("a", "a", True, 1.0), ("a", "b", False, 0.9), ("a", "c", False, 0.95), ("d", "d", True, 1.0),
    ("d", "e", False, 1.0),
          ("gone", "gone", True, 1.0), ("gone", "also", False, 1.0)]  # fmt: skip
PAIRS = [("a", "b", "train", "test", 0.9), ("b", "a", "test", "train", 0.9), ("d", "e", "val", "train", 1.0),
         ("a", "gone", "train", "test", 1.0)]  # fmt: skip


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    """Six samples, two groups of copies among them, leaks that are stored both ways, and ends that are not there."""
    copies = pl.DataFrame(COPIES, schema=["group_id", "sample_id", "keep", "similarity"], orient="row")
    pairs = pl.DataFrame(PAIRS, schema=["sample_id", "other_id", "split", "other_split", "similarity"], orient="row")
    return made_view(tmp_path_factory.mktemp("lists"), {
        "samples": samples(list("abcdef")), "duplicates": copies.with_columns(tier=pl.lit("pixels")),
        "leaks": pairs.with_columns(tier=pl.lit("pixels")),
    })  # fmt: skip


def test_groups_are_listed_largest_first_with_the_kept_one_first(view):
    """A group of which nothing is there is none; of one with a member in the selection all members are shown."""
    found = duplicate_groups(view, ALL, 0, 60)
    assert found["total"] == 2
    assert [[card["id"] for card in group["members"]] for group in found["groups"]] == [["a", "c", "b"], ["d", "e"]]
    only = duplicate_groups(view, np.array([0, 0, 0, 0, 1, 0], dtype=bool), 0, 60)
    assert [group["id"] for group in only["groups"]] == ["d"] and only["groups"][0]["n"] == 2
    assert duplicate_groups(view, ~ALL, 0, 60) == {"total": 0, "groups": []}
    assert [group["id"] for group in duplicate_groups(view, ALL, 1, 60)["groups"]] == ["d"]
    assert len(duplicate_groups(view, ALL, -5, 1)["groups"]) == 1


def test_each_leak_is_one_pair(view):
    """However it is stored, the most alike first; either end may be selected, and pairs of splits are counted."""
    found = leaks(view, ALL, "", 0, 100)
    assert [(line["a"]["id"], line["b"]["id"]) for line in found["leaks"]] == [("d", "e"), ("a", "b")]
    assert sorted(found["pairs"]) == [("test ↔ train", 1), ("train ↔ val", 1)]
    assert leaks(view, ALL, "test ↔ train", 0, 100)["total"] == 1 and leaks(view, ALL, "none", 0, 100)["total"] == 0
    assert leaks(view, np.arange(6) == 1, "", 0, 100)["total"] == 1 and leaks(view, ~ALL, "", 0, 100)["leaks"] == []


def test_the_matrix_counts_flagged_labels_and_says_what_it_leaves_out(tmp_path, monkeypatch):
    """Given against suggested; the classes with the fewest are left out, and so are their cells."""
    rows = [
        ("a", "cat", "dog"),
        ("b", "cat", "dog"),
        ("c", "dog", "cat"),
        ("d", "owl", "cat"),
        ("e", "owl", None),
        ("f", "dog", "owl"),
    ]
    issues = pl.DataFrame(rows, schema=["sample_id", "label", "suggested_label"], orient="row").with_columns(
        is_issue=pl.col("sample_id") != "f", score=pl.lit(0.5), confidence=pl.lit(0.5)
    )
    frame = samples([row[0] for row in rows], [row[1] for row in rows])
    found = confusion(made_view(tmp_path / "v", {"samples": frame, "label_issues": issues}))
    assert found == {"classes": ["cat", "dog", "owl"], "cells": [("cat", "dog", 2), ("dog", "cat", 1), ("owl", "cat",
        1)],
                     "total": 4, "left_out": 0}  # fmt: skip
    monkeypatch.setattr(tables, "MOST_CLASSES", 2)
    few = confusion(made_view(tmp_path / "w", {"samples": frame, "label_issues": issues}))
    assert few == {
        "classes": ["cat", "dog"],
        "cells": [("cat", "dog", 2), ("dog", "cat", 1)],
        "total": 4,
        "left_out": 1,
    }
    none = made_view(tmp_path / "x", {"samples": frame, "label_issues": issues.with_columns(is_issue=pl.lit(False))})
    assert confusion(none) == {"classes": [], "cells": [], "total": 0, "left_out": 0}


@given(st.lists(st.none() | st.sampled_from([0.0, 0.5, 1.0, -2.0, 1e30, float("inf"), 0.3]), min_size=1, max_size=30))
def test_a_histogram_has_every_value_once(values):
    """In the bin it lies in, the largest in the last; what is no number is counted apart."""
    column = Number(np.array([np.nan if value is None else value for value in values], dtype=np.float32))
    low, high = column.bounds()
    place = tables._bins(column, low, high)
    for value, bin_of in zip(column.values.astype(np.float64), place.tolist(), strict=True):
        if not np.isfinite(value):
            assert bin_of == BINS
        else:
            exact = (value - low) * BINS / (high - low) if high > low else 0.0
            assert abs(min(max(exact, 0), BINS - 1) - bin_of) <= 1 + 1e-3


def test_counts_of_a_selection_stand_beside_those_of_all(tmp_path):
    """For names and numbers; a score's histogram runs from 0 to 1, whatever the scores."""
    view = labelled(tmp_path / "v", ["x", "x", None, "y"], size=[0.0, 4.8, None, 48.0])
    mask = np.array([True, False, True, False])
    found = facet(view, "label", mask, whole=False)
    assert (found["names"], found["counts"], found["selected"], found["none"], found["none_selected"]) == (
        ["x", "y"],
        [2, 1],
        [1, 0],
        1,
        1,
    )
    found = facet(view, "columns.size", mask, whole=False)
    assert (found["low"], found["high"], sum(found["counts"]), found["none"]) == (0, 48, 3, 1)
    assert [found["counts"][k] for k in (0, 4, BINS - 1)] == [1, 1, 1] and sum(found["selected"]) == found[
        "none_selected"
    ] == 1
    assert facet(view, "columns.size", mask, whole=True)["selected"] == found["counts"]
    scored = made_view(tmp_path / "s", {"samples": samples(["a", "b"]), "scores": scores([("a", "dark", 0.5, False)])})
    found = facet(scored, "scores.dark", np.ones(2, bool), whole=True)
    assert (found["low"], found["high"], found["counts"][BINS // 2], found["none"]) == (0.0, 1.0, 1, 1)


def test_small_tables_are_listed_as_they_are_and_no_others(tmp_path):
    """Numbers that JSON has none for are null; a page ends where the table does."""
    rejects = pl.DataFrame({"uri": [f"{i}" for i in range(3)], "stage": ["clean"] * 3, "reason": ["truncated"] * 3})
    noise = pl.DataFrame({"metric": ["a", "b", "c"], "value": [float("nan"), float("inf"), 0.5]})
    view = made_view(tmp_path, {"samples": samples(["a"]), "rejects": rejects, "dataset_metrics": noise})
    assert [row[:1] for row in plain(view, "rejects", 1, 1)["rows"]] == [["1"]] and plain(view, "rejects", 9, 5)[
        "rows"
    ] == []
    assert [row[1] for row in plain(view, "dataset_metrics", -3, 9)["rows"]] == [None, None, 0.5]
    assert plain(view, "classes", 0, 9)["total"] == 0
    with pytest.raises(NoSuchTable, match="no list of 'samples'; there are"):
        plain(view, "samples", 0, 1)


def test_what_lets_nothing_through_is_found_by_lifting_each_condition(tmp_path):
    """One column of several at a time, as the page offers it."""
    view = labelled(tmp_path, ["x", "y", "x", None], size=[1, 2, 3, 4], shop=["p", "p", "q", "q"])
    wanted = {"values": {"label": ["x"], "columns.shop": ["p"]}, "ranges": {"columns.size": [2, 9]}}
    assert not select(view, wanted).any()
    found = {(line["key"], line["name"]): line["n"] for line in without_each(view, wanted)}
    assert found == {("values", "label"): 1, ("values", "columns.shop"): 1, ("ranges", "columns.size"): 1}


def test_samples_of_sets_are_found_by_the_classes_they_carry(tmp_path):
    """All of them, in whatever order they are named; where labels are no sets, the label itself."""
    view = labelled(tmp_path / "sets", ["cat;dog", "cat", "dog;cat;owl", ";", None])
    view.snapshot.manifest["config"] = {"source": {"label_separator": ";"}}
    for carried, rows in (({"dog", "cat"}, [0, 2]), ({"owl"}, [2]), ({"newt"}, []), ({"cat"}, [0, 1, 2])):
        assert np.flatnonzero(select(view, {"carries": sorted(carried)})).tolist() == rows
