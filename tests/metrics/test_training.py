"""The probe in blocks: the weights of all rows at once, in less memory, and what it does where rows are too many."""

import weakref

import numpy as np
import pytest
import torch

from assay.metrics import probe, training
from assay.metrics.corpus import cases_frame
from assay.metrics.labels import beliefs
from tests.metrics.conftest import blobs
from tests.metrics.test_parts import corpus_of


def problem_of(n=600, classes=5, folds=4, sets=False) -> probe.Problem:
    """Blobs, some unlabelled, some with two classes."""
    vectors, codes = blobs(n, classes=classes, spread=1.2)
    row, label, share = np.arange(n), codes, np.ones(n)
    row, label, share = np.r_[row, 5:50], np.r_[label, (codes[5:50] + 1) % classes], np.r_[share, np.full(45, 0.5)]
    kept = row % 7 > 0
    mass = (np.arange(n) % 7 > 0).astype(float) if sets else None
    fold = probe.stratified_folds(codes, folds, 0)
    features = probe.principal_axes(vectors)
    return probe.Problem(features, row[kept], label[kept], share[kept], fold, classes, folds, mass)


@pytest.fixture
def small_memory(monkeypatch, two_threads):
    """Nothing fits at once: blocks of 64 rows, two folds of five classes at a time, no logits kept."""
    monkeypatch.setattr(training, "WHOLE", 0)
    monkeypatch.setattr(training, "BLOCK_LOGITS", 1)
    monkeypatch.setattr(training, "LEAST_BLOCK", 64)
    monkeypatch.setattr(training, "WIDE", 10)
    monkeypatch.setattr(probe, "DENSE", 0)
    monkeypatch.setattr(probe, "BLOCK_LOGITS", 300)


@pytest.mark.parametrize("sets", [False, True])
def test_blocks_learn_what_all_rows_at_once_do(sets, request):
    """To convergence, the logits in blocks and fold by fold are those of one matrix; the penalty and the temperature,
    the likeliest classes and single places too."""
    problem = problem_of(sets=sets)
    whole = probe.Logits(problem, training.learn(problem, 0.3, 300))
    request.getfixturevalue("small_memory")
    blocks = probe.Logits(problem, training.learn(problem, 0.3, 300))
    assert np.asarray(blocks) == pytest.approx(np.asarray(whole), abs=0.1)
    assert blocks.temperature() == pytest.approx(whole.temperature(), rel=0.02)
    every = np.arange(blocks.shape[0])
    row, label = np.r_[every[::-1], every], np.r_[every % 5, every % 3]
    assert blocks.at(row, label) == pytest.approx(np.asarray(blocks)[row, label], abs=1e-5)
    assert (np.sort(blocks.best()) == np.sort(probe.best_classes(np.asarray(blocks)))).all()


def test_the_same_twice_whatever_thread_was_first(small_memory):
    """Blocks are added up in their order."""
    problem = problem_of()
    assert torch.equal(probe.train(problem, 0.3), probe.train(problem, 0.3))


def test_of_too_many_rows_some_are_learned_from(small_memory, monkeypatch):
    """Half of the rows tell the classes about as well, with half of the penalty; too few for its classes are none."""
    problem = problem_of()
    whole = np.asarray(probe.predict(problem, 0.3)).argmax(axis=1)
    monkeypatch.setattr(training, "MOST_ROWS", 300)
    assert training.rows_to_learn_from(600, 5, 4, 12) == 300
    assert (np.asarray(probe.predict(problem, 0.3)).argmax(axis=1) == whole).mean() > 0.9
    assert not probe.fits(20_000, 10_000, 5, 64)


def test_a_million_of_a_thousand_classes_has_a_probe():
    """ImageNet's 1.28 million take part as far as the work allows; so do a million of a hundred, all of them."""
    assert probe.fits(1_280_000, 1_000, 5, 256)
    assert training.rows_to_learn_from(1_280_000, 1_000, 5, 256) > 100_000
    assert training.rows_to_learn_from(1_000_000, 100, 5, 256) == 1_000_000


def test_one_block_holds_its_rows_once_more(peak_growth):
    """Where all logits fit, a fit holds the features (100 MB) a second time, scaled, and hardly more."""
    n, rng = 200_000, np.random.default_rng(0)
    features, codes = rng.standard_normal((n, 128), dtype=np.float32), rng.integers(0, 2, n)
    problem = probe.Problem(features, np.arange(n), codes, np.ones(n), codes, 2, 2)
    assert training.is_whole(n, 2, 2)
    torch.zeros(2_000, 2_000) @ torch.zeros(2_000, 2_000)  # what products need for themselves
    before = peak_growth()
    training.learn(problem, 1.0, 2)
    assert peak_growth() - before < 180


def test_few_classes_of_very_many_rows_learn_in_blocks(monkeypatch):
    """Where the features alone are large, blocks take the place of a copy of all of them, and learn the same."""
    problem, rows, real = problem_of(), [], training._Fit._scaled
    whole = probe.out_of_fold(problem, 0.3, 300)
    monkeypatch.setattr(training, "WHOLE_FEATURES", problem.features.size // 2)
    monkeypatch.setattr(training, "BLOCK_ROWS", 300)
    monkeypatch.setattr(training._Fit, "_scaled", lambda fit, part, n: rows.append(n) or real(fit, part, n))
    assert probe.out_of_fold(problem, 0.3, 300) == pytest.approx(whole, abs=0.1)
    assert set(rows) == {300, len(problem.known) - 300}


def test_likeliest_classes_hold_no_others():
    """What is kept of each block of logits are a few columns, and not the order of all classes."""
    found = probe.best_classes(np.random.default_rng(0).normal(size=(8, 50)))
    assert found.shape == (8, probe.N_BEST) and found.base is None


def test_the_features_are_gone_once_the_probe_has_spoken(monkeypatch):
    """They are as large as the vectors: none are held while its word and the vote are combined."""
    vectors, codes = blobs(200)
    made, left = [], []

    def in_space(*given):
        made.append(weakref.ref(features := real_space(*given)))
        return features

    real_space, real_combine = probe.in_space, beliefs.combine
    monkeypatch.setattr(probe, "in_space", in_space)
    monkeypatch.setattr(
        beliefs, "combine", lambda *given: left.append([one() is None for one in made]) or real_combine(*given)
    )
    corpus = corpus_of(vectors, 10)
    beliefs.believe(corpus, cases_frame(corpus, codes.astype(np.int32)), 4, 2, 0)
    assert left == [[True]]
