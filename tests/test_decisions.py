"""Decisions: what stands is a pure function of append-only rows."""

import polars as pl
import pytest

from assay.contracts.errors import AssayError
from assay.store.decisions import (
    append_decisions,
    dismissed_suspicions,
    effective_decisions,
    read_decisions,
    undo_batch,
)
from assay.store.workspace import Workspace

SAMPLES = pl.DataFrame({"sample_id": ["a", "b"], "content_hash": ["1" * 32, "2" * 32], "label": ["cat", None]})


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path, "pets")


def kinds(workspace, samples=None):
    frame = effective_decisions(read_decisions(workspace), samples)
    return frame.select("sample_id", "kind", "value").rows()


def test_no_decisions_is_an_empty_frame(workspace):
    """A dataset nobody decided about has no standing decisions, in the right columns."""
    assert read_decisions(workspace).is_empty()
    assert effective_decisions(read_decisions(workspace), SAMPLES).is_empty()


def test_latest_of_an_aspect_wins_and_aspects_do_not_mix(workspace):
    """Rejecting after accepting leaves only the rejection; the tag of the same sample stays."""
    append_decisions(workspace, SAMPLES.head(1), "accept_label", "dog", "kim", 1)
    append_decisions(workspace, SAMPLES.head(1), "tag", "check", "kim", 1)
    append_decisions(workspace, SAMPLES.head(1), "reject_label", None, "kim", 1)
    assert kinds(workspace) == [("a", "reject_label", None), ("a", "tag", "check")]


def test_undo_brings_back_what_stood_before(workspace):
    """Undoing the later decision lets the earlier one stand again, and every row stays on disk."""
    append_decisions(workspace, SAMPLES.head(1), "keep", None, "kim", 1)
    batch = append_decisions(workspace, SAMPLES.head(1), "drop", None, "kim", 1)
    undo_batch(workspace, batch, "lee", 2)
    assert kinds(workspace) == [("a", "keep", None)]
    assert len(read_decisions(workspace)) == 3


def test_untag_removes_only_its_own_tag(workspace):
    """Two tags, one taken away: the other stays."""
    for tag in ("one", "two"):
        append_decisions(workspace, SAMPLES, "tag", tag, "kim", 1)
    append_decisions(workspace, SAMPLES.head(1), "untag", "one", "kim", 1)
    assert kinds(workspace) == [("a", "tag", "two"), ("b", "tag", "one"), ("b", "tag", "two")]


@pytest.mark.parametrize(
    ("now", "stands"),
    [
        ({"label": ["cat", None]}, ["a", "b"]),
        ({"label": ["dog", None]}, ["b"]),
        ({"label": ["cat", "cat"]}, ["a"]),
        ({"content_hash": ["9" * 32, "2" * 32]}, ["b"]),
    ],
)
def test_a_rejected_suspicion_comes_back_only_when_content_or_label_changed(workspace, now, stands):
    """A confirmed label holds while content and label (a missing one too) are as they were."""
    append_decisions(workspace, SAMPLES, "reject_label", None, "kim", 1)
    samples = SAMPLES.with_columns(**{name: pl.Series(values) for name, values in now.items()})
    assert (
        dismissed_suspicions(read_decisions(workspace), samples).filter(metric="label_issue")["sample_id"].to_list()
        == stands
    )


def test_a_tag_outlives_a_new_label_but_not_new_content(workspace):
    """Tags and keep or drop belong to the content, not to the label."""
    append_decisions(workspace, SAMPLES.head(1), "tag", "x", "kim", 1)
    assert kinds(workspace, SAMPLES.with_columns(label=pl.lit("new"))) == [("a", "tag", "x")]
    assert kinds(workspace, SAMPLES.with_columns(content_hash=pl.lit("0" * 32))) == []


def test_a_damaged_part_is_named_and_skipped(workspace, capsys):
    """One unreadable file does not hide the other decisions."""
    append_decisions(workspace, SAMPLES, "drop", None, "kim", 1)
    (workspace.root / "decisions" / "part-0.parquet").write_bytes(b"PAR1 not really")
    assert len(read_decisions(workspace)) == 2
    assert "part-0.parquet" in capsys.readouterr().err


def test_unknown_kinds_and_empty_selections_are_refused(workspace):
    """Nothing is written for a decision that means nothing."""
    with pytest.raises(AssayError, match="kind"):
        append_decisions(workspace, SAMPLES, "burn", None, "kim", 1)
    with pytest.raises(AssayError, match="no samples"):
        append_decisions(workspace, SAMPLES.head(0), "drop", None, "kim", 1)
    assert not (workspace.root / "decisions").exists()


def test_values_can_differ_within_a_batch(workspace):
    """Accepting each sample's own suggestion is one batch, undone as one."""
    append_decisions(workspace, SAMPLES, "accept_label", ["dog", "fox"], "kim", 1)
    assert kinds(workspace) == [("a", "accept_label", "dog"), ("b", "accept_label", "fox")]
