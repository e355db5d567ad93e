"""Time of all detection given vectors, and how it grows: `python speed.py [--sizes 10000,50000] [--peer 50000]`.

Synthetic vectors of 1,280 dimensions, 10 classes, 10% wrong labels. The stages index, near_dedup and metrics: the kNN
graph, near duplicates, label issues, outliers, class metrics and all other tables. With `--peer N` also cleanlab
Datalab's label, outlier and near-duplicate checks on N of them, which make a kNN graph of their own.
Every measurement has a process of its own, and assay is measured at N before and after the peer. CPU seconds are
printed beside wall seconds, for shared machines. Writes benchmarks/results/detection_speed.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import assay  # noqa: F401, I001  (first: it says how the threads of NumPy and torch wait)

import numpy as np
from label_issues import PEERS

from assay.contracts.spec import make_spec
from assay.duplicates.stage import near_dedup
from assay.knn.stage import index
from assay.metrics.stage import metrics
from assay.store.workspace import Workspace
from tests.graph_builder import vector_stages

RESULTS = ROOT / "benchmarks/results/detection_speed.json"
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


def timed(n: int) -> dict:
    """Wall seconds of each stage and of all, and CPU seconds of all, on n samples."""
    vectors, codes = synthetic(n)
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace(Path(home), "speed")
        source = {"kind": "table", "path": "x.csv"}
        spec = make_spec({"name": "speed", "modality": "vectors", "source": source}, base=Path(home))
        outputs = list(vector_stages(workspace, vectors, [f"c{code}" for code in codes]))
        started, cpu, seconds = time.perf_counter(), time.process_time(), {}
        for stage in (index, near_dedup, metrics):
            before = time.perf_counter()
            outputs.append(stage.fn(spec, workspace, *outputs))
            seconds[stage.fn.__name__] = round(time.perf_counter() - before, 2)
        everything = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}
        return {"n": n, "stages": seconds} | {name: round(value, 2) for name, value in everything.items()}


def peer(n: int) -> dict:
    """cleanlab Datalab with features, in the peers' environment."""
    vectors, codes = synthetic(n)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "in.npz", vectors=vectors, labels=codes)
        done = subprocess.run([PEERS, "-c", PEER, Path(folder) / "in.npz"], check=True, capture_output=True, text=True)
    seconds, cpu = next(line for line in done.stdout.splitlines() if line.startswith("PEER")).split()[1:]
    return {"n": n, "seconds": float(seconds), "cpu_seconds": float(cpu)}


def apart(n: int) -> dict:
    """`timed(n)` in a process of its own."""
    command = [sys.executable, __file__, "--one", str(n)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout.splitlines()[-1], flush=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,50000")
    parser.add_argument("--peer", type=int, default=0)
    parser.add_argument("--one", type=int, default=0, help="measure this size here, and print it")
    chosen = parser.parse_args()
    if chosen.one:
        return print(json.dumps(timed(chosen.one)))
    result: dict = {"assay": [apart(int(n)) for n in chosen.sizes.split(",")]}
    if chosen.peer:
        around = [apart(chosen.peer)]
        result["cleanlab_features"] = peer(chosen.peer)
        print(json.dumps(result["cleanlab_features"]), flush=True)
        result["assay_around"] = [*around, apart(chosen.peer)]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
