"""What the vectors say by themselves: votes, ranks, cut texts, drift; each by the plain slow version."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.health import drift
from assay.health.drift import class_shifts, domain_auc, energy_coefficient, mean_shift
from assay.health.embedding import Refusals, VectorStatistics, cut_row, health_rows
from assay.health.inputs import class_sizes, ones_row, twins_row, units_note
from assay.health.neighbourhood import knn_votes
from assay.health.previous import VectorSample, by_class, take_sample
from tests.reading.made import made_view
from tests.snapshot_builder import samples


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(0, 5))
def test_a_vote_is_the_heaviest_label(seed, n_classes, k):
    """Counted neighbour by neighbour; of equal weights the lower label, and without labels none."""
    rng = np.random.default_rng(seed)
    labels, rows = rng.integers(-1, n_classes, 12), rng.integers(0, 12, (12, k))
    similarities = rng.choice([-0.5, 0.0, 0.5, 1.0], (12, k))
    for row, vote in enumerate(knn_votes(labels, rows, similarities, n_classes).tolist()):
        weight: dict[int, float] = {}
        for other, near in zip(rows[row], similarities[row], strict=True):
            if labels[other] >= 0:
                weight[int(labels[other])] = weight.get(int(labels[other]), 0) + 1e-9 + max(near, 0.0)
        best = max(weight.values(), default=0)
        assert vote == (min(label for label, found in weight.items() if found >= best - 1e-12) if weight else -1)


def test_statistics_of_parts_are_those_of_the_whole():
    """However the vectors are cut; equal ones, zero ones and flat dimensions are counted."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(40, 6)).astype(np.float32)
    matrix[7], matrix[8], matrix[:, 2] = matrix[6], 0, 0.25
    matrix[:, 3] = np.arange(40) >= 13  # flat in the last part alone
    rows = []
    for cuts in ([40], [1, 9, 30], [13, 27]):
        stats = VectorStatistics()
        for part in np.split(matrix, np.cumsum(cuts)[:-1]):
            stats.add(part)
        rows.append(health_rows(stats, 42, Refusals({"x": ("vector_zero", "")}), 0.5, None).rows())
    assert rows[0] == rows[1] == rows[2]
    found = {row[0]: row for row in rows[0]}
    assert found["constant_dimensions"][1] == 1 and found["duplicate_vectors"][1] == pytest.approx(1 / 40)
    assert found["vectors_missing"][1] == 2 and not found["vectors_missing"][3] and found["vectors_zero"][1] == 1
    assert found["norm_min"][1] == pytest.approx(np.linalg.norm(matrix, axis=1).min()) and not found["basis_overlap"][3]


