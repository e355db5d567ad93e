"""The `diff` table as given and expected rows: what moved, was replaced, relabelled, added, removed."""

import duckdb
import polars as pl
import pytest

from assay.contracts.tables import CONTRACTS
from assay.store.snapshots import DIFF_SQL

NO_SCORES = {"sample_id": pl.String, "metric": pl.String, "score": pl.Float32, "is_issue": pl.Boolean}


def changes(old: list[tuple], new: list[tuple], old_scores=(), new_scores=()) -> list[tuple]:
    """Rows `(sample_id, change, metric, was_id, was_label)` between two lists of `(sample_id, content, label)`."""
    connection = duckdb.connect()
    names = ("sample_id", "content_hash", "label")
    for name, rows in (("old", old), ("new", new)):
        samples = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
        connection.register(f"{name}_samples", samples.to_arrow())
        scores = pl.DataFrame(old_scores if name == "old" else new_scores, schema=NO_SCORES, orient="row")
        connection.register(f"{name}_scores", scores.to_arrow())
    found = connection.sql(DIFF_SQL.read_text()).pl()
    CONTRACTS["diff"].validate(found, cast=True)
    return found.rows()


def test_relabelled_by_moving_renamed_and_replaced():
    """What a labeller does in a folder of classes: each sample has one row that says what was done to it."""
    old = [(f"cat/{n}", f"c{n}", "cat") for n in range(4)] + [("dog/8", "c8", "dog"), ("dog/9", "c9", "dog")]
    new = [("cat/2", "other", "cat"), ("cat/3", "c3", "cat"), ("dog/0", "c0", "dog"), ("dog/1", "c1", "dog")]
    new += [("dog/nine", "c9", "dog"), ("dog/new", "c10", "dog")]
    assert changes(old, new) == [
        ("cat/2", "content_changed", "", None, None),
        ("dog/0", "label_changed", "", "cat/0", "cat"),
        ("dog/1", "label_changed", "", "cat/1", "cat"),
        ("dog/8", "removed", "", None, "dog"),
        ("dog/new", "added", "", None, None),
        ("dog/nine", "moved", "", "dog/9", None),
    ]


def test_a_label_corrected_in_place():
    """The old label stands beside it; null is a label's absence, in both directions."""
    old = [("a", "1", "x"), ("b", "2", None), ("c", "3", "z"), ("d", "4", None)]
    new = [("a", "1", "y"), ("b", "2", "x"), ("c", "3", None), ("d", "4", None)]
    assert changes(old, new) == [
        ("a", "label_changed", "", None, "x"),
        ("b", "label_changed", "", None, None),
        ("c", "label_changed", "", None, "z"),
    ]


def test_a_row_put_in_front_moves_the_others():
    """Samples known by the number of their row are the same samples under another number."""
    old = [(f"row-{n}", f"c{n}", "x") for n in range(5)]
    new = [("row-0", "new", "x"), *((f"row-{n + 1}", f"c{n}", "x") for n in range(5))]
    found = changes(old, new)
    assert [row for row in found if row[1] != "moved"] == [("row-0", "added", "", None, None)]
    assert [(row[0], row[3]) for row in found if row[1] == "moved"] == [(f"row-{n + 1}", f"row-{n}") for n in range(5)]


def test_two_samples_that_change_places():
    """A swap of two files is two moves, with the labels that their new folders give."""
    old, new = [("a/1", "c1", "a"), ("b/1", "c2", "b")], [("a/1", "c2", "a"), ("b/1", "c1", "b")]
    assert changes(old, new) == [
        ("a/1", "label_changed", "", "b/1", "b"),
        ("b/1", "label_changed", "", "a/1", "a"),
    ]


def test_copies_are_paired_within_their_class_first():
    """Of two copies of one content each moves within its own class; a third that is left over is removed."""
    old = [("a/1", "c", "a"), ("b/1", "c", "b"), ("b/2", "c", "b")]
    new = [("a/x", "c", "a"), ("b/x", "c", "b")]
    assert changes(old, new) == [
        ("a/x", "moved", "", "a/1", None),
        ("b/2", "removed", "", None, "b"),
        ("b/x", "moved", "", "b/1", None),
    ]


def test_a_copy_made_beside_is_added():
    """The first stays what it was."""
    assert changes([("a", "c", None)], [("a", "c", None), ("b", "c", None)]) == [("b", "added", "", None, None)]


def test_replaced_and_relabelled_are_two_changes():
    """Content and label of one id."""
    assert changes([("a", "1", "x")], [("a", "2", "y")]) == [
        ("a", "content_changed", "", None, None),
        ("a", "label_changed", "", None, "x"),
    ]


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        ((0.9, True), (0.9, True), []),
        ((0.9, True), (0.1, False), ["resolved"]),
        ((0.1, False), (0.9, True), ["new_issue"]),
        ((0.6, True), (0.9, True), ["worse"]),
        (None, (0.9, True), ["new_issue"]),
        ((0.9, True), None, ["resolved"]),
    ],
)
def test_issues_follow_a_moved_sample(was, now, expected):
    """A moved sample's issue is not new under its new name, nor resolved under its old one."""
    scores = [[(name, "dark", *score)] if score else [] for name, score in (("cat/1", was), ("dog/1", now))]
    found = changes([("cat/1", "c", "cat")], [("dog/1", "c", "dog")], *scores)
    assert [row[:3] for row in found] == [
        ("dog/1", "label_changed", ""),
        *(("dog/1", change, "dark") for change in expected),
    ]


def test_an_issue_of_a_removed_sample_is_resolved():
    """It is gone with its sample; where the name was given to another content, the issue is not laid on that one."""
    flagged = [("a", "dark", 0.9, True)]
    assert changes([("a", "1", "x")], [], flagged) == [
        ("a", "removed", "", None, "x"),
        ("a", "resolved", "dark", None, None),
    ]
    found = changes([("a", "1", "x"), ("b", "2", "x")], [("a", "2", "x")], flagged)
    assert found == [("a", "moved", "", "b", None), ("a", "removed", "", None, "x")]
