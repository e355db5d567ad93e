"""One snapshot in memory: its rows and columns, whatever order and parts they are stored in."""

import threading
import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.reading.catalog import Category, Number
from assay.reading.columns import face_of, match
from tests.reading.made import labelled, made_view
from tests.snapshot_builder import samples, scores

HASHES = st.lists(
    st.sampled_from(["a" * 15, "a" * 14 + "b", "0" * 15]).flatmap(
        lambda h: st.sampled_from([h + "0" * 17, h + "1" * 17])
    )
)


@given(HASHES, HASHES)
def test_contents_are_found_by_their_whole_hash(mine, theirs):
    """The first place of each, also where two hashes begin alike; none is −1."""
    found = match(pl.Series(mine, dtype=pl.String), pl.Series(theirs, dtype=pl.String))
    assert found.tolist() == [theirs.index(one) if one in theirs else -1 for one in mine]


def test_rows_follow_the_position_however_they_are_stored(tmp_path):
    """A table that is not stored in its order is read in it, and columns of every part lie in the same rows."""
    frame = samples(list("cab"), ["x", "y", None]).with_columns(
        size=pl.Series([3.0, 1.0, 2.0]), position=pl.Series([2, 0, 1])
    )
    view = made_view(tmp_path, {"samples": frame}, rows_a_part=2)
    assert view.ids.to_list() == ["a", "b", "c"]
    assert view.number("columns.size").tolist() == [1, 2, 3]
    assert [view.category("label").objects()[code] for code in view.category("label").codes] == ["y", None, "x"]
    assert view.rows_of(pl.Series(["b", "nobody", "c"])).tolist() == [1, -1, 2]
    assert view.samples_of(np.array([2, 0]))["label"].to_list() == ["x", "y"]


