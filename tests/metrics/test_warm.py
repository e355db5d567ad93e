"""Fits that go on from the night before: as near to the least loss in fewer passes, and the same when done again."""

import dataclasses

import numpy as np
import polars as pl
import pytest
import torch

from assay.metrics import probe, training, warm
from assay.metrics.warm import Memory, placed, turned, turned_back
from assay.store.arrays import KeptArrays
from tests.metrics.conftest import blobs


def problem_of(rows: np.ndarray, n: int = 900, classes: int = 6) -> probe.Problem:
    """Some rows of blobs that overlap."""
    vectors, codes = blobs(n, classes=classes, spread=1.2)
    vectors, codes = np.ascontiguousarray(vectors[rows]), codes[rows]
    space = probe.principal_space(vectors)
    fold = probe.stratified_folds(codes, 3, 0, pl.Series([f"{row}" for row in rows]))
    every = np.arange(len(rows))
    return probe.Problem(
        probe.in_space(vectors, space), every, codes, np.ones(len(rows)), fold, classes, 3, space=space
    )


@pytest.fixture
def memory(tmp_path):
    return Memory(tmp_path, "an embedder")


NAMES = [f"class {code}" for code in range(6)]


def passes_of(monkeypatch):
    """The passes and the start of each fit."""
    seen = []

    def learn(problem, penalty, iterations=30, start=None):
        seen.append((iterations, start is not None))
        return training.learn(problem, penalty, iterations, start)

    for module in (warm, probe):
        monkeypatch.setattr(module, "learn", learn)
    return seen


def test_weights_survive_the_way_through_the_vectors():
    """Logits are those of before in the space of another night."""
    before, now = problem_of(np.arange(0, 900, 2)), problem_of(np.arange(900))
    weights = probe.train(before, 0.3).numpy()
    moved = turned_back(turned(weights, before.space), now.space)
    wanted = np.einsum("nr,rfc->nfc", before.features, weights[:-1]) + weights[-1]
    found = np.einsum("nr,rfc->nfc", now.features[::2], moved[:-1]) + moved[-1]
    np.testing.assert_allclose(found, wanted, atol=1e-3 * np.abs(wanted).max())


def test_a_fit_goes_on(memory, monkeypatch):
    """With 2% more rows it takes few passes, and tells as from nothing; so few from nothing do not."""
    seen = passes_of(monkeypatch)
    learner = memory.learner("label", NAMES)
    learner(problem_of(np.arange(880)), 0.3)
    now = problem_of(np.arange(900))
    found = probe.Logits(now, learner(now, 0.3))
    assert seen == [(30, False), (warm.PASSES, True)]
    least, few = probe.out_of_fold(now, 0.3, 500), probe.out_of_fold(now, 0.3, warm.PASSES)
    away = np.abs(np.asarray(found) - least).mean()
    assert away < 0.02 * np.abs(least).mean() and away < 0.2 * np.abs(few - least).mean()
    assert (np.asarray(found).argmax(axis=1) == least.argmax(axis=1)).mean() > 0.995


def test_the_penalty_is_kept(memory, monkeypatch):
    """A fit from nothing chooses it, one that goes on has it from there; asked for another one, it begins anew."""
    chosen = []
    monkeypatch.setattr(warm, "choose_penalty", lambda problem: chosen.append(len(problem.known)) or 0.1)
    seen, penalties = passes_of(monkeypatch), []
    real = warm.learn
    for module in (warm, probe):
        monkeypatch.setattr(
            module, "learn", lambda problem, penalty, *rest: penalties.append(penalty) or real(problem, penalty, *rest)
        )
    learner = memory.learner("label", NAMES)
    for n, penalty in ((600, None), (605, None), (605, None), (606, 3.0)):
        learner(problem_of(np.arange(n)), penalty)
    assert chosen == [600] and penalties == [0.1, 0.1, 3.0] and [goes_on for _, goes_on in seen] == [False, True, False]


