"""Exact search against brute force in float64."""

import numpy as np
import pytest
import torch

from assay.knn import blocked as exact
from assay.knn.blocked import blocked_knn, kth_similarity, largest, principal_basis, query_knn, recall, rerank
from assay.store.units import to_unit_length
from tests.graph_builder import cosine

pytestmark = pytest.mark.usefixtures("two_threads")


def clustered(n: int, d: int, seed: int = 0) -> np.ndarray:
    """Unit rows around a few centres, most of their variance in 40 directions."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(20, 40))[rng.integers(0, 20, n)] + rng.normal(size=(n, 40))
    rows = rows @ rng.normal(size=(40, d)) + rng.normal(size=(n, d)) * 0.3
    return to_unit_length(rows.astype(np.float32))


def assert_same(one, two, vectors: np.ndarray, of: np.ndarray | None = None) -> None:
    """Equal `(rows, similarities)` up to what another order of summation changes: one step of the rounding."""
    assert np.allclose(one[1], two[1], atol=2.5 / exact.STEP)
    pairs = cosine(vectors)[slice(None) if of is None else of]
    found = [np.take_along_axis(pairs, rows.astype(int), axis=1) for rows, _ in (one, two)]
    assert np.allclose(found[0], found[1], atol=2.5 / exact.STEP)
    assert (one[0] == two[0]).mean() > 0.98


@pytest.mark.parametrize(("n", "k"), [(2, 1), (3, 2), (40, 39), (700, 10)])
def test_neighbours_equal_brute_force(n, k):
    """Similarities equal the k largest of all pairs, and each row given has the similarity given."""
    vectors = clustered(n, 32)
    rows, similarities = blocked_knn(vectors, k, device="cpu")
    pairs = cosine(vectors)
    assert np.allclose(similarities, -np.sort(-pairs, axis=1)[:, :k], atol=2e-6)
    assert np.allclose(np.take_along_axis(pairs, rows.astype(int), axis=1), similarities, atol=2e-6)
    assert all(len(set(row)) == k for row in rows.tolist())


def test_a_row_is_never_its_own_neighbour():
    """Also where all vectors are equal, so that every other row is just as near."""
    rows, similarities = blocked_knn(to_unit_length(np.ones((50, 8), dtype=np.float32)), 5, device="cpu")
    assert not (rows == np.arange(50)[:, None]).any()
    assert (similarities == 1.0).all()


def test_equal_similarities_stand_in_row_order():
    """Of 200 equally near rows the first five are the neighbours, though there were fewer candidates than ties."""
    rows, _ = blocked_knn(to_unit_length(np.ones((200, 8), dtype=np.float32)), 5, device="cpu")
    assert rows[100].tolist() == [0, 1, 2, 3, 4]
    assert rows[2].tolist() == [0, 1, 3, 4, 5]


def test_ties_are_settled_across_two_values():
    """Nearer rows first, then the earliest of the tied ones."""
    vectors = np.zeros((60, 2), dtype=np.float32)
    vectors[:, 1] = 1.0
    vectors[[7, 40]] = [1.0, 0.0]
    rows, similarities = blocked_knn(vectors, 3, device="cpu")
    assert rows[7].tolist() == [40, 0, 1]
    assert similarities[7].tolist() == [1.0, 0.0, 0.0]


def test_zero_vectors_are_similar_to_nothing():
    """A zero row has similarity 0 to all, and no NaN spreads from it."""
    vectors = clustered(30, 8)
    vectors[4] = 0.0
    rows, similarities = blocked_knn(vectors, 3, device="cpu")
    assert (similarities[4] == 0).all()
    assert np.isfinite(similarities).all() and rows[4].tolist() == [0, 1, 2]


def test_two_passes_find_what_one_pass_finds(monkeypatch):
    """Candidates from the leading directions, ranked in full, equal the full search."""
    vectors = clustered(1500, 600)
    one = blocked_knn(vectors, 10, device="cpu")
    monkeypatch.setattr(exact, "TWO_PASS_FROM", 1000)
    monkeypatch.setattr(exact, "MOST", 0.0)  # no cells
    two = blocked_knn(vectors, 10, device="cpu")
    assert_same(one, two, vectors)


def test_full_search_takes_over_where_the_leading_directions_hold_nothing(monkeypatch):
    """Vectors without any structure defeat the first pass; the result is exact all the same."""
    rng = np.random.default_rng(0)
    vectors = to_unit_length(rng.normal(size=(1500, 1200)).astype(np.float32))
    monkeypatch.setattr(exact, "TWO_PASS_FROM", 1000)
    monkeypatch.setattr(exact, "PCA_DIMENSIONS", 16)
    monkeypatch.setattr(exact.principal_basis, "__defaults__", (16,))
    _, similarities = blocked_knn(vectors, 10, device="cpu")
    assert np.allclose(similarities, -np.sort(-cosine(vectors), axis=1)[:, :10], atol=2e-6)


def test_small_blocks_change_nothing(monkeypatch):
    """The result does not hang on how the rows are cut into blocks."""
    vectors = clustered(300, 32)
    whole = blocked_knn(vectors, 10, device="cpu")
    monkeypatch.setattr(exact, "BLOCK_ROWS", 7)
    searched = []
    cut = blocked_knn(vectors, 10, device="cpu", advance=searched.append)
    assert sum(searched) == 300 and len(searched) == 43
    assert_same(whole, cut, vectors)


def test_query_of_some_rows_equals_the_search_of_all():
    """`query_knn` gives the same rows as `blocked_knn`."""
    vectors = clustered(300, 32)
    some = np.array([5, 17, 299])
    whole = blocked_knn(vectors, 8, device="cpu")
    assert_same(query_knn(vectors, some, 8), (whole[0][some], whole[1][some]), vectors, some)


def test_rerank_orders_candidates_and_skips_the_row_itself():
    """Candidates come back by true similarity, in full space."""
    vectors = clustered(50, 16)
    candidates = np.tile(np.arange(50), (50, 1))
    rows, similarities, _ = rerank(vectors, np.arange(50), candidates, 6)
    assert_same((rows, similarities), blocked_knn(vectors, 6, device="cpu"), vectors)


@pytest.mark.parametrize(("n", "count"), [(5, 5), (40, 3), (1000, 7), (5003, 70), (5003, 7), (16 * 300, 1)])
def test_the_largest_of_a_row_are_those_of_a_full_sort(monkeypatch, n, count):
    """Looking at the maxima of parts first loses nothing, whatever the length, also where values repeat."""
    monkeypatch.setattr(exact, "LARGE", 5_000)
    values = torch.from_numpy(np.random.default_rng(n).integers(0, 500, (20, n)).astype(np.float32))
    found, columns = largest(values, count)
    assert torch.equal(found.sort(dim=1).values, values.sort(dim=1).values[:, n - count :])
    assert torch.equal(values.gather(1, columns), found)
    assert all(len(set(row)) == count for row in columns.tolist())


def test_the_kth_similarity_is_that_of_the_last_neighbour():
    """For the rows asked for, themselves left out."""
    vectors, rows = clustered(300, 16), np.array([3, 200])
    assert np.allclose(kth_similarity(vectors, rows, 8), query_knn(vectors, rows, 8)[1][:, -1], atol=2.5 / exact.STEP)


def test_recall_counts_what_is_as_near_as_the_last_true_neighbour():
    """Half of the neighbours replaced by far ones: recall is a half."""
    vectors = clustered(100, 16)
    rows = np.arange(100)
    order = np.argsort(-cosine(vectors), axis=1)
    least = np.take_along_axis(cosine(vectors), order[:, 3:4], axis=1)[:, 0]
    found = np.hstack([order[:, :2], order[:, -4:-2]])
    assert recall(order[:, :4], vectors, rows, least) == 1.0
    assert recall(found, vectors, rows, least) == 0.5


def test_the_basis_is_orthonormal_and_repeatable():
    """Two fits of the same rows agree to the last bit."""
    vectors = clustered(200, 300)
    basis = principal_basis(vectors, 64)
    assert np.allclose(basis.T @ basis, np.eye(64), atol=1e-5)
    assert basis.tobytes() == principal_basis(vectors, 64).tobytes()
