"""Time of the metrics stage given vectors and graph, and how it grows: `python speed.py [--sizes 10000,50000]`.

Synthetic vectors of 1,280 dimensions, 10 classes, 10% wrong labels. Label issues, outliers and class metrics, and all
the other tables. With `--peer N` also cleanlab Datalab's label, outlier and near-duplicate checks on N of them.
CPU seconds are printed beside wall seconds, for shared machines. Writes benchmarks/results/metrics_speed.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from label_issues import PEERS  # noqa: E402

from tasks.metrics import metrics  # noqa: E402
from tests.metrics.conftest import Inputs  # noqa: E402

RESULTS = ROOT / "benchmarks/results/metrics_speed.json"
PEER = """
import sys, time, numpy as np
from cleanlab import Datalab
with np.load(sys.argv[1], allow_pickle=False) as s: X, y = s["vectors"], s["labels"]
t = time.perf_counter(); c = time.process_time()
lab = Datalab(data={"label": y.tolist()}, label_name="label", verbosity=0)
lab.find_issues(features=X, issue_types={"label": {}, "outlier": {}, "near_duplicate": {}})
print("PEER", time.perf_counter() - t, time.process_time() - c)
"""


def synthetic(n: int) -> tuple[np.ndarray, np.ndarray]:
    """`(vectors (n, 1280), codes)`."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 10, n)
    hidden = rng.normal(size=(10, 64))[codes] + 1.3 * rng.normal(size=(n, 64))
    vectors = (hidden @ rng.normal(size=(64, 1280)) + 0.5 * rng.normal(size=(n, 1280))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    flipped = rng.random(n) < 0.1
    return vectors, np.where(flipped, rng.integers(0, 10, n), codes)


def graph(vectors: np.ndarray, ids: list[str]) -> pl.DataFrame:
    """The `neighbors` table by HNSW in a 64-d projection; it is an input here, and not timed."""
    import hnswlib

    from tasks.metrics.probe import principal_axes

    small = principal_axes(vectors, 64)
    index = hnswlib.Index("cosine", 64)
    index.init_index(len(small), M=16, ef_construction=100)
    index.add_items(small)
    index.set_ef(80)
    found = index.knn_query(small, 51)[0].astype(np.int64)
    found = np.array([row[row != i][:50] for i, row in enumerate(found)])
    similarity = np.stack([vectors[row] @ vectors[i] for i, row in enumerate(found)])
    order = np.argsort(-similarity, axis=1, kind="stable")
    names = np.asarray(ids, dtype=object)
    return pl.DataFrame(
        {
            "sample_id": np.repeat(names, 50).tolist(),
            "rank": np.tile(np.arange(1, 51), len(ids)),
            "neighbor_id": names[np.take_along_axis(found, order, axis=1)].ravel().tolist(),
            "similarity": np.take_along_axis(similarity, order, axis=1).ravel(),
        }
    )


def timed(n: int) -> dict:
    """Wall and CPU seconds of the whole stage on n samples."""
    vectors, codes = synthetic(n)
    with tempfile.TemporaryDirectory() as home:
        inputs = Inputs(Path(home), vectors, [f"c{c}" for c in codes])
        inputs.graph = graph(vectors, inputs.ids)
        outputs = inputs.outputs()
        started, cpu = time.perf_counter(), time.process_time()
        metrics.fn(inputs.spec, inputs.workspace, *outputs)
        return {"n": n, "seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}


def peer(n: int) -> dict:
    """cleanlab Datalab with features, in the peers' environment."""
    vectors, codes = synthetic(n)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "in.npz", vectors=vectors, labels=codes)
        done = subprocess.run([PEERS, "-c", PEER, Path(folder) / "in.npz"], check=True, capture_output=True, text=True)
    seconds, cpu = next(line for line in done.stdout.splitlines() if line.startswith("PEER")).split()[1:]
    return {"n": n, "seconds": float(seconds), "cpu_seconds": float(cpu)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,50000")
    parser.add_argument("--peer", type=int, default=0)
    chosen = parser.parse_args()
    result: dict = {"assay": []}
    for n in map(int, chosen.sizes.split(",")):
        result["assay"].append(timed(n))
        print(json.dumps(result["assay"][-1]), flush=True)
    if chosen.peer:
        result["cleanlab_features"] = peer(chosen.peer)
        print(json.dumps(result["cleanlab_features"]), flush=True)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
