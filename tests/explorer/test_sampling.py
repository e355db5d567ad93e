"""Sampling: a browser gets at most its limit, and sparse regions keep every point."""

import numpy as np

from assay.reading.sampling import thin


def crowd(n=50_000):
    """A dense blob and a hundred strays far apart."""
    random = np.random.default_rng(0)
    blob = random.normal(0, 1, (n, 2))
    strays = np.stack([np.linspace(20, 80, 100), np.linspace(-80, 80, 100)], 1)
    xy = np.concatenate([blob, strays]).astype(np.float32)
    return xy[:, 0].copy(), xy[:, 1].copy(), random.permutation(len(xy)).astype(np.int32)


def test_at_most_the_limit_and_near_it():
    """The room is used, and not exceeded."""
    x, y, priority = crowd()
    rows = thin(x, y, np.arange(len(x)), 5_000, priority)
    assert 3_000 < len(rows) <= 5_000
    assert (np.diff(rows) > 0).all()


def test_strays_survive_and_density_still_shows():
    """Every lonely point is drawn; the dense middle has more drawn points than its rim."""
    x, y, priority = crowd()
    rows = thin(x, y, np.arange(len(x)), 5_000, priority)
    assert (rows >= 50_000).sum() == 100
    middle, rim = np.hypot(x[rows], y[rows]) < 1, (np.hypot(x[rows], y[rows]) >= 3) & (rows < 50_000)
    assert middle.sum() > 2 * rim.sum()


def test_the_same_request_draws_the_same_points():
    """No flicker between two visits."""
    x, y, priority = crowd(20_000)
    first, second = (thin(x, y, np.arange(len(x)), 3_000, priority) for _ in range(2))
    assert np.array_equal(first, second)


def test_degenerate_clouds():
    """One place, no points, no room."""
    x = np.zeros(1_000, np.float32)
    priority = np.arange(1_000, dtype=np.int32)
    assert len(thin(x, x, np.arange(1_000), 10, priority)) <= 10
    assert len(thin(x, x, np.arange(0), 10, priority)) == 0
    assert len(thin(x, x, np.arange(1_000), 0, priority)) == 0
