"""The stage on corpora with planted defects: what it finds, and that it finds the same each time."""

import numpy as np
import polars as pl
import pytest

from assay.metrics.labels.worth import gain
from tests.metrics.conftest import Inputs, blobs


def values(output) -> dict:
    """`dataset_metrics` as a dict."""
    return dict(output.read("dataset_metrics").select("metric", "value").iter_rows())


def noisy(n=800, rate=0.15, seed=1):
    """`(vectors, given names, wrong)` with a share of the labels moved to another class."""
    vectors, codes = blobs(n, classes=5, dimensions=24, spread=0.6)
    rng = np.random.default_rng(seed)
    wrong = np.zeros(n, dtype=bool)
    wrong[rng.permutation(n)[: int(rate * n)]] = True
    given = np.where(wrong, (codes + rng.integers(1, 5, n)) % 5, codes)
    return vectors, codes, [f"c{c}" for c in given], wrong


def test_flipped_labels_are_found_counted_and_corrected(night):
    """Of 120 flipped labels nearly all are flagged, about as many as there are, with the right label suggested."""
    vectors, codes, given, wrong = noisy()
    output = night(vectors, given)
    issues = output.read("label_issues").sort("sample_id")
    flagged = issues["is_issue"].to_numpy()
    assert abs(flagged.sum() - wrong.sum()) <= 0.25 * wrong.sum()
    assert wrong[flagged].mean() > 0.9
    right = issues["suggested_label"].to_numpy() == np.array([f"c{c}" for c in codes], dtype=object)
    assert right[wrong & flagged].mean() > 0.9
    assert issues["score"].to_numpy()[wrong].mean() > 0.8 > 0.2 > issues["score"].to_numpy()[~wrong].mean()
    assert values(output)["estimated_noise_rate"] == pytest.approx(0.15, abs=0.04)


def test_confidence_is_calibrated(night):
    """The mean confidence of the suggestions is within five points of the share that is right."""
    vectors, codes, given, _ = noisy(n=1500, rate=0.2)
    issues = night(vectors, given).read("label_issues").sort("sample_id")
    right = issues["suggested_label"].to_numpy() == np.array([f"c{c}" for c in codes], dtype=object)
    assert issues["confidence"].mean() == pytest.approx(right.mean(), abs=0.05)


def test_clean_labels_are_hardly_flagged(night):
    """Well separated classes without a wrong label get no flags to speak of."""
    vectors, codes = blobs(600, spread=0.2)
    assert night(vectors, [f"c{c}" for c in codes]).read("label_issues")["is_issue"].mean() < 0.01


def test_noise_matrix_names_the_confused_pair(night):
    """Where a fifth of c0 is labelled c1, the matrix row of c1 has c0 with that rate inside its interval."""
    vectors, codes = blobs(1000, classes=4, dimensions=24)
    given = codes.copy()
    moved = np.nonzero(codes == 0)[0][:50]
    given[moved] = 1
    noise = night(vectors, [f"c{c}" for c in given]).read("label_noise")
    cell = noise.filter((pl.col("label") == "c1") & (pl.col("true_label") == "c0")).row(0, named=True)
    assert cell["rate_low"] <= 50 / 300 <= cell["rate_high"]
    sums = noise.group_by("label").agg(pl.col("rate").sum())["rate"]
    assert sums.is_between(0.95, 1.0001).all()


def test_unlabelled_samples_get_proposals_that_abstain_off_the_map(night):
    """Unlabelled samples of a class get its name; the precision published is near what it truly is."""
    vectors, codes = blobs(600, dimensions=24)
    labels = [None if i % 5 == 0 else f"c{c}" for i, c in enumerate(codes)]
    output = night(vectors, labels)
    proposals = output.read("proposals").filter(pl.col("column") == "label")
    truth = {f"s{i:05d}": f"c{c}" for i, c in enumerate(codes)}
    assert len(proposals) == 120
    kept = proposals.drop_nulls("proposed")
    right = np.mean([truth[i] == p for i, p in kept.select("sample_id", "proposed").iter_rows()])
    quality = output.read("proposal_quality").filter(pl.col("column") == "label").sort("coverage")
    assert right == pytest.approx(quality["precision"][-1], abs=0.05)
    assert quality["confidence_threshold"].is_sorted(descending=True)


def test_gaps_in_a_group_column_are_proposed_and_never_filled(night):
    """A gap gets the value of its surroundings; the samples' own column is not among the stage's tables."""
    vectors, codes = blobs(300)
    camera = [None if i % 10 == 0 else "left" if c < 2 else "right" for i, c in enumerate(codes)]
    output = night(vectors, [f"c{c}" for c in codes], groups={"camera": camera})
    found = output.read("proposals").filter(pl.col("column") == "camera")
    assert len(found) == 30
    expected = {f"s{i:05d}": "left" if codes[i] < 2 else "right" for i in range(0, 300, 10)}
    assert all(expected[i] == p for i, p in found.select("sample_id", "proposed").iter_rows() if p)


