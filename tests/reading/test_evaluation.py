"""A model on a snapshot: every number counted again by hand, and what its errors have to do with the data."""

import numpy as np
import polars as pl
import pytest

from assay.reading.columns import View
from assay.reading.evaluation import evaluation
from tests.reading.made import made_view
from tests.snapshot_builder import samples, scores


def made(
    folder, labels: list, predicted: list, probability: list | None = None, dark: tuple = (), **further: list
) -> View:
    """Samples with labels, and a model's predictions; None among these is a sample without one."""
    ids = [f"s{i}" for i in range(len(labels))]
    frame = samples(ids, labels).with_columns(pl.Series(name, values) for name, values in further.items())
    flagged = scores([(name, "dark", 0.9 if i in dark else 0.1, i in dark) for i, name in enumerate(ids)])
    view = made_view(folder, {"samples": frame, "scores": flagged})
    rows = [
        (name, one, p)
        for name, one, p in zip(ids, predicted, probability or [None] * len(ids), strict=True)
        if one is not None
    ]
    schema = {"sample_id": pl.String, "predicted": pl.String, "probability": pl.Float64}
    view.read_predictions = lambda: pl.DataFrame([*rows, ("gone", "cat", 0.5)], schema=schema, orient="row")
    return view


def test_right_and_wrong_are_counted_where_both_are_known(tmp_path):
    """A class that nobody predicts has no precision; one that no sample has is no line."""
    view = made(tmp_path, ["cat", "cat", "dog", None, "dog", "owl"], ["cat", "dog", "dog", "cat", None, "newt"])
    found = evaluation(view, np.ones(6, dtype=bool))
    assert (found["n"], found["missing"], found["errors"], found["accuracy"]) == (4, 2, 2, 0.5)
    assert found["confusion"] == [("cat", "dog", 1), ("owl", "newt", 1)]
    assert found["classes"] == [
        {"label": "cat", "n": 2, "errors": 1, "recall": 0.5, "precision": 1.0},
        {"label": "owl", "n": 1, "errors": 1, "recall": 0.0, "precision": None},
        {"label": "dog", "n": 1, "errors": 0, "recall": 1.0, "precision": 0.5},
    ]
    assert found["calibration"] is None
    some = evaluation(view, np.array([False, False, True, True, True, False]))
    assert (some["n"], some["missing"], some["accuracy"]) == (1, 2, 1.0)


def test_nothing_to_evaluate(tmp_path):
    """No sample, or no predictions at all."""
    view = made(tmp_path, ["cat"], ["cat"])
    found = evaluation(view, np.zeros(1, dtype=bool))
    assert found["n"] == 0 and found["accuracy"] is None and found["says"] == found["classes"] == []
    view = made_view(tmp_path / "none", {"samples": samples(["a"])})
    with pytest.raises(KeyError):
        evaluation(view, np.ones(1, dtype=bool))


def test_calibration_is_the_formula(tmp_path):
    """A tenth is a bin from its lower end on, 1 is in the last; the error weighs the bins by their samples."""
    sure = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 0.05, 0.75, None]
    right = [True, False] * 7
    found = evaluation(
        made(tmp_path, ["a"] * 14, ["a" if good else "b" for good in right], sure), np.ones(14, dtype=bool)
    )["calibration"]
    wanted: dict[int, list[int]] = {}
    for place, p in enumerate(sure):
        if p is not None:
            wanted.setdefault(min(round(p * 100) // 10, 9), []).append(place)
    assert [(round(b["low"] * 10), b["n"]) for b in found["bins"]] == [(k, len(v)) for k, v in sorted(wanted.items())]
    errors = [
        len(v) / 13 * abs(np.mean([right[i] for i in v]) - np.mean([sure[i] for i in v])) for v in wanted.values()
    ]
    assert found["error"] == pytest.approx(sum(errors), abs=1e-6)
    assert found["right"] == pytest.approx(np.mean(right[:13])) and found["sure"] == pytest.approx(
        np.mean(sure[:13]), abs=1e-6
    )


def test_errors_are_told_by_issue_and_by_group(tmp_path):
    """Where the model errs on dark pictures and in one shop; groups of fewer than five are not spoken of."""
    n = 40
    wrong = [i < 10 for i in range(n)]
    view = made(
        tmp_path, ["cat"] * n, ["dog" if bad else "cat" for bad in wrong], dark=tuple(range(8)),
        shop=["x"] * 12 + ["y"] * 26 + ["z"] * 2,
    )  # fmt: skip
    found = evaluation(view, np.ones(n, dtype=bool))
    (line,) = found["issues"]
    assert {key: line[key] for key in ("metric", "n", "errors", "share", "rate", "elsewhere")} == {
        "metric": "dark", "n": 8, "errors": 8, "share": 0.8, "rate": 1.0, "elsewhere": 2 / 32,
    }  # fmt: skip
    assert [(g["column"], g["value"], g["n"]) for g in found["groups"]] == [("shop", "x", 12), ("shop", "y", 26)]
    assert found["groups"][0]["rate"] == pytest.approx(10 / 12) and found["groups"][1]["rate"] == 0
    assert found["says"] == [
        "Three quarters of the errors have the issue “dark”; the model errs on 100% of such samples and on 6.2% of the "
        "others."
    ]


def test_labels_that_look_wrong_are_told_of_the_class_they_are_in(tmp_path):
    """Not of the class whose errors are the model's own."""
    labels, wrong = ["cat"] * 20 + ["dog"] * 20, {*range(6), *range(20, 26)}
    view = made(tmp_path, labels, ["owl" if i in wrong else label for i, label in enumerate(labels)])
    issues = pl.DataFrame({"sample_id": [f"s{i}" for i in range(40)], "label": labels, "score": [0.5] * 40,
                           "confidence": [0.5] * 40, "is_issue": [i < 6 for i in range(40)]})  # fmt: skip
    tables = {"samples": view.scan("samples").collect(), "label_issues": issues}
    judged = made_view(tmp_path / "judged", tables)
    judged.read_predictions = view.read_predictions
    says = evaluation(judged, np.ones(40, dtype=bool))["says"]
    assert says[0].startswith("Half of the errors have the issue “label issues”")
    assert says[1:] == ["Nearly all of the errors on “cat” are labels that look wrong."]
