"""What is said at first sight, in words: counts, changes, what is worth doing, checks of the vectors."""

import polars as pl
import pytest

from assay.reading import health
from assay.reading.overview import MOST_WORTH, changes, rejects, sentence, told, trend, worth_doing
from assay.reading.queues import in_words
from tests.reading.made import made_view
from tests.snapshot_builder import samples

NOTHING = {"anew": {"up": {"n": 0, "metrics": []}, "down": {"n": 0, "metrics": []}}, "fixed": {"n": 0, "metrics": []},
           "new": {"n": 0, "metrics": []}, "counts": {}}  # fmt: skip


@pytest.mark.parametrize("headline, n_classes, judged, said", [
    ({}, 0, True, "0 texts. Nothing looks wrong."),
    ({"n_samples": 1200}, 1, False, "1,200 texts in 1 class. Nothing looks wrong, but the labels were not judged."),
    ({"n_samples": 5, "n_leaks": 1}, 2, True, "5 texts in 2 classes: 1 pair leaks between splits."),
    ({"n_samples": 5, "n_label_issues": 1, "n_outliers": None, "n_rejects": 0, "n_duplicates": 2000, "n_leaks": 2}, 0,
        True,
     "5 texts: 1 label looks wrong, 2,000 samples are copies and 2 pairs leak between splits."),
])  # fmt: skip
def test_the_headline_is_one_sentence(headline, n_classes, judged, said):
    """One and many are told apart, and nothing is said of what there is none of."""
    assert sentence(headline, n_classes, "texts", judged) == said


def test_an_issue_is_fixed_new_or_judged_anew(tmp_path):
    """By whether anything happened to the sample itself."""
    rows = [("a", "added", ""), ("a", "new_issue", "dark"), ("b", "removed", ""), ("b", "resolved", "dark"),
        ("b", "resolved", "blurry"),
            ("c", "new_issue", "outlier"), ("d", "resolved", "outlier"), ("d", "worse", "dark"),
            ("e", "label_changed", "")]  # fmt: skip
    diff = pl.DataFrame(rows, schema=["sample_id", "change", "metric"], orient="row")
    view = made_view(tmp_path / "v", {"samples": samples(["a"]), "diff": diff})
    assert changes(view) == {
        "counts": {"added": 1, "label_changed": 1, "removed": 1}, "new": {"n": 1, "metrics": [["dark", 1]]},
        "fixed": {"n": 2, "metrics": [["blurry", 1], ["dark", 1]]},
        "anew": {"up": {"n": 1, "metrics": [["outlier", 1]]}, "down": {"n": 1, "metrics": [["outlier", 1]]}},
    }  # fmt: skip
    assert changes(made_view(tmp_path / "none", {"samples": samples(["a"])})) == NOTHING


def test_rejects_are_counted_by_reason_with_an_example(tmp_path):
    """One that has a name and words, where any of them has."""
    rows = [
        (None, "clean", "truncated", None),
        ("b.jpg", "clean", "truncated", "x" * 300),
        (None, "embed", "vector_zero", None),
    ]
    table = pl.DataFrame(
        rows, schema=["uri", "stage", "reason", "detail"], orient="row", schema_overrides={"uri": pl.String}
    )
    found = rejects(made_view(tmp_path, {"samples": samples(["a"]), "rejects": table}))
    assert found == [
        {"reason": "truncated", "stage": "clean", "n": 2, "example": "b.jpg", "detail": "x" * 200},
        {"reason": "vector zero", "stage": "embed", "n": 1, "example": None, "detail": ""},
    ]


def test_what_is_worth_doing_has_an_end(tmp_path):
    """Broken gates first, then queues that are not done, then the rest, as many as a person reads."""
    noise = pl.DataFrame({"label": ["cat", "dog", "owl"], "noise": [0.25, 0.4, 0.05], "n": [9, 9, 9]})
    erring = pl.DataFrame({"annotator": ["eve"], "error_rate": [0.5]})
    view = made_view(tmp_path, {"samples": samples(["a"]), "classes": noise, "annotators": erring})
    gates = [{"metric": "n_samples", "value": 1, "min": 5, "ok": False},
        {"metric": "x", "value": 1, "max": 5, "ok": True},
             {"metric": "dark", "value": 3, "max": 2, "ok": False, "level": "warn"}]  # fmt: skip
    lines = [in_words("label_issue", 3, 3), in_words("duplicate", 2, 1)]
    things = worth_doing(view, lines, gates, 1)
    assert [(thing["title"], thing["n"], thing["unit"]) for thing in things] == [
        ("Gate failed: n_samples", 1, "gate"), ("Gate warns: dark", 1, "gate"), ("Duplicates", 1, "group"),
        ("Files that could not be used", 1, "file"), ("Classes with many wrong labels", 2, "classes"),
    ]  # fmt: skip
    assert things[0]["why"] == "It is 1, wanted at least 5" and len(things) == MOST_WORTH
    assert things[-1]["why"] == "The worst is 'dog': about 40% of its labels are wrong"
    (last,) = worth_doing(view, [], [], 0)[1:]
    assert last["why"] == "'eve' gives about 50% wrong labels" and last["unit"] == "annotator"


def test_a_number_that_some_nights_lack_is_a_line_with_gaps():
    """Our own first, then the others by name."""
    history = [
        {"number": 1, "headline": {"n_samples": 5}},
        {"number": 3, "headline": {"n_samples": 6, "z": 0.5, "b": None}},
    ]
    assert trend(history) == [
        {"name": "n_samples", "values": [5, 6], "numbers": [1, 3]}, {"name": "z", "values": [None, 0.5], "numbers": [1,
        3]},
    ]  # fmt: skip
    assert trend([]) == []


def test_a_snapshot_of_nothing_is_told(tmp_path):
    """Without tables, a parent, gates or rejects."""
    found = told(made_view(tmp_path, {"samples": samples([])}), {"headline": {"n_samples": 0}}, [], [], "images")
    assert found["sentence"] == "0 images. Nothing looks wrong." and found["changes"] is None
    assert found["worth"] == found["rejects"] == found["health"] == found["gates"] == []


def check(name: str, ok: bool = True, value: float | None = 1.0, note: str | None = None) -> dict:
    """A row of `embedding_health`."""
    return {"check": name, "ok": ok, "value": value, "wanted": "> 0", "note": note}


def test_checks_are_told_by_what_they_are_about():
    """What failed first; of one its name, of several how many; a check that nobody knows is among the others."""
    rows = [check("norm_min"), check("index_recall", ok=False), check("label_twins", ok=False),
        check("label_classes", ok=False),
            check("texts_cut"), check("drift_domain_auc", value=None, note="no earlier snapshot")]  # fmt: skip
    lines = {line["part"]: line for line in health.in_words(rows)}
    assert list(lines) == ["neighbours", "labels", "vectors", "drift", "other"]
    assert (
        lines["neighbours"]["says"] == "Index recall is not as wanted."
        and lines["labels"]["says"] == "2 of 2 checks failed."
    )
    assert [failed["check"] for failed in lines["labels"]["failed"]] == ["label_twins", "label_classes"]
    assert lines["drift"]["says"] == "No earlier snapshot." and lines["other"]["says"] == "All passed."
    assert health.in_words([check("drift_domain_auc", value=None)])[0]["says"] == "Nothing to compare with yet."
    assert health.in_words([]) == []