def test_no_vectors_at_all_are_told():
    """Nothing is measured of nothing."""
    rows = health_rows(VectorStatistics(), 3, Refusals(), None, np.zeros(0)).rows()
    assert {row[0]: row[1] for row in rows} == {
        "vectors_missing": 3.0, "vectors_nan": 0.0, "vectors_zero": 0.0, "vectors_wrong_length": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize("read, whole, n, share, ok, said", [
    ([], [], 10, 0.0, True, "no text is longer"), ([], [], 0, 0.0, True, "no text is longer"),
    ([10, 20], [20, 80], 100, 0.02, False,
        "2 of 100 texts are longer than the 20 words that the model reads; of these it sees 38%"),
    ([5], [10], 1000, 0.001, True, "sees 50% on average"),
])  # fmt: skip
def test_texts_that_are_cut_are_told(read, whole, n, share, ok, said):
    """How many, and how much of them is seen."""
    cut = pl.DataFrame({"n_read": read, "n_whole": whole}, schema={"n_read": pl.Int64, "n_whole": pl.Int64})
    (row,) = cut_row(cut, n, "words").rows()
    assert row[:2] == ("texts_cut", share) and row[3] == ok and said in row[4]


def test_drift_of_vectors_that_hardly_differ():
    """All equal, moved in one dimension, or of many dimensions: a number each."""
    hashes = [f"{i * 2654435761 % 2**32:08x}" for i in range(80)]
    flat, moved = np.ones((40, 3)), np.tile([1.5, 1, 1], (40, 1))
    assert domain_auc(flat, flat + 0.0, hashes[:40], hashes[40:]) == pytest.approx(0.5, abs=0.1)
    assert mean_shift(flat, flat) == 0.0 and mean_shift(flat, moved) == 1.0 and energy_coefficient(flat, moved) == 1.0
    rng = np.random.default_rng(0)
    spread = rng.normal(size=(80, 3)) * [1, 1, 0] + np.repeat([[0, 0, 0], [0, 0, 0.5]], 40, axis=0)
    assert domain_auc(spread[:40], spread[40:], hashes[:40], hashes[40:]) == 1.0  # a dimension that is flat each night
    wide = rng.normal(size=(80, drift.LEADING + 40))
    assert 0.3 < domain_auc(wide[:40], wide[40:], hashes[:40], hashes[40:]) < 0.7
    zero = np.zeros((12, 3))
    assert class_shifts(zero, zero, np.array(["a"] * 12), np.array(["a"] * 12)) == {"a": 0.0}


def test_a_sample_is_of_finite_vectors_each_content_once(tmp_path):
    """The same contents from night to night; of a set of classes a row for each."""
    rows = samples([f"s{i}" for i in range(6)], ["a;b", None, "b", "a", ";", "c"])
    rows = rows.with_columns(content_hash=pl.Series([f"{i:032x}" for i in (5, 3, 1, 1, 4, 2)]))
    matrix = np.arange(1, 13, dtype=np.float32).reshape(6, 2)
    matrix[4, 0] = np.nan
    vectors = rows.select("content_hash").with_columns(
        embedder=pl.lit("toy"), vector=pl.Series(matrix, dtype=pl.Array(pl.Float32, 2))
    )
    view = made_view(tmp_path, {"samples": rows, "vectors": vectors[[0, 1, 2, 4]]})
    found = take_sample(view.snapshot, 4)
    assert [int(name, 16) for name in found.content_hashes] == [
        1,
        3,
    ]  # 2 has no vector, 4 is not finite, 5 is the fifth
    assert found.labels.tolist() == ["b", None]
    np.testing.assert_allclose(found.vectors, matrix[[2, 1]] / np.linalg.norm(matrix[[2, 1]], axis=1, keepdims=True))
    each = by_class(VectorSample(matrix[:3], ["x", "y", "z"], np.array(["a;b", None, ";"], dtype=object)), ";")
    assert (
        each.labels.tolist() == ["a", "b"]
        and each.content_hashes == ["x", "x"]
        and each.vectors.tolist() == [[1, 2], [1, 2]]
    )


def test_classes_are_counted_by_name_or_within_sets():
    """A class of one is named, measurements are guessed, and names that are nearly one are counted."""
    labels = pl.Series("label", ["a;b", "a", None, "b;c", "a"])
    assert class_sizes(labels, ";").rows() == [("a", 3), ("b", 2), ("c", 1)]
    assert class_sizes(labels, "").rows() == [("a", 2), ("a;b", 1), ("b;c", 1)]
    sizes = class_sizes(labels, ";")
    assert ones_row(sizes)[1:4] == (1.0, "== 0", False) and "'c'" in ones_row(sizes)[4]
    measured = class_sizes(pl.Series("label", [f"{i / 7:.3f}" for i in range(9)]), "")
    assert "measurements rather than classes?" in ones_row(measured)[4] and " …" in ones_row(measured)[4]
    assert twins_row(["Cat", "cat", "ＣＡＴ", "dog"])[1:4] == (3.0, "== 0", False)
    assert (
        "all 7 samples are copies of one" in units_note(1, 7)
        and "too few" in units_note(1, 1)
        and "too few" not in units_note(99, 99)
    )
