"""What the self-test says of each detector, against what is true, on data whose defects are all known.

    python benchmarks/detection/selftest.py [--data cora,…] [--rates 0,0.05,…] [--seeds 1,2,3]

Each setting is at most 2,000 samples of a real dataset, a share of whose labels is made wrong, with copies, leaks,
damaged and foreign samples among them (`selftest_data.py`). The self-test's own functions know nothing of these. The
truth is each detector's average precision on the data as it is, before the self-test plants anything.
Writes benchmarks/results/selftest.json; `--table` prints it as Markdown.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import selftest_data
from annotators import ANNOTATOR

import assay.selftest.run as selftest
from assay.contracts.modality import find_modality
from assay.contracts.spec import Spec, make_spec
from assay.selftest.count import JUDGEMENT, Judged, judge, read_table, summarize
from assay.store.snapshots import Snapshot, read_snapshot
from tests.nightly import run_nightly

RESULTS = ROOT / "benchmarks/results/selftest.json"
NOISES = ("symmetric", "asymmetric", ANNOTATOR)
NEAR = 0.05  # how near the estimate is meant to be
FEW = 5  # true defects under which there is no average precision to speak of


def setting(data: str, noise: str, rate: float, seed: int) -> list[dict]:
    """A row per detector: what the self-test says, and the truth."""
    samples, defects, true = selftest_data.build(data, noise, rate, seed)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = selftest.plant_and_judge(spec_of(data), samples, Path(folder))[0]
        seconds = time.perf_counter() - started
        before = first_snapshot(Path(folder) / "home" / data)
        facts = truth(before, defects, {sample.name: sample.label for sample in samples}, true)
    where = {"data": data, "noise": noise if rate else "none", "rate": rate, "seed": seed}
    return [
        {**where, "detector": one.detector, "seconds": round(seconds, 1), **said(one), **facts[one.detector]}
        for one in found
        if one.detector in facts
    ]


def spec_of(data: str) -> Spec:
    """The spec that the self-test is given."""
    modality = {"images": "image", "texts": "text"}.get(data.partition("-")[2], "vectors")
    spec = {"name": data, "modality": modality, "source": {"kind": "table", "path": "none.parquet"}}
    if data in selftest_data.MODELS:
        kind = {"text": "sentence_transformers", "image": "open_clip"}[modality]
        spec["embed"] = {"kind": kind, "model": selftest_data.MODELS[data]()}
    return make_spec(spec, base=ROOT)


def first_snapshot(dataset: Path) -> Snapshot:
    """The snapshot of the data as it is."""
    return read_snapshot(min((dataset / "snapshots").iterdir(), key=lambda path: path.name))


def truth(before: Snapshot, defects: pl.DataFrame, given: dict, true: dict) -> dict[str, dict]:
    """What each detector does on the data as it is, all defects known."""
    judged = judge(find_modality(before.manifest["config"]["modality"]), before, defects.rename({"name": "sample_id"}))
    issues = read_table(before, "label_issues").drop_nulls("label")
    off_topic = set(defects.filter(pl.col("kind") == "off_topic")["name"])
    rows = [
        (name, None, "planted" if given[name] != true[name] else "clean", score, flag)
        for name, score, flag in issues.select("sample_id", "score", "is_issue").iter_rows()
        if name not in off_topic
    ]
    judged["label issues"] = pl.DataFrame(rows, schema=JUDGEMENT, orient="row")
    facts = {}
    for detector, rows in judged.items():
        one = summarize(detector, rows, draws=0)
        figures = {"precision": one.precision, "recall": one.recall, "ap": one.average_precision}
        facts[detector] = {"true": one.planted} | {f"true_{name}": rounded(v) for name, v in figures.items()}
    return facts


def said(one: Judged) -> dict:
    """The self-test's figures."""
    figures = {
        "estimated": one.already, "ap": one.own_average_precision, "ap_low": one.own_low, "ap_high": one.own_high,
        "precision": one.own_precision, "recall": one.recall, "planted_ap": one.average_precision,
    }  # fmt: skip
    return {name: rounded(value) for name, value in figures.items()}


