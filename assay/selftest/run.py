"""`assay selftest SPEC`: plant known defects into a copy of the user's own data, run the pipeline, count what it finds.

A random sample of the data is run in a temporary home: once as it is, then with defects planted, several times afresh.
What is flagged as it is, is not held against a detector, since nobody knows whether it is wrong. Labels are made wrong
in the ways in which the flagged ones of the data went wrong (`mistakes.py`); they and all other planted defects are
then taken as a fair sample of the data's own (Elkan & Noto 2008), so that what a detector is worth on these can be
estimated as well.
"""

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.contracts.errors import SourceError, SpecError
from assay.contracts.modality import Sample
from assay.contracts.spec import Spec, load_spec
from assay.modalities.contents import open_reader
from assay.night import run_spec
from assay.selftest.count import FEW, Judged, by_kind, judge, read_table, summarize
from assay.selftest.example import write_table
from assay.selftest.mistakes import learn
from assay.selftest.plant import Relabel, plant
from assay.sources.ingest import ingest
from assay.store.files import write_json
from assay.store.snapshots import Snapshot
from assay.store.stage import StageOutput
from assay.store.vectors import read_vectors
from assay.store.workspace import Workspace

SIZE = 2_000  # samples of the user's that are copied
SEED = 0
ROUNDS = 3  # of planting, each into the samples as they are
RATES = {"label": 0.05}  # of the copied samples; a defect of any other sort has DEFAULT_RATE
DEFAULT_RATE = 0.01
LEAST = 5  # of each kind
KEPT_SECTIONS = ("clean", "dedup", "embed", "index", "thresholds")  # of the user's spec
NOISE = "label_noise"
LOCAL = "local-dir:"


def run_selftest(spec_path: Path, home: Path, size: int = SIZE) -> list[Judged]:
    """Test every detector on the data of a spec; print a table, and keep it in `HOME/DATASET/selftest/`.

    Raises:
        SpecError: there is nothing to plant into such data.
        SourceError: fewer than 20 samples can be read.
    """
    spec = load_spec(spec_path)
    if not spec.data.plantable() or (spec.data.content != "vector" and spec.embed.kind == "vectors"):
        raise SpecError(
            f"selftest has no defects to plant in `{spec.name}`: modality {spec.modality!r} with embed.kind "
            f"{spec.embed.kind!r}. Use it on a spec whose embedder assay runs itself"
        )
    with tempfile.TemporaryDirectory(prefix="assay-selftest-") as folder:
        samples = read_samples(spec, Path(folder), size)
        found, kinds = plant_and_judge(spec, samples, Path(folder))
    target = home / spec.name / "selftest"
    save(target, found, kinds, len(samples))
    print(table_of(found, kinds, len(samples)))
    print(f"kept in {target}")
    return found


def plant_and_judge(spec: Spec, samples: list[Sample], folder: Path) -> tuple[list[Judged], pl.DataFrame]:
    """All runs and their judgement: one `Judged` a detector, and `detector, kind, planted, found`, of all rounds."""
    before = publish_copy(spec, samples, folder, "before")
    rates = {kind: RATES.get(defect.how, DEFAULT_RATE) for kind, defect in spec.data.plantable().items()}
    counts = {kind: max(LEAST, round(rate * len(samples))) for kind, rate in rates.items()}
    relabel, mistaken = mistakes(before)
    rounds = []
    for seed in range(SEED, SEED + ROUNDS):
        planted, truth = plant(samples, counts, seed, spec.data.defects, relabel, mistaken)
        after = publish_copy(spec, planted, folder, f"after-{seed}")
        rounds.append(judge(spec.data, after, truth.rename({"name": "sample_id"}), before))
    judgements = {name: pl.concat([one[name] for one in rounds if name in one]) for name in rounds[0]}
    already = {"label issues": wrong_labels(before)}
    found = [summarize(name, rows, already.get(name), ROUNDS) for name, rows in judgements.items()]
    return found, by_kind(judgements)


