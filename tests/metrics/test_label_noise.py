"""How many labels are wrong, which, and how surely: on beliefs made by hand, and on real digits under noise."""

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

from assay.metrics.corpus import cases_frame
from assay.metrics.labels import beliefs, confident, mixture, noise, proposals, rate
from assay.metrics.labels.beliefs import Beliefs
from tests.metrics.test_parts import corpus_of


def of_matrix(given: np.ndarray, probe: np.ndarray, vote: np.ndarray | None = None) -> Beliefs:
    """Beliefs of one case a row of `probe` (n, k), all classes its pairs."""
    n, k = probe.shape
    vote = probe if vote is None else vote
    case, label = np.repeat(np.arange(n), k), np.tile(np.arange(k), n)
    share = (given >= 0).astype(float)
    flat = probe.ravel()
    return Beliefs(np.arange(n), given, share, np.ones(n, dtype=int), case, label, flat, vote.ravel(), flat, k)


def drawn(n: int, sharpness: float, k: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """`(truth (n,), chances (n, k))`: the true classes are drawn from the very chances, sharper or blunter."""
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.normal(size=(n, k))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return (rng.random(n)[:, None] > np.cumsum(chances, axis=1)).sum(axis=1).clip(0, k - 1), chances


def moved(truth: np.ndarray, share: float, k: int, seed: int = 0) -> np.ndarray:
    """A copy with a share of the labels moved to any other class."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(truth))[: round(share * len(truth))]
    out = truth.copy()
    out[rows] = (truth[rows] + rng.integers(1, k, len(rows))) % k
    return out


@pytest.mark.parametrize("sharpness", [2.5, 4.0, 12.0])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.05, 0.2])
def test_the_interval_holds_the_truth_and_overlap_is_no_noise(sharpness, share):
    """Whether the vectors tell two samples in five or nearly all: none is flagged where none is wrong, and as many as
    are wrong where the vectors tell it."""
    truth, chances = drawn(4000, sharpness)
    given = moved(truth, share, 8)
    found = confident.find(of_matrix(given, chances))
    model = found.model
    assert model.low <= share <= model.high
    if share == 0:
        assert found.is_issue.mean() <= 0.005 and model.low == 0.0
    if sharpness > 3 and share:
        assert 0.6 <= found.is_issue.sum() / (given != truth).sum() <= 1.5
    sure = found.is_issue & (found.confidence >= 0.85)
    assert sure.sum() < 5 or (given != truth)[sure].mean() >= 0.75


def test_mistakes_that_follow_what_the_vectors_confuse_are_not_made_up():
    """Labels that people draw from a blunter view of the same chances look like overlap: some are seen, and the upper
    end says that there may be several times as many."""
    truth, chances = drawn(4000, 6.0, seed=1)
    rng = np.random.default_rng(2)
    blunt = chances**0.5 * np.where(np.arange(8) == truth[:, None], 4.0, 1.0)
    given = (rng.random(4000)[:, None] > np.cumsum(blunt / blunt.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
    wrong = given.clip(0, 7) != truth
    model = noise.fit(of_matrix(given.clip(0, 7), chances))
    assert 0.05 < wrong.mean() < 0.3
    assert model.low <= wrong.mean() and 0 < model.rate < wrong.mean() and model.high > 3 * model.rate


def test_rate_flags_matrix_and_confidence_say_the_same():
    """What is flagged, what the matrix sums to and what the confidences leave over are one number."""
    truth, chances = drawn(3000, 4.0)
    given = moved(truth, 0.08, 8)
    of = of_matrix(given, chances)
    found = confident.find(of)
    off = found.joint.filter(pl.col("given") != pl.col("true"))["count"].sum()
    assert off == pytest.approx(found.model.rate * 3000, rel=1e-3)
    assert found.is_issue.sum() == pytest.approx(off, abs=1.0)
    assert found.joint["count"].sum() == pytest.approx(3000)


def test_powers_are_those_that_the_labels_were_drawn_with():
    """Labels drawn from the product of what probe and vote say, the vote's to the power 0.7."""
    rng = np.random.default_rng(3)
    logits, votes = rng.normal(size=(2, 6000, 8))
    chances = np.exp(logits + 0.7 * votes)
    chances /= chances.sum(axis=1, keepdims=True)
    truth = (rng.random(6000)[:, None] > np.cumsum(chances, axis=1)).sum(axis=1).clip(0, 7)
    probe, vote = (np.exp(part) / np.exp(part).sum(axis=1, keepdims=True) for part in (logits, votes))
    of = mixture.terms(of_matrix(truth, probe, vote), np.ones(6000, dtype=bool))
    found = mixture.fit(of, 0.0, mixture.start(of))
    assert found.powers == pytest.approx([1.0, 0.7], abs=0.06)
    assert np.add.reduceat(found.posterior, of.first) == pytest.approx(np.ones(6000))


def test_the_gradient_of_the_powers_leads_to_the_least_loss():
    """No step from the powers that are found makes the labels likelier."""
    truth, chances = drawn(500, 2.0, k=4)
    of = mixture.terms(of_matrix(moved(truth, 0.1, 4), chances, chances**0.5), np.ones(500, dtype=bool))
    emitted = mixture.emission(of, 0.1, mixture.start(of))
    powers = mixture.likeliest_powers(of, np.array([0.5, 0.5]), emitted)

    def likelihood(powers):
        likely = of.clean(powers) * emitted
        return np.log(np.add.reduceat(likely, of.first)).mean()

    steps = 0.05 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    assert all(likelihood(powers) >= likelihood(powers + step) - 1e-6 for step in steps)


def test_a_direction_is_learnt_where_there_is_one_and_not_made_of_nothing():
    """Where class 0 is only ever taken for class 1, that becomes its direction; where wrong labels fall anywhere, the
    directions stay near the class sizes."""
    truth, chances = drawn(6000, 8.0, k=4)
    rng = np.random.default_rng(0)
    off = rng.random(6000) < 0.2
    for target, low, high in (((truth + 1) % 4, 0.8, 1.0), ((truth + rng.integers(1, 4, 6000)) % 4, 0.2, 0.5)):
        of = mixture.terms(of_matrix(np.where(off, target, truth), chances), np.ones(6000, dtype=bool))
        found = mixture.fit(of, 0.2, mixture.start(of), rounds=8)
        label = np.tile(np.arange(4), 6000)
        toward = (label == 0) & (np.where(off, target, truth)[of.case] == 1)
        assert low <= found.direction[toward][0] <= high
        by_cell = np.bincount(of.cell, found.direction) / np.bincount(of.cell)
        assert np.bincount(of.of_true, by_cell) == pytest.approx(np.ones(4), abs=1e-6)


def test_spread_by_hand():
    """A likelihood like that of a normal with mean 0.1 and deviation 0.01: within 1.96 deviations; a flat one leaves
    the prior, whose median is 0.05 · ln 2."""
    rates = np.arange(0, 0.5001, 0.0005)
    middle, low, high = rate.spread(rates, 0.5 * ((rates - 0.1) / 0.01) ** 2)
    assert (middle, low, high) == pytest.approx((0.098, 0.0804, 0.1196), abs=1e-3)
    middle, low, high = rate.spread(rates, np.zeros(len(rates)))
    assert (middle, low, high) == pytest.approx((0.05 * np.log(2), 0.0, 0.5), abs=1e-3)


def test_the_floor_is_what_is_left_where_guesses_are_surest():
    """Disagreements on a logistic curve above 0.1; and on the curve alone."""
    rng = np.random.default_rng(0)
    sure = rng.normal(2.0, 2.0, 20_000)
    curve = 1 / (1 + np.exp(sure))
    for floor in (0.0, 0.1):
        differs = rng.random(20_000) < floor + (1 - floor) * curve
        losses = rate.floor_losses(sure, differs, np.ones(20_000))
        assert rate.RATES[losses.argmin()] == pytest.approx(floor, abs=0.02)


def test_the_most_suspicious_are_flagged_as_many_members_as_are_wrong():
    """A case of three members counts three; unlabelled cases and those with one class alone are never flagged."""
    given = np.array([0, 0, 1, -1, 1])
    of = of_matrix(given, np.full((5, 2), 0.5))
    of = Beliefs(**{**vars(of), "n": np.array([1, 3, 1, 1, 1])})
    score = np.array([0.1, 0.9, 0.8, 1.0, 0.2])
    assert confident.flag(of, score, 4.0).tolist() == [False, True, True, False, False]
    assert confident.flag(of, score, 0.0).tolist() == [False] * 5
    alone = Beliefs(np.arange(1), given[:1], np.ones(1), np.ones(1, dtype=int), *[np.zeros(1, dtype=int)] * 2,
                    *[np.ones(1)] * 3, 1)  # fmt: skip
    assert not confident.flag(alone, np.ones(1), 1.0).any()


def test_given_labels_are_trusted_as_far_as_the_number_of_wrong_ones_says():
    """All given classes' odds are multiplied by one factor, and the wrong labels then add up to the number wanted."""
    truth, chances = drawn(500, 2.0, k=4)
    of, judged = of_matrix(truth, chances), np.arange(500) % 3 > 0
    flat = chances.ravel()
    posterior = noise.matched(of, flat, 100.0, judged)
    assert np.bincount(of.case, posterior) == pytest.approx(np.ones(500))
    assert (1 - of.of_given(posterior))[judged].sum() == pytest.approx(100.0, abs=1e-3)
    before, after = of.of_given(flat), of.of_given(posterior)
    factor = (after / (1 - after) / (before / (1 - before)))[judged & (before < 1 - 1e-6)]
    assert factor == pytest.approx(np.full(len(factor), factor[0]), rel=1e-6)
    assert after[~judged] == pytest.approx(before[~judged])


@pytest.mark.parametrize(("wanted", "trusted"), [(0.0, 6.0), (1e9, -6.0)])
def test_a_number_out_of_reach_moves_the_odds_as_far_as_they_go(wanted, trusted):
    """None wrong, or more than there are cases: the log odds move by six, and stay finite."""
    truth, chances = drawn(50, 1.0, k=4)
    of = of_matrix(truth, chances)
    posterior = noise.matched(of, chances.ravel(), wanted, np.ones(50, dtype=bool))
    before, after = of.of_given(chances.ravel()), of.of_given(posterior)
    assert np.log(after / (1 - after)) - np.log(before / (1 - before)) == pytest.approx(np.full(50, trusted))


@pytest.mark.parametrize("junk", [True, False])
def test_a_class_that_holds_anything_is_doubted_and_one_that_takes_from_another_is_not(junk):
    """40 of the last class's 200 look like one class each of all others, or all like the first: the former are what a
    background class holds, the latter wrong labels."""
    rng = np.random.default_rng(0)
    given = np.repeat(np.arange(11), 200)
    seems = given.copy()
    seems[-40:] = np.arange(40) % 10 if junk else 0
    logits = rng.normal(size=(2200, 11)) + 9.0 * (np.arange(11) == seems[:, None])
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = confident.find(of_matrix(given, chances))
    sure = found.is_issue[-40:] & (found.confidence[-40:] >= 0.85)
    assert sure.mean() < 0.1 if junk else sure.mean() > 0.9
    assert np.bincount(np.repeat(np.arange(2200), 11), found.model.posterior) == pytest.approx(np.ones(2200))


@pytest.mark.parametrize("given", [[-1, -1, -1, -1], [0, -1, -1, -1], [0, 0, 0, 0], [0, 1, 0, 1]])
def test_few_labels_one_class_or_none(given):
    """What is found stays finite, and of so few labels hardly one is called wrong."""
    given = np.array(given)
    of = of_matrix(given, np.tile([0.5, 0.3, 0.2], (4, 1)))
    found = confident.find(of)
    model = found.model
    assert np.isfinite(found.score).all() and np.isfinite(found.confidence).all()
    assert 0 <= model.low <= model.rate <= model.high <= 1
    assert found.is_issue.sum() <= 1 and not found.is_issue[given < 0].any()
    assert (found.suggested >= 0).all()


def test_unlabelled_cases_keep_what_the_vectors_say_and_the_best_of_it_is_proposed():
    """Their posterior is the belief of the fitted powers; a proposal's confidence is that, and near the truth."""
    truth, chances = drawn(4000, 4.0)
    given = np.where(np.arange(4000) % 4 == 0, -1, moved(truth, 0.1, 8))
    of = of_matrix(given, chances)
    model = noise.fit(of)
    hidden = (given < 0)[of.case]
    assert model.posterior[hidden] == pytest.approx(model.clean[hidden])
    ids = pl.Series([str(i) for i in range(4000)])
    made = proposals.propose("label", [str(i) for i in range(8)], of, model, ids, np.arange(4000), given)
    right = of.label[of.best(model.clean)][::4] == truth[::4]
    assert made["confidence"].mean() == pytest.approx(right.mean(), abs=0.03)
    quality = proposals.quality("label", of, model).sort("coverage")
    known = of.label[of.best(model.clean)] == truth
    assert quality["precision"][-1] == pytest.approx(known[given >= 0].mean(), abs=0.03)
    assert quality["agreement"][-1] < quality["precision"][-1]


@pytest.fixture(scope="module")
def towers() -> dict:
    """Corpora of 1,797 real digits whose vectors know much, little and less: pixels under noise of 0, 6 and 10."""
    pixels, digits = load_digits(return_X_y=True)
    rng = np.random.default_rng(7)
    made = {}
    for name, spread in (("strong", 0.0), ("middling", 6.0), ("weak", 10.0)):
        made[name] = corpus_of((pixels - 8 + spread * rng.standard_normal(pixels.shape)) / 40, 50)
    return {"digits": digits, **made}


@pytest.mark.parametrize("tower", ["strong", "middling", "weak"])
@pytest.mark.parametrize("percent", [0, 5])
def test_right_labels_under_vectors_that_know_little(towers, tower, percent):
    """Real digits, their labels right or 5% of them moved: the interval holds the truth and begins at 0 where nothing
    is wrong, next to nothing is flagged there, and what is called sure is wrong."""
    digits = towers["digits"]
    given = moved(digits, percent / 100, 10, seed=3)
    wrong = given != digits
    believed = beliefs.believe(towers[tower], cases_frame(towers[tower], given.astype(np.int32)), 10, 5, 0)
    found = confident.find(believed)
    assert found.model.low <= percent / 100 <= found.model.high
    if percent == 0:
        assert found.model.low == 0.0 and found.is_issue.mean() <= 0.005
        return
    assert 0.6 <= found.is_issue.sum() / wrong.sum() <= 1.5
    sure = found.is_issue & (found.confidence >= 0.85)
    assert sure.sum() < 5 or wrong[sure].mean() >= 0.75
    plain = 1 - believed.of_given(believed.probe)
    assert average_precision_score(wrong, found.score) > average_precision_score(wrong, plain) - 0.005


def test_noise_in_one_class_alone_is_found():
    """A fifth of one class of ten is labelled as another: its rate is its own, and the others keep theirs."""
    truth, chances = drawn(3000, 8.0, k=10)
    given, rng = truth.copy(), np.random.default_rng(1)
    given[(truth == 3) & (rng.random(3000) < 0.2)] = 8
    of = mixture.terms(of_matrix(given, chances), np.ones(3000, dtype=bool))
    found = mixture.fit(of, float((given != truth).mean()), mixture.start(of), rounds=8)
    label = np.tile(np.arange(10), 3000)
    share = np.array([found.share[label == c][0] for c in range(10)])
    assert share[3] > 6 and np.delete(share, 3).max() < 0.5


def test_of_contradicting_copies_all_but_the_most_are_wrong():
    """Two of three copies say one class, one says another: a third; equal copies and single ones say nothing."""
    case = Beliefs(
        unit=np.array([0, 0, 1, 2]), given=np.array([0, 1, 0, 1]), share=np.array([2 / 3, 1 / 3, 1, 1]),
        n=np.array([2, 1, 3, 1]), case=np.arange(4), label=np.array([0, 1, 0, 1]), probe=np.ones(4), vote=np.ones(4),
        belief=np.ones(4), n_classes=2,
    )  # fmt: skip
    assert rate.contradicted(case) == pytest.approx(1 / 7)


def test_the_table_of_noise_adds_up_to_its_joint():
    """Cells too small to be shown are in those that are."""
    joint = pl.DataFrame(
        {"given": [0] * 4 + [1] * 3, "true": [0, 1, 2, 3, 1, 0, 2], "count": [950.0, 40.0, 9.5, 0.5, 999.4, 0.3, 0.3]}
    )
    table = confident.noise_table(joint, list("abcd"), (0.5, 2.0))
    off = table.filter(pl.col("label") != pl.col("true_label"))
    assert off["count"].sum() == pytest.approx(50.6) and len(off) == 4
    sums = table.group_by("label").agg(pl.col("count").sum())["count"]
    assert sums.to_list() == pytest.approx([1000.0, 1000.0])
    cell = off.filter(pl.col("true_label") == "b").row(0, named=True)
    assert cell["rate_low"] < 0.5 * cell["rate"] and cell["rate_high"] > 2 * cell["rate"]
