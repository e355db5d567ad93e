"""A made-up snapshot of any size, per contract, written straight to Parquet: clusters, flipped labels, duplicates.

python tests/explorer/make_snapshot.py HOME DATASET 1000000
"""

import io
import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image, ImageDraw

from assay.contracts.tables import CONTRACTS, FACTS, PUBLISHED, empty
from assay.store.files import hash_text
from assay.store.parts import write_part
from assay.store.stage import PARTITION

CLASSES = (
    "airplane",
    "bonsai",
    "chair",
    "dolphin",
    "elephant",
    "ferry",
    "gramophone",
    "helicopter",
    "ibis",
    "joshua tree",
)
HOSTILE = (
    "<script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    '"; drop table samples; --',
    '=HYPERLINK("http://x")',
    "\u202egnp.exe",
    "x" * 10_000,
    "' or 1=1 --",
    "{{7*7}}",
    "a&b<b>bold</b>",
)
FACTS_A_PART = 2_000  # facts come in small parts, as they were measured


def make_snapshot(
    home: Path,
    dataset: str = "synthetic",
    n: int = 1000,
    number: int = 1,
    *,
    seed: int = 0,
    hostile: bool = True,
    modality: str = "image",
    previous: int | None = None,
    neighbors: int = 8,
    dimensions: int = 16,
    drop: int = 0,
    change: Callable[[dict[str, pl.DataFrame]], dict[str, pl.DataFrame]] = dict,
    source: dict[str, str] | None = None,
) -> Path:
    """Write `HOME/DATASET/snapshots/vNNNNNNNN` and return it. `drop` leaves out the first samples (for comparing);
    `change` is given the tables before they are written; `source` adds to the spec's."""
    path = home / dataset / "snapshots" / f"v{number:08d}"
    tables = make_tables(n, seed=seed, hostile=hostile, modality=modality, neighbors=neighbors, dimensions=dimensions)
    tables = change(tables)
    if drop:
        gone = tables["samples"]["sample_id"].head(drop)
        nothing = pl.lit(None, dtype=pl.String)
        tables["diff"] = pl.DataFrame({"sample_id": gone, "change": "removed", "metric": ""})
        tables["diff"] = tables["diff"].with_columns(was_id=nothing, was_label=nothing)
        for name, frame in tables.items():
            if "sample_id" in frame.columns and name not in ("diff", "rejects"):
                tables[name] = frame.filter(~pl.col("sample_id").is_in(gone.implode()))
    described = {}
    for name in PUBLISHED:
        frame = tables.get(name, empty(name))
        contract = CONTRACTS[name]
        if name != "vectors" and len(frame) <= 100_000:
            frame = cast_to(contract, frame)
        (path / name).mkdir(parents=True)
        files = []
        rows_a_part = FACTS_A_PART if name in FACTS else PARTITION
        for part, start in enumerate(range(0, max(len(frame), 1), rows_a_part)):
            target = path / name / f"part-{part:05d}.parquet"
            write_part(name, frame.slice(start, rows_a_part), target)
            rows = len(frame.slice(start, rows_a_part))
            files.append({"path": f"{name}/{target.name}", "bytes": target.stat().st_size, "rows": rows, "sha256": ""})
        described[name] = {"files": files, "rows": len(frame), "contract": contract.VERSION}
    manifest = {
        "dataset": dataset,
        "created_at": f"2026-01-{number:02d}T02:00:00+00:00",
        "config": {
            "name": dataset,
            "modality": modality,
            "source": {"kind": "folder", "path": "nowhere"} | (source or {}),
        },
        "spec_base": str(home),
        "parent": previous,
        "headline": {
            "n_samples": len(tables["samples"]),
            "n_label_issues": int(tables["label_issues"]["is_issue"].sum()),
        },
        "gates": [],
        "tables": described,
        "files": [],
    }
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


def cast_to(contract, frame: pl.DataFrame) -> pl.DataFrame:
    """The contract's columns in its order and types, further columns after them."""
    names = list(contract.columns())
    return contract.cast(frame.select(names)).hstack(frame.select([c for c in frame.columns if c not in names]))


