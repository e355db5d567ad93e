"""What is to be reviewed: in which order, and when an item is settled."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from assay.reading.columns import View
from assay.reading.queues import of_counts, queue, queues
from assay.store.decisions import SCHEMA
from tests.reading.made import made_view
from tests.snapshot_builder import samples, scores

IDS = list("abcdef")
COPIES = [("a", "a", True, 1.0), ("a", "b", False, 0.9), ("c", "c", True, 1.0), ("c", "d", False, 1.0),
    ("c", "e", False, 0.99),
          ("e", "f", True, 0.5), ("gone", "gone", True, 1.0)]  # fmt: skip


def made(folder, *decided: tuple[str, str]) -> View:
    """Flagged labels, two groups of copies, a leak and dark pictures; `decided`: (sample, kind) in their order."""
    rows = samples(IDS, ["x", "x", "x", "y", "x", None])
    issues = pl.DataFrame({"sample_id": IDS, "label": ["x"] * 6, "score": [0.5, 0.9, 0.9, 0.1, 0.2, 0.3],
        "confidence": [0.5] * 6,
                           "is_issue": [True, True, True, False, False, False]})  # fmt: skip
    dark = scores(
        [(name, "dark", 0.9, name in "af") for name in IDS]
        + [("b", "grayscale", 1.0, True), ("c", "blurry", 0.6, True)]
    )
    copies = pl.DataFrame(COPIES, schema=["group_id", "sample_id", "keep", "similarity"], orient="row")
    leak = pl.DataFrame(
        {"sample_id": ["a"], "other_id": ["b"], "split": ["train"], "other_split": ["test"], "similarity": [1.0]}
    )
    view = made_view(folder, {
        "samples": rows, "label_issues": issues, "scores": dark,
        "duplicates": copies.with_columns(tier=pl.lit("pixels")),
        "leaks": leak.with_columns(tier=pl.lit("pixels")),
    })  # fmt: skip
    known = {row["sample_id"]: row for row in rows.to_dicts()}
    made_at = datetime(2026, 1, 1, tzinfo=UTC)
    log = [("b", n, name, known[name]["content_hash"], known[name]["label"], kind, "z", "me", made_at, 1)
           for n, (name, kind) in enumerate(decided, 1)]  # fmt: skip
    view.read_decisions = lambda: pl.DataFrame(log, schema=SCHEMA, orient="row")
    return view


def test_the_worst_comes_first_and_what_matters_most_before_the_rest(tmp_path):
    """Labels, leaks, copies, then each other issue, the largest first; what is seldom wrong is last."""
    view = made(tmp_path)
    assert [(line["key"], line["total"]) for line in queues(view)] == [
        ("label_issue", 3), ("leak", 1), ("duplicate", 2), ("dark", 2), ("blurry", 1), ("grayscale", 1),
    ]  # fmt: skip
    assert [item["rows"] for item in queue(view, "label_issue")["items"]] == [[1], [2], [0]]
    assert [item["rows"] for item in queue(view, "duplicate")["items"]] == [[2, 3, 4], [0, 1]]  # labels that disagree
    assert queue(view, "leak")["items"] == [{"rows": [0, 1], "done": False}]
    with pytest.raises(KeyError, match="no queue 'bright'"):
        queue(view, "bright")


def test_a_selection_narrows_a_queue(tmp_path):
    """To items with a sample in it."""
    view = made(tmp_path)
    assert [item["rows"] for item in queue(view, "duplicate", np.arange(6) == 4)["items"]] == [[2, 3, 4]]
    assert (
        queue(view, "duplicate", np.zeros(6, bool))["total"] == 0 == queue(view, "outlier", np.zeros(6, bool))["total"]
    )


@pytest.mark.parametrize("key, decided, done", [
    ("label_issue", [("b", "accept_label")], [1]), ("label_issue", [("b", "reject_label"), ("a", "drop")], [1, 0]),
    ("label_issue", [("b", "keep")], []), ("label_issue", [("b", "tag")], []),
    ("duplicate", [("a", "keep")], [0]), ("duplicate", [("d", "drop")], []),
    ("duplicate", [("d", "drop"), ("e", "keep")], [2]),
    ("duplicate", [("d", "reject_label"), ("e", "keep")], []),
    ("leak", [("a", "keep")], []), ("leak", [("a", "keep"), ("b", "keep")], [0]), ("leak", [("b", "drop")], [0]),
    ("dark", [("f", "keep")], [5]), ("dark", [("f", "accept_label")], [5]), ("dark", [("f", "reject_label")], []),
])  # fmt: skip
def test_what_settles_an_item(tmp_path, key, decided, done):
    """A label by a word on it, a group by all but one of its copies, a pair by dropping one end or keeping both."""
    found = queue(made(tmp_path, *decided), key)
    assert [item["rows"][0] for item in found["items"] if item["done"]] == done and found["done"] == len(done)


def test_sizes_alone_give_the_same_order(tmp_path):
    """As the report knows them; what is empty is left out, and so is what `outlier` tells already."""
    counts = {
        "blurry": 1,
        "grayscale": 1,
        "dark": 2,
        "leak": 1,
        "label_issue": 3,
        "duplicate": 2,
        "outlier": 0,
        "knn_distance": 9,
    }
    assert [line["key"] for line in of_counts(counts)] == [line["key"] for line in queues(made(tmp_path))]