def rounded(value: float | None) -> float | None:
    """Three digits; None stays."""
    return None if value is None else round(float(value), 3)


def table(rows: list[dict]) -> str:
    """A line per detector and data, for label issues also per kind and rate of noise; seeds are taken together."""
    head = ("detector", "data", "noise", "settings", "true number", "estimated", "true AP", "estimated AP")
    head += ("mean error", "greatest", "interval holds")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    frame = pl.DataFrame(rows, infer_schema_length=None).filter(pl.col("true") >= FEW)
    share = (pl.col("rate") * 100).round().cast(pl.Int64).cast(pl.String)
    noise = (
        pl.when(pl.col("detector") == "label issues").then(pl.col("noise") + " " + share + "%").otherwise(pl.lit(""))
    )
    order = ["label issues", *frame["detector"].unique(maintain_order=True)]
    frame = frame.with_columns(noise=noise).sort(pl.col("detector").map_elements(order.index, pl.Int64), "data", "rate")
    for key, part in frame.group_by(["detector", "data", "noise"], maintain_order=True):
        lines.append("| " + " | ".join([*key, str(len(part)), *_cells(part)]) + " |")
    return "\n".join(lines) + "\n\n" + summary(frame)


def _cells(part: pl.DataFrame) -> list[str]:
    """The figures of one line: means, the mean and the greatest error, in how many settings the interval holds."""
    known = part.drop_nulls(["true_ap", "ap"])
    number = "–" if part["estimated"].is_null().all() else f"{part['estimated'].mean():.0f}"
    cells = [f"{part['true'].mean():.0f}", number, f"{part['true_ap'].mean():.3f}"]
    if known.is_empty():
        return cells + ["–"] * 4
    error = (known["ap"] - known["true_ap"]).to_numpy()
    held = f"{int(_holds(known).sum())} of {len(known)}"
    greatest = error[np.abs(error).argmax()]
    return [*cells, f"{known['ap'].mean():.3f}", f"{error.mean():+.3f}", f"{greatest:+.3f}", held]


def _holds(known: pl.DataFrame) -> pl.Series:
    return (known["ap_low"] <= known["true_ap"]) & (known["true_ap"] <= known["ap_high"])


def summary(frame: pl.DataFrame) -> str:
    """How many estimates are within NEAR of the truth, by detector."""
    known = frame.drop_nulls(["true_ap", "ap"]).with_columns(error=(pl.col("ap") - pl.col("true_ap")).abs())
    lines = [f"| detector | settings | within {NEAR} | median error | greatest | interval holds |", "|---" * 6 + "|"]
    for (detector,), part in known.group_by(["detector"], maintain_order=True):
        near = (part["error"] <= NEAR).sum()
        holds = int(_holds(part).sum())
        error = part["error"]
        lines.append(f"| {detector} | {len(part)} | {near} | {error.median():.3f} | {error.max():.3f} | {holds} |")
    return "\n".join(lines)


def main() -> None:
    """Run the settings one after the other; results of other settings stay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=",".join(selftest_data.LOADERS))
    parser.add_argument("--rates", default="0,0.05,0.1,0.2")
    parser.add_argument("--noises", default=",".join(NOISES))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print the stored results as Markdown, run nothing")
    chosen = parser.parse_args()
    rows = json.loads(chosen.out.read_text())["rows"] if chosen.out.exists() else []
    if chosen.table:
        return print(table(rows))
    selftest.quality_snapshot = lambda spec, home, _: str(run_nightly(spec, home).path)
    for data in chosen.data.split(","):
        for rate in map(float, chosen.rates.split(",")):
            for noise in chosen.noises.split(",") if rate else NOISES[:1]:
                for seed in map(int, chosen.seeds.split(",")):
                    new = setting(data, noise, rate, seed)
                    key = [new[0][name] for name in ("data", "noise", "rate", "seed")]
                    rows = [r for r in rows if [r[name] for name in ("data", "noise", "rate", "seed")] != key] + new
                    chosen.out.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
                    print(*key, *(f"{r['detector']}: {r['ap']} true {r['true_ap']};" for r in new), flush=True)


if __name__ == "__main__":
    main()
