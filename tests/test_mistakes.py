"""How labels go wrong is learnt: habits of a class, confusion with neighbours, and no direction at all."""

import numpy as np
import polars as pl
import pytest

from assay.selftest.mistakes import given_by_mistake, learn, nearness_bins
from assay.selftest.plant import any_label

K = 12


def ring(k: int) -> np.ndarray:
    """(k, k) similarities of classes on a circle."""
    angle = 2 * np.pi * np.arange(k) / k + 0.01 * np.arange(k) ** 1.5
    return np.cos(angle[:, None] - angle[None])


def test_nearness_by_hand():
    """Of three classes the first two are near each other."""
    similarity = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.2], [0.1, 0.2, 1.0]])
    assert nearness_bins(similarity).tolist() == [[-1, 0, 1], [0, -1, 1], [1, 0, -1]]


@pytest.mark.parametrize("way", ["any", "nearest", "habit"])
def test_the_way_of_the_mistakes_is_learnt(way):
    """Given mistakes of one way, most of the chance is where that way puts it, and it is nowhere else as high."""
    rng = np.random.default_rng(0)
    similarity = ring(K)
    nearest = np.argsort(np.where(np.eye(K, dtype=bool), -np.inf, similarity), axis=1)[:, -1]
    habit = (np.arange(K) + K // 2) % K
    true = rng.integers(0, K, 150)
    given = {"any": (true + rng.integers(1, K, 150)) % K, "nearest": nearest[true], "habit": habit[true]}[way]
    chance = given_by_mistake(true, given, np.ones(150), similarity)
    assert np.allclose(chance.sum(axis=1), 1) and not np.diag(chance).any()
    rows = np.arange(K)
    if way == "any":
        assert chance[~np.eye(K, dtype=bool)].max() < 0.35
    else:
        assert chance[rows, {"nearest": nearest, "habit": habit}[way]].mean() > 0.8


def test_without_mistakes_half_go_to_the_nearest():
    """The prior alone: the nearest class has half of the chance and its part of the other half."""
    none = np.zeros(0, dtype=int)
    chance = given_by_mistake(none, none, np.zeros(0), ring(K))
    assert chance.max(axis=1) == pytest.approx(0.5 + 0.5 / (K - 1))


def test_what_is_learnt_from_flags():
    """Flags of a given as b: a's labels are made b, flagged ones are hardly flipped, a's oftener than c's."""
    rows = [(f"a{i}", "a", "a", False) for i in range(60)] + [(f"b{i}", "b", "b", False) for i in range(60)]
    rows += [(f"c{i}", "c", "c", False) for i in range(60)] + [(f"w{i}", "b", "a", True) for i in range(20)]
    schema = ["sample_id", "label", "suggested_label", "is_issue"]
    issues = pl.DataFrame(rows, schema=schema, orient="row").with_columns(confidence=pl.lit(0.95))
    directions = {"a": [1.0, 0.1, 0.0], "b": [0.0, 1.0, 0.1], "c": [0.1, 0.0, 1.0]}
    relabel, rates = learn(issues, np.array([directions[label] for label in issues["label"]]))
    rng = np.random.default_rng(0)
    drawn = [relabel("a", ["b", "c"], rng) for _ in range(100)]
    assert {relabel("of a rejected sample", ["b", "other"], rng) for _ in range(20)} == {"b", "other"}
    assert relabel("a", ["b", "other"], rng) == "b"
    assert drawn.count("b") > 75
    assert rates["w0"] < 0.1 * rates["b0"] and rates["a0"] > 2 * rates["c0"] > 0


def test_a_single_class_has_nothing_to_learn():
    """One class, or none: any label will do."""
    issues = pl.DataFrame({"sample_id": ["x"], "label": ["a"], "suggested_label": ["a"], "is_issue": [False]})
    issues = issues.with_columns(confidence=pl.lit(1.0))
    assert learn(issues, np.ones((1, 2))) == (any_label, {})
    assert learn(issues.clear(), np.ones((0, 2))) == (any_label, {})