def test_a_proposed_label_has_one_confidence_in_both_tables(night):
    """`proposals` and `label_issues` say the same of an unlabelled sample, also where the labels it is learnt from are
    noisy; and that is calibrated against the truth, not against the noise."""
    vectors, codes, given, _ = noisy(n=1500, rate=0.2)
    labels = [None if i % 4 == 0 else label for i, label in enumerate(given)]
    output = night(vectors, labels)
    issues = output.read("label_issues").filter(pl.col("label").is_null())
    both = output.read("proposals").join(issues, on="sample_id", suffix="_issue").sort("sample_id")
    assert len(both) == 375
    assert both["proposed"].equals(both["suggested_label"].alias("proposed"))
    assert (both["confidence"] - both["confidence_issue"]).abs().max() < 1e-9
    right = both["proposed"].to_numpy() == np.array([f"c{c}" for c in codes[::4]], dtype=object)
    assert both["confidence"].mean() == pytest.approx(right.mean(), abs=0.05)


def test_published_precision_is_of_the_truth_and_agreement_of_the_given_values(night):
    """A fifth of the values that are known are wrong, in labels and in a group column: what is published is how often
    the proposals are right, not how often they agree with these; and so is the confidence."""
    vectors, codes, given, _ = noisy(n=1500, rate=0.2)
    known = [None if i % 4 == 0 else label for i, label in enumerate(given)]
    output = night(vectors, known, groups={"camera": known})
    for column in ("label", "camera"):
        found = output.read("proposals").filter(pl.col("column") == column).sort("sample_id")
        right = found["proposed"].to_numpy() == np.array([f"c{c}" for c in codes[::4]], dtype=object)
        all_known = (
            output.read("proposal_quality").filter(pl.col("column") == column).sort("coverage").row(-1, named=True)
        )
        assert all_known["precision"] == pytest.approx(right.mean(), abs=0.04)
        assert all_known["agreement"] == pytest.approx(0.8 * right.mean(), abs=0.04)
        assert found["confidence"].mean() == pytest.approx(right.mean(), abs=0.05)


def test_of_a_column_that_the_vectors_do_not_tell_chance_is_published(night):
    """Its proposals are right no more often than they agree with the known values; who labelled is not guessed."""
    vectors, codes = blobs(400, classes=5, dimensions=24, spread=0.5)
    rng = np.random.default_rng(4)
    random = [None if i % 10 == 0 else f"r{c}" for i, c in enumerate(rng.integers(0, 4, 400))]
    output = night(vectors, [f"c{c}" for c in codes], groups={"camera": random, "worker": random},
                   metrics={"annotator": "worker"})  # fmt: skip
    quality = output.read("proposal_quality")
    assert set(quality["column"]) == {"label", "camera"} and set(output.read("proposals")["column"]) == {"camera"}
    quality = quality.filter(pl.col("column") == "camera")
    assert quality["precision"].equals(quality["agreement"].alias("precision")) and quality["precision"].max() < 0.5


def test_few_labels_a_class_are_no_reason_to_see_noise(night):
    """Five right labels of each of ten classes, hard to tell by so few: few of them are called wrong, and proposals are
    not much surer than they are right. Taking all blur for noise, 22 would be, and the confidence 0.34 too high."""
    vectors, codes = blobs(900, classes=10, dimensions=24, spread=2.0)
    output = night(vectors, [f"c{c}" if i < 50 else None for i, c in enumerate(codes)])
    assert output.read("label_issues")["is_issue"].sum() <= 7
    assert values(output)["estimated_noise_rate"] < 0.2
    found = output.read("proposals").drop_nulls("proposed")
    right = np.mean([name == f"c{codes[int(i[1:])]}" for i, name in found.select("sample_id", "proposed").iter_rows()])
    assert len(found) > 300 and right > 0.5
    assert found["confidence"].mean() == pytest.approx(right, abs=0.2)