def make_tables(n: int, *, seed: int, hostile: bool, modality: str, neighbors: int, dimensions: int) -> dict:
    """Every table, as frames. Sample i lies in cluster i mod 10; one in fifty carries another class's label."""
    random = np.random.default_rng(seed)
    k = len(CLASSES)
    true = np.arange(n) % k
    flipped = random.random(n) < 0.02
    given = np.where(flipped, (true + 1 + random.integers(0, k - 1, n)) % k, true)
    names = np.array(CLASSES, dtype=object)
    ids = np.char.add("s/", np.char.zfill(np.arange(n).astype(str), 7)).astype(object)
    hashes = np.array([hash_text(f"content {i}") for i in range(n)], dtype=object)
    duplicate = (np.arange(n) % 40 == 37) & (np.arange(n) >= k)  # of the sample ten before it
    unit = np.where(duplicate, np.arange(n) - k, np.arange(n))
    angle = 2 * np.pi * true / k
    spread = random.normal(0, 0.55, (n, 2)) * (1 + 0.6 * random.random((n, 1)))
    xy = np.stack([6 * np.cos(angle), 6 * np.sin(angle)], 1) + spread
    stray = random.random(n) < 0.005
    xy[stray] = random.uniform(-9, 9, (int(stray.sum()), 2))
    xy[duplicate] = xy[unit[duplicate]]
    label = names[given]
    if hostile and n >= 200:
        label = label.copy()
        label[n - len(HOSTILE) :] = HOSTILE
    splits = np.where(np.arange(n) % 5 == 0, "test", "train")
    captions = np.char.add("view of ", names[true].astype(str)).astype(object)
    if hostile and n >= 200:
        captions[: len(HOSTILE)] = HOSTILE
    samples = pl.DataFrame(
        {
            "sample_id": ids,
            "position": np.arange(n),
            "uri": np.char.add(ids.astype(str), ".jpg").astype(object),
            "content_hash": hashes,
            "modality": np.full(n, modality, dtype=object),
            "label": label,
            "split": splits,
            "size_bytes": random.integers(2_000, 90_000, n),
            "camera": np.array(["A7", "EOS", "Pixel"], dtype=object)[random.integers(0, 3, n)],
            "caption": captions,
        },
        schema_overrides={"label": pl.String},
    )
    confidence = np.clip(random.normal(0.8, 0.1, n), 0, 1)
    score = np.where(flipped, np.clip(random.normal(0.9, 0.05, n), 0, 1), random.beta(1.2, 14, n)).astype(np.float32)
    label_issues = pl.DataFrame(
        {
            "sample_id": ids,
            "label": label,
            "suggested_label": np.where(flipped, names[true], label),
            "confidence": confidence,
            "score": score,
            "is_issue": score > 0.7,
        }
    )
    far = np.where(stray, 0.95, random.beta(1.5, 9, n))
    per_metric = {
        "outlier": far,
        "near_duplicate": np.where(duplicate, 0.97, random.beta(1, 12, n)),
        "dark": random.beta(1, 20, n),
        "bright": random.beta(1, 25, n),
        "blurry": random.beta(2, 9, n),
        "label_issue": score,
    }
    scores = pl.concat(
        [
            pl.DataFrame(
                {
                    "sample_id": ids,
                    "metric": [metric] * n,
                    "score": values.astype(np.float32),
                    "value": np.asarray(values, dtype=np.float64) * 10,
                    "is_issue": values > 0.7,
                }
            )
            for metric, values in per_metric.items()
        ]
    )
    pca = np.c_[xy @ np.array([[0.8, 0.3], [-0.2, 0.9]]), random.normal(0, 1, n)]
    projection = pl.concat(
        [
            pl.DataFrame(
                {
                    "sample_id": ids,
                    "method": ["umap"] * n,
                    "x": xy[:, 0].astype(np.float32),
                    "y": xy[:, 1].astype(np.float32),
                    "z": pl.Series([None] * n, dtype=pl.Float32),
                }
            ),
            pl.DataFrame(
                {
                    "sample_id": ids,
                    "method": ["pca"] * n,
                    **{c: pca[:, i].astype(np.float32) for i, c in enumerate("xyz")},
                }
            ),
        ]
    )
    tables = {
        "samples": samples,
        "label_issues": label_issues,
        "scores": scores,
        "projection": projection,
        "units": pl.DataFrame({"sample_id": ids, "unit_id": ids[unit]}),
        "image_facts" if modality == "image" else "text_facts": make_facts(modality, hashes, true, captions, random),
        "neighbors": make_neighbors(ids, neighbors),
        "duplicates": make_duplicates(ids, unit, duplicate),
        "leaks": make_leaks(ids, unit, duplicate, splits),
        "vectors": make_vectors(hashes, true, dimensions, random),
        "rejects": pl.DataFrame(
            {
                "uri": ["broken/<b>a</b>.jpg", "b.txt"],
                "sample_id": pl.Series([None, None], dtype=pl.String),
                "stage": ["clean", "clean"],
                "reason": ["truncated", "not_an_image"],
                "detail": ["ends after 12 bytes", None],
            }
        ),
        "diff": pl.DataFrame(
            {"sample_id": ids[:3], "change": ["added", "new_issue", "resolved"], "metric": ["", "outlier", "dark"]}
        ).with_columns(was_id=pl.lit(None, dtype=pl.String), was_label=pl.lit(None, dtype=pl.String)),
        "embedding_health": pl.DataFrame(
            {"check": ["index_recall_at_10"], "value": [0.997], "wanted": [">= 0.95"], "ok": [True], "note": [None]},
            schema_overrides={"note": pl.String},
        ),
        "dataset_metrics": pl.DataFrame(
            {"metric": ["n_samples", "estimated_noise_rate"], "value": [float(n), 0.021], "note": [None, None]},
            schema_overrides={"note": pl.String},
        ),
    }
    tables |= class_tables(label_issues, names)
    return tables


