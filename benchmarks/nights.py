"""What a night costs when little has changed: the first, an unchanged one, 1% new, 10% new, 5% deleted.

    python benchmarks/nights.py [--size 20000] [--d 256] [--classes 100] [--plain]
    python benchmarks/nights.py --images 101_ObjectCategories [--embed 'kind = "pca"'] [--prefect]

Vectors are made as in `scale.py`; with --images the nights are of a folder of pictures, of which some are held back
and added later. New samples stand among the old ones, as new files do in folders. Each night is a process of its own,
its stages one after the other; processor seconds are of all its threads and children, the start of Python and its
imports included. After each night that changed something a fresh run of the same data in an empty home says what it
should have found (`--no-fresh` leaves that out): of each table the share of rows that differ, and of all verdicts, a
verdict being whether a sample is an issue by a metric. Numbers within a ten-thousandth are taken for equal. With
--prefect each night is the flow of `flows/quality_snapshot.py` on a running Prefect server, whose own seconds are not
counted, and stages are not told apart. Writes benchmarks/results/nights.json, or where `--out` says.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

import commands
import scale

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "nights.json"
IMAGES = 'name = "nights"\nmodality = "image"\n[source]\nkind = "folder"\npath = "images"\n[embed]\n{}\n'
OTHERS = ("diff", "drift")  # tables that tell of the night before
CLOSE = 1e-4
NIGHTS = ("first", "unchanged", "1% new", "10% new", "5% deleted")


def members(n: int) -> dict[str, np.ndarray]:
    """The numbers of the samples of each night that changes something, out of about 1.1 · `n`, drawn with a seed."""
    drawn = np.random.default_rng(1).permutation(n + n // 100 + n // 10)
    one, ten = drawn[: n + n // 100], drawn
    return {"first": drawn[:n], "1% new": one, "10% new": ten, "5% deleted": drawn[len(drawn) // 20 :]}


class Vectors:
    """Made vectors; a night's are a Parquet file with the samples in the order in which they were made."""

    def __init__(self, base: Path, chosen: argparse.Namespace) -> None:
        n = chosen.size
        scale.write_dataset(base / "all", n + n // 100 + n // 10, chosen.d, chosen.classes, chosen.plain)
        self.members, self.base = members(n), base
        (base / "scale.toml").write_text(scale.SPEC + chosen.spec)
        self.spec = base / "scale.toml"

    def show(self, name: str) -> None:
        """Make the folder hold the samples of that night."""
        rows = np.sort(self.members[name])
        whole = pl.concat([pl.read_parquet(path) for path in sorted((self.base / "all").glob("*.parquet"))])
        numbered = whole.with_row_index("sample_id").with_columns(pl.format("s{}", "sample_id").alias("sample_id"))
        (self.base / "data").mkdir(exist_ok=True)
        numbered[rows].write_parquet(self.base / "data" / "part-0.parquet")


class Images:
    """A folder of pictures, of which each night shows some."""

    def __init__(self, base: Path, chosen: argparse.Namespace) -> None:
        self.files = sorted(path for path in chosen.images.rglob("*") if path.is_file())
        if not self.files:
            raise SystemExit(f"no files in {chosen.images}")
        self.members, self.base, self.source = members(int(len(self.files) / 1.11)), base, chosen.images
        self.spec = base / "nights.toml"
        self.spec.write_text(IMAGES.format(chosen.embed) + chosen.spec)

    def show(self, name: str) -> None:
        """Make the folder hold the pictures of that night; those that are there already are left alone."""
        wanted = {self.files[row].relative_to(self.source) for row in self.members[name] if row < len(self.files)}
        folder = self.base / "images"
        for path in [path for path in folder.rglob("*") if path.is_file()]:
            if path.relative_to(folder) not in wanted:
                path.unlink()
        for path in wanted:
            if not (folder / path).exists():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(self.source / path, folder / path)


def night(spec: Path, home: Path, server: str = "") -> dict:
    """Processor and wall seconds of one night, whole and by stage; only whole as a flow on a Prefect `server`."""
    if server:
        flow = commands.cost([sys.executable, str(ROOT / "flows/quality_snapshot.py"), str(spec), str(home)], server)
        return {"cpu": round(flow["processor"], 2), "wall": round(flow["wall"], 2), "stages": {}}
    words = ["/usr/bin/env", sys.executable, str(ROOT / "benchmarks" / "scale.py"), "--night", str(spec), str(home)]
    before = os.times()
    told = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, process_group=0, cwd=ROOT)
    after = os.times()
    rows = json.loads(told.stdout.splitlines()[-1])
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    stages = {row["stage"]: round(row["cpu"], 2) for row in rows}
    peak = max(row["anonymous_mb"] for row in rows)
    stages["rest"] = round(cpu - sum(stages.values()), 2)
    return {"cpu": round(cpu, 2), "wall": round(after.elapsed - before.elapsed, 2), "stages": stages, "peak_mb": peak}