def test_gaps_in_a_column_of_numbers_are_proposed_with_measured_precision(night):
    """A number that follows the content is proposed within its tolerance, about as often as is published; whole
    numbers stay whole; one that does not follow the content is not proposed at all."""
    vectors, codes = blobs(900, classes=5, dimensions=24, spread=0.5)
    rng = np.random.default_rng(2)
    price = 100.0 * codes + rng.normal(0, 5, 900)
    columns = {"price": price, "pieces": np.round(3 * price).astype(int), "chance": rng.normal(size=900)}
    groups = {name: [None if i % 7 == 0 else x for i, x in enumerate(v.tolist())] for name, v in columns.items()}
    output = night(vectors, [f"c{c}" for c in codes], groups=groups)
    value = values(output)
    found = output.read("proposals")
    for name in ("price", "pieces"):
        mine = found.filter(pl.col("column") == name).sort("sample_id")
        assert len(mine) == 129
        kept = mine.drop_nulls("proposed")
        at = kept["sample_id"].str.slice(1).cast(int).to_numpy()
        off = np.abs(kept["proposed"].cast(pl.Float64).to_numpy() - columns[name][at])
        right = off <= value[f"proposal_tolerance:{name}"] + 0.5
        assert len(kept) > 110 and right.mean() == pytest.approx(kept["confidence"].mean(), abs=0.06)
        published = output.read("proposal_quality").filter(pl.col("column") == name).sort("coverage")
        assert published["precision"][-1] == pytest.approx(right.mean(), abs=0.06)
    assert found.filter(pl.col("column") == "pieces")["proposed"].drop_nulls().str.contains(r"^-?\d+$").all()
    assert found.filter(pl.col("column") == "chance")["proposed"].null_count() == 129


def test_a_far_sample_and_a_junk_cluster_are_outliers(night):
    """A lone far sample and five junk ones near each other are flagged; the bulk is not."""
    vectors, codes = blobs(400, dimensions=24, spread=0.5)
    rng = np.random.default_rng(3)
    far = rng.normal(size=24)
    junk = rng.normal(size=24)
    vectors[7] = far / np.linalg.norm(far)
    vectors[20:25] = junk / np.linalg.norm(junk) + 0.02 * rng.normal(size=(5, 24))
    scores = (
        night(vectors, [f"c{c}" for c in codes]).read("scores").filter(pl.col("metric") == "outlier").sort("sample_id")
    )
    planted = np.zeros(400, dtype=bool)
    planted[[7, 20, 21, 22, 23, 24]] = True
    score = scores["score"].to_numpy()
    assert score[planted].min() > np.quantile(score[~planted], 0.99)
    assert scores["is_issue"].to_numpy()[~planted].mean() < 0.02


def test_duplicates_inherit_the_score_of_their_unit(night):
    """Eleven copies of a junk sample are one unit, and every copy has its outlier score."""
    vectors, codes = blobs(300, dimensions=24, spread=0.5)
    far = np.random.default_rng(3).normal(size=24)
    vectors[:12] = far / np.linalg.norm(far)
    unit = [0] * 12 + [None] * 288
    scores = night(vectors, [f"c{c}" for c in codes], unit=unit).read("scores")
    outlier = scores.filter(pl.col("metric") == "outlier").sort("sample_id")["score"]
    assert outlier[:12].n_unique() == 1
    assert outlier[0] > outlier[12:].quantile(0.99)


def test_scores_do_not_move_when_others_come(tmp_path):
    """With the stored reference, sixty newcomers leave the score of a sample whose surroundings stay as it was."""
    vectors, codes = blobs(400, spread=0.4)
    first = Inputs(tmp_path, vectors, [f"c{c}" for c in codes]).run().read("scores")
    junk = np.r_[vectors, 3 * np.random.default_rng(0).normal(size=(60, vectors.shape[1]))]
    labels = [f"c{c}" for c in codes] + ["c0"] * 60
    second = Inputs(tmp_path, junk, labels).run().read("scores")
    both = first.join(second, on=["sample_id", "metric"]).filter(pl.col("metric") == "knn_distance")
    same = both.filter(pl.col("value") == pl.col("value_right"))
    assert len(same) > 100
    assert (same["score"] == same["score_right"]).all()


def test_two_homes_agree_to_the_byte(tmp_path):
    """The same input in two homes gives byte-identical tables."""
    vectors, _, given, _ = noisy(n=300)
    groups = {"camera": [["a", "b", None][i % 3] for i in range(300)]}
    made = [Inputs(tmp_path / home, vectors, given, groups=groups).run() for home in ("one", "two")]
    for table in made[0].tables:
        assert [p.read_bytes() for p in made[0].parts(table)] == [p.read_bytes() for p in made[1].parts(table)], table


