"""Labels that are sets: the stage on planted errors, its parts against plain oracles, and degenerate sets."""

import dataclasses

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

from assay.metrics import probe, vote
from assay.metrics.label_sets import findings as set_findings
from assay.metrics.label_sets.beliefs import SetBeliefs, Targets, fit_stack, rarest_class
from tests.metrics.conftest import Inputs
from tests.metrics.test_degenerate import CLOUD, RNG, SOME_NAN, check
from tests.metrics.test_parts import corpus_of

SOURCE = {"kind": "table", "path": "x.csv", "label_separator": "|"}
CLASSES = 6


def sets_of_blobs(n=700, dimensions=24, spread=0.35, seed=0):
    """`(vectors, carried)`: each vector the sum of the centres of the classes that it carries, and noise."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(CLASSES, dimensions))
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    carried = rng.random((n, CLASSES)) < 0.35
    carried[~carried.any(axis=1), 0] = True
    return carried @ centers + spread * rng.normal(size=(n, dimensions)) / dimensions**0.5, carried


def texts(carried) -> list[str]:
    """Canonical labels of rows of classes."""
    return ["|".join(f"c{code}" for code in np.nonzero(row)[0]) or "|" for row in carried]


def flipped(carried, rate=0.1, seed=1):
    """`(noisy, wrong)`: one class of a share of the rows put in or taken out."""
    rng = np.random.default_rng(seed)
    noisy, wrong = carried.copy(), np.zeros(len(carried), dtype=bool)
    wrong[rng.permutation(len(carried))[: int(rate * len(carried))]] = True
    for row in np.nonzero(wrong)[0]:
        noisy[row, rng.integers(CLASSES)] ^= True
    return noisy, wrong


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """`(output, carried, noisy, wrong)` of a night with planted errors."""
    vectors, carried = sets_of_blobs()
    noisy, wrong = flipped(carried)
    split = [["train", "test"][i % 4 == 0] for i in range(len(noisy))]
    inputs = Inputs(tmp_path_factory.mktemp("sets"), vectors, texts(noisy), source=SOURCE, split=split)
    return inputs.run(), carried, noisy, wrong


def test_planted_errors_are_found_and_put_right(planted):
    """Most flipped classes are flagged, hardly any right set is, and the suggestion is the true set."""
    output, carried, _, wrong = planted
    issues = output.read("label_issues").sort("sample_id")
    flagged = issues["is_issue"].to_numpy()
    assert flagged[wrong].mean() > 0.7 and wrong[flagged].mean() > 0.9
    right = issues["suggested_label"].to_numpy() == np.array(texts(carried), dtype=object)
    assert right[flagged & wrong].mean() > 0.9
    score = issues["score"].to_numpy()
    assert score[wrong].mean() > 0.45 > 0.1 > score[~wrong].mean()
    assert issues["suggested_label"].to_numpy()[~flagged].tolist() == issues["label"].to_numpy()[~flagged].tolist()


def test_wrong_and_missing_classes_are_told_apart(planted):
    """A class put in raises `wrong_class`, one taken out `missing_class`; the value counts the flagged classes."""
    output, carried, noisy, _ = planted
    scores = output.read("scores")
    for metric, is_so in (("wrong_class", noisy & ~carried), ("missing_class", carried & ~noisy)):
        rows = scores.filter(pl.col("metric") == metric).sort("sample_id")
        mine, score = is_so.any(axis=1), rows["score"].to_numpy()
        assert score[mine].mean() > 0.48 and score[~mine].mean() < 0.1
        assert (rows.filter("is_issue")["value"] > 0).all()
        assert (rows.filter(~pl.col("is_issue"), pl.col("value") > 0)["score"] > 0.3).all()  # it may stay an issue


def test_each_class_counts_once_for_every_carrier(planted):
    """Sizes, imbalance and the numbers of the dataset equal plain counts; what is not defined for sets is null."""
    output, _, noisy, _ = planted
    classes = output.read("classes").sort("label")
    sizes = noisy.sum(axis=0)
    assert classes["label"].to_list() == [f"c{code}" for code in range(CLASSES)]
    assert classes["n"].to_list() == sizes.tolist()
    assert classes["n_train"].to_list() == noisy[np.arange(len(noisy)) % 4 > 0].sum(axis=0).tolist()
    assert classes["imbalance"].to_numpy() == pytest.approx(np.maximum(0, 1 - sizes / sizes.mean()), abs=1e-6)
    assert classes["purity"].is_between(0, 1).all() and classes["purity"].null_count() == 0
    assert classes["probe_accuracy"].min() > 0.5
    assert classes.select("separability", "overlap", "overlap_label").null_count().row(0) == (CLASSES,) * 3
    value = dict(output.read("dataset_metrics").select("metric", "value").iter_rows())
    share = sizes / sizes.sum()
    assert value["n_classes"] == CLASSES
    assert value["class_imbalance"] == pytest.approx(1 + (share * np.log(share)).sum() / np.log(CLASSES))
    assert value["classes_per_sample"] == pytest.approx(noisy.sum() / len(noisy))
    assert 0.05 < value["estimated_noise_rate"] < 0.15 and value["label_probe_auc"] > 0.9
    assert output.read("label_noise").is_empty()
    assert not {"off_class"} & set(output.read("scores")["metric"])
    assert not [name for name in value if name.startswith(("worth", "spurious", "label_probe_accuracy"))]


def test_unlabelled_samples_get_proposed_sets(tmp_path):
    """Where nobody labelled, a set is proposed, with a confidence near the share that is right; the empty set stays."""
    vectors, carried = sets_of_blobs(spread=0.25)
    carried[::7] = False
    vectors[::7] -= vectors[::7] - 0.05 * np.random.default_rng(3).normal(size=vectors[::7].shape)
    labels = [None if i % 5 == 0 else text for i, text in enumerate(texts(carried))]
    output = Inputs(tmp_path, vectors, labels, source=SOURCE).run()
    made = output.read("proposals").filter(pl.col("column") == "label").sort("sample_id")
    truth = np.array(texts(carried), dtype=object)[::5]
    assert len(made) == len(truth)
    kept = made["proposed"].is_not_null().to_numpy()
    right = (made["proposed"].to_numpy() == truth)[kept]
    assert right.mean() > 0.7
    assert made["confidence"].to_numpy()[kept].mean() == pytest.approx(right.mean(), abs=0.12)
    issues = output.read("label_issues")
    assert issues.filter(pl.col("label").is_null())["score"].max() == 0.0
    assert (issues["label"] == "|").sum() > 50
    assert output.read("proposal_quality").filter(pl.col("column") == "label")["precision"].min() > 0.6


def test_vectors_that_know_nothing_flag_nothing(tmp_path):
    """Sets without any relation to the vectors: no flag, nothing proposed, and a note."""
    vectors, carried = sets_of_blobs(300)
    labels = texts(carried[np.random.default_rng(9).permutation(300)])
    labels[::10] = [None] * 30
    output = Inputs(tmp_path, vectors, labels, source=SOURCE).run()
    assert not output.read("label_issues")["is_issue"].any()
    assert output.read("proposals")["proposed"].null_count() == 30
    assert "label_issues_note" in output.read("dataset_metrics")["metric"].to_list()


def test_rare_classes_without_any_relation_to_the_vectors_flag_nothing(tmp_path):
    """Five of 200 classes at random for each of 200 samples: leaving a sample out makes its own classes rarer, and that
    is not taken for knowledge."""
    vectors, _ = sets_of_blobs(200)
    rng = np.random.default_rng(0)
    chosen = [np.sort(rng.choice(200, 5, replace=False)) for _ in vectors]
    output = Inputs(tmp_path, vectors, ["|".join(f"{c:03d}" for c in row) for row in chosen], source=SOURCE).run()
    assert not output.read("label_issues")["is_issue"].any()
    assert "label_issues_note" in output.read("dataset_metrics")["metric"].to_list()


def test_a_confirmed_set_is_no_issue(tmp_path):
    """What somebody looked at and found right is flagged neither as a label nor by its classes; its score stays."""
    from assay.store.decisions import append_decisions

    vectors, carried = sets_of_blobs()
    inputs = Inputs(tmp_path, vectors, texts(flipped(carried)[0]), source=SOURCE)
    before = inputs.run()
    worst = before.read("label_issues").filter("is_issue").sort("score", descending=True).head(1)
    sample = inputs.samples.filter(pl.col("sample_id") == worst["sample_id"][0])
    append_decisions(inputs.workspace, sample, "reject_label", None, "kim", 1)
    after = inputs.run()
    mine = pl.col("sample_id") == worst["sample_id"][0]
    row = after.read("label_issues").filter(mine)
    assert row["score"][0] == worst["score"][0] and not row["is_issue"][0]
    named = pl.col("metric").is_in(["label_issue", "wrong_class", "missing_class"])
    assert not after.read("scores").filter(mine & named)["is_issue"].any()
    flagged = [output.read("classes")["n_issues"].sum() for output in (before, after)]
    assert flagged[1] <= flagged[0]


def test_two_homes_agree_to_the_byte(tmp_path):
    """The same sets in two homes give byte-identical tables."""
    vectors, carried = sets_of_blobs(200)
    labels = [None if i % 9 == 0 else text for i, text in enumerate(texts(flipped(carried)[0]))]
    made = [Inputs(tmp_path / home, vectors, labels, source=SOURCE).run() for home in ("one", "two")]
    for name in made[0].tables:
        assert [p.read_bytes() for p in made[0].parts(name)] == [p.read_bytes() for p in made[1].parts(name)]


CASES = {
    "no samples": (np.zeros((0, 4)), []),
    "one sample": (CLOUD[:1], ["a|b"]),
    "two samples": (CLOUD[:2], ["a|b", "b|c"]),
    "one class": (CLOUD, ["a"] * 40),
    "one class or none": (CLOUD, ["a", "|"] * 20),
    "only empty sets": (CLOUD, ["|"] * 40),
    "empty and unlabelled": (CLOUD, ["|", None] * 20),
    "no labels": (CLOUD, [None] * 40),
    "a class of one": (CLOUD, ["a|b"] * 20 + ["b"] * 19 + ["alone"]),
    "every set different": (CLOUD, [f"{i:02d}|{(i + 1) % 40:02d}" for i in range(40)]),
    "everyone carries everything": (CLOUD, ["a|b|c"] * 39 + ["a"]),
    "equal vectors": (np.ones((40, 8)), ["a|b", "b"] * 20),
    "unusable vectors": (SOME_NAN, ["a|b", "c"] * 20),
    "names like SQL": (CLOUD, ["'; drop table samples; --|a", "<b>\u202e|a", "a", "%s"] * 10),
}


@pytest.mark.parametrize("name", CASES)
def test_degenerate_sets_give_whole_tables(tmp_path, name):
    """Each degenerate corpus gives every table, within its contract, and a count of its samples and classes."""
    vectors, labels = CASES[name]
    tables = check(Inputs(tmp_path, vectors, labels, source=SOURCE).run())
    value = dict(tables["dataset_metrics"].select("metric", "value").iter_rows())
    classes = {part for label in labels if label for part in label.split("|") if part}
    assert value["n_samples"] == len(labels) and value["n_classes"] == len(classes)
    assert tables["classes"]["label"].to_list() == sorted(classes)


def test_a_class_of_one_is_not_called_wrong(tmp_path):
    """The only sample that carries a class cannot be judged by it."""
    vectors, carried = sets_of_blobs(300)
    labels = texts(carried)
    labels[7] = "alone"
    scores = Inputs(tmp_path, vectors, labels, source=SOURCE).run().read("scores")
    row = scores.filter((pl.col("metric") == "wrong_class") & (pl.col("sample_id") == "s00007"))
    assert row["score"][0] == 0.0


def test_ten_thousand_classes(tmp_path):
    """Ten thousand classes, two a sample, are judged without a probe; a foreign class stands out."""
    n = 6_000
    vectors = np.repeat(RNG.normal(size=(n // 4, 16)), 4, axis=0) + 0.05 * RNG.normal(size=(n, 16))
    labels = [f"{i // 4:05d}|{i // 4 + n // 4:05d}" for i in range(n)]
    labels.append("|".join(f"{i:05d}" for i in range(n // 2, 10_000)))
    vectors = np.r_[vectors, RNG.normal(size=(1, 16))]
    labels[0] = f"00000|{n // 4 + 700:05d}"
    inputs = Inputs(tmp_path, vectors, labels, source=SOURCE, k=10, metrics={"group_columns": []})
    issues = inputs.run().read("label_issues").sort("score", descending=True)
    assert "s00000" in issues["sample_id"].head(3).to_list()


def test_copies_that_disagree_are_judged_apart(tmp_path):
    """Two copies with different sets are two cases of one unit: the odd one is the more suspicious."""
    vectors, carried = sets_of_blobs(400)
    labels = texts(carried)
    vectors[1] = vectors[2] = vectors[0]
    labels[1] = labels[0]
    labels[2] = texts(~carried[:1])[0]
    unit = [None, 0, 0] + [None] * 397
    issues = Inputs(tmp_path, vectors, labels, unit=unit, source=SOURCE).run().read("label_issues").sort("sample_id")
    assert issues["score"][2] > 0.9 > issues["score"][0] == issues["score"][1]


# the parts


def beliefs_of(carried, chance, rate=None) -> SetBeliefs:
    """Beliefs in which every pair is listed."""
    m, k = carried.shape
    case, label = (axis.ravel() for axis in np.mgrid[:m, :k])
    rate = carried.mean(axis=0) if rate is None else rate
    ones = np.ones(m)
    flat = chance.ravel()
    return SetBeliefs(
        np.arange(m), ones, ones.astype(int), ones > 0, case, label, carried.ravel(), flat, flat, flat, rate, rate
    )


def test_moving_average_is_the_formula():
    """S_t = 0.8 v_t + 0.2 S_(t−1) in ascending order, whether or not the zeros are listed."""
    values = np.array([[0.5, 1.0, 0.0], [0.0, 0.0, 0.0], [0.2, 0.1, 0.3], [1.0, 1.0, 1.0]])
    expected = []
    for row in np.sort(values, axis=1):
        smooth = row[0]
        for value in row[1:]:
            smooth = 0.8 * value + 0.2 * smooth
        expected.append(smooth)
    everything = beliefs_of(values > 2, values)
    assert set_findings.moving_average(everything, values.ravel()) == pytest.approx(expected)
    listed = values.ravel() > 0
    fields = {name: getattr(everything, name) for name in ("unit", "share", "n", "known", "rate", "auc")}
    of_pairs = ("case", "label", "carried", "probe", "vote", "chance")
    pairs = {name: getattr(everything, name)[listed] for name in of_pairs}
    assert set_findings.moving_average(SetBeliefs(**fields, **pairs), values.ravel()[listed]) == pytest.approx(expected)


def test_a_probe_below_chance_knows_nothing_of_the_labels():
    """Chances that fit what is carried speak for the vectors only where the probe tells the carriers out of fold."""
    carried = np.random.default_rng(0).random((80, 3)) < 0.4
    found = beliefs_of(carried, np.where(carried, 0.7, 0.2))
    assert set_findings.informative(dataclasses.replace(found, auc=np.array([0.9, 0.4, np.nan])))
    assert not set_findings.informative(dataclasses.replace(found, auc=np.array([0.5, 0.4, np.nan])))


def test_confident_counts_are_the_plain_ones():
    """Per class: thresholds, counts of the surely wrong and the surely missing, scaled to the sizes, by loops."""
    rng = np.random.default_rng(2)
    carried = rng.random((80, 3)) < 0.4
    chance = np.clip(np.where(carried, 0.7, 0.2) + 0.3 * rng.normal(size=(80, 3)), 0.01, 0.99)
    wrong, missing = set_findings.confident_counts(beliefs_of(carried, chance))
    for label in range(3):
        has, p = carried[:, label], chance[:, label]
        t_has, t_not = p[has].mean(), (1 - p[~has]).mean()
        counts = np.zeros((2, 2))
        for given, q in zip(has, p, strict=True):
            sure = [int(truth) for truth, value, t in ((1, q, t_has), (0, 1 - q, t_not)) if value >= t]
            if sure:
                counts[int(given), sure[0] if len(sure) == 1 else int(q >= 0.5)] += 1
        assert wrong[label] == pytest.approx(has.sum() * counts[1, 0] / counts[1].sum())
        assert missing[label] == pytest.approx((~has).sum() * counts[0, 1] / counts[0].sum())


def test_doubt_is_bayes_by_hand():
    """Belief one half, a tenth added wrongly, a fifth dropped: 0.05 / 0.45 of carriers, 0.1 / 0.55 of others."""
    added, dropped = np.array([0.1]), np.array([0.2])
    both = beliefs_of(np.array([[True], [False]]), np.full((2, 1), 0.5 * 0.8 + 0.5 * 0.1))
    assert set_findings.true_belief(both, added, dropped) == pytest.approx(0.5)
    assert set_findings.doubt(both, added, dropped) == pytest.approx([0.05 / 0.45, 0.1 / 0.55])


def test_votes_are_the_plain_weighted_shares():
    """Each class's share of the labelled neighbours' weights, by loops; a unit whose copies disagree votes too."""
    corpus = corpus_of(np.random.default_rng(1).normal(size=(30, 5)), 6)
    rng = np.random.default_rng(2)
    share = (rng.random((30, 4)) < 0.4) * 1.0
    mass = (np.arange(30) % 5 > 0) * 1.0
    share[mass == 0] = 0.0
    several = np.arange(30) == 3
    votes = vote.neighbor_votes(corpus, csr_array(share), mass > 0, several, 0.1).toarray()
    for unit in range(30):
        near = zip(corpus.neighbors[unit], corpus.similarities[unit], strict=True)
        ballots = [(np.exp((similarity - 1) / 0.1) * mass[v], v) for v, similarity in near]
        ballots += [(1.0, unit)] if several[unit] else []
        total = sum(weight for weight, _ in ballots)
        assert votes[unit] == pytest.approx(sum(weight * share[v] for weight, v in ballots) / total, abs=1e-6)


def test_the_probe_is_one_logistic_regression_per_class():
    """With a fold held out, each class's logits are those of scikit-learn trained on the rest, empty sets included."""
    vectors, carried = sets_of_blobs(240, spread=0.6)
    features = probe.principal_axes(vectors.astype(np.float32))
    carried[::10] = False
    row, label = np.nonzero(carried)
    fold = np.arange(240) % 3
    ones = np.ones(len(row))
    problem = probe.Problem(features, row, label, ones, fold, CLASSES, 3, mass=np.ones(240))
    logits = probe.out_of_fold(problem, 1.0, iterations=200)
    for code in range(CLASSES):
        model = LogisticRegression(C=1.0, tol=1e-8, max_iter=2000).fit(features[fold > 0], carried[fold > 0, code])
        assert logits[fold == 0, code] == pytest.approx(model.decision_function(features[fold == 0]), abs=0.05)


def test_folds_spread_the_rarest_class():
    """Units are stratified by the rarest class they carry; empty sets and unlabelled units have strata of their own."""
    share = csr_array(np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 0], [0, 0, 0], [1, 0, 1]], dtype=float))
    mass = np.array([1.0, 1, 1, 1, 0, 1])
    assert rarest_class(Targets(share, share, mass, mass > 2)).tolist() == [1, 0, 2, 3, 4, 2]


def test_the_stack_learns_which_witness_to_trust():
    """One informative column and one of noise: the weights say so; without rows they are as at the start."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=4_000)
    features = np.stack([signal, rng.normal(size=4_000), np.zeros(4_000), np.ones(4_000)], axis=1)
    truth = rng.random(4_000) < 1 / (1 + np.exp(-2 * signal))
    weights = fit_stack(features, truth, np.ones(4_000))
    assert weights[:2] == pytest.approx([2.0, 0.0], abs=0.15)
    nothing = np.zeros((0, 4))
    assert fit_stack(nothing, np.zeros(0, dtype=bool), np.zeros(0)) == pytest.approx([0.5, 0.5, 0, 0])
