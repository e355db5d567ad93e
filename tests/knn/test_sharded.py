"""Shards of the blocked search find what one search finds, bit for bit, and go on where a night stopped."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.contracts.errors import EngineError
from assay.contracts.operations import Run
from assay.engines.job import open_job
from assay.knn import blocked, sharded
from assay.knn.hnsw import build_graph, build_graphs, build_here, graph_knn
from assay.knn.search import load_index, save_index
from assay.knn.sharded import OnEngine
from assay.knn.sharded_hnsw import ShardedGraph
from assay.store.units import to_unit_length

pytestmark = pytest.mark.usefixtures("two_threads")


class Elsewhere:
    """An engine whose partitions go through JSON, some chunks each, the last first; it may stop after some."""

    elsewhere = True

    def __init__(self, most: int = 10**9) -> None:
        self.most, self.chunks = most, 0

    def run(self, job):
        self.chunks = len(job.sizes)
        work = open_job(job.opener, json.loads(json.dumps(job.told)))
        starts = list(range(0, len(job.sizes), 3))[::-1]
        for start in starts[: self.most]:
            yield work(json.loads(json.dumps(job.pack(start, min(start + 3, len(job.sizes))))))
        if len(starts) > self.most:
            raise EngineError("no machine is left")


def clustered(n: int, d: int, modes: int = 40) -> np.ndarray:
    """Unit rows around some modes, some of them equal."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((modes, d)) @ np.diag(np.geomspace(2.0, 0.0005, d))
    rows = centres[rng.integers(0, modes, n)] + 0.2 * rng.standard_normal((n, d)) @ np.diag(
        np.geomspace(1.0, 0.0002, d)
    )
    rows[: n // 20] = rows[n // 20 : 2 * (n // 20)]
    return to_unit_length(rows.astype(np.float32))


def on(engine: Elsewhere, monkeypatch, folder: Path, vectors: np.ndarray, k: int):
    """The search on an engine."""
    monkeypatch.setattr(sharded, "make_engine", lambda run: engine)
    return OnEngine(Run(engine="ray"), folder).search(vectors, k)


@pytest.mark.parametrize(("n", "d", "from_row"), [(3_000, 16, 10**6), (6_000, 160, 2_000), (6_000, 100, 2_000)])
def test_shards_find_what_one_search_finds(tmp_path, monkeypatch, n, d, from_row):
    """With all pairs, with leading directions and near cells, and with cells in the full space; ties included."""
    monkeypatch.setattr(blocked, "TWO_PASS_FROM", from_row)
    monkeypatch.setattr(sharded, "CHUNKS", 16)
    vectors = clustered(n, d)
    plan = blocked.planned(vectors, 10)
    assert (plan.cells is not None) == (from_row < n) and (plan.space is not None) == (d == 160)
    engine = Elsewhere()
    found = on(engine, monkeypatch, tmp_path, vectors, 10)
    wanted = blocked.blocked_knn(vectors, 10, "cpu")
    assert engine.chunks > 5
    assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))
    assert not list(tmp_path.iterdir()), "nothing is left"


def test_a_search_that_was_stopped_goes_on(tmp_path, monkeypatch):
    """What was found stays found; other vectors start anew."""
    vectors = clustered(6_000, 32)
    with pytest.raises(EngineError):
        on(Elsewhere(1), monkeypatch, tmp_path, vectors, 5)
    (place,) = tmp_path.iterdir()
    assert len(list(place.glob("found-*-similar.npy"))) == 3
    engine = Elsewhere()
    found = on(engine, monkeypatch, tmp_path, vectors, 5)
    assert engine.chunks == 12 - 3
    assert all(np.array_equal(a, b) for a, b in zip(found, blocked.blocked_knn(vectors, 5, "cpu"), strict=True))


def test_a_worker_may_have_more_cores_than_the_night(tmp_path, monkeypatch):
    """Blocks are as they were cut for the night's cores, whatever the worker's own number is."""
    monkeypatch.setattr(blocked, "BLOCK_BYTES", 2**22)
    monkeypatch.setattr(blocked, "LEAST_ROWS", 1)
    threads, vectors = torch.get_num_threads(), clustered(3_000, 16)
    try:
        torch.set_num_threads(1)
        wanted = blocked.blocked_knn(vectors, 5, "cpu")
        shards = sharded.Shards.laid_out(tmp_path, vectors, 5)
        told = {"folder": str(shards.folder), "k": 5, "spare": shards.spare, "workers": 1}
        torch.set_num_threads(2)
        sharded.open_search(told)({"shards": range(len(shards.ends) - 1)})
    finally:
        torch.set_num_threads(threads)
    assert all(np.array_equal(a, b) for a, b in zip(shards.collect(), wanted, strict=True))


def test_a_shard_that_never_arrives_is_told(tmp_path, monkeypatch):
    """As where the home is not shared."""
    monkeypatch.setattr(sharded.Shards, "keep", lambda *given: None)
    with pytest.raises(EngineError, match="file system that all machines"):
        on(Elsewhere(), monkeypatch, tmp_path, clustered(1_500, 8), 5)


def test_graphs_built_elsewhere_are_those_built_here(tmp_path, monkeypatch):
    """The same files, whoever builds them; nothing is left."""
    vectors = clustered(2_000, 20)
    monkeypatch.setattr(sharded, "make_engine", lambda run: Elsewhere())
    here, _ = build_graphs(vectors, 8, 50, 4, build_here)
    there, _ = build_graphs(vectors, 8, 50, 4, OnEngine(Run(engine="ray"), tmp_path / "shards").build)
    for name, graph in (("here", here), ("there", there)):
        (tmp_path / name).mkdir()
        save_index(tmp_path / name, [str(row) for row in range(2_000)], 20, 64, graph, None)
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("here", "there")]
    assert files[0] == files[1] and {f"hnsw-0000{number}.bin" for number in range(4)} <= set(files[0])
    assert not list((tmp_path / "shards").iterdir())


def test_shards_answer_as_one_graph_does(tmp_path):
    """Recall of the true ten nearest is no worse than of one graph, saved and loaded again; a query finds itself."""
    vectors = clustered(5_000, 24)
    true, _ = blocked.blocked_knn(vectors, 10, "cpu")
    recalls = []
    for graph, basis in (build_graph(vectors, 8, 60), build_graphs(vectors, 8, 60, 5, build_here)):
        found, _ = graph_knn(graph, basis, vectors, 10, 40)
        recalls.append(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, true, strict=True)]))
    assert recalls[1] >= recalls[0] > 0.9
    save_index(tmp_path, [str(row) for row in range(5_000)], 24, 40, graph, basis)
    loaded = load_index(tmp_path).graph
    assert isinstance(loaded, ShardedGraph) and loaded.ef == 40 and loaded.dim == 24
    labels, distances = loaded.knn_query(vectors[4_321:4_323], k=3)
    assert list(labels[:, 0]) == [4_321, 4_322] and (np.diff(distances, axis=1) >= 0).all()