def read_samples(spec: Spec, folder: Path, size: int) -> list[Sample]:
    """At most `size` samples of the spec's data at random, with their contents. Names are new: they may be anything."""
    found = ingest(spec, Workspace(folder / "source", spec.name))
    rows = found.read("ingested").sort("position")
    if len(rows) > size:
        chosen = np.sort(np.random.default_rng(SEED).permutation(len(rows))[:size])
        rows = rows[chosen]
    read = content_reader(spec, found)
    samples = []
    for number, row in enumerate(rows.select("uri", "content_hash", "label", "split").iter_rows(named=True)):
        content = read(row)
        if content is not None:
            samples.append(Sample(f"{number:07d}", content, row["label"], row["split"]))
    if len(samples) < 20:
        raise SourceError(f"selftest found {len(samples)} readable samples of `{spec.name}`; it needs at least 20")
    return samples


def content_reader(spec: Spec, found: StageOutput) -> Callable[[dict[str, Any]], bytes | str | np.ndarray | None]:
    """A function from a row of `ingested` to its content; None where it cannot be read or decoded."""
    if spec.data.content == "file":
        open_content = open_reader(spec)

        def read(row: dict[str, Any]) -> bytes | None:
            try:
                content = open_content([row["uri"]], row["content_hash"])
                if spec.data.readable:
                    spec.data.readable(spec, content)
                return content
            except SourceError:
                return None

        return read
    contents = dict(found.scan("contents").select("content_hash", spec.data.content).collect().iter_rows())
    if spec.data.content == "vector":
        return lambda row: np.array(contents.get(row["content_hash"]), dtype=np.float32)
    return lambda row: contents.get(row["content_hash"])


def publish_copy(spec: Spec, samples: list[Sample], folder: Path, name: str) -> Snapshot:
    """Write samples as a table source and publish a snapshot of them. Both copies share the embedded contents."""
    place = folder / name
    place.mkdir()
    content = spec.data.content
    if content == "file":
        for sample in samples:
            (place / sample.name).write_bytes(sample.content)
    write_table(content, samples, place / "samples.parquet")
    (place / "spec.toml").write_text(to_toml(copied_spec(spec, place)), encoding="utf-8")
    return run_spec(place / "spec.toml", folder / "home")


def copied_spec(spec: Spec, place: Path) -> dict[str, Any]:
    """The user's spec as plain values, on the copy: same cleaning, embedder and thresholds; no layout, no groups."""
    values = {name: spec.part(name) for name in KEPT_SECTIONS}
    values["embed"] |= found_from_anywhere(spec)
    return values | {
        "name": spec.name,
        "modality": spec.modality,
        "source": {
            "kind": "table",
            "path": str(place / "samples.parquet"),
            "label_separator": spec.source.label_separator,
            "max_shrink": 1.0,
            "max_rejects": 1.0,
        },
        "project": {"methods": []},
        "metrics": {"group_columns": [], "folds": spec.metrics.folds, "seed": spec.metrics.seed},
    }


def found_from_anywhere(spec: Spec) -> dict[str, Any]:
    """The keys of `embed` that name a model, with paths, which are relative to the spec, made absolute."""
    model, weights = spec.embed.model, spec.base / spec.embed.pretrained
    folder = spec.base / Path(os.path.expanduser(model.removeprefix(LOCAL)))
    if model.startswith(LOCAL) or (spec.embed.kind == "sentence_transformers" and folder.is_dir()):
        model = f"{LOCAL}{folder.resolve()}"
    return {"model": model, "pretrained": str(weights.resolve()) if weights.is_file() else spec.embed.pretrained}


def to_toml(values: dict[str, Any], within: str = "") -> str:
    """Plain values and tables in one another as TOML; None is left out."""
    plain = {key: value for key, value in values.items() if value is not None and not isinstance(value, dict)}
    lines = [f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in plain.items()]
    for name, section in values.items():
        if isinstance(section, dict):
            place = f"{within}{json.dumps(name)}"
            lines.append(f"\n[{place}]\n{to_toml(section, f'{place}.')}")
    return "".join(lines)