def test_a_fit_begins_near_another(memory, monkeypatch):
    """Of a problem with a few other labels: it tells as from nothing in a quarter of the passes, and better than the
    weights that it began with. The night after it goes on from its own."""
    raw = problem_of(np.arange(900))
    other = dataclasses.replace(raw, label=np.where(np.arange(900) % 50, raw.label, (raw.label + 1) % 6))
    near, least = probe.train(raw, 0.3), probe.out_of_fold(other, 0.3, 500)
    seen = passes_of(monkeypatch)

    def away(weights):
        return np.abs(np.asarray(probe.Logits(other, weights)) - least).mean() / np.abs(least).mean()

    found = memory.learner("a trial", NAMES)(other, 0.3, near)
    assert torch.equal(found, probe.train(other, 0.3, near)) and away(found) < min(0.1, away(near) / 2)
    memory.learner("a trial", NAMES)(dataclasses.replace(other, share=other.share * 0.9), 0.3, near)
    assert seen == [(probe.NEAR, True), (probe.NEAR, True), (warm.PASSES, True)]


def test_done_again_it_is_the_same(memory, monkeypatch):
    """A night that was killed after the fit finds the very weights, and fits nothing."""
    seen = passes_of(monkeypatch)
    learner = memory.learner("label", NAMES)
    first = learner(problem_of(np.arange(880)), 0.3)
    second = learner(problem_of(np.arange(900)), 0.3)
    assert torch.equal(learner(problem_of(np.arange(900)), 0.3), second)
    assert len(seen) == 2 and first.shape == second.shape


@pytest.mark.parametrize("other", ["many rows", "embedder", "folds", "damage"])
def test_from_nothing_where_it_must(memory, monkeypatch, capsys, other):
    """A fifth more rows, other vectors, other folds, or damaged weights: the fit begins with nothing."""
    memory.learner("label", NAMES)(problem_of(np.arange(600)), 0.3)
    seen = passes_of(monkeypatch)
    now = problem_of(np.arange(730 if other == "many rows" else 610))
    if other == "embedder":
        memory = dataclasses.replace(memory, embedder="another")
    if other == "folds":
        now = dataclasses.replace(now, fold=np.arange(610) % 2, n_folds=2)
    if other == "damage":
        path = next(memory.folder.rglob("*.npz"))
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.unlink()
        path.write_bytes(content)
    memory.learner("label", NAMES)(now, 0.3)
    assert seen == [(30, False)] and ("damaged" in capsys.readouterr().err) == (other == "damage")
    memory.learner("label", NAMES)(dataclasses.replace(now, share=now.share * 0.5), 0.3)
    assert seen[1] == (warm.PASSES, True) and len(list(memory.folder.rglob("*.npz"))) == 1


@pytest.mark.parametrize("other", ["labels", "half of the labels", "names", "vectors"])
def test_from_nothing_where_weights_are_worth_nothing(memory, monkeypatch, other):
    """As many rows as before, yet other labels, classes or vectors: few passes from there would end far from the
    least loss, and right labels would look wrong."""
    memory.learner("label", NAMES)(problem_of(np.arange(600)), 0.3)
    now, names, seen = problem_of(np.arange(600)), NAMES, passes_of(monkeypatch)
    if other == "labels":
        now = dataclasses.replace(now, label=(now.label + 1) % 6)
    if other == "half of the labels":
        now = dataclasses.replace(now, label=np.where(np.arange(600) % 2, now.label, (now.label + 1) % 6))
    if other == "names":
        names = [f"new {name}" for name in NAMES]
    if other == "vectors":
        now = dataclasses.replace(now, features=np.ascontiguousarray(-now.features))
    memory.learner("label", names)(now, 0.3)
    assert seen == [(30, False)]


