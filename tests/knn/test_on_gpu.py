"""The graph of a GPU equals a plain search, here computed by the CPU."""

import numpy as np
import pytest
import torch

from assay.knn import on_gpu
from assay.knn.on_gpu import knn_on_gpu
from assay.store.units import to_unit_length


def plain(vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """All similarities, in row order where they are equal to 2⁻²⁰."""
    similar = np.round(vectors.astype(np.float64) @ vectors.T.astype(np.float64) * 2**20)
    np.fill_diagonal(similar, -np.inf)
    rows = np.argsort(-similar, axis=1, kind="stable")[:, :k]
    return rows, np.take_along_axis(similar, rows, axis=1) / 2**20


def same(vectors: np.ndarray, k: int) -> None:
    """Equal similarities; of rows those differ that a last bit decides."""
    rows, similar = knn_on_gpu(vectors, k, device="cpu")
    wanted, values = plain(vectors, k)
    assert rows.dtype == np.int32 and similar.dtype == np.float32
    assert np.allclose(similar, values, atol=3e-6)
    assert (np.diff(similar, axis=1) <= 0).all()
    differ = rows != wanted
    assert differ.mean() < 0.05
    assert np.allclose((vectors[rows] * vectors[:, None]).sum(axis=2), values, atol=3e-6)
    assert all(len(set(near)) == k and row not in near for row, near in enumerate(rows.tolist()))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Slabs and blocks of a few rows, so that there are many."""
    monkeypatch.setattr(on_gpu, "SLAB", 700)
    monkeypatch.setattr(on_gpu, "BLOCK", 130)
    monkeypatch.setattr(on_gpu, "PART", 4)


def made(n: int, d: int, seed: int = 0) -> np.ndarray:
    """Clustered vectors of length 1."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((20, d))
    return to_unit_length((centres[rng.integers(0, 20, n)] + rng.standard_normal((n, d))).astype(np.float32))


@pytest.mark.parametrize(("n", "k"), [(2, 1), (50, 10), (700, 10), (701, 5), (1500, 10)])
def test_equals_a_plain_search(n, k):
    """In one slab or several, the last of them of one row."""
    same(made(n, 24), k)


@pytest.mark.parametrize("fits", [True, False])
def test_slabs_that_do_not_fit_are_streamed(monkeypatch, fits):
    """The same neighbours, whether the matrix stays on the device or not."""
    monkeypatch.setattr(on_gpu, "KEPT", 0.5 if fits else 0.0)
    same(made(1000, 16), 8)


def test_copies_and_zeros_are_in_row_order():
    """More copies than there are candidates, and vectors of length 0: ties are in row order, across slabs."""
    vectors = made(900, 16)
    vectors[100:400] = vectors[100]
    vectors[600:800] = 0.0
    rows, similar = knn_on_gpu(vectors, 10, device="cpu")
    assert rows[100].tolist() == list(range(101, 111)) and (similar[100] == similar[100, 0]).all()
    assert rows[399].tolist() == list(range(100, 110))
    assert rows[700].tolist() == list(range(10)) and not similar[700].any()
    same(vectors[:500], 10)


def test_what_half_precision_confuses_is_searched_in_full(monkeypatch):
    """Neighbours nearer to one another than half precision tells apart: found all the same, by the second search."""
    rng = np.random.default_rng(1)
    vectors = to_unit_length((np.ones(32) + 0.02 * rng.standard_normal((600, 32))).astype(np.float32))
    asked = []
    whole = on_gpu._search_in_full
    monkeypatch.setattr(
        on_gpu, "_search_in_full", lambda slabs, rows, k: asked.append(len(rows)) or whole(slabs, rows, k)
    )
    same(vectors, 10)
    assert sum(asked) == 600
    asked.clear()
    same(made(600, 32), 10)
    assert not asked


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_on_a_gpu():
    """The same on the device itself, with slabs as they are in use."""
    vectors = made(5000, 64)
    assert (knn_on_gpu(vectors, 20)[0] == knn_on_gpu(vectors, 20, device="cpu")[0]).mean() > 0.999