def newest(home: Path):
    """The newest snapshot of a home with one dataset."""
    from assay.store.snapshots import list_snapshots
    from assay.store.workspace import Workspace

    dataset = next(path.parent.name for path in home.glob("*/snapshots"))
    return list_snapshots(Workspace(home, dataset))[-1]


def compared(home: Path, fresh: Path) -> dict:
    """How the newest snapshots of two homes differ: shares of rows by table, and of verdicts."""
    one, other = newest(home), newest(fresh)
    differ = {}
    for name in sorted(set(one.manifest["tables"]) | set(other.manifest["tables"])):
        if name not in OTHERS:
            frames = [snapshot.read(name) for snapshot in (one, other)]
            if name == "vectors":  # in the order in which they were first seen
                frames = [frame.sort("content_hash") for frame in frames]
            share = rows_that_differ(*frames)
            if share:
                differ[name] = round(share, 6)
    flags = [snapshot.read("scores").select("sample_id", "metric", "is_issue") for snapshot in (one, other)]
    both = flags[0].join(flags[1], on=["sample_id", "metric"], how="full", coalesce=True)
    changed = both.filter(pl.col("is_issue").ne_missing(pl.col("is_issue_right")))
    return {
        "rows_that_differ": differ,
        "verdicts_that_differ": round(len(changed) / max(len(both), 1), 6),
        "by_metric": dict(changed.group_by("metric").len().sort("metric").iter_rows()),
        "issues": int(both["is_issue_right"].sum()),
    }


def rows_that_differ(one: pl.DataFrame, other: pl.DataFrame) -> float:
    """Share of the rows, in their order, in which any column differs; 1 where there are more rows in one."""
    if one.shape != other.shape or one.columns != other.columns:
        return 1.0
    differs = pl.lit(False)
    for name, kind in one.schema.items():
        own, right = pl.col(name), other[name]
        if kind.is_float():
            differs |= ~((own.fill_null(-9.0).fill_nan(-8.0) - right.fill_null(-9.0).fill_nan(-8.0)).abs() <= CLOSE)
        elif not kind.is_nested():
            differs |= own.ne_missing(right)
    return float(one.select(differs.alias("differs"))["differs"].mean() or 0.0) if len(one) else 0.0


def table(figures: dict[str, dict]) -> str:
    """A Markdown table of processor seconds: a row a stage, a column a night."""
    lines = ["| stage | " + " | ".join(figures) + " |", "|---|" + "---|" * len(figures)]
    for stage in figures["first"]["stages"]:
        cells = [f"{row['stages'].get(stage, 0):.1f}" for row in figures.values()]
        lines.append(" | ".join([f"| {stage}", *cells]) + " |")
    first = figures["first"]["cpu"]
    lines.append("| all | " + " | ".join(f"{row['cpu']:.1f}" for row in figures.values()) + " |")
    lines.append("| of the first | " + " | ".join(f"{row['cpu'] / first:.1%}" for row in figures.values()) + " |")
    lines.append("| by the clock | " + " | ".join(f"{row['wall']:.1f}" for row in figures.values()) + " |")
    verdicts = [row.get("fresh", {}).get("verdicts_that_differ") for row in figures.values()]
    told = ["" if share is None else f"{share:.3%}" for share in verdicts]
    lines.append("| verdicts unlike a fresh run's | " + " | ".join(told) + " |")
    return "\n".join(lines)


def measured(data: Vectors | Images, base: Path, chosen: argparse.Namespace, server: str) -> dict[str, dict]:
    """What each night cost, one after the other in one home."""
    figures: dict[str, dict] = {}
    for name in chosen.nights.split(","):
        if name in data.members:
            data.show(name)
        figures[name] = night(data.spec, base / "home", server)
        if chosen.fresh and name in data.members and name != "first":
            fresh = base / f"fresh {name}"
            figures[name]["fresh"] = night(data.spec, fresh) | compared(base / "home", fresh)
        print(json.dumps({name: figures[name]}), file=sys.stderr, flush=True)
    return figures


def main() -> None:
    """Run, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--d", type=int, default=256)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--plain", action="store_true", help="neither splits nor groups")
    parser.add_argument("--images", type=Path)
    parser.add_argument("--embed", default='kind = "pca"', help="TOML below [embed], for --images")
    parser.add_argument("--spec", default="", help="further TOML of the spec")
    parser.add_argument("--prefect", action="store_true", help="as flows on a Prefect server")
    parser.add_argument("--nights", default=",".join(NIGHTS))
    parser.add_argument("--fresh", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--folder", type=Path, help="where to keep the nights; by default nowhere")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = (chosen.folder or Path(folder)).resolve()
        base.mkdir(parents=True, exist_ok=True)
        data = Images(base, chosen) if chosen.images else Vectors(base, chosen)
        with commands.prefect_server(base / "prefect") if chosen.prefect else contextlib.nullcontext("") as server:
            figures = measured(data, base, chosen, server)
        shape = {"size": chosen.size, "d": chosen.d} if not chosen.images else {"images": len(data.files)}
        chosen.out.write_text(json.dumps({**shape, "nights": figures}, indent=1) + "\n")
        print(table(figures))


if __name__ == "__main__":
    main()
