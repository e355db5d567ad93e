"""Time, memory and recall of the kNN graph: `python benchmarks/index_speed.py [--sizes 10000,50000] [--apart 2]`.

Vectors are synthetic: 200 clusters in 64 directions of their own, and noise in all; how far the clusters are apart is
the standard deviation of their centres, in that of their members. Each method and size runs in a
process of its own, so that peak memory is its own. Prints one JSON row a run.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

K = 50
METHODS = ("exact", "hnsw")


def make_vectors(n: int, d: int, apart: float) -> np.ndarray:
    """float32 (n, d), rows of length 1, the same for the same size."""
    from assay.store.units import to_unit_length

    rng = np.random.default_rng(0)
    centres = rng.standard_normal((200, 64), dtype=np.float32) * np.float32(apart)
    axes = rng.standard_normal((64, d), dtype=np.float32)
    vectors = np.empty((n, d), dtype=np.float32)
    for start in range(0, n, 20_000):
        size = min(20_000, n - start)
        inside = centres[rng.integers(0, 200, size)] + rng.standard_normal((size, 64), dtype=np.float32)
        vectors[start : start + size] = inside @ axes + 2.0 * rng.standard_normal((size, d), dtype=np.float32)
    return to_unit_length(vectors)


def measure(method: str, n: int, d: int, apart: float) -> dict:
    """One run in this process."""
    from assay.contracts.spec import Index
    from assay.knn.stage import make_index
    from assay.store.stage import StageWriter

    vectors = make_vectors(n, d, apart)
    before = peak_bytes()
    config = Index(k=K, exact_below=n if method == "exact" else 0)
    with tempfile.TemporaryDirectory() as folder:
        started, used = time.perf_counter(), time.process_time()
        _, _, health = make_index(vectors, [str(row) for row in range(n)], config, StageWriter(Path(folder)))
        seconds, processor = time.perf_counter() - started, time.process_time() - used
    return {
        "method": method,
        "n": n,
        "d": d,
        "apart": apart,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(processor, 1),
        "recall_at_10": round(health["value"][0], 4),
        "vectors_mb": vectors.nbytes >> 20,
        "extra_peak_mb": (peak_bytes() - before) >> 20,
        "note": health["note"][0],
    }


def peak_bytes() -> int:
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10000,50000")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--d", type=int, default=1280)
    parser.add_argument("--apart", type=float, default=0.7)
    parser.add_argument("--one", action="store_true", help="measure in this process")
    chosen = parser.parse_args()
    for n in map(int, chosen.sizes.split(",")):
        for method in chosen.methods.split(","):
            if chosen.one:
                print(json.dumps(measure(method, n, chosen.d, chosen.apart)), flush=True)
                continue
            words = ["--one", "--sizes", str(n), "--methods", method, "--d", str(chosen.d)]
            words += ["--apart", str(chosen.apart)]
            subprocess.run([sys.executable, __file__, *words], check=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
