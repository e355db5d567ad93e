"""What nights of a home in a bucket cost in requests and bytes, and what the same nights cost in a folder.

    python benchmarks/s3_cost.py [--samples 20000] [--dimensions 256]

It starts an S3 server (moto) and a counting proxy on this machine. The second night is the first that looks for drift.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import http.client

import numpy as np
import polars as pl

from tests.remote.server import Proxy, start_moto

SPEC = """name = "cost"
modality = "vectors"
[source]
kind = "table"
path = "v.parquet"
[project]
methods = ["pca"]
"""
FRESH, CHANGED, QUERY = "unchanged, on a fresh machine", "1% of the samples changed", "query on a fresh machine"
NAMES = ("first", "second", "unchanged", FRESH, CHANGED, QUERY)


def write(folder: Path, samples: int, dimensions: int, changed: int) -> None:
    """The dataset, the vectors and names of its first samples other ones."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 20, samples)
    vectors = rng.normal(size=(20, dimensions))[labels] * 2 + rng.normal(size=(samples, dimensions))
    vectors[:changed] += 0.1
    names = [f"{'new' if row < changed else 's'}{row}" for row in range(samples)]
    kind = pl.Array(pl.Float32, dimensions)
    frame = {"sample_id": names, "label": [f"c{label}" for label in labels], "vector": vectors.astype(np.float32)}
    pl.DataFrame(frame, schema_overrides={"vector": kind}).write_parquet(folder / "v.parquet")
    (folder / "spec.toml").write_text(SPEC)


def assay(arguments: list[str], cache: Path) -> float:
    """A command; its processor seconds."""
    before = os.times()
    command = [sys.executable, "-m", "assay", *arguments]
    subprocess.run(command, check=True, env=os.environ | {"ASSAY_CACHE": str(cache)}, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """One line a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, default=256)
    chosen = parser.parse_args()
    process, port = start_moto()
    proxy = Proxy(port)
    credentials = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
    os.environ.update(credentials, AWS_ENDPOINT_URL=proxy.url)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("PUT", "/bucket")
    connection.getresponse().read()
    try:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), proxy, chosen.samples, chosen.dimensions)
    finally:
        process.kill()


def measure(base: Path, proxy: Proxy, samples: int, dimensions: int) -> None:
    """The commands in turn, in the bucket and in a folder."""
    print(f"{samples:,} samples of {dimensions} dimensions")
    print(f"{'':32}{'requests':>10}{'objects sent':>14}{'MB sent':>9}{'MB fetched':>12}{'cpu s':>8}{'in a folder':>13}")
    for name in NAMES:
        if name in (NAMES[0], CHANGED):
            write(base, samples, dimensions, samples // 100 if name == CHANGED else 0)
        command = (
            ["query", "cost", "select count(*) from samples"] if name == QUERY else ["run", str(base / "spec.toml")]
        )
        proxy.seen.clear()
        proxy.sent = 0
        cache = base / {FRESH: "fresh", QUERY: "reader"}.get(name, "cache")
        seconds = assay([*command, "--home", "s3://bucket/home"], cache)
        local = assay([*command, "--home", str(base / "home")], cache)
        sent = sum(size for method, _, size in proxy.seen if method == "PUT") / 1e6
        print(
            f"{name:32}{len(proxy.seen):10,}{proxy.puts():14,}{sent:9,.2f}{proxy.sent / 1e6:12,.2f}{seconds:8.1f}"
            f"{local:13.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
