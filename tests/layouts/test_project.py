"""Projections: seeded, and in the same place from night to night."""

import numpy as np
import polars as pl
import pytest

from assay.contracts.spec import Project
from assay.knn.stage import index
from assay.layouts import fit, place
from assay.layouts.fit import align, align_signs, pca_coordinates
from assay.layouts.layout import Graph, _subgraph, fit_layout
from assay.layouts.place import place_linear, place_new
from assay.layouts.stage import project
from assay.store.files import hash_text
from assay.store.workspace import Workspace
from tests.graph_builder import vector_stages
from tests.knn.test_exact import clustered
from tests.snapshot_builder import toy_spec


def run(workspace, vectors, methods=("pca",), **more):
    spec = toy_spec(index={"k": 15}, project={"methods": list(methods)})
    stages = vector_stages(workspace, vectors, **more)
    return project(spec, workspace, *stages, index(spec, workspace, *stages))


def places(output, method):
    frame = output.read("projection").filter(pl.col("method") == method)
    return dict(zip(frame["sample_id"], frame.select("x", "y").iter_rows(), strict=True))


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path, "toy")


@pytest.mark.slow
def test_layouts_of_every_method_stay_put_and_two_homes_agree(tmp_path):
    """Two fresh homes agree to the byte; the next night every known sample keeps its place, with 10% new."""
    vectors = clustered(330, 24)
    methods = ("umap", "tsne", "pca")
    first = run(Workspace(tmp_path / "a", "toy"), vectors[:300], methods)
    other = run(Workspace(tmp_path / "b", "toy"), vectors[:300], methods)
    parts = [[part.read_bytes() for part in output.parts("projection")] for output in (first, other)]
    assert parts[0] == parts[1]
    assert first.read("projection").group_by("method").len().sort("method").rows() == [
        ("pca", 300), ("tsne", 300), ("umap", 300),
    ]  # fmt: skip
    second = run(Workspace(tmp_path / "a", "toy"), vectors, methods)
    for method in methods:
        before, after = places(first, method), places(second, method)
        assert len(after) == 330 and all(after[name] == place for name, place in before.items())


@pytest.mark.slow
def test_a_refit_stays_aligned_with_the_old_layout(workspace):
    """With half of the units new UMAP is fitted again, and the known ones end up near their old places."""
    vectors = clustered(300, 24)
    before = places(run(workspace, vectors[:200], ["umap"]), "umap")
    output = run(workspace, vectors, ["umap"])
    after = places(output, "umap")
    assert "layout 2" in output.read("embedding_health")["note"][0]
    old = np.array([before[name] for name in before])
    new = np.array([after[name] for name in before])
    assert not np.array_equal(old, new)
    for axis in range(2):
        assert np.corrcoef(old[:, axis], new[:, axis])[0, 1] > 0.8


def test_an_interrupted_night_ends_as_an_undisturbed_one(tmp_path):
    """Facts written, stage not finished: the next run gives the same table."""
    vectors = clustered(60, 8)
    workspace = Workspace(tmp_path, "toy")
    first = run(workspace, vectors)
    before = first.read("projection"), first.read("embedding_health")
    (first.path / "manifest.json").unlink()
    again = run(workspace, vectors)
    assert before[0].equals(again.read("projection")) and before[1].equals(again.read("embedding_health"))


def test_duplicates_lie_on_their_unit(workspace):
    """A collapsed duplicate has the place of its representative."""
    vectors = clustered(40, 8)
    found = places(run(workspace, vectors, unit_of=[0, 0, *range(2, 40)]), "pca")
    assert found["s00001"] == found["s00000"] and len(found) == 40


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_too_few_units_are_drawn_by_their_components(workspace, n):
    """Every method gives finite places for a handful of units, and the note says how."""
    output = run(workspace, clustered(max(n, 1), 8)[:n], ("umap", "tsne", "pca"))
    assert len(output.read("projection")) == 3 * n
    health = output.read("embedding_health")
    assert not health["ok"].any()
    assert "too few for umap" in health.filter(pl.col("check") == "projection_umap_units")["note"][0]


@pytest.mark.slow
def test_a_fit_of_some_units_says_so(workspace, monkeypatch):
    """Beyond a number of units some are fitted, and the note says how many; each unit has a place of its own."""
    monkeypatch.setattr(fit, "LARGEST", 30)
    output = run(workspace, clustered(80, 8), ("umap",))
    assert len(set(places(output, "umap").values())) == 80
    assert "fitted on 30 of 80 units" in output.read("embedding_health")["note"][0]


