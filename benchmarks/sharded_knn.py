"""Neighbours by shards beside one index: are they the same, what is their recall, what do they cost?

    python benchmarks/sharded_knn.py [--n 50000] [--d 256] [--k 50] [--shards 1,4,16]

On vectors made as `scale.py` makes them. The blocked search here and by cells on a Ray cluster of this machine, whose
lists must be equal; HNSW graphs over all rows and over shards, built here, their recall of the true ten nearest of
1,000 rows as nights measure it, and the seconds of building and of finding the neighbours of 1,000 rows. Needs
`pip install 'assay[ray]'`.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from assay.contracts.operations import Run
from assay.contracts.spec import Index
from assay.knn.blocked import blocked_knn
from assay.knn.hnsw import build_graph, build_graphs, build_here, graph_knn
from assay.knn.sharded import OnEngine
from assay.knn.stage import recall_at_10, sample_rows
from assay.store.units import to_unit_length


def make_vectors(n: int, d: int) -> np.ndarray:
    """Unit rows in a thousand modes of 64 directions, with noise in all."""
    rng = np.random.default_rng(0)
    modes = rng.standard_normal((1_000, 64), dtype=np.float32)
    axes = rng.standard_normal((64, d), dtype=np.float32)
    inside = modes[rng.integers(0, len(modes), n)] + 0.6 * rng.standard_normal((n, 64), dtype=np.float32)
    return to_unit_length(inside @ axes + 2.0 * rng.standard_normal((n, d), dtype=np.float32))


def on_ray(vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The search on a raylet with the cores of this machine."""
    os.environ.update(
        {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "200", "RAY_worker_niceness": "0"}
    )
    import ray
    from ray.cluster_utils import Cluster

    cores = len(os.sched_getaffinity(0))
    head = {"num_cpus": cores, "include_dashboard": False, "object_store_memory": 200_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        with tempfile.TemporaryDirectory() as folder:
            engine = OnEngine(Run(engine="ray", address=cluster.address), Path(folder) / "shards")
            return timed(f"by cells on Ray, {cores} tasks at a time", lambda: engine.search(vectors, k))
    finally:
        ray.shutdown()
        cluster.shutdown()


def timed(label: str, work):
    """What `work` returns; its wall time and the processor time of this process, printed."""
    wall, processor = time.monotonic(), time.process_time()
    found = work()
    print(
        f"{label:40} {time.monotonic() - wall:8.1f} s, {time.process_time() - processor:8.1f} s of this process",
        flush=True,
    )
    return found


def main() -> None:
    """Print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=50_000)
    parser.add_argument("--d", type=int, default=256)
    parser.add_argument("--k", type=int, default=50)
    parser.add_argument("--shards", default="1,4,16")
    asked, config = parser.parse_args(), Index()
    vectors = make_vectors(asked.n, asked.d)
    sample, some = sample_rows(asked.n, 1_000), np.arange(1_000)
    one = timed("blocked search, one process", lambda: blocked_knn(vectors, asked.k, "cpu"))
    print(f"recall@10 {recall_at_10(vectors, one[0][sample], sample):.4f}")
    many = on_ray(vectors, asked.k)
    print(f"the same lists: {all(np.array_equal(a, b) for a, b in zip(one, many, strict=True))}")
    for shards in map(int, asked.shards.split(",")):
        arguments = vectors, config.m, config.ef_construction
        graph, basis = timed(
            f"HNSW, {shards} graphs: building",
            lambda: build_graph(*arguments) if shards == 1 else build_graphs(*arguments, shards, build_here),  # noqa: B023
        )
        timed("  neighbours of 1,000 rows", lambda: graph_knn(graph, basis, vectors, asked.k, config.ef, some))  # noqa: B023
        found, _ = graph_knn(graph, basis, vectors, asked.k, config.ef, sample)
        print(f"  recall@10 {recall_at_10(vectors, found, sample):.4f} at ef {config.ef}", flush=True)


if __name__ == "__main__":
    main()
