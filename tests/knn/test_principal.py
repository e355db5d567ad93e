"""Principal axes: scikit-learn's, for few rows and for many."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_info, threadpool_limits

from assay.knn.principal import principal
from assay.store.machine import one_blas_thread


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


def threads() -> set[int]:
    """How many threads NumPy's products may use."""
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_one_thread_until_all_have_left():
    """Two that overlap, and leave in either order: one thread while either is inside, then as many as before."""
    with threadpool_limits(2, user_api="blas"):
        for first, second in ((0, 1), (1, 0)):
            inside = [one_blas_thread(), one_blas_thread()]
            for one in inside:
                one.__enter__()
            assert threads() == {1}
            inside[first].__exit__(None, None, None)
            assert threads() == {1}
            inside[second].__exit__(None, None, None)
            assert threads() == {2}


def test_axes_do_not_depend_on_the_cores():
    """To the last bit."""
    rows = np.random.default_rng(0).normal(size=(900, 300)).astype(np.float32)
    found = []
    for cores in (1, 2):
        with threadpool_limits(cores, user_api="blas"):
            found.append(principal(rows))
    assert np.array_equal(found[0].axes, found[1].axes) and np.array_equal(found[0].variance, found[1].variance)