def make_facts(modality: str, hashes: np.ndarray, true: np.ndarray, captions: np.ndarray, random) -> pl.DataFrame:
    """Image facts with one of 240 small pictures each, or text facts with the caption as the text."""
    n = len(hashes)
    if modality == "text":
        words = [caption.split() for caption in captions]
        return pl.DataFrame(
            {
                "content_hash": hashes,
                "text": captions,
                "clean_text": captions,
                "changes": [[]] * n,
                "language": ["en"] * n,
                "language_confidence": np.full(n, 0.9),
                "n_characters": [len(c) for c in captions],
                "n_words": [len(w) for w in words],
                "n_tokens": [len(w) for w in words],
                "repetition": np.zeros(n),
                "uppercase": np.zeros(n),
                "symbols": np.zeros(n),
                "damaged": np.zeros(n),
                "normalized_hash": hashes,
                "minhash": [[1]] * n,
            },
            schema_overrides={"changes": pl.List(pl.String), "minhash": pl.List(pl.UInt32)},
        )
    pictures = np.array([picture(c, v) for c in range(len(CLASSES)) for v in range(24)], dtype=object)
    chosen = true * 24 + random.integers(0, 24, n)
    return pl.DataFrame(
        {
            "content_hash": hashes,
            "format": ["JPEG"] * n,
            "mode": ["RGB"] * n,
            "width": random.integers(100, 900, n),
            "height": random.integers(100, 900, n),
            "n_frames": np.ones(n, dtype=np.int32),
            "changes": [[]] * n,
            "brightness": random.beta(5, 5, n),
            "brightness_p05": random.beta(2, 8, n),
            "brightness_p99": random.beta(8, 2, n),
            "contrast": random.beta(5, 5, n),
            "entropy_bits": random.uniform(4, 8, n),
            "sharpness": random.gamma(2, 200, n),
            "colorfulness": random.gamma(2, 20, n),
            "damage": np.zeros(n),
            "pixel_hash": hashes,
            "perceptual_hash": random.integers(0, 2**63, n, dtype=np.uint64),
            "luminance": [b"\0" * 16] * n,
            "thumbnail": pl.Series(pictures[chosen], dtype=pl.Binary),
        },
        schema_overrides={"changes": pl.List(pl.String), "width": pl.Int32, "height": pl.Int32},
    )


