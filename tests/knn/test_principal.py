"""Principal axes: scikit-learn's, for few rows and for many."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from assay.knn.principal import principal


@pytest.mark.parametrize("n", [30, 200])
def test_axes_are_scikit_learns(n):
    """Mean, variances and axes, each axis with its largest entry positive."""
    rows = np.random.default_rng(0).normal(size=(n, 50)) * np.linspace(5, 1, 50) + 3.0
    found, expected = principal(rows), PCA(svd_solver="full").fit(rows)
    assert found.variance.shape == (min(n, 50),) and found.axes.shape == (50, min(n, 50))
    assert np.allclose(found.mean, expected.mean_)
    assert np.allclose(found.variance, expected.explained_variance_ * (n - 1) / n)
    own = range(min(n, 50) - 1)  # of 30 rows about their mean there are 29
    assert np.allclose(np.abs(np.diag(expected.components_ @ found.axes))[own], 1)
    assert (found.axes[np.abs(found.axes).argmax(axis=0), np.arange(min(n, 50))][own] > 0).all()


def test_about_zero_the_mean_is_an_axis():
    """Products of rows are kept: what all rows share is not taken off."""
    rows = np.random.default_rng(0).normal(size=(300, 8)) * 0.1 + np.eye(8)[2]
    found = principal(rows.astype(np.float32), centre=False)
    assert not found.mean.any() and found.axes[2, 0] > 0.99
    assert np.allclose(rows @ found.axes @ found.axes.T, rows)


@pytest.mark.parametrize("shape", [(0, 4), (1, 4), (5, 3), (3, 5)])
def test_rows_without_spread_have_no_variance(shape):
    """None, one, or many that are equal; no number is missing."""
    found = principal(np.full(shape, 2.0))
    assert not found.variance.any() and np.isfinite(found.axes).all() and found.axes.shape == (shape[1], min(shape))
