"""New rows in a graph that is there: the lists are those of a search among all."""

import numpy as np
import pytest

from assay.knn.blocked import blocked_knn
from assay.knn.insert import insert_rows, nearest


def unit_rows(n: int, d: int, seed: int) -> np.ndarray:
    """Random rows of length 1, some of them equal."""
    vectors = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    vectors[n // 2 : n // 2 + 5] = vectors[:5]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("new", [0, 1, 30, 200])
def test_lists_are_those_of_the_whole_search(new):
    """Whatever their number, and where vectors are equal."""
    vectors = unit_rows(300, 8, seed=new)
    rows, similarities = blocked_knn(np.ascontiguousarray(vectors[: 300 - new]), 10)
    grown, similar = insert_rows(vectors, rows, similarities)
    wanted, wanted_similar = blocked_knn(vectors, 10)
    assert (grown == wanted).all()
    np.testing.assert_allclose(similar, wanted_similar, atol=2e-6)


def test_nearest_is_brute_force():
    """The rows of one matrix nearest to those of another, at most as many as there are."""
    data, queries = unit_rows(50, 4, 0), unit_rows(20, 4, 1)
    rows, similarities = nearest(data, queries, 5)
    products = queries @ data.T
    np.testing.assert_allclose(similarities, -np.sort(-products, axis=1)[:, :5], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(products, rows, axis=1), similarities, atol=1e-6)
    assert nearest(data[:2], queries, 5)[0].shape == (20, 2)
    assert nearest(data, queries[:0], 5)[0].shape == (0, 5)
