"""The index stage: the graph that it writes, its recall, and the index that it saves."""

import json

import numpy as np
import polars as pl
import pytest

from assay.contracts.errors import SnapshotError
from assay.knn.hnsw import build_graph, graph_knn
from assay.knn.search import load_index
from assay.knn.stage import index, make_index
from assay.store.stage import StageWriter
from assay.store.units import to_unit_length
from assay.store.workspace import Workspace
from tests.graph_builder import cosine, vector_stages
from tests.knn.test_exact import clustered
from tests.snapshot_builder import toy_spec

EXACT = toy_spec(index={"k": 5})
HNSW = toy_spec(index={"k": 5, "exact_below": 0})


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path, "toy")


def graph_of(output, ids):
    frame = output.read("neighbors")
    return {name: frame.filter(pl.col("sample_id") == name)["neighbor_id"].to_list() for name in ids}


@pytest.mark.parametrize("spec", [EXACT, HNSW], ids=["exact", "hnsw"])
@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_hardly_any_units(workspace, spec, n):
    """None, one, two or three vectors: k is what there is, and recall is 1 or has nothing to measure."""
    vectors = clustered(max(n, 1), 8)[:n]
    output = index(spec, workspace, *vector_stages(workspace, vectors))
    assert len(output.read("neighbors")) == n * max(n - 1, 0)
    health = output.read("embedding_health")
    assert health["check"].to_list() == ["index_recall_at_10"] and health["ok"].all()
    assert health["value"][0] == (1.0 if n > 1 else None)
    assert load_index(output.path / "index").ids == [f"s{row:05d}" for row in range(n)]


def test_what_a_stopped_search_left_goes(workspace):
    """Vectors that were laid out for workers do not stay in the home once there is a graph, however it was made."""
    left = workspace.facts / "shards" / "another-5-1"
    left.mkdir(parents=True)
    (left / "vectors.npy").write_bytes(b"")
    index(EXACT, workspace, *vector_stages(workspace, clustered(20, 8)))
    assert not left.parent.exists()


@pytest.mark.parametrize("spec", [EXACT, HNSW], ids=["exact", "hnsw"])
def test_graph_is_over_units_in_position_order(workspace, spec):
    """A duplicate is neither a row nor a neighbour; the graph of the others equals brute force."""
    vectors = clustered(120, 16)
    vectors[1] = vectors[0]
    unit_of = [0, 0, *range(2, 120)]
    frame = index(spec, workspace, *vector_stages(workspace, vectors, unit_of=unit_of)).read("neighbors")
    assert "s00001" not in set(frame["sample_id"]) | set(frame["neighbor_id"])
    assert frame.equals(frame.sort("sample_id", "rank"))
    kept = [row for row in range(120) if row != 1]
    expected = np.array(kept)[np.argsort(-cosine(vectors[kept]), axis=1)[:, :5]]
    assert frame["neighbor_id"].to_list() == [f"s{row:05d}" for row in expected.reshape(-1)]


def test_vectors_with_nan_are_left_out(workspace):
    """A row with NaN or infinity has no neighbours and is nobody's neighbour."""
    vectors = clustered(20, 8)
    vectors[3, 2], vectors[4, 0] = np.nan, np.inf
    frame = index(EXACT, workspace, *vector_stages(workspace, vectors)).read("neighbors")
    assert frame["sample_id"].n_unique() == 18
    assert not {"s00003", "s00004"} & (set(frame["sample_id"]) | set(frame["neighbor_id"]))


@pytest.mark.parametrize("spec", [EXACT, HNSW], ids=["exact", "hnsw"])
def test_all_vectors_equal(workspace, spec):
    """Everything ties: similarity 1, full recall, no crash."""
    output = index(spec, workspace, *vector_stages(workspace, np.ones((60, 4), dtype=np.float32)))
    assert output.read("neighbors")["similarity"].to_list() == [1.0] * 300
    assert output.read("embedding_health")["value"][0] == 1.0


@pytest.mark.parametrize("spec", [EXACT, HNSW], ids=["exact", "hnsw"])
def test_zero_vectors(workspace, spec):
    """All zero: similarity 0 everywhere."""
    output = index(spec, workspace, *vector_stages(workspace, np.zeros((12, 4), dtype=np.float32)))
    assert set(output.read("neighbors")["similarity"]) == {0.0}


def test_hnsw_recall_is_measured_and_high(tmp_path):
    """Over a space of 256 directions and ranked in full, HNSW finds what brute force finds."""
    vectors = clustered(3000, 300)
    writer = StageWriter(tmp_path)
    rows, _, health = make_index(vectors, [str(row) for row in range(3000)], HNSW.index, writer)
    true = np.argsort(-cosine(vectors), axis=1)[:, :5]
    shared = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(rows.tolist(), true.tolist(), strict=True)])
    assert shared > 0.98
    assert health["value"][0] == pytest.approx(shared, abs=0.02)
    assert load_index(tmp_path / "index").basis.shape == (300, 256)


def test_two_runs_write_the_same_bytes(tmp_path):
    """Two homes, one input: every file of the output agrees."""
    vectors = clustered(500, 300)
    files = []
    for name in ("a", "b"):
        workspace = Workspace(tmp_path / name, "toy")
        output = index(HNSW, workspace, *vector_stages(workspace, vectors))
        paths = sorted(path for path in output.path.rglob("*") if path.is_file() and path.name != "manifest.json")
        files.append({str(path.relative_to(output.path)): path.read_bytes() for path in paths})
    assert files[0] == files[1] and "index/hnsw.bin" in files[0]