def test_a_few_new_labels_are_gone_on_from(memory, monkeypatch):
    """A row in fifty relabelled, and a row in a hundred of a class that is new, are what a night brings."""
    problem = problem_of(np.arange(600))
    memory.learner("label", NAMES)(problem, 0.3)
    seen, label = passes_of(monkeypatch), problem.label.copy()
    label[::50] = (label[::50] + 1) % 6
    memory.learner("label", NAMES)(dataclasses.replace(problem, label=label), 0.3)
    label[1::100] = 6
    memory.learner("label", [*NAMES, "class 6"])(dataclasses.replace(problem, label=label, n_classes=7), 0.3)
    assert seen == [(warm.PASSES, True)] * 2


def test_fits_that_differ_in_who_is_labelled_are_two(memory, monkeypatch):
    """A row that carries none of the classes is not one without a label."""
    seen, problem = passes_of(monkeypatch), problem_of(np.arange(600))
    some = problem.row[::2]
    problem = dataclasses.replace(problem, row=some, label=problem.label[some], share=problem.share[some])
    for mass in (np.isin(np.arange(600), some).astype(float), np.ones(600)):
        memory.learner("label", NAMES)(dataclasses.replace(problem, mass=mass), 0.3)
    assert len(seen) == 2


def test_weights_of_a_column_that_is_no_more_go(tmp_path):
    """What no fit of a night asks for is removed, and what one asked for stays."""
    for names in (("label", "column site"), ("label",)):
        memory = Memory(tmp_path, "an embedder")
        for name in names:
            memory.learner(name, NAMES)(problem_of(np.arange(300)), 0.3)
        memory.forget_others()
        assert len(list(tmp_path.iterdir())) == len(names)
    assert memory.history("label") == ""


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_fit_goes_on_on_a_gpu(memory, monkeypatch):
    """The weights of before meet a fit whose features are on the device."""
    monkeypatch.setattr("assay.metrics.training.GPU_FROM", 0)
    learner = memory.learner("label", NAMES)
    learner(problem_of(np.arange(880)), 0.3)
    now = problem_of(np.arange(900))
    least = probe.out_of_fold(now, 0.3, 500)
    found = np.asarray(probe.Logits(now, learner(now, 0.3)))
    assert np.abs(found - least).mean() < 0.02 * np.abs(least).mean()


def test_classes_are_found_by_name(memory):
    """A class that is gone is dropped, one that is new begins with nothing, the others keep their weights."""
    kept = {"classes": np.array(["a", "b", "c"]), "weights": np.arange(6, dtype=np.float32).reshape(1, 2, 3)}
    assert placed(kept, ["c", "new", "a"]).tolist() == [[[2, 0, 0], [5, 0, 3]]]


def test_what_is_said_of_it(memory):
    """A fit from nothing has no history; one that went on says how often."""
    learner = memory.learner("label", NAMES)
    assert memory.history("label") == ""
    said = []
    for n in (600, 605, 610):
        learner(problem_of(np.arange(n)), 0.3)
        said.append(memory.history("label"))
    assert said == ["", "; from the weights of the night before, 1 since the fit from nothing",
                    "; from the weights of the night before, 2 since the fit from nothing"]  # fmt: skip


def test_nothing_is_said_of_a_fit_that_was_not_made(memory):
    """As where class means took the place of a probe that tonight's rows cannot afford."""
    for n in (600, 605):
        memory.learner("label", NAMES)(problem_of(np.arange(n)), 0.3)
    tonight = Memory(memory.folder, memory.embedder)
    tonight.learner("label", NAMES)
    assert memory.history("label") and tonight.history("label") == ""


def test_each_fit_has_its_own(memory, monkeypatch):
    """Names do not share weights."""
    seen = passes_of(monkeypatch)
    for name in ("label", "column site", "label"):
        memory.learner(name, NAMES)(problem_of(np.arange(600)), 0.3)
    assert seen == [(30, False), (30, False)]
    assert sorted(KeptArrays(folder).head().about["nights"] for folder in memory.folder.iterdir()) == [0, 0]
