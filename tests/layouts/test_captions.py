"""The graph of captions by brute force."""

import numpy as np
import pytest

from assay.layouts import captions


@pytest.mark.parametrize("n", [0, 1, 2, 7, 60])
def test_nearest_are_the_nearest(monkeypatch, n):
    """In blocks as all at once; fewer than asked for where there are not so many; nobody is its own neighbour."""
    monkeypatch.setattr(captions, "BLOCK", 13)
    vectors = np.random.default_rng(n).normal(size=(n, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows, cosines = captions.nearest(vectors, 4)
    k = max(min(4, n - 1), 0)
    assert rows.shape == cosines.shape == (n, k)
    close = vectors @ vectors.T
    np.fill_diagonal(close, -2)
    wanted = np.argsort(-close, axis=1, kind="stable")[:, :k]
    assert (rows == wanted).all() and np.allclose(cosines, np.take_along_axis(close, wanted, axis=1), atol=1e-5)