def test_too_few_reachable_falls_back_to_exact(tmp_path, monkeypatch):
    """hnswlib raises where it cannot reach k rows at any ef: exact search answers instead."""

    def unreachable(*args, **kwargs):
        raise RuntimeError("Cannot return the results in a contiguous 2D array. Probably ef or M is too small")

    monkeypatch.setattr("assay.knn.hnsw.graph_knn", unreachable)
    vectors = clustered(50, 8)
    rows, _, health = make_index(vectors, [str(row) for row in range(50)], HNSW.index, StageWriter(tmp_path))
    assert np.array_equal(rows, np.argsort(-cosine(vectors), axis=1)[:, :5])
    assert health["value"][0] == 1.0 and load_index(tmp_path / "index").method == "exact"


def test_ef_doubles_while_recall_is_short(tmp_path, monkeypatch):
    """The ef that reached the recall wanted is the one that is saved."""
    seen = []

    def poor_at_first(graph, basis, vectors, k, ef, rows=None, advance=None):
        seen.append(ef)
        found = graph_knn(graph, basis, vectors, k, ef, rows)
        return (found[0] * 0, found[1]) if ef < 64 else found

    monkeypatch.setattr("assay.knn.hnsw.graph_knn", poor_at_first)
    config = toy_spec(index={"k": 5, "exact_below": 0, "ef": 32}).index
    _, _, health = make_index(clustered(200, 8), [str(row) for row in range(200)], config, StageWriter(tmp_path))
    assert load_index(tmp_path / "index").ef == 64 and health["ok"][0]


def test_an_ef_that_brings_nothing_is_not_the_one_saved(tmp_path, monkeypatch):
    """Where doubling ef does not help, the ef that the neighbours came from is saved and named."""

    def poor(graph, basis, vectors, k, ef, rows=None, advance=None):
        found = graph_knn(graph, basis, vectors, k, ef, rows)
        return found[0] * 0, found[1]

    monkeypatch.setattr("assay.knn.hnsw.graph_knn", poor)
    config = toy_spec(index={"k": 5, "exact_below": 0, "ef": 32}).index
    _, _, health = make_index(clustered(200, 8), [str(row) for row in range(200)], config, StageWriter(tmp_path))
    assert load_index(tmp_path / "index").ef == 32 and "ef 32 " in health["note"][0] and not health["ok"][0]


def test_the_loaded_graph_is_searched(workspace):
    """A unit's own vector, taken into the graph's space, finds it first, then most of its neighbours of the table."""
    vectors = clustered(150, 300)
    output = index(HNSW, workspace, *vector_stages(workspace, vectors))
    loaded = load_index(output.path / "index")
    query = vectors[7:8] @ loaded.basis
    rows, distances = loaded.graph.knn_query(query / np.linalg.norm(query), k=6, num_threads=1)
    names = [loaded.ids[row] for row in rows[0]]
    assert names[0] == "s00007" and distances[0][0] == pytest.approx(0.0, abs=1e-5)
    assert len(set(names[1:]) & set(graph_of(output, loaded.ids)["s00007"][:5])) >= 4


def test_an_exact_index_is_its_ids(workspace):
    """No graph is saved, and none is wanted: exact search reads the vectors."""
    loaded = load_index(index(EXACT, workspace, *vector_stages(workspace, clustered(20, 8))).path / "index")
    assert (loaded.method, loaded.graph, loaded.basis) == ("exact", None, None)
    assert loaded.ids == [f"s{row:05d}" for row in range(20)] and loaded.dimensions == 8


@pytest.mark.parametrize("name", ["hnsw.bin", "ids.parquet", "basis.npy"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_index_is_refused(workspace, name, damage):
    """One flipped bit, a cut or an absent file: refused before hnswlib sees it."""
    folder = index(HNSW, workspace, *vector_stages(workspace, clustered(40, 300))).path / "index"
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).unlink()
    if damage != "remove":
        (folder / name).write_bytes(data if damage == "flip" else data[: len(data) // 2])
    with pytest.raises(SnapshotError, match=name.replace(".", r"\.")):
        load_index(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"method": "magic"},
        {"count": "many"},
        {"sha256": {}},
        {"sha256": {"../../etc/passwd": "0", "ids.parquet": "0"}, "method": "exact"},
    ],
)
def test_a_meta_file_of_another_kind_is_refused(workspace, change):
    """Unknown formats, and names of files that are not ours, are never followed."""
    folder = index(HNSW, workspace, *vector_stages(workspace, clustered(20, 8))).path / "index"
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | change))
    with pytest.raises(SnapshotError):
        load_index(folder)
    (folder / "meta.json").write_text("[1, 2]")
    with pytest.raises(SnapshotError, match="no readable index"):
        load_index(folder)


def test_ef_is_set_after_loading(workspace):
    """hnswlib does not save ef; the loaded graph has the one of the run."""
    folder = index(HNSW, workspace, *vector_stages(workspace, clustered(40, 8))).path / "index"
    assert load_index(folder).graph.ef == HNSW.index.ef


def test_normalize_survives_extreme_lengths():
    """Rows too long or too short for their squares still come out at length 1."""
    rows = to_unit_length(np.array([[3e38, 3e38], [1e-40, 0.0], [0.0, 0.0]], dtype=np.float32))
    assert np.allclose(np.linalg.norm(rows, axis=1), [1.0, 1.0, 0.0])


def test_the_graph_is_the_same_from_two_builds():
    """One-thread builds agree."""
    vectors = clustered(400, 32)
    first, second = (graph_knn(*build_graph(vectors, 16, 100), vectors, 10, 64) for _ in range(2))
    assert np.array_equal(first[0], second[0])