def test_source_columns_are_numbers_names_or_left_out(tmp_path):
    """Numbers of any width, few names, yes and no; what nearly every sample has its own of is neither."""
    n = 60
    view = labelled(
        tmp_path, ["a"] * n, whole=[2**62] * n, part=[0.5, float("nan"), None] * (n // 3),
        shop=["x", "y", None] * (n // 3),
        flag=[True, False, None] * (n // 3), own=[f"name {i}" for i in range(n)],
        **{"a.b": ["p"] * n, "value": ["q"] * n, "nothing": [None] * n},
    )  # fmt: skip
    kinds = {e["title"]: e["kind"] for e in view.catalog() if e["page"] == "column"}
    assert kinds == {
        "whole": "number", "part": "number", "shop": "category", "flag": "category", "a.b": "category",
        "value": "category",
    }  # fmt: skip
    part = view.column("columns.part")
    assert isinstance(part, Number) and part.bounds() == (0.5, 0.5) and np.isnan(part.values[[1, 2]]).all()
    flag = view.column("columns.flag")
    assert isinstance(flag, Category) and flag.names == ["false", "true"] and flag.counts().tolist() == [20, 20, 20]
    assert view.category("columns.a.b").names == ["p"] and view.category("columns.value").names == ["q"]


def test_names_stand_by_how_many_have_them_then_by_themselves(tmp_path):
    """So that the colours of the largest classes differ; nulls are counted last, of all or of some rows."""
    label = labelled(tmp_path, ["b", "c", "c", None, "a", "é", "<b>"]).category("label")
    assert label.names == ["c", "<b>", "a", "b", "é"]
    assert label.counts().tolist() == [2, 1, 1, 1, 1, 1]
    assert label.counts(np.array([1, 3])).tolist() == [1, 0, 0, 0, 0, 1]


def test_what_is_asked_for_and_not_there_is_said(tmp_path):
    """A column, a projection, a metric: with what there is."""
    view = labelled(tmp_path, ["a"], size=[1])
    for ask, said in (
        (lambda: view.column("columns.weight"), "no column 'columns.weight'"),
        (lambda: view.category("columns.size"), "no names"),
        (lambda: view.number("label"), "no numbers"), (lambda: view.layout("umap"), "no projection 'umap'"),
        (lambda: view.issue("dark"), "no metric 'dark'"), (lambda: view.column("predicted"), "no column 'predicted'"),
    ):  # fmt: skip
        with pytest.raises(KeyError, match=said):
            ask()


def test_flags_are_the_rows_of_each_metric(tmp_path):
    """A metric that flags nothing is there; a score of a sample that is not is no row."""
    rows = [("a", "dark", 0.9, True), ("c", "dark", 0.8, True), ("b", "dark", 0.1, False), ("b", "blurry", 0.2, False)]
    view = made_view(tmp_path, {"samples": samples(list("abc")), "scores": scores([*rows, ("zz", "dark", 1.0, True)])})
    assert {name: found.tolist() for name, found in view.flags().items()} == {"blurry": [], "dark": [0, 2]}
    assert view.flags_of(np.array([2, 1, 0])) == [["dark"], [], ["dark"]]
    assert view.issue("dark").tolist() == [True, False, True] and not view.issue("blurry").any()
    assert view.category("issue").names == ["dark"]


def test_labels_that_look_wrong_are_an_issue_that_no_score_repeats(tmp_path):
    """The worst issue of a sample is the one with the highest score, its label's among them."""
    issues = pl.DataFrame({
        "sample_id": ["a", "b", "c"], "label": ["x"] * 3, "suggested_label": ["y"] * 3, "confidence": [0.9] * 3,
        "score": [0.95, 0.5, 0.1], "is_issue": [True, True, False],
    })  # fmt: skip
    table = scores([("a", "dark", 0.9, True), ("b", "dark", 0.9, True), ("a", "label_issue", 0.95, True)])
    view = made_view(tmp_path, {"samples": samples(list("abc")), "scores": table, "label_issues": issues})
    assert view.label_issue().tolist() == [True, True, False] == view.issue("label_issue").tolist()
    worst = view.category("issue")
    assert [worst.objects()[code] for code in worst.codes] == ["label_issue", "dark", None]
    assert [e["key"] for e in view.catalog()].count("label_issues.score") == 1
    assert "scores.label_issue" not in {e["key"] for e in view.catalog()}


def test_a_sample_has_the_gravest_of_its_changes(tmp_path):
    """New before worse before resolved; a change of another name is none of the colours."""
    rows = [
        ("a", "resolved", "dark"),
        ("a", "new_issue", "outlier"),
        ("b", "worse", "dark"),
        ("c", "removed", ""),
        ("b", "resolved", "x"),
    ]
    diff = pl.DataFrame(rows, schema=["sample_id", "change", "metric"], orient="row")
    change = made_view(tmp_path, {"samples": samples(list("abc")), "diff": diff}).category("change")
    assert change.names == ["new_issue", "worse"] and change.codes.tolist() == [0, 1, -1]


@pytest.mark.parametrize("manifest, kind", [
    ({"tables": {}}, "none"), ({"tables": {"image_facts": {"rows": 0}, "text_facts": {"rows": 2}}}, "text"),
    ({"tables": {"image_facts": {"rows": 3}}}, "picture"), ({"tables": {"image_facts": {"rows": 3}},
    "face": {"kind": "sound"}}, "sound"),
])  # fmt: skip
def test_older_snapshots_are_shown_by_what_they_hold(manifest, kind):
    """Those whose manifest says nothing of a face."""
    assert face_of(manifest)["kind"] == kind


def test_a_value_is_made_once_and_not_kept_where_it_is_old(tmp_path):
    """Two who ask at once wait for one; what was being made while something was decided is not remembered."""
    view, made = labelled(tmp_path, ["a"]), []

    def slow() -> int:
        made.append(1)
        time.sleep(0.05)
        return len(made)

    threads = [threading.Thread(target=view.once, args=("key", slow)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1] and view.once("key", slow) == 1
    view.forget("key")
    assert view.once("key", slow) == 2

    def decided_meanwhile() -> str:
        view.forget("other")
        return "old"

    assert view.once("other", decided_meanwhile) == "old" and view.once("other", lambda: "new") == "new"
