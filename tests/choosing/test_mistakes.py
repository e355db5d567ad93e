"""What to label next, where there is little to choose from, or nothing."""

import numpy as np
import pytest

from assay.choosing.coverage import Chosen, background, choose, covers
from assay.choosing.select import Picked, reason, select
from assay.choosing.weigh import Unsure
from assay.contracts.errors import SpecError
from assay.metrics.corpus import Coding
from tests.reading.made import labelled


@pytest.mark.parametrize("n", [0, -1])
def test_no_samples_are_not_chosen(tmp_path, n):
    """It is the number that is wrong, and not the data."""
    view = labelled(tmp_path, [None])
    with pytest.raises(SpecError, match=f"{n} samples to label are none; name 1 or more"):
        select(view.snapshot, n)


def test_labels_that_are_sets_are_not_chosen_for(tmp_path):
    """That is said before anything is read."""
    view = labelled(tmp_path, ["a;b", None])
    view.snapshot.manifest["config"] = {"source": {"label_separator": ";"}}
    with pytest.raises(SpecError, match="labels are sets here"):
        select(view.snapshot, 5)


def test_the_mean_cosine_is_that_of_all_pairs():
    """From many at random; of fewer than two there is none."""
    vectors = np.random.default_rng(0).normal(size=(300, 3)) + 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = (vectors @ vectors.T)[~np.eye(300, dtype=bool)]
    assert background(vectors) == pytest.approx(pairs.mean(), abs=0.03)
    assert background(np.eye(2)) == 0.0
    assert background(vectors[:1]) == background(vectors[:0]) == 0.0


def test_what_is_covered_is_covered_both_ways():
    """By the larger of two similarities; the far ones and those that are not there cover nothing, each itself whole."""
    neighbors = np.array([[1, 2], [0, -1], [-1, -1]])
    similarities = np.array([[0.9, 0.1], [0.8, 0.0], [0.0, 0.0]])
    cover = covers(neighbors, similarities, 0.2).toarray()
    strong = ((0.9 - 0.2) / 0.8) ** 3
    assert cover == pytest.approx(np.array([[1, strong, 0], [strong, 1, 0], [0, 0, 1]]))
    assert covers(neighbors[:, :0], similarities[:, :0], 0.2).toarray().tolist() == np.eye(3).tolist()
    assert np.isfinite(covers(neighbors, similarities, 1.0).toarray()).all()  # where all vectors are one


def test_more_than_there_are_is_all_of_them():
    """And among none there is none to choose."""
    cover, weight, nobody = covers(np.zeros((3, 0), int), np.zeros((3, 0)), 0.0), np.ones(3), np.zeros(3, dtype=bool)
    assert sorted(choose(cover, weight, nobody, np.arange(3), 99).rows.tolist()) == [0, 1, 2]
    assert choose(cover, weight, nobody, np.arange(0), 5).rows.tolist() == []


@pytest.mark.parametrize("newly, known, margin, best, said", [
    (1200, False, 0.0, -1, "stands for 1,200 that no label is near"), (1, True, 0.1, 0, "unsure: cat or dog"),
    (3, True, 0.9, 1, "stands for 3 that no label is near; dog has few labels (2)"),
    (1, True, 0.9, 0, "unlike what has a label or was chosen before it"),
    (2, False, 0.0, -1, "unlike what has a label"),
])  # fmt: skip
def test_the_reason_is_the_strongest_first(newly, known, margin, best, said):
    """A crowd, a doubt, a rare class; else that nothing is like it."""
    found = Unsure(np.array([margin]), np.array([best]), np.array([1 - best if best >= 0 else -1]), known)
    chosen = Chosen(np.zeros(1, dtype=np.int64), np.ones(1), np.array([newly]))
    picked = Picked(chosen, found, Coding("label", np.zeros(1), ["cat", "dog"]), np.array([20, 2]))
    assert reason(picked, 0).startswith(said)
