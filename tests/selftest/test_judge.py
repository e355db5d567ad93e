"""Judging a snapshot's pairs against what was planted: whose copy is found, and whose tie is wrong."""

from pathlib import Path

import polars as pl
import pytest

from assay.contracts.tables import empty
from assay.modalities.image.modality import IMAGE
from assay.selftest.count import by_kind, detectors, judge, summarize
from assay.store.snapshots import Snapshot
from tests.snapshot_builder import samples

IDS = ["a", "b", "c", "copy-a", "copy-b", "dark", "stranger", "leak-c"]
TRUTH = [
    ("copy-a", "byte_duplicate", "a"), ("copy-b", "mirrored", "b"), ("leak-c", "leak", "c"), ("dark", "dark", None),
    ("stranger", "off_topic", None),
]  # fmt: skip
DUPLICATES = [  # group, sample, tier, similarity
    ("a", "a", "bytes", 1.0), ("a", "copy-a", "bytes", 1.0), ("b", "b", "mirrored", 1.0),
    ("b", "copy-b", "mirrored", 0.9), ("b", "c", "altered", 0.6), ("dark", "dark", "altered", 1.0),
    ("dark", "stranger", "altered", 0.7),
]  # fmt: skip


def snapshot(folder: Path, **tables: list[tuple]) -> Snapshot:
    """A snapshot of these rows; columns by their place in the contract."""
    folder.mkdir()
    names = {"duplicates": ["group_id", "sample_id", "tier", "similarity"],
             "leaks": ["sample_id", "other_id", "similarity"],
             "rejects": ["sample_id", "reason"],
             "scores": ["sample_id", "metric", "score", "is_issue"]}  # fmt: skip
    frames = {name: pl.DataFrame(rows, schema=names[name], orient="row") for name, rows in tables.items()}
    if "duplicates" in frames:
        frames["duplicates"] = frames["duplicates"].with_columns(keep=pl.col("sample_id") == pl.col("group_id"))
    told = {}
    for name, frame in {**frames, "samples": samples(IDS)}.items():
        (folder / name).mkdir()
        whole = pl.concat([empty(name), frame], how="diagonal_relaxed")
        whole.write_parquet(folder / name / "part-00000.parquet")
        told[name] = {"files": [{"path": f"{name}/part-00000.parquet"}]}
    return Snapshot(1, folder, {"tables": told})


def truth() -> pl.DataFrame:
    return pl.DataFrame(TRUTH, schema={"sample_id": pl.String, "kind": pl.String, "of": pl.String}, orient="row")


def roles(rows: pl.DataFrame) -> dict[str, tuple[str, bool]]:
    """Role and flag of each sample that is not clean and unflagged."""
    told = rows.filter((pl.col("role") != "clean") | pl.col("is_issue"))
    return {name: (role, flag) for name, role, flag in told.select("sample_id", "role", "is_issue").iter_rows()}


def test_copies_are_found_where_they_are_tied_to_their_originals(tmp_path):
    """A tie to another sample is wrong; one of two spoilt samples is excused; each tier has its detector."""
    found = judge(IMAGE, snapshot(tmp_path / "s", duplicates=DUPLICATES), truth())
    assert roles(found["exact duplicates"]) == {"copy-a": ("planted", True)}
    assert roles(found["near duplicates"]) == {
        "copy-b": ("planted", True), "c": ("clean", True), "stranger": ("excused", True),
    }  # fmt: skip
    near = summarize("near duplicates", found["near duplicates"], draws=0)
    assert (near.planted, near.found, near.wrong, near.precision) == (1, 1, 1, 0.5)
    assert roles(found["leaks"]) == {"leak-c": ("planted", False)}
    kinds = {kind: (n, hits) for _, kind, n, hits in by_kind(found).iter_rows()}
    assert kinds["byte_duplicate"] == (1, 1) and kinds["mirrored"] == (1, 1) and kinds["leak"] == (1, 0)


@pytest.mark.parametrize("turned", [False, True])
def test_a_leak_is_a_pair_in_either_order(tmp_path, turned):
    """The copy and its original; a pair of strangers to each other is wrong."""
    pair = ("c", "leak-c", 0.8) if turned else ("leak-c", "c", 0.8)
    found = judge(IMAGE, snapshot(tmp_path / "s", leaks=[pair, ("a", "b", 0.5)]), truth())["leaks"]
    assert roles(found) == {"leak-c": ("planted", True), "a": ("clean", True)}
    assert found.filter(sample_id="leak-c")["score"].to_list() == [0.8]


def test_pairs_that_were_there_before_are_no_false_alarm(tmp_path):
    """Both members of a group, and of a leak."""
    before = snapshot(tmp_path / "before", duplicates=[("b", "b", "altered", 1.0), ("b", "c", "altered", 0.6)],
                      leaks=[("a", "b", 0.5)])  # fmt: skip
    after = snapshot(tmp_path / "after", duplicates=DUPLICATES, leaks=[("a", "b", 0.5)])
    found = judge(IMAGE, after, truth(), before)
    assert roles(found["near duplicates"])["c"] == ("earlier", True)
    assert roles(found["leaks"]) == {"leak-c": ("planted", False), "a": ("earlier", True), "b": ("earlier", False)}


def test_rejected_samples_are_what_unreadable_ones_become(tmp_path):
    """A planted one that was rejected is found; another one is wrong; a reject without an id counts for nothing."""
    planted = pl.concat([truth(), truth().head(1).with_columns(sample_id=pl.lit("gone"), kind=pl.lit("corrupt"))])
    rejects = [("gone", "truncated"), ("b", "zero_bytes"), (None, "x")]
    found = judge(IMAGE, snapshot(tmp_path / "s", rejects=rejects), planted)["unreadable files"]
    assert roles(found)["gone"] == ("planted", True) and roles(found)["b"] == ("clean", True)


def test_another_defect_may_trip_a_detector(tmp_path):
    """A dark picture that is an outlier is excused; a clean one is wrong."""
    scores = [("dark", "outlier", 0.9, True), ("stranger", "outlier", 0.8, True), ("a", "outlier", 0.7, True),
              ("dark", "dark", 1.0, True)]  # fmt: skip
    found = judge(IMAGE, snapshot(tmp_path / "s", scores=scores), truth())
    assert roles(found["outliers"])["dark"] == ("excused", True)
    assert roles(found["outliers"])["stranger"] == ("planted", True) and roles(found["outliers"])["a"][0] == "clean"
    assert roles(found["dark"])["dark"] == ("planted", True)


def test_nothing_is_judged_that_nothing_was_planted_for(tmp_path):
    """Detectors in the order of a table, those of the planted kinds alone."""
    found = judge(IMAGE, snapshot(tmp_path / "s"), truth())
    assert list(found) == [name for name in detectors(IMAGE) if name in found]
    assert set(found) == {"exact duplicates", "near duplicates", "leaks", "dark", "outliers"}
    assert all(len(rows.filter(pl.col("role") == "planted")) == 1 for rows in found.values())
