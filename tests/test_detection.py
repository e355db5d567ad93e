"""Counting what was found: plain oracles for average precision, and for the estimate where the truth is known."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score

from assay.modalities.image.modality import IMAGE
from assay.selftest.count import (
    JUDGEMENT,
    Ranking,
    average_precision,
    bootstrap,
    judge,
    most_alike,
    own_average_precision,
    summarize,
)
from assay.store.snapshots import open_snapshot
from assay.store.workspace import Workspace
from tests.snapshot_builder import publish_toy


def test_average_precision_is_scikit_learns():
    """Without defects that were there already it is the usual one, ties included."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        planted = rng.random(60) < 0.2
        planted[0] = True
        score = rng.integers(0, 8, 60) / 7 if rng.random() < 0.5 else rng.random(60)
        assert average_precision(score, planted) == pytest.approx(average_precision_score(planted, score))


def test_a_case_by_hand():
    """Scores 5, 4, 3, 2, 1 with the first and third planted: (1/1 + 2/3) ÷ 2."""
    planted = np.array([True, False, True, False, False])
    assert average_precision(np.arange(5, 0, -1.0), planted) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize("already", [0.0, 0.05, 0.2])
@pytest.mark.parametrize("sharpness", [1.0, 2.0, 3.0])
def test_the_estimate_is_near_the_truth_where_defects_were_there_already(already, sharpness):
    """With only the planted ones known and the number of the others, it is nearly what full knowledge gives."""
    errors = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n, n_planted, n_already = 2000, 100, round(2000 * already)
        bad = np.arange(n) < n_planted + n_already
        score = rng.normal(size=n) + sharpness * bad
        estimate = average_precision(score, np.arange(n) < n_planted, n_already)
        errors.append(estimate - average_precision_score(bad, score))
    assert abs(np.mean(errors)) < 0.03 and np.std(errors) < 0.08


@pytest.mark.parametrize("already", [0.02, 0.05, 0.2])
@pytest.mark.parametrize("sharpness", [1.0, 2.0, 3.0, 5.0])
def test_the_estimate_for_the_datas_own_defects_is_near_the_truth(already, sharpness):
    """Average precision over the data as they are: with their number known and 300 planted, off by 0.05 at most."""
    errors = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        n, n_planted = 2000, 300
        bad = np.arange(n) < n_planted + round(n * already)
        planted, score = np.arange(n) < n_planted, rng.normal(size=n) + sharpness * bad
        estimate = own_average_precision(score, planted, round(n * already))
        errors.append(estimate - average_precision_score(bad[~planted], score[~planted]))
    assert abs(np.mean(errors)) < 0.05


@pytest.mark.parametrize("own", [0, 40, 200])
def test_no_more_are_alike_than_there_are(own):
    """The bound on the data's own defects is near their number where planted ones stand out, and not far below it."""
    bounds = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        bad = np.arange(2000) < 300 + own
        score = rng.normal(size=2000) + 3.0 * bad
        bounds.append(most_alike(score, np.arange(2000) < 300))
    assert 0.8 * own <= np.mean(bounds) <= 1.2 * own + 15


def test_planted_ones_that_are_not_ranked_bound_nothing():
    """Where most of the planted ones have score 0, nothing is said of the data's own."""
    planted = np.arange(50) < 10
    assert most_alike(np.where(np.arange(50) < 3, 1.0, 0.0), planted) is None
    assert most_alike(np.ones(50), np.zeros(50, dtype=bool)) is None


def test_a_detector_that_misses_the_planted_ones_says_nothing_of_the_datas_own():
    """With one of four planted ones flagged there is neither a number nor an average precision for the rest."""
    rows = [(f"p{i}", "dark", "planted", 0.6 if i == 0 else 0.3, i == 0) for i in range(4)]
    rows += [(f"c{i}", None, "clean", 0.4 + 0.01 * i, i > 20) for i in range(40)]
    found = summarize("dark", pl.DataFrame(rows, schema=JUDGEMENT, orient="row"), draws=0)
    assert found.already is None and found.own_average_precision is None and found.own_flagged == 19


def test_rounds_count_the_data_once():
    """Three equal rounds say the same of the data's own defects as one does."""
    rng = np.random.default_rng(0)
    role = np.where(np.arange(500) < 50, "planted", "clean")
    score = np.clip(rng.normal(0.3, 0.1, 500) + 0.4 * (np.arange(500) < 75), 0, 1)
    columns = {"sample_id": [f"{i}" for i in range(500)], "kind": None, "role": role, "score": score}
    one = pl.DataFrame(columns | {"is_issue": score > 0.5}, schema=JUDGEMENT)
    single = summarize("label issues", one, 15.0, 1, draws=0)
    triple = summarize("label issues", pl.concat([one] * 3), 15.0, 3, draws=0)
    assert triple.already == single.already == 15.0 and triple.planted == 3 * single.planted
    assert triple.own_average_precision == pytest.approx(single.own_average_precision, abs=0.02)
    assert triple.own_precision == pytest.approx(single.own_precision, abs=0.05)


def test_the_interval_holds_the_value():
    """The bootstrap's 95% interval is ordered, inside [0, 1], and narrower with more data."""
    widths = []
    for n in (100, 2000):
        rng = np.random.default_rng(1)
        planted = np.arange(n) < n // 10
        score = rng.normal(size=n) + 2 * planted
        low, high = bootstrap(Ranking(score, planted, np.arange(n)), [0.0], 200, 0)
        assert 0 <= low <= average_precision(score, planted) <= high <= 1
        widths.append(high - low)
    assert widths[1] < 0.7 * widths[0]


def test_excused_samples_count_neither_way():
    """Of two planted, one found, one clean flagged and one excused flagged: precision 1/2, recall 1/2."""
    rows = pl.DataFrame(
        [
            ("a", "dark", "planted", 0.9, True),
            ("b", "dark", "planted", 0.1, False),
            ("c", None, "clean", 0.8, True),
            ("d", "off_topic", "excused", 0.95, True),
            ("e", None, "clean", 0.0, False),
        ],
        schema=JUDGEMENT,
        orient="row",
    )
    found = summarize("dark", rows, draws=50)
    assert (found.planted, found.found, found.wrong) == (2, 1, 1)
    assert found.precision == found.recall == 0.5
    assert found.average_precision == pytest.approx((1 + 2 / 3) / 2)


def test_nothing_planted_has_no_average_precision():
    """A detector without planted defects says so, and does not divide by zero."""
    rows = pl.DataFrame([("c", None, "clean", 0.8, True)], schema=JUDGEMENT, orient="row")
    found = summarize("dark", rows)
    assert found.average_precision is None and found.recall is None and found.wrong == 1


def test_what_was_flagged_before_planting_is_not_held_against_a_detector(tmp_path):
    """`before` excuses a clean sample that it flags too; a newly flagged one is wrong."""
    workspace = Workspace(tmp_path, "toy")
    names = ["a", "b", "c", "d"]
    publish_toy(workspace, names, [("c", "outlier", 0.9, True)])
    before = open_snapshot(workspace)
    flags = [("a", "outlier", 0.8, True), ("c", "outlier", 0.9, True), ("d", "outlier", 0.7, True)]
    publish_toy(workspace, names, flags)
    truth = pl.DataFrame({"sample_id": ["a"], "kind": ["off_topic"], "of": pl.Series([None], dtype=pl.String)})
    roles = dict(
        judge(IMAGE, open_snapshot(workspace), truth, before)["outliers"].select("sample_id", "role").iter_rows()
    )
    assert roles == {"a": "planted", "b": "clean", "c": "earlier", "d": "clean"}