def test_a_unit_whose_neighbours_are_not_fitted_has_a_place(monkeypatch):
    """UMAP of some units leaves out one that knows none of them: it lies among its neighbours, as all the others do."""
    monkeypatch.setattr(fit, "LARGEST", 30)
    chosen = np.zeros(80, dtype=bool)
    chosen[np.random.default_rng(0).choice(80, 30, replace=False)] = True
    inside, outside = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    vectors = np.random.default_rng(1).normal(size=(80, 8)).astype(np.float32)
    rows = np.random.default_rng(2).choice(inside[1:], (80, 5)).astype(np.int32)
    rows[inside[0]] = outside[:5]
    graph = Graph([hash_text(str(row)) for row in range(80)], vectors, rows, np.full((80, 5), 0.5, dtype=np.float32))
    blank = np.zeros((80, 3), dtype=np.float32)
    found = fit_layout(graph, "umap", Project(seed=0), blank, np.zeros(80, dtype=bool))
    assert np.isfinite(found).all()
    near = found[rows[inside[0]], :2]
    assert (near.min(axis=0) - 1 < found[inside[0], :2]).all() and (found[inside[0], :2] < near.max(axis=0) + 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_vectors_that_are_all_equal_get_places(workspace, value):
    """Nothing to tell apart: finite coordinates all the same (the contract holds it)."""
    assert len(run(workspace, np.full((20, 4), value), ("umap", "pca")).read("projection")) == 40


def test_a_changed_embedder_is_another_layout(workspace):
    """Places of one embedder are not taken for another's."""
    vectors = clustered(40, 8)
    run(workspace, vectors)
    run(workspace, vectors[:, ::-1] * 2.0, embedder="other")
    assert len(list((workspace.facts / "layout").iterdir())) == 2


def test_pca_equals_the_svd():
    """Coordinates are the centred vectors on the right singular vectors, up to sign."""
    vectors = clustered(80, 20)
    centred = vectors - vectors.mean(axis=0)
    expected = centred @ np.linalg.svd(centred, full_matrices=False)[2][:3].T
    found = pca_coordinates(vectors, 0)
    assert np.allclose(np.abs(found), np.abs(expected), atol=1e-4)


def test_new_units_lie_between_the_neighbours_they_resemble():
    """Equal similarity: half-way; a far less similar neighbour hardly counts; strangers are put aside."""
    names = [hash_text(str(row)) for row in range(6)]
    places = np.array([[0, 0], [10, 0], [0, 10], [0, 0], [0, 0], [0, 0]], dtype=np.float32)
    known = np.array([True, True, True, False, False, False])
    rows = np.array([[1, 2], [0, 2], [0, 1], [0, 1], [3, 5], [5, 5]])
    similarities = np.array([[0.5, 0.5]] * 3 + [[0.9, 0.9], [0.9, 0.1], [0.0, 0.0]])
    found = place_new(places, known, rows, similarities, names)
    assert np.array_equal(found[:3], places[:3])
    assert np.allclose(found[3], [5, 0], atol=0.1)
    assert np.allclose(found[4], found[3], atol=0.1)  # waited a round for row 3's place
    assert (found[5] < 0).all()


def test_a_place_does_not_hang_on_the_company():
    """The same new content gets the same place whatever else is new."""
    places, known = np.eye(4, 2, dtype=np.float32), np.array([True, True, False, False])
    rows, similarities = np.array([[1], [0], [0], [1]]), np.full((4, 1), 0.5)
    names = [hash_text(str(row)) for row in range(4)]
    both = place_new(places, known, rows, similarities, names)
    alone = place_new(places[:3], known[:3], rows[:3], similarities[:3], names[:3])
    assert np.array_equal(both[2], alone[2])


def test_places_do_not_hang_on_the_block(monkeypatch):
    """Some rows at a time get the places that all at once do, to the last bit, over several rounds."""
    rng = np.random.default_rng(0)
    known = np.arange(60) < 9
    places = np.where(known[:, None], rng.normal(size=(60, 2)), 0).astype(np.float32)
    rows = np.maximum(np.arange(60)[:, None] - rng.integers(1, 9, (60, 3)), 0)
    similarities, names = rng.random((60, 3)), [hash_text(str(row)) for row in range(60)]
    whole = place_new(places, known, rows, similarities, names)
    monkeypatch.setattr(place, "BLOCK", 4)
    assert np.array_equal(place_new(places, known, rows, similarities, names), whole)
    assert len(np.unique(whole, axis=0)) == 60


def test_linear_places_are_those_of_the_fit():
    """New units of a linear layout land where the fit would have put them."""
    vectors = clustered(200, 20)
    truth = vectors @ np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    known = np.arange(200) < 150
    found = place_linear(np.where(known[:, None], truth, 0), known, vectors)
    assert np.allclose(found, truth, atol=1e-3)


def test_procrustes_undoes_turning_scaling_and_moving():
    """A turned, mirrored, scaled and moved layout comes back onto the old one."""
    old = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    turn = np.array([[0.0, 1.0], [1.0, 0.0]]) * 3.0
    found = align((old @ turn + 7.0).astype(np.float32), old, np.arange(30) < 20)
    assert np.allclose(found, old, atol=1e-4)
    assert np.array_equal(align_signs(old * [1, -1], old, np.ones(30, dtype=bool)), old)


def test_the_graph_of_a_sample_holds_only_the_sample():
    """Neighbours outside are left out and the rest renumbered; who knows nobody is its own neighbour."""
    rows = np.array([[1, 2], [3, 0], [0, 3], [2, 1]])
    similarities = np.array([[0.9, 0.8], [0.7, 0.6], [0.5, 0.4], [0.3, 0.2]])
    near, close = _subgraph(rows, similarities, np.array([True, False, True, True]))
    assert near[0].tolist() == [1] and close[0].tolist() == [0.8]
    assert near[1].tolist() == [0] and near[2].tolist() == [1]
    near, _ = _subgraph(np.array([[1], [0], [1]]), np.ones((3, 1)), np.array([True, False, True]))
    assert near.tolist() == [[0], [1]]
