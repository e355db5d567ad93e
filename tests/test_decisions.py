"""Decisions: what stands is a pure function of append-only rows."""

import itertools
import os
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.contracts.errors import AssayError
from assay.store import decisions as module
from assay.store.account import account
from assay.store.decisions import (
    SCHEMA,
    append_decisions,
    cleaned_samples,
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


@pytest.fixture
def clock(monkeypatch):
    """Sets the clock that decisions are stamped with."""

    def set_to(year):
        fixed = type("Fixed", (), {"now": staticmethod(lambda zone: datetime(year, 1, 1, tzinfo=UTC))})
        monkeypatch.setattr(module, "datetime", fixed)

    return set_to


def test_a_clock_that_was_set_back_loses_no_newer_decision(workspace, clock):
    """What was decided last stands, whatever its time says; the time is as the clock said."""
    clock(2031)
    append_decisions(workspace, SAMPLES.head(1), "keep", None, "kim", 1)
    clock(2019)
    append_decisions(workspace, SAMPLES.head(1), "drop", None, "kim", 1)
    assert kinds(workspace, SAMPLES) == [("a", "drop", None)]
    assert [at.year for at in read_decisions(workspace)["at"]] == [2031, 2019]
    undo_batch(workspace, read_decisions(workspace)["batch"][1], "kim", 1)
    clock(1999)
    assert kinds(workspace, SAMPLES) == [("a", "keep", None)]


def test_decisions_without_a_sequence_are_older_than_all_that_have_one(workspace, clock):
    """Parts of an earlier version: among themselves by their times."""
    clock(2031)
    for kind in ("keep", "drop"):
        append_decisions(workspace, SAMPLES.head(1), kind, None, "kim", 1)
    for number, part in enumerate(sorted((workspace.root / "decisions").iterdir())):
        at = datetime(2031 - number, 1, 1, tzinfo=UTC)
        old = pl.read_parquet(part).drop("sequence").with_columns(at=pl.lit(at).dt.cast_time_unit("us"))
        old.write_parquet(part.with_name(f"part-{number}.parquet"))
        part.unlink()
    assert kinds(workspace, SAMPLES) == [("a", "keep", None)]
    clock(1999)
    append_decisions(workspace, SAMPLES.head(1), "drop", None, "kim", 1)
    assert kinds(workspace, SAMPLES) == [("a", "drop", None)]


def test_two_who_decide_at_the_same_time_lose_nothing(workspace, monkeypatch):
    """The same sequence and the same moment: two parts, and everyone reads the same one as the last."""
    monkeypatch.setattr(module, "next_sequence", lambda workspace: 7)
    for kind in ("keep", "drop"):
        append_decisions(workspace, SAMPLES.head(1), kind, None, "kim", 1)
    assert len(read_decisions(workspace)) == 2
    first = kinds(workspace, SAMPLES)
    assert len(first) == 1
    backwards = pl.concat([read_decisions(workspace).reverse()])
    assert effective_decisions(backwards, SAMPLES).select("sample_id", "kind", "value").rows() == first


def test_a_decision_has_a_name(workspace):
    """Nobody decides nothing; the account's name is the system's, not the environment's."""
    for nobody in ("", " "):
        with pytest.raises(AssayError, match="who"):
            append_decisions(workspace, SAMPLES, "drop", None, nobody, 1)
    assert read_decisions(workspace).is_empty()


def test_the_account_is_not_what_the_environment_says(monkeypatch):
    """LOGNAME and USER are anybody's to set."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "mallory")
    assert account() != "mallory"
    monkeypatch.setattr(os, "getuid", lambda: 4_123_456)
    assert account() == "uid 4123456"


ROWS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from(["h1", "h2"]),
        st.sampled_from(["cat", "dog", None]),
        st.sampled_from(["accept_label", "reject_label", "keep", "drop", "tag", "untag", "undo"]),
        st.sampled_from(["one", "two"]),
        st.integers(0, 4),  # minutes: the clock goes to and fro
        st.integers(0, 3),  # 0: no sequence
    ),
    max_size=12,
)


def slowly(rows: list[dict], now: dict) -> set:
    """What stands, as the docstring says it, one row after another."""
    undone = {row["value"] for row in rows if row["kind"] == "undo"}
    aspects = {"accept_label": "label", "reject_label": "label", "keep": "member", "drop": "member"}
    last = {}
    for row in sorted(rows, key=lambda row: (row["sequence"], row["at"], row["batch"])):
        if row["kind"] != "undo" and row["batch"] not in undone:
            tag = row["value"] if row["kind"] in ("tag", "untag") else ""
            last[row["sample_id"], aspects.get(row["kind"], "tag"), tag] = row
    found = set()
    for (sample, aspect, _), row in last.items():
        content, label = now[sample]
        if row["kind"] != "untag" and row["content_hash"] == content and (aspect != "label" or row["label"] == label):
            found.add(row["batch"])
    return found


@given(ROWS)
def test_what_stands_is_what_the_rule_says(drawn):
    """The SELECT against a loop, over any rows in any order, with undone batches and clocks set back."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {
            "batch": f"b{place}", "sequence": sequence, "sample_id": sample, "content_hash": content, "label": label,
            "kind": kind, "value": f"b{minutes}" if kind == "undo" else value, "who": "kim",
            "at": begin + timedelta(minutes=minutes), "snapshot": 1,
        }
        for place, (sample, content, label, kind, value, minutes, sequence) in enumerate(drawn)
    ]  # fmt: skip
    now = pl.DataFrame(
        {"sample_id": ["a", "b", "c"], "content_hash": ["h1", "h2", "h1"], "label": ["cat", None, "cat"]}
    )
    stands = effective_decisions(pl.DataFrame(rows, schema=SCHEMA), now)
    assert set(stands["batch"]) == slowly(rows, {"a": ("h1", "cat"), "b": ("h2", None)})
    assert len(stands) == stands["batch"].n_unique() and dict(stands.schema) == SCHEMA


def test_cleaned_leaves_every_combination_right(workspace):
    """A copy or not, kept or dropped or neither, with an accepted label or not: twelve samples."""
    cases = list(itertools.product([False, True], [None, "keep", "drop"], [False, True]))
    ids = [f"s{place:02d}" for place in range(len(cases))]
    samples = pl.DataFrame({"sample_id": ids, "position": range(len(ids)), "label": "given"}).reverse()
    duplicates = pl.DataFrame({"sample_id": ids, "keep": [not copy for copy, _, _ in cases]})
    rows = [(name, member, None) for name, (_, member, _) in zip(ids, cases, strict=True) if member]
    rows += [(name, "accept_label", "right") for name, (_, _, accepted) in zip(ids, cases, strict=True) if accepted]
    standing = pl.DataFrame(rows, schema={"sample_id": pl.String, "kind": pl.String, "value": pl.String}, orient="row")
    wanted = [
        (name, "right" if accepted else "given")
        for name, (copy, member, accepted) in zip(ids, cases, strict=True)
        if member != "drop" and (not copy or member == "keep")
    ]
    assert cleaned_samples(samples, duplicates, standing).rows() == wanted