@pytest.mark.parametrize("names", [("train", "test"), ("training_set", "test_set"), ("Train2017", "val2017")])
def test_classes_table_by_hand(night, names):
    """Sizes, imbalance and purity of two far-apart classes of 30 and 10; a training split by any of its names."""
    vectors = np.r_[np.tile([1.0, 0.0], (30, 1)), np.tile([0.0, 1.0], (10, 1))]
    vectors = vectors + 0.01 * np.random.default_rng(0).normal(size=vectors.shape)
    split = [names[0]] * 25 + [names[1]] * 15
    classes = night(vectors, ["a"] * 30 + ["b"] * 10, split=split, k=5).read("classes")
    a, b = classes.rows(named=True)
    assert (a["n"], b["n"], a["n_train"], b["n_train"]) == (30, 10, 25, 0)
    assert (a["imbalance"], b["imbalance"]) == (0.0, 0.5)
    assert a["purity"] == b["purity"] == a["probe_accuracy"] == 1.0
    assert a["separability"] > 0.9 and b["separability"] > 0.9 and a["overlap_label"] is None


def test_groups_table_by_hand(night):
    """Shares and counts of a group column; one that the vectors give away has an AUC near 1, a random one near ½."""
    vectors, codes = blobs(400)
    rng = np.random.default_rng(0)
    groups = {"told": ["x" if c < 2 else "y" for c in codes], "hidden": rng.choice(["p", "q"], 400).tolist()}
    table = night(vectors, [f"c{c}" for c in codes], groups=groups).read("groups")
    told = table.filter(pl.col("column") == "told")
    assert told["n"].to_list() == [200, 200] and told["share"].to_list() == [0.5, 0.5]
    assert told["probe_auc"].min() > 0.99
    assert table.filter(pl.col("column") == "hidden")["probe_auc"].is_between(0.35, 0.65).all()


def test_erasing_a_group_leaves_nothing_to_read(night):
    """LEACE on request: the group is read before and not after; the copy is beside the tables."""
    vectors, codes = blobs(400)
    groups = {"told": ["x" if c < 2 else "y" for c in codes]}
    output = night(vectors, [f"c{c}" for c in codes], groups=groups, metrics={"debias": ["told"]})
    found = values(output)
    assert found["leakage_before_debias:told"] > 0.95
    assert found["leakage_after_debias:told"] < 0.6
    assert pl.read_parquet(output.path / "debiased/column-00.parquet").height == 400


def test_a_column_that_cannot_be_erased_is_said(night):
    """A misspelt column of `metrics.debias`, or one of a single value, is named in `dataset_metrics`, not passed
    over."""
    vectors, codes = blobs(40)
    metrics, groups = {"debias": ["gendr", "same"]}, {"same": ["x"] * 40}
    output = night(vectors, [f"c{c}" for c in codes], groups=groups, metrics=metrics)
    rows = output.read("dataset_metrics").filter(pl.col("metric").str.starts_with("debias_skipped:")).sort("metric")
    assert rows["note"].to_list() == [
        "not among the group columns",
        "1 different values on 40 units with a vector; it takes 2 on 10",
    ]


def test_what_acting_is_worth(night):
    """With half of the training labels of two classes swapped, repairing them raises held-out accuracy."""
    vectors, codes = blobs(900, classes=6, dimensions=24, spread=0.8)
    rng = np.random.default_rng(0)
    split = np.where(rng.random(900) < 0.3, "test", "train")
    given = np.where((rng.random(900) < 0.35) & (split == "train"), (codes + 1) % 6, codes)
    found = values(night(vectors, [f"c{c}" for c in given], split=split.tolist()))
    assert found["worth_accuracy_flagged_dropped"] > found["worth_accuracy_raw"]
    assert found["worth_accuracy_flagged_replaced"] > found["worth_accuracy_raw"]
    won = found["worth_accuracy_flagged_replaced"] - found["worth_accuracy_raw"]
    assert found["worth_gain_flagged_replaced"] == pytest.approx(won)


def test_a_gain_is_judged_on_the_same_samples():
    """Of 100 samples 6 are newly right and 1 newly wrong: +5 points, whose interval just reaches zero."""
    before = np.r_[np.ones(50), np.zeros(50)].astype(bool)
    after = before.copy()
    after[50:56], after[0] = True, False
    value, low, high, note = gain(before, after)
    assert (value, low, high) == pytest.approx((0.05, -0.0009, 0.1009), abs=1e-4)
    assert note == "accuracy won: 6 newly right, 1 newly wrong"
    assert gain(before, before)[:3] == (0.0, 0.0, 0.0)


def test_sorted_files_drift_only_outside_classes(night):
    """A file sorted by class has order, and none within its classes."""
    vectors, codes = blobs(400)
    order = np.argsort(codes, kind="stable")
    found = values(night(vectors[order], [f"c{c}" for c in codes[order]]))
    assert found["order_p_value"] < 0.01 < 0.05 < found["order_within_class_p_value"]
