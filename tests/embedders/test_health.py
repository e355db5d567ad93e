"""Each check of `embedding_health` against a plain computation on a few rows."""

import numpy as np
import polars as pl
import pytest

from assay.embedders.pipeline import Refusals, checked_vectors
from assay.health.embedding import effective_rank, health_rows, statistics
from assay.store.facts import FactStore
from assay.store.files import hash_text
from assay.store.vectors import vectors_frame


def checks(workspace, matrix: np.ndarray, n_contents: int | None = None) -> dict[str, tuple]:
    """check → (value, ok) of stored rows."""
    hashes = [hash_text(str(row)) for row in range(len(matrix))]
    store = FactStore(workspace, "vectors", "f" * 32)
    for start in range(0, len(matrix), 3):
        store.append(vectors_frame(hashes[start : start + 3], "f" * 32, matrix[start : start + 3]))
    stats = statistics(sorted(store.folder.glob("part-*.parquet")), pl.Series("content_hash", hashes))
    rows = health_rows(stats, n_contents or len(matrix), Refusals({"x": ("vector_zero", "")}), None, None)
    return {check: (value, ok) for check, value, _, ok, _ in rows.iter_rows()}


def test_counts_norms_constants_and_duplicates(workspace):
    """Five vectors, one of them twice, one dimension constant, one norm wrong."""
    matrix = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0.6, 0.8, 0], [3, 4, 0]], dtype=np.float32)
    found = checks(workspace, matrix, n_contents=7)
    assert found["vectors_missing"] == (2.0, False)
    assert found["vectors_zero"] == (1.0, False)
    assert found["vectors_nan"] == (0.0, True)
    assert found["norm_min"] == (1.0, True)
    assert found["norm_max"] == (5.0, False)
    assert found["constant_dimensions"] == (1.0, False)
    assert found["duplicate_vectors"][0] == pytest.approx(0.2)


def test_vectors_that_ingest_refused_already_are_counted(workspace):
    """A row with NaN never becomes a sample; the health of the vectors tells of it all the same."""
    stats = statistics([], pl.Series("content_hash", [], dtype=pl.String))
    refused = {"not_finite": 2, "wrong_length": 1, "missing_text": 9}
    rows = health_rows(stats, 0, Refusals({"x": ("vector_not_finite", "")}), None, np.ones(3), refused)
    found = dict(rows.select("check", "value").iter_rows())
    assert (found["vectors_nan"], found["vectors_wrong_length"]) == (3.0, 1.0)


def test_facts_of_other_snapshots_do_not_count(workspace):
    """Vectors of contents that are not in tonight's samples are left out."""
    store = FactStore(workspace, "vectors", "f" * 32)
    store.append(vectors_frame([hash_text("a"), hash_text("b")], "f" * 32, np.eye(2, dtype=np.float32)))
    stats = statistics(list(store.folder.glob("part-*")), pl.Series("content_hash", [hash_text("b")]))
    assert stats.n == 1


def test_effective_rank_of_known_shapes():
    """A line uses one dimension, a ball all of them, equal points none."""
    rng = np.random.default_rng(0)
    assert effective_rank(rng.normal(size=(50, 1)) @ np.ones((1, 8))) == pytest.approx(1, abs=1e-6)
    assert effective_rank(rng.normal(size=(5000, 8))) == pytest.approx(8, abs=0.1)
    assert effective_rank(np.ones((5, 8))) == 0


def test_rows_become_unit_length_or_are_named():
    """NaN, infinity and zero are refused by row; huge and tiny values keep their direction."""
    unit, problems = checked_vectors(
        np.array([[3, 4], [np.nan, 1], [0, 0], [np.inf, 0], [3e38, 3e38], [1e-38, 0]], np.float32)
    )
    assert {row: reason for row, (reason, _) in problems.items()} == {
        1: "vector_not_finite", 2: "vector_zero", 3: "vector_not_finite",
    }  # fmt: skip
    assert np.allclose(unit[[0, 4, 5]], [[0.6, 0.8], [np.sqrt(0.5), np.sqrt(0.5)], [1, 0]], atol=1e-6)
