"""What repairs are worth: the accuracies of fits from nothing, in fewer passes; nothing where nothing is repaired."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from assay.metrics import probe, training
from assay.metrics.labels.worth import RAW, held_out_split, worth
from tests.metrics.conftest import blobs
from tests.metrics.test_parts import corpus_of

N, CLASSES = 1_500, 6


class Case:
    """Blobs that overlap, a third of them held out, a tenth of the other labels wrong, four fifths of these flagged."""

    def __init__(self, wrong: float = 0.1) -> None:
        vectors, self.truth = blobs(N, classes=CLASSES, spread=1.0)
        self.corpus, rng = corpus_of(vectors, 5), np.random.default_rng(0)
        self.split = np.where(rng.random(N) < 1 / 3, "test", "train").astype(object)
        mistaken = (rng.random(N) < wrong) & (self.split == "train")
        self.codes = np.where(mistaken, (self.truth + 1) % CLASSES, self.truth)
        self.flagged = mistaken & (rng.random(N) < 0.8)
        self.suggested = np.where(self.flagged, self.truth, -1)
        self.superfluous, self.leaked = np.zeros(N, dtype=bool), np.zeros(N, dtype=bool)

    def numbers(self, **asked):
        """`worth` of it; whatever is `asked` takes the place of what it has."""
        given = vars(self) | asked
        names = ("corpus", "codes", "split", "superfluous", "leaked", "flagged", "suggested")
        return worth(*(given[name] for name in names), CLASSES)


@pytest.fixture
def fits(monkeypatch):
    """The passes allowed to each fit."""
    seen, learn = [], training.learn

    def counted(problem, penalty, iterations=training.ITERATIONS, start=None):
        seen.append(iterations)
        return learn(problem, penalty, iterations, start)

    monkeypatch.setattr(probe, "learn", counted)
    return seen


def test_repaired_fits_tell_what_fits_from_nothing_do(fits):
    """They begin near the raw one; scikit-learn's regressions, each from nothing, are right as often, but for a few of
    the five hundred samples held out."""
    case = Case()
    found = case.numbers()
    assert fits == [training.ITERATIONS, probe.NEAR, probe.NEAR]  # there are no copies to remove
    features = probe.in_space(case.corpus.vectors, case.corpus.space)
    train, test = case.split == "train", case.split == "test"
    repaired = np.where(case.flagged, case.truth, case.codes)
    for name, rows, labels in (
        (RAW, train, case.codes),
        ("worth_accuracy_flagged_dropped", train & ~case.flagged, case.codes),
        ("worth_accuracy_flagged_replaced", train, repaired),
    ):
        model = LogisticRegression(C=1 / 0.3, max_iter=2_000).fit(features[rows], labels[rows])
        assert found[name][0] == pytest.approx(model.score(features[test], case.codes[test]), abs=4 / test.sum())
    assert found["worth_gain_flagged_replaced"][0] > 0.01


def test_nothing_repaired_wins_exactly_nothing(fits):
    """Without copies, leaks and flags all four trials are one fit."""
    found = Case().numbers(flagged=np.zeros(N, dtype=bool))
    assert len(fits) == 1
    gains = {name: value for name, (value, _) in found.items() if "gain" in name}
    assert len(gains) == 9 and set(gains.values()) == {0.0}


def test_all_flagged_leaves_nothing_to_learn_from(fits):
    """A probe of nothing is never right."""
    found = Case().numbers(flagged=np.ones(N, dtype=bool))
    assert found["worth_accuracy_flagged_dropped"][0] == 0.0
    assert found["worth_gain_flagged_dropped"][0] == pytest.approx(-found[RAW][0])


@pytest.mark.parametrize("split", [None, "train", "test", "few"])
def test_no_word_without_a_held_out_split(split):
    """Nobody is held out, nothing else is there, or it is too few."""
    held = np.full(N, split, dtype=object)
    if split == "few":
        held[:], held[:9] = "train", "test"
    assert Case().numbers(split=held) == {}


def test_which_split_is_held_out():
    """The test split where there is one; never the only one."""
    assert held_out_split(["train", "val", "test"]) == "test"
    assert held_out_split(["dev", "train", "valid"]) == "valid"
    assert held_out_split(["test"]) is None and held_out_split(["a", "b"]) is None
