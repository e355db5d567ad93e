"""What ties copies of nodes: equal features and shared neighbours, against a plain version."""

import itertools

import numpy as np
import polars as pl
import pytest

from assay.contracts.tables import empty
from assay.modalities.graph.copies import FEWEST, MOST, SHARED, Nodes, no_tier
from assay.modalities.graph.facts import twins_of, unlike_neighbors
from assay.store.workspace import Workspace
from tests.modalities.test_graph import Ends, adjacency_of
from tests.snapshot_builder import samples, stage_output


def nodes_of(folder, features: np.ndarray, edges: list[tuple[int, int]]) -> Nodes:
    """Nodes `n0`, `n1`, … with these features (n, width) and edges."""
    ids = [f"n{row}" for row in range(len(features))]
    rows = samples(ids)
    stored = pl.DataFrame(
        {
            "content_hash": rows["content_hash"],
            "width": [features.shape[1]] * len(ids),
            "indices": [np.flatnonzero(row).tolist() for row in features],
            "values": [row[row != 0].tolist() for row in features],
            "n_bad": [0] * len(ids),
        },
        schema=empty("node_features").schema,
    )
    ends = pl.DataFrame(
        {"source": [ids[a] for a, _ in edges], "target": [ids[b] for _, b in edges], "n": 1},
        schema_overrides={"source": pl.String, "target": pl.String, "n": pl.Int32},
    )
    ends = ends.with_columns(is_loop=pl.col("source") == pl.col("target"), is_dangling=pl.lit(False))
    ends = pl.concat([empty("edges"), ends], how="diagonal_relaxed").select(empty("edges").columns)
    return Nodes(rows, stage_output(Workspace(folder, "g"), "ingest", {"edges": ends, "node_features": stored}))


@pytest.mark.parametrize("seed", range(3))
def test_similarity_is_the_share_of_neighbours_where_features_are_equal(tmp_path, seed):
    """Of all pairs, as sets of Python have it; the two themselves do not count."""
    rng = np.random.default_rng(seed)
    n = 24
    features = rng.integers(0, 2, (6, 5))[rng.integers(0, 6, n)].astype(np.float32)
    edges = list({tuple(sorted(pair)) for pair in rng.integers(0, n, (70, 2)).tolist() if pair[0] != pair[1]})
    nodes = nodes_of(tmp_path, features, edges)
    around = [{a + b - row for a, b in edges if row in (a, b)} for row in range(n)]
    left, right = np.array(list(itertools.combinations(range(n), 2))).T
    for a, b, found in zip(left, right, nodes.similarity(left, right), strict=True):
        mine, theirs = around[a] - {b}, around[b] - {a}
        same = np.array_equal(features[a], features[b]) and np.count_nonzero(features[a]) >= FEWEST
        assert found == (len(mine & theirs) / max(len(mine | theirs), 1) if same else 0.0)
    pairs = set(zip(*(side.tolist() for side in nodes.look_alikes(np.arange(n))), strict=True))
    assert pairs == {
        (a, b) for a, b in zip(left.tolist(), right.tolist(), strict=True)
        if np.array_equal(features[a], features[b]) and np.count_nonzero(features[a]) >= FEWEST
    }  # fmt: skip
    assert nodes.least(nodes.typical(left, right)) == SHARED


def test_features_that_most_nodes_have_tell_no_copies(tmp_path):
    """Of too many equal ones none are compared, and nothing is equal without features."""
    many = np.ones((MOST + 1, FEWEST), dtype=np.float32)
    assert not len(nodes_of(tmp_path / "many", many, [(0, 1)]).look_alikes(np.arange(len(many)))[0])
    none = nodes_of(tmp_path / "none", np.zeros((4, 0), dtype=np.float32), [(0, 2), (1, 2)])
    assert not len(none.look_alikes(np.arange(4))[0]) and none.similarity(np.array([0]), np.array([1])) == [0.0]
    few = np.ones((2, FEWEST - 1), dtype=np.float32)
    assert nodes_of(tmp_path / "few", few, []).similarity(np.array([0]), np.array([1])) == [0.0]


def test_no_two_nodes_are_equal_by_their_content():
    """Two ids are two nodes."""
    tier = no_tier(3)
    assert len(set(tier.keys.tolist())) == 1 and tier.keys[0] == -1
    assert all(not len(part) for part in tier.pairs(np.arange(3))) and tier.measure(np.zeros(2), np.zeros(2)).sum() == 0


@pytest.mark.parametrize("seed", range(4))
def test_twins_and_unlike_neighbours_as_a_loop_counts_them(seed):
    """Exactly the same neighbours, and at least one; labels of neighbours that differ from one's own."""
    rng = np.random.default_rng(seed)
    n, m = 30, int(rng.integers(0, 60))
    one, other = rng.integers(-1, 8, m), rng.integers(8, n, m)
    adjacency = adjacency_of(Ends(one, other, np.ones(m, dtype=np.int64)), n)
    label = rng.integers(-1, 3, n)
    around = [frozenset(np.flatnonzero(row).tolist()) for row in adjacency.toarray()]
    twins, twin = twins_of(adjacency)
    labelled, unlike = unlike_neighbors(adjacency, label)
    for row in range(n):
        same = [r for r in range(n) if r != row and around[r] and around[r] == around[row]]
        assert twins[row] == len(same) and twin[row] == (same[0] if same else -1)
        known = [label[r] for r in around[row] if label[r] >= 0]
        assert labelled[row] == len(known)
        assert unlike[row] == (sum(code != label[row] for code in known) if label[row] >= 0 else 0)
