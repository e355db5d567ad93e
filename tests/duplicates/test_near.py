"""Candidates from the kNN graph and pairs of plain vectors, against loops over all of them."""

import numpy as np
import polars as pl
import pytest

from assay.duplicates.near import Graph, Vectors, by_embedding, neighbor_distances, read_graph
from assay.store.units import to_unit_length
from assay.store.workspace import Workspace
from tests.graph_builder import cosine, vector_stages
from tests.snapshot_builder import samples, stage_output

N, K = 30, 4


@pytest.fixture
def night(tmp_path):
    """`(samples, tables, graph rows, vectors)`: the exact nearest `K` of 30 vectors."""
    vectors = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
    workspace = Workspace(tmp_path, "toy")
    rows = samples([f"s{row:05d}" for row in range(N)])
    similarity = cosine(vectors)
    found = [
        (f"s{row:05d}", f"s{other:05d}", rank, similarity[row, other])
        for row in range(N)
        for rank, other in enumerate(np.argsort(-similarity[row])[:K].tolist(), start=1)
    ]
    frame = pl.DataFrame(
        found,
        schema={"sample_id": pl.String, "neighbor_id": pl.String, "rank": pl.Int16, "similarity": pl.Float32},
        orient="row",
    )
    _, _, embedded = vector_stages(workspace, vectors)
    indexed = stage_output(workspace, "index", {"neighbors": frame})

    class Both:
        """The tables of the two stages."""

        def parts(self, table: str):
            return (embedded if table == "vectors" else indexed).parts(table)

    return rows, Both(), frame, vectors


def test_the_similarity_of_any_pair_is_its_cosine(night):
    """Whether the graph holds it or not, in either order; opposite vectors have none."""
    rows, tables, frame, vectors = night
    confirmer = Vectors(rows, read_graph(rows, tables), tables)
    left, right = (side.ravel() for side in np.meshgrid(np.arange(N), np.arange(N), indexing="ij"))
    apart = left != right
    found = confirmer.similarity(left[apart], right[apart])
    unit = to_unit_length(vectors).astype(np.float64)
    wanted = np.clip((unit @ unit.T)[left[apart], right[apart]], 0, 1)
    assert found == pytest.approx(wanted, abs=1e-5) and (found == 0).any()
    known = {tuple(sorted(pair)) for pair in frame.select("sample_id", "neighbor_id").iter_rows()}
    assert len(known) < N * (N - 1) / 2
    assert not len(confirmer.similarity(left[:0], right[:0])) and confirmer.least(confirmer.typical(left, right)) == 0


def test_candidates_are_pairs_within_a_ring(night):
    """Ranked high enough on one side, and near enough; each once."""
    rows, tables, frame, _ = night
    graph = read_graph(rows, tables)
    rings, radius = ((1, 1.5), (3, 0.5)), 0.6
    wanted = set()
    for one, other, rank, similarity in frame.iter_rows():
        distance = max(2 - 2 * similarity, 0) ** 0.5
        if any(rank <= ranks and distance <= reach * radius for ranks, reach in rings):
            wanted.add(tuple(sorted((int(one[1:]), int(other[1:])))))
    left, right = graph.near(rings, radius)
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == sorted(wanted) and wanted
    assert by_embedding(left, right).tolist() == ["embedding"] * len(left)
    nothing = Graph(*(np.zeros(0, dtype=np.int64) for _ in range(3)), np.zeros(0, dtype=np.float32))
    assert all(not len(side) for side in nothing.near(rings, radius))


def test_distances_to_the_neighbours(night):
    """√(2 − 2 cos), rising; rows in the order of the graph."""
    _, tables, frame, _ = night
    found = neighbor_distances(tables)
    wanted = np.sqrt(np.maximum(2 - 2 * frame["similarity"].to_numpy().astype(float), 0)).reshape(N, K)
    assert found == pytest.approx(wanted, abs=1e-4) and (np.diff(found, axis=1) >= 0).all()
