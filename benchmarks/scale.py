"""How a whole night grows with the dataset: per stage its processor seconds, its peak memory and its exponent.

    python benchmarks/scale.py [--sizes 10000,100000] [--d 256] [--classes 100] [--plain]

Vectors are made: ten modes a class in 64 directions of their own, noise in all; 1% exact and 1% near copies, 2% wrong
labels, 5% without one. Samples stand in three splits (copies across them) and have two columns of groups, one of them
with gaps; `--plain` leaves splits and groups out. Each size is a night in a process of its own, its stages one after
the other. Memory is that of the whole process group, looked at twenty times a second: all that is resident, and of it
what no file backs. The exponent is that of the processor seconds from the size before. Writes
benchmarks/results/scale.json, or where `--out` says.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "scale.json"
CHUNK = 50_000
SPEC = """
name = "scale"
modality = "vectors"
[source]
kind = "table"
path = "data/*.parquet"
"""


def write_dataset(folder: Path, n: int, d: int, classes: int, plain: bool) -> None:
    """Parquet files of CHUNK rows with vectors, labels and, unless `plain`, splits and groups."""
    rng = np.random.default_rng(0)
    modes = rng.standard_normal((classes * 10, 64), dtype=np.float32)
    axes = rng.standard_normal((64, d), dtype=np.float32)
    folder.mkdir(parents=True)
    for number, start in enumerate(range(0, n, CHUNK)):
        size = min(CHUNK, n - start)
        mode = rng.integers(0, len(modes), size)
        inside = modes[mode] + 0.6 * rng.standard_normal((size, 64), dtype=np.float32)
        vectors = inside @ axes + 2.0 * rng.standard_normal((size, d), dtype=np.float32)
        copied, near, first, second = np.split(rng.permutation(size)[: 4 * (size // 100)], 4)
        vectors[copied], mode[copied] = vectors[first], mode[first]
        vectors[near] = vectors[second] + 0.02 * rng.standard_normal((len(near), d), dtype=np.float32)
        mode[near] = mode[second]
        label = mode // 10
        wrong = rng.random(size) < 0.02
        label[wrong] = rng.integers(0, classes, int(wrong.sum()))
        columns = {"label": pl.Series([f"class {code:04d}" for code in label])}
        frame = pl.DataFrame(columns).with_columns(
            label=pl.when(pl.Series(rng.random(size) < 0.95)).then(pl.col("label")),
            vector=pl.Series(vectors, dtype=pl.Array(pl.Float32, d)),
        )
        if not plain:
            site = pl.Series(rng.choice(["north", "south", "east", "west"], size))
            frame = frame.with_columns(
                split=pl.Series(rng.choice(["train", "validation", "test"], size, p=[0.8, 0.1, 0.1])),
                site=pl.when(pl.Series(rng.random(size) < 0.99)).then(site),
                camera=pl.Series(rng.choice([f"camera {code}" for code in range(12)], size)),
            )
        frame.write_parquet(folder / f"part-{number:04d}.parquet")


def resident(group: int) -> tuple[int, int]:
    """`(all, anonymous)` bytes that the processes of a group hold in memory."""
    whole = anonymous = 0
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            if os.getpgid(int(entry.name)) != group:
                continue
            lines = dict(line.split(":", 1) for line in Path(entry.path, "status").read_text().splitlines())
        except (OSError, ValueError):
            continue
        whole += int(lines.get("VmRSS", "0 kB").split()[0]) * 1024
        anonymous += int(lines.get("RssAnon", "0 kB").split()[0]) * 1024
    return whole, anonymous


class Watch:
    """The most memory that this process group held since the last `start`."""

    def __init__(self) -> None:
        self.peak = (0, 0)
        threading.Thread(target=self._look, daemon=True).start()

    def start(self) -> None:
        """Forget what was seen."""
        self.peak = resident(os.getpgrp())

    def _look(self) -> None:
        while True:
            now = resident(os.getpgrp())
            self.peak = (max(self.peak[0], now[0]), max(self.peak[1], now[1]))
            time.sleep(0.05)


def processor_seconds() -> float:
    """Of this process and of the children that have ended."""
    return sum(os.times()[:4])


def night(spec_path: Path, home: Path) -> list[dict]:
    """One night in this process, stage by stage."""
    from assay import night as nights
    from assay.contracts.spec import load_spec
    from assay.store.workspace import Workspace

    spec = load_spec(spec_path)
    workspace, watch, rows = Workspace(home, spec.name), Watch(), []

    def measured(name, function, *arguments):
        watch.start()
        used, began = processor_seconds(), time.monotonic()
        result = function(*arguments)
        row = {"stage": name, "cpu": processor_seconds() - used, "wall": time.monotonic() - began}
        rows.append(row | {"peak_mb": watch.peak[0] >> 20, "anonymous_mb": watch.peak[1] >> 20})
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
        return result

    def run(stage, *arguments):
        return measured(stage.name, stage, *arguments)

    nights.LANES = 1
    nights.run_night(spec, workspace, run=run, publish=lambda *rest: measured("publish", nights.publish, *rest))
    return rows


def measure(base: Path, n: int, chosen: argparse.Namespace) -> list[dict]:
    """The rows of one size, in a process group of its own."""
    folder = base / str(n)
    write_dataset(folder / "data", n, chosen.d, chosen.classes, chosen.plain)
    (folder / "scale.toml").write_text(SPEC + chosen.spec)
    words = [sys.executable, __file__, "--night", str(folder / "scale.toml"), str(folder / "home")]
    told = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, process_group=0, cwd=ROOT)
    return json.loads(told.stdout.splitlines()[-1])


def table(nights: dict[int, list[dict]]) -> str:
    """A Markdown table: a row a stage, for each size seconds, peak and exponent."""
    sizes = sorted(nights)
    heads = [f"{n:,} s | MB | without files" + (" | exponent" if n != sizes[0] else "") for n in sizes]
    lines = ["| stage | " + " | ".join(heads) + " |"]
    lines.append("|" + "---|" * (lines[0].count("|") - 1))
    for stage in [row["stage"] for row in nights[sizes[0]]] + ["all"]:
        cells, before = [stage], None
        for n in sizes:
            rows = [row for row in nights[n] if stage in (row["stage"], "all")]
            cpu = sum(row["cpu"] for row in rows)
            cells += [f"{cpu:.1f}", *(str(max(row[name] for row in rows)) for name in ("peak_mb", "anonymous_mb"))]
            if before:
                cells.append(f"{math.log(max(cpu, 0.01) / max(before[1], 0.01)) / math.log(n / before[0]):.2f}")
            before = (n, cpu)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000")
    parser.add_argument("--d", type=int, default=256)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--plain", action="store_true", help="neither splits nor groups")
    parser.add_argument("--spec", default="", help="further TOML of the spec")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--night", nargs=2, type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.night:
        print(json.dumps(night(*chosen.night)))
        return
    nights: dict[int, list[dict]] = {}
    for n in map(int, chosen.sizes.split(",")):
        with tempfile.TemporaryDirectory() as base:
            nights[n] = measure(Path(base), n, chosen)
        chosen.out.write_text(json.dumps({"d": chosen.d, "plain": chosen.plain, "nights": nights}, indent=1) + "\n")
        print(table(nights), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