@cache
def picture(cluster: int, variant: int) -> bytes:
    """A small JPEG: one colour a cluster, one arrangement of shapes a variant."""
    random = np.random.default_rng(cluster * 100 + variant)
    image = Image.new("RGB", (128, int(random.integers(80, 128))), tuple(int(c) for c in random.integers(20, 70, 3)))
    draw = ImageDraw.Draw(image)
    color = tuple(int(127 + 120 * np.cos(2 * np.pi * (cluster / len(CLASSES) + s / 3))) for s in range(3))
    for _ in range(6):
        x, y, r = random.integers(0, 110, 3)
        draw.ellipse((x, y, x + 10 + r // 3, y + 10 + r // 3), fill=color, outline=(240, 240, 240))
    draw.text((8, 8), CLASSES[cluster], fill=(255, 255, 255))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def make_neighbors(ids: np.ndarray, k: int) -> pl.DataFrame:
    """Neighbours are the next samples of the same cluster."""
    n, step = len(ids), len(CLASSES)
    k = min(k, max((n - 1) // step, 0))
    ranks = np.arange(1, k + 1)
    others = (np.arange(n)[:, None] + ranks[None, :] * step) % n
    return pl.DataFrame(
        {
            "sample_id": np.repeat(ids, k),
            "rank": np.tile(ranks, n).astype(np.uint16),
            "neighbor_id": ids[others.ravel()],
            "similarity": np.tile(1 - 0.02 * ranks, n).astype(np.float32),
        },
        schema_overrides={"sample_id": pl.String, "neighbor_id": pl.String},
    )


def make_duplicates(ids: np.ndarray, unit: np.ndarray, duplicate: np.ndarray) -> pl.DataFrame:
    """One group per duplicate: the kept sample and its copy."""
    copies = np.flatnonzero(duplicate)
    kept = unit[copies]
    return pl.concat(
        [
            pl.DataFrame(
                {
                    "group_id": ids[kept],
                    "sample_id": ids[rows],
                    "tier": ["pixels"] * len(rows),
                    "keep": [keep] * len(rows),
                    "similarity": [similarity] * len(rows),
                },
                schema=DUPLICATES,
            )
            for rows, keep, similarity in ((kept, True, 1.0), (copies, False, 0.99))
        ]
    ).sort("group_id", "sample_id")


DUPLICATES = {
    "group_id": pl.String,
    "sample_id": pl.String,
    "tier": pl.String,
    "keep": pl.Boolean,
    "similarity": pl.Float64,
}


def make_leaks(ids: np.ndarray, unit: np.ndarray, duplicate: np.ndarray, splits: np.ndarray) -> pl.DataFrame:
    """Every seventh copy counts as a leak, whatever its split really is."""
    copies = np.flatnonzero(duplicate)[::7]
    return pl.DataFrame(
        {
            "sample_id": ids[unit[copies]],
            "other_id": ids[copies],
            "split": ["train"] * len(copies),
            "other_split": ["test"] * len(copies),
            "tier": ["pixels"] * len(copies),
            "similarity": [0.99] * len(copies),
        },
        schema={
            "sample_id": pl.String,
            "other_id": pl.String,
            "split": pl.String,
            "other_split": pl.String,
            "tier": pl.String,
            "similarity": pl.Float64,
        },
    )


def make_vectors(hashes: np.ndarray, true: np.ndarray, dimensions: int, random) -> pl.DataFrame:
    """Unit vectors around one centre per cluster."""
    centres = random.normal(size=(len(CLASSES), dimensions))
    matrix = (centres[true] + 0.2 * random.normal(size=(len(true), dimensions))).astype(np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    vector = pl.Series(matrix, dtype=pl.Array(pl.Float32, dimensions))
    return pl.DataFrame({"content_hash": hashes, "embedder": ["synthetic"] * len(hashes), "vector": vector})


def class_tables(label_issues: pl.DataFrame, names: np.ndarray) -> dict:
    """`classes` and `label_noise` from the label issues."""
    by = label_issues.group_by("label", maintain_order=True).agg(
        pl.len().alias("n"), pl.col("is_issue").sum().alias("n_issues")
    )
    by = by.sort("label")
    m = len(by)
    classes = by.with_columns(
        n_train=pl.col("n"),
        noise=pl.col("n_issues") / pl.col("n"),
        separability=pl.lit(0.4),
        purity=pl.lit(0.93),
        probe_accuracy=pl.lit(0.9),
        overlap_label=pl.lit("chair"),
        overlap=pl.lit(0.05),
        coverage=pl.lit(0.8),
        imbalance=(1 - pl.col("n") / pl.col("n").mean()).clip(0, 1),
    )
    noise = (
        label_issues.group_by("label", pl.col("suggested_label").alias("true_label"), maintain_order=True)
        .agg(pl.len().cast(pl.Float64).alias("count"))
        .with_columns(rate=pl.col("count") / pl.col("count").sum().over("label"))
        .with_columns(rate_low=pl.col("rate") * 0.8, rate_high=(pl.col("rate") * 1.2).clip(0, 1))
        .sort("label", "true_label")
    )
    assert m
    return {"classes": classes, "label_noise": noise}


if __name__ == "__main__":
    print(make_snapshot(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), hostile=int(sys.argv[3]) <= 100_000))