def mistakes(before: Snapshot) -> tuple[Relabel, dict[str, float]]:
    """How labels go wrong in this data, and how likely each sample's is to (`assay/selftest/mistakes.py`)."""
    issues = read_table(before, "label_issues").drop_nulls("label").sort("sample_id")
    hashes = read_table(before, "samples").select("sample_id", "content_hash")
    issues = issues.join(hashes, on="sample_id", maintain_order="left")
    return learn(issues, read_vectors(before, issues["content_hash"])[0])


def wrong_labels(snapshot: Snapshot) -> float:
    """Estimated number of wrong labels in a snapshot."""
    noise = read_table(snapshot, NOISE)
    if noise.is_empty():  # labels that are sets have a rate, no matrix
        numbers = dict(read_table(snapshot, "dataset_metrics").select("metric", "value").iter_rows())
        return float(numbers.get("estimated_noise_rate") or 0.0) * float(numbers.get("n_labeled") or 0.0)
    return float(noise.filter(pl.col("label") != pl.col("true_label"))["count"].sum())


def save(target: Path, found: list[Judged], kinds: pl.DataFrame, n: int) -> None:
    """`detectors.parquet`, `kinds.parquet` and `selftest.json`, the last with both and what was planted."""
    target.mkdir(parents=True, exist_ok=True)
    rows = [dataclasses.asdict(one) | {"precision": one.precision, "recall": one.recall} for one in found]
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(target / "detectors.parquet")
    kinds.write_parquet(target / "kinds.parquet")
    planting = {"n_samples": n, "seed": SEED, "rounds": ROUNDS, "rates": RATES, "default_rate": DEFAULT_RATE}
    write_json(target / "selftest.json", planting | {"detectors": rows, "kinds": kinds.to_dicts()})


def table_of(found: list[Judged], kinds: pl.DataFrame, n: int) -> str:
    """Two tables: what was found of what was planted, by detector and kind, and what your own data have of it."""
    lines = [
        "",
        f"Planted into a copy of {n:,} of your samples, {ROUNDS} times afresh. Wrong: flagged, but neither planted",
        "nor flagged before (label issues: nor wrong before, by estimate).",
        "",
        f"{'':20}{'planted':>9}{'found':>7}{'wrong':>7}{'precision':>11}{'recall':>8}{'avg. precision (95%)':>25}",
    ]
    for one in found:
        shares = "".join(f"{_share(value):>{width}}" for value, width in ((one.precision, 11), (one.recall, 8)))
        interval = _interval(one.average_precision, one.ap_low, one.ap_high)
        lines.append(f"{_name(one):20}{one.planted:>9}{one.found:>7}{one.wrong:>7}{shares}{interval:>25}")
        parts = kinds.filter(pl.col("detector") == one.detector)
        for kind, planted, hits in parts.select("kind", "planted", "found").iter_rows() if len(parts) > 1 else ():
            lines.append(f"  {kind.replace('_', ' '):18}{planted:>9}{hits:>7}{'':18}{_share(hits / planted):>8}")
    return "\n".join([*lines, *_own_lines(found), ""])


def _own_lines(found: list[Judged]) -> list[str]:
    """The second table: the data as they are."""
    lines = [
        "",
        "Your own data as they are, an estimate. Flagged: by the detector. Defects: about how many of your samples are",
        "as bad as the planted ones. Precision: the share of the flagged that are; –: too few to say. Where far more",
        "are flagged than there are defects, look at some: they are milder than the planted ones, or wrongly flagged.",
        "",
        f"{'':20}{'flagged':>9}{'defects':>9}{'precision':>11}{'avg. precision (95%)':>25}",
    ]
    for one in found:
        if one.own_flagged is None:
            continue
        few = one.already is not None and one.already < FEW
        number = f"< {FEW:.0f}" if few else "–" if one.already is None else f"{one.already:.0f}"
        interval = _interval(one.own_average_precision, one.own_low, one.own_high)
        flagged = f"{one.own_flagged:.0f}"
        lines.append(f"{_name(one):20}{flagged:>9}{number:>9}{_share(one.own_precision):>11}{interval:>25}")
    return lines


def _name(one: Judged) -> str:
    return one.detector.replace("_", " ")


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    return "–" if value is None else f"{_share(value)} ({_share(low)} to {_share(high)})"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
