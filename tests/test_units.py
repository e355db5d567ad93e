"""The `neighbors` table as numbers: one part's names in memory at a time, whoever reads it."""

import numpy as np
import polars as pl
import pytest

from assay.duplicates.near import neighbor_distances, read_graph
from assay.store.stage import StageOutput
from assay.store.units import numbered_edges, unit_graph

MANY, K = 40_000, 50


def stored(tmp_path, rows: np.ndarray, names: pl.Series, step: int) -> StageOutput:
    """An output whose `neighbors` are those rows (n, k), so many of them a part."""
    (tmp_path / "neighbors").mkdir()
    for start in range(0, len(rows), step):
        near = rows[start : start + step]
        k = near.shape[1]
        frame = pl.DataFrame(
            {
                "sample_id": names.gather(np.repeat(np.arange(start, start + len(near)), k)),
                "rank": np.tile(np.arange(1, k + 1, dtype=np.uint16), len(near)),
                "neighbor_id": names.gather(near.reshape(-1)),
                "similarity": (1.0 / (2.0 + near.reshape(-1))).astype(np.float32),
            }
        )
        frame.write_parquet(tmp_path / "neighbors" / f"part-{start:05d}.parquet")
    return StageOutput("index", "key", tmp_path, ("neighbors",))


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> tuple[StageOutput, pl.Series, np.ndarray]:
    """Two million edges of long names in twenty parts."""
    names = pl.Series("sample_id", [f"a/folder/with/a/long/name/picture-{row:012d}.jpeg" for row in range(MANY)])
    rows = np.random.default_rng(0).integers(0, MANY, (MANY, K)).astype(np.int32)
    return stored(tmp_path_factory.mktemp("many"), rows, names, MANY // 20), names, rows


def test_the_graph_comes_back_from_its_parts(tmp_path):
    """Rows and similarities as they were written, all ranks or the first; a part may be empty, or all of them."""
    names = pl.Series("sample_id", [f"s{row}" for row in range(7)])
    rows = np.random.default_rng(0).integers(0, 7, (7, 4)).astype(np.int32)
    output = stored(tmp_path, rows, names, 3)
    output.scan("neighbors").head(0).collect().write_parquet(tmp_path / "neighbors" / "part-00001.parquet")
    for k in (None, 2):
        found, similarities = unit_graph(output, names, k)
        assert np.array_equal(found, rows[:, :k])
        assert np.array_equal(similarities, (1.0 / (2.0 + rows[:, :k])).astype(np.float32))
    expected = np.sqrt(2.0 - 2.0 * (1.0 / (2.0 + rows)).astype(np.float32).astype(np.float64)).astype(np.float32)
    assert np.array_equal(neighbor_distances(output), expected)
    (tmp_path / "none").mkdir()
    assert unit_graph(StageOutput("index", "key", tmp_path / "none", ("neighbors",)), names)[0].shape == (7, 0)


def test_names_that_nobody_asked_for_have_no_number(tmp_path):
    """They are null in the edges, and near_dedup's graph leaves them out."""
    names = pl.Series("sample_id", ["a", "b", "c"])
    output = stored(tmp_path, np.array([[1, 2], [0, 2], [0, 1]]), names, 2)
    asked = pl.Series("sample_id", ["c", "a"])
    edges = pl.concat(list(numbered_edges(output.parts("neighbors"), asked)))
    assert edges["sample_id"].to_list() == [1, 1, None, None, 0, 0]
    assert edges["neighbor_id"].to_list() == [None, 0, 1, 0, 1, None]
    graph = read_graph(asked.to_frame(), output)
    assert list(zip(graph.left, graph.right, graph.rank, strict=True)) == [(0, 1, 1), (1, 0, 2)]


@pytest.mark.parametrize(
    ("read", "most"),
    [
        pytest.param(lambda output, names: unit_graph(output, names), 120, id="unit_graph"),
        pytest.param(lambda output, names: read_graph(names.to_frame(), output), 120, id="read_graph"),
        pytest.param(lambda output, names: neighbor_distances(output), 60, id="neighbor_distances"),
    ],
)
def test_names_are_not_all_in_memory(many, peak_growth, read, most):
    """A reader of two million edges, whose names alone take 200 MB, holds some of them at a time."""
    read(*many[:2])
    assert peak_growth() < most
