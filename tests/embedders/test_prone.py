"""ProNE and the truncated SVD behind it, on graphs whose answer is known."""

import numpy as np
import pytest
from scipy import sparse

from assay.embedders.prone import prone, propagate, row_normalized
from assay.embedders.svd import truncated_svd, unit_rows


def two_cliques(size: int = 12) -> sparse.csr_matrix:
    """Two complete graphs, tied by one edge, and one node without an edge."""
    dense = np.zeros((2 * size + 1,) * 2, dtype=np.float32)
    dense[:size, :size] = dense[size : 2 * size, size : 2 * size] = 1
    dense[size - 1, size] = dense[size, size - 1] = 1
    np.fill_diagonal(dense, 0)
    return sparse.csr_matrix(dense)


def test_the_svd_is_numpys():
    """A sparse matrix's leading singular values and vectors are those of the dense one."""
    rng = np.random.default_rng(0)
    dense = (rng.random((60, 40)) * (rng.random((60, 40)) < 0.2)).astype(np.float32)
    left, values, right = truncated_svd(sparse.csr_matrix(dense), 8, 0, iterations=20)
    wanted = np.linalg.svd(dense, full_matrices=False)
    assert np.allclose(values, wanted[1][:8], rtol=1e-3)
    assert np.allclose(np.abs(np.einsum("nk,nk->k", left, wanted[0][:, :8])), 1, atol=0.02)
    assert (left[np.abs(left).argmax(axis=0), np.arange(8)] > 0).all() and right.shape == (8, 40)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (4, 4)])
def test_the_svd_of_nothing_is_zero(shape):
    """A matrix without an entry has one singular value, zero."""
    left, values, right = truncated_svd(sparse.csr_matrix(shape, dtype=np.float32), 5, 0)
    assert left.shape == (shape[0], 1) and right.shape == (1, shape[1]) and not values.any()


def test_the_filter_is_the_matrix_function():
    """The Chebyshev sum is g(L) of the eigenvalues, as the paper writes it."""
    adjacency = two_cliques(6)
    n = adjacency.shape[0]
    vectors = np.random.default_rng(1).normal(size=(n, 3)).astype(np.float32)
    looped = (adjacency + sparse.identity(n)).toarray()
    walk = looped / looped.sum(axis=1, keepdims=True)
    values, basis = np.linalg.eig(np.eye(n) - walk)
    gain = np.exp(-0.5 * (0.5 * (values - 0.2) ** 2 - 1))
    wanted = looped @ (vectors - (basis * gain) @ np.linalg.inv(basis) @ vectors)
    assert np.allclose(propagate(adjacency, vectors), wanted.real, atol=1e-4)


def test_nodes_of_a_clique_lie_together():
    """Within a clique vectors point one way, between cliques not; a node without an edge has none."""
    vectors = prone(two_cliques(), 8, seed=0)
    likeness = vectors @ vectors.T
    assert likeness[:11, :11].min() > 0.9 and likeness[:11, 13:24].max() < 0.5
    assert not vectors[24].any() and np.allclose(np.linalg.norm(vectors[:24], axis=1), 1, atol=1e-5)


def test_the_same_seed_gives_the_same_vectors():
    """Nothing depends on anything but the graph, the size and the seed."""
    assert (prone(two_cliques(), 8, seed=3) == prone(two_cliques(), 8, seed=3)).all()


def test_odd_graphs():
    """No node, no edge, one edge; a matrix that is not square is refused."""
    assert prone(sparse.csr_matrix((0, 0), dtype=np.float32), 4).shape[0] == 0
    assert not prone(sparse.csr_matrix((5, 5), dtype=np.float32), 4).any()
    one = prone(sparse.csr_matrix(np.array([[0, 1], [1, 0]], dtype=np.float32)), 4)
    assert np.isfinite(one).all() and one.any(axis=1).all()
    with pytest.raises(ValueError, match="square"):
        prone(sparse.csr_matrix((2, 3), dtype=np.float32))


def test_rows_of_length_one_and_sums_of_one():
    """Zero rows stay zero."""
    assert np.allclose(unit_rows(np.array([[3, 4], [0, 0]], dtype=np.float32)), [[0.6, 0.8], [0, 0]])
    assert np.allclose(row_normalized(sparse.csr_matrix([[1.0, 3.0], [0, 0]])).toarray(), [[0.25, 0.75], [0, 0]])
