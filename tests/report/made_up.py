"""Made-up tables of a snapshot, each by its contract, for tests of the report."""

import io
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from assay.contracts.tables import empty
from assay.store.files import hash_text
from assay.store.parts import check, write_part


def picture(number: int) -> bytes:
    """A small JPEG of its own."""
    rng = np.random.default_rng(number)
    pixels = np.kron(rng.integers(0, 256, (4, 4, 3)), np.ones((16, 16, 1)))
    buffer = io.BytesIO()
    Image.fromarray(np.uint8(pixels)).save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


def made_up_tables(
    n: int = 60, labels=("cat", "dog", "owl"), modality: str = "image", seed: int = 0, texts=None
) -> dict:
    """A frame per table: suspicious labels, outliers, a few duplicates and leaks."""
    rng = np.random.default_rng(seed)
    ids = [f"s{i:07d}" for i in range(n)]
    label = [labels[i % len(labels)] for i in range(n)] if labels else [None] * n
    hashes = [hash_text(str(i)) for i in range(n)]
    split = ["test" if i % 5 == 0 else "train" for i in range(n)]
    uri = [f"{split[i]}/{label[i]}/{i}.jpg" for i in range(n)]
    score = np.float32(rng.random(n))
    suspicious = np.arange(n) % 10 == 0
    tables = {
        "samples": {
            "sample_id": ids, "position": range(n), "uri": uri, "content_hash": hashes, "modality": [modality] * n,
            "label": label, "split": split, "size_bytes": [1] * n,
        },
        "projection": {
            "sample_id": ids * 2, "method": ["umap"] * n + ["pca"] * n, "x": rng.normal(size=2 * n),
            "y": rng.normal(size=2 * n), "z": [None] * 2 * n,
        },
        "scores": {
            "sample_id": ids * 2, "metric": ["outlier"] * n + ["dark"] * n, "score": [*score, *score[::-1]],
            "value": [*score, *score], "is_issue": [i % 20 == 0 for i in range(n)] * 2,
        },
    }  # fmt: skip
    if labels:
        tables |= labelled_tables(ids, label, score, suspicious, labels)
    if n >= 20:
        tables |= pair_tables(ids)
    facts = {"text": texts or [f"text number {i}" for i in range(n)]} if modality == "text" else {}
    frames = {name: check(name, pl.DataFrame(rows, strict=False)) for name, rows in tables.items()}
    if modality == "image":
        frames["image_facts"] = pl.DataFrame({"content_hash": hashes, "thumbnail": [picture(i % 50) for i in range(n)]})
    if facts:
        frames["text_facts"] = pl.DataFrame({"content_hash": hashes, "text": facts["text"]})
    return frames


def labelled_tables(ids, label, score, suspicious, labels) -> dict:
    """Tables that need labels."""
    k = len(labels)
    pairs = [(a, b) for a in labels for b in labels]
    return {
        "label_issues": {
            "sample_id": ids, "label": label, "suggested_label": [labels[(i + 1) % k] for i in range(len(ids))],
            "confidence": [0.9] * len(ids), "score": score, "is_issue": suspicious,
        },
        "label_noise": {
            "label": [a for a, _ in pairs], "true_label": [b for _, b in pairs],
            "rate": [0.9 if a == b else 0.1 / max(k - 1, 1) for a, b in pairs], "rate_low": [0.0] * k * k,
            "rate_high": [1.0] * k * k, "count": [9.0 if a == b else 0.5 for a, b in pairs],
        },
        "classes": {
            "label": labels, "n": [len(ids) // k] * k, "n_train": [None] * k, "noise": [0.1] * k, "n_issues": [2] * k,
            "separability": [0.3] * k, "purity": [0.8] * k, "probe_accuracy": [0.9] * k,
            "overlap_label": [labels[-1]] * k, "overlap": [0.05] * k, "coverage": [0.7] * k, "imbalance": [0.0] * k,
        },
    }  # fmt: skip


def pair_tables(ids) -> dict:
    """A duplicate group of three, one of two, and a leak."""
    return {
        "duplicates": {
            "group_id": [ids[1]] * 3 + [ids[6]] * 2, "sample_id": [ids[1], ids[2], ids[3], ids[6], ids[5]],
            "tier": ["bytes"] * 3 + ["perceptual"] * 2, "keep": [True, False, False, True, False],
            "similarity": [1.0, 1.0, 1.0, 1.0, 0.97],
        },
        "leaks": {
            "sample_id": [ids[5]], "other_id": [ids[6]], "split": ["test"], "other_split": ["train"],
            "tier": ["perceptual"], "similarity": [0.97],
        },
        "rejects": {
            "uri": ["broken.jpg"], "sample_id": [None], "stage": ["clean"], "reason": ["truncated_image"],
            "detail": ["image file is truncated"],
        },
        "embedding_health": {
            "check": ["index_recall"], "value": [0.99], "wanted": [">= 0.95"], "ok": [True], "note": [None],
        },
        "dataset_metrics": {
            "metric": ["label_issue_rate", "worth_accuracy_raw"], "value": [0.1, 0.91], "note": [None, "as it is"],
        },
    }  # fmt: skip


def write_tables(frames: dict[str, pl.DataFrame], folder: Path) -> dict[str, list[Path]]:
    """One part a table; table name → its parts."""
    parts = {}
    for name, frame in frames.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        parts[name] = [folder / name / "part-00000.parquet"]
        write_part(name, frame, parts[name][0])
    return parts


def context(**changes) -> dict:
    """What the report says besides the tables."""
    return {"dataset": "made-up", "number": 3, "modality": "image", "spec": {}, "parent": None} | changes


__all__ = ["context", "empty", "made_up_tables", "write_tables"]
