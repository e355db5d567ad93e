"""Cells around centres: what is searched for whom, and that the neighbours are among it."""

import numpy as np
import pytest
import torch

from assay.knn import blocked as exact
from assay.knn.cells import Cells
from assay.store.evenly import evenly
from assay.store.units import to_unit_length
from tests.graph_builder import cosine
from tests.knn.test_exact import assert_same, clustered

pytestmark = pytest.mark.usefixtures("two_threads")


@pytest.fixture(scope="module")
def space() -> np.ndarray:
    return clustered(1200, 24)


def test_every_row_is_searched_for_once_among_rows_that_hold_its_own_cell(space):
    """Blocks of at most seven rows of one cell."""
    cells = Cells(torch.from_numpy(space))
    near = cells.near(0.1, 20)
    blocks = [(rows, among()) for rows, among in cells.blocks(near, lambda candidates: 7)]
    assert sorted(np.concatenate([rows for rows, _ in blocks]).tolist()) == list(range(1200))
    for rows, among in blocks:
        assert len(rows) <= 7 and len(set(cells.cell[rows].tolist())) == 1
        assert set(rows.tolist()) <= set(among.tolist()) and 20 <= len(among) == len(set(among.tolist()))
    compared = sum(len(rows) * len(among) for rows, among in blocks)
    assert cells.share(near) == pytest.approx(compared / 1200**2)


def test_a_row_lies_in_the_cell_with_the_nearest_centre(space):
    """`farther` is 0 within a cell, positive between two, and that of the row which has least of it, row by row."""
    cells = Cells(torch.from_numpy(space))
    number = int(cells.size.argmax())
    sample = space[evenly(1200, 20_000)]
    centres = sample[evenly(len(sample), round(2 * 1200**0.5))]
    for _ in range(2):
        nearest = (sample @ centres.T).argmax(axis=1)
        centres = np.array([sample[nearest == cell].sum(axis=0) for cell in range(len(centres))])
        centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    products = space[cells.members[number].numpy()] @ centres.T
    assert (products.argmax(axis=1) == number).all()
    expected = (products[:, number, None] - products).min(axis=0)
    assert np.allclose(cells.farther[number].numpy(), expected, atol=1e-5)


def test_the_limit_holds_the_share_of_neighbours_that_was_asked_for(space):
    """As many of the true neighbours are in near cells, and with any less they would not be."""
    cells, neighbors = Cells(torch.from_numpy(space)), exact.blocked_knn(space, 10, device="cpu")[0]
    every = torch.arange(1200), torch.from_numpy(neighbors).long()
    limit = cells.limit(*every, 0.97)

    def held(near: torch.Tensor) -> float:
        return float(near[cells.cell[every[0]][:, None], cells.cell[every[1]]].float().mean())

    less = float(np.nextafter(np.float32(limit), np.float32(-1)))
    assert held(cells.near(limit, 0)) >= 0.97 >= held(cells.near(less, 0))
    assert held(cells.near(float("inf"), 0)) == 1.0


def test_a_cell_with_too_few_near_it_is_searched_for_in_all(space):
    """So that there are as many candidates as are wanted."""
    cells = Cells(torch.from_numpy(space))
    near = cells.near(-1.0, 12)
    assert near.all()


@pytest.mark.parametrize("d", [24, 600])
def test_cells_find_nearly_what_the_full_search_finds(monkeypatch, d):
    """In one pass and in two; and the same again."""
    vectors = clustered(3000, d)
    full = exact.blocked_knn(vectors, 10, device="cpu")
    monkeypatch.setattr(exact, "TWO_PASS_FROM", 1000)
    shares = []
    monkeypatch.setattr(Cells, "share", lambda self, near: shares.append(near.float().mean()) or 0.0)
    found = exact.blocked_knn(vectors, 10, device="cpu")
    assert shares and shares[0] < 0.9
    true = np.take_along_axis(cosine(vectors), full[0].astype(int), axis=1)
    got = np.take_along_axis(cosine(vectors), found[0].astype(int), axis=1)
    assert (got >= true[:, -1:] - 1e-6).mean() >= 0.997
    again = exact.blocked_knn(vectors, 10, device="cpu")
    assert (again[0] == found[0]).all() and (again[1] == found[1]).all()


def test_data_without_clusters_are_searched_in_full(monkeypatch):
    """Cells would save nothing there, and the result is the full search's."""
    vectors = np.random.default_rng(0).normal(size=(2000, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    full = exact.blocked_knn(vectors, 10, device="cpu")
    monkeypatch.setattr(exact, "TWO_PASS_FROM", 1000)
    assert_same(exact.blocked_knn(vectors, 10, device="cpu"), full, vectors)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_equal_vectors_are_searched_in_full(monkeypatch, value):
    """They are all in one cell, also where they are zero."""
    vectors = np.full((1100, 8), value / 8**0.5, dtype=np.float32)
    full = exact.blocked_knn(vectors, 5, device="cpu")
    monkeypatch.setattr(exact, "TWO_PASS_FROM", 1000)
    found = exact.blocked_knn(vectors, 5, device="cpu")
    assert (found[0] == full[0]).all() and (found[1] == full[1]).all()


@pytest.mark.parametrize("d", [1, 2, 3, 30])
def test_hardly_any_dimensions_zeros_and_copies(monkeypatch, d):
    """On a line, a circle and a sphere, every seventh vector zero and every tenth one and the same: nearly all of the
    neighbours, none twice, and no row its own."""
    vectors = np.random.default_rng(0).normal(size=(1500, d)).astype(np.float32)
    vectors[::10] = vectors[1]
    vectors[::7] = 0.0
    vectors = to_unit_length(vectors)
    monkeypatch.setattr(exact, "TWO_PASS_FROM", 1000)
    monkeypatch.setattr(exact, "MOST", 1.0)  # cells at any rate
    rows, similarities = exact.blocked_knn(vectors, 10, device="cpu")
    least = exact.kth_similarity(vectors, np.arange(1500), 10)
    assert exact.recall(rows, vectors, np.arange(1500), least) >= 0.997
    assert np.isfinite(similarities).all() and (np.diff(np.sort(rows, axis=1), axis=1) > 0).all()
    assert not (rows == np.arange(1500)[:, None]).any()
