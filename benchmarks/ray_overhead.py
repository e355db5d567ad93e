"""What the Ray engine costs beside the local one, on the cores of this machine.

    python benchmarks/ray_overhead.py [--images 20000] [--side 256] [--times 1]

The stages up to `embed` on JPEGs that are made here (smooth colours and noise, two classes), by either engine in turn,
each in a process of its own with a fresh home. The cluster is one raylet with all cores, started before the clock; its
tasks take a core each. Of each stage the wall time, and the processor time of all processes: for Ray that of the
raylet, the head's services and the workers too. Both homes must hold the same facts, by their digests. Needs
`pip install 'assay[ray]'`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
STAGES = ("ingest", "clean", "dedup", "embed")
SPEC = """
name = "overhead"
modality = "image"
[source]
kind = "folder"
path = "{pictures}"
"""


def write_picture(folder: Path, number: int, side: int) -> None:
    """A JPEG of smooth colours with some noise."""
    rng = np.random.default_rng(number)
    small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    noise = rng.integers(-12, 13, (side, side, 1))
    pixels = np.clip(np.asarray(small).astype(np.int16) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "ab"[number % 2] / f"{number:06d}.jpg", quality=85)


def write_pictures(folder: Path, n: int, side: int) -> None:
    """`n` of them, in two folders."""
    for name in "ab":
        (folder / name).mkdir(parents=True)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write_picture, [folder] * n, range(n), [side] * n, chunksize=256))


def used() -> float:
    """Processor seconds of this process and all below it, those that have ended included."""
    import psutil

    me = psutil.Process()
    seconds = 0.0
    for process in (me, *me.children(recursive=True)):
        try:
            seconds += sum(process.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return seconds


def measure(spec_path: Path, home: Path, engine: str) -> dict[str, list[float]]:
    """Wall and processor seconds of each stage by one engine."""
    from assay import night
    from assay.contracts.spec import load_spec
    from assay.store.workspace import Workspace

    spec, cluster = load_spec(spec_path), None
    if engine == "ray":
        os.environ.update(
            {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "200", "RAY_worker_niceness": "0"}
        )
        from ray.cluster_utils import Cluster

        cores = len(os.sched_getaffinity(0))
        head = {"num_cpus": cores, "include_dashboard": False, "object_store_memory": 200_000_000}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        run = spec.run.model_copy(update={"engine": "ray", "address": cluster.address})
        spec = spec.model_copy(update={"run": run})
    outputs, found = [], {}
    for stage in night.STAGES[: len(STAGES)]:
        wall, processor = time.monotonic(), used()
        outputs.append(stage(spec, Workspace(home, spec.name), *outputs))
        found[stage.name] = [time.monotonic() - wall, used() - processor]
    if cluster is not None:
        import ray

        ray.shutdown()
        cluster.shutdown()
    return found


def facts(home: Path) -> set[str]:
    """The names of all parts of facts; a name holds the digest of the part's bytes."""
    return {str(path.relative_to(home)) for path in home.rglob("facts/*/*/part-*.parquet")}


def main() -> None:
    """Make the pictures, run each engine, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(Path(asked.one[0]), Path(asked.one[1]), asked.one[2])))
        return
    with tempfile.TemporaryDirectory() as place:
        folder, rows = Path(place), {"local": [], "ray": []}
        write_pictures(folder / "pictures", asked.images, asked.side)
        (folder / "spec.toml").write_text(SPEC.format(pictures=folder / "pictures"))
        for number in range(asked.times):
            for engine in rows:
                command = [
                    sys.executable,
                    __file__,
                    "--one",
                    str(folder / "spec.toml"),
                    str(folder / f"{engine}{number}"),
                ]
                done = subprocess.run([*command, engine], stdout=subprocess.PIPE, text=True, check=True)
                rows[engine].append(json.loads(done.stdout.splitlines()[-1]))
                print(f"{engine}: {rows[engine][-1]}", flush=True)
            same = facts(folder / f"local{number}") == facts(folder / f"ray{number}")
            print(f"the same facts: {same} ({len(facts(folder / f'local{number}'))} parts)")
        best = {e: {s: np.min([r[s] for r in found], axis=0) for s in STAGES} for e, found in rows.items()}
        print(f"{asked.images:,} pictures of {asked.side}²; best of {asked.times}; wall and processor seconds")
        for stage in (*STAGES, "clean + embed"):
            local, remote = (sum(best[e][s] for s in STAGES if s in stage) for e in ("local", "ray"))
            wall, processor = (remote / local - 1.0) * 100
            print(f"{stage:14} local {local[0]:7.1f} {local[1]:7.1f}  ray {remote[0]:7.1f} {remote[1]:7.1f}  "
                  f"overhead {wall:+.0f}% wall {processor:+.0f}% processor")  # fmt: skip


if __name__ == "__main__":
    main()
