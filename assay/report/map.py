"""The embedding plot's data: a bounded sample of points, flagged ones first, and one sheet of small pictures."""

import base64
import io
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from assay.reading.report import Tables, collect, printable, read_texts, read_thumbnails
from assay.store.evenly import evenly

POINTS = 20_000
FLAGGED_POINTS = 5_000  # of them, at most, chosen because something is wrong with them
CAPTION_BYTES = 1_200_000  # of all captions together
PICTURES = 1_500
CELL = 44  # pixels of a picture on the sheet
SHEET_COLUMNS = 40
METHODS = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
FLAGS = {"label_issue": 1, "outlier": 2, "duplicate": 4, "leak": 8}


def embedding_map(tables: Tables) -> dict[str, Any] | None:
    """What the page's script draws, as JSON values; None without a projection. Arrays are base64, little endian.

    Coordinates are uint16 pairs over the box that holds all points; scores are uint8, 255 for 1.
    """
    present = collect(tables.scan("projection").group_by("method").len())
    methods = [method for method in METHODS if method in present["method"].to_list()]
    if not methods:
        return None
    points = choose_points(tables, methods[0])
    n_all = present.filter(pl.col("method") == methods[0])["len"].item()
    labels, classes = as_codes(points["label"])
    splits, split = as_codes(points["split"])
    return {
        "n": len(points),
        "n_all": n_all,
        "methods": [
            {"name": METHODS[method], "xy": packed(coordinates(tables, method, points["sample_id"]))}
            for method in methods
        ],
        "labels": [printable(label, 40) for label in labels],
        "classes": packed(classes.astype("<u2")),
        "splits": [printable(name, 40) for name in splits],
        "split": packed(np.minimum(split, 255).astype("u1")),
        "suspicion": packed(as_bytes(points["suspicion"])),
        "outlier": packed(as_bytes(points["outlier"])),
        "flags": packed(points["flags"].to_numpy().astype("u1")),
        "suggested": [printable(value, 40) if value is not None else None for value in points["suggested_label"]],
        "captions": captions(tables, points),
        "pictures": picture_sheet(tables, points),
    }


def choose_points(tables: Tables, method: str) -> pl.DataFrame:
    """At most `POINTS` rows with what is known of each, in the samples' order."""
    ids = collect(tables.scan("projection").filter(pl.col("method") == method).select("sample_id"))
    if len(ids) > POINTS:
        flagged = collect(
            tables.scan("scores").filter(pl.col("is_issue") & pl.col("metric").is_in(["label_issue", "outlier"]))
        )
        worst = (
            flagged.group_by("sample_id")
            .agg(pl.col("score").max())
            .sort("score", "sample_id", descending=[True, False])
        )
        worst = worst.join(ids, on="sample_id", how="semi", maintain_order="left").head(FLAGGED_POINTS)
        even = ids[np.linspace(0, len(ids) - 1, POINTS - len(worst)).astype(int)]
        ids = pl.concat([even, worst.select("sample_id")]).unique(maintain_order=True)
    return described(tables, ids)


def described(tables: Tables, ids: pl.DataFrame) -> pl.DataFrame:
    """`ids` with label, split, suspicion, outlier score, suggested label and flags; in the samples' order."""
    columns = ["sample_id", "position", "uri", "content_hash", "label", "split"]
    among = pl.col("sample_id").is_in(ids["sample_id"].implode())
    rows = collect(tables.scan("samples").select(columns).filter(among))
    issues = collect(
        tables.scan("label_issues").filter(among).select("sample_id", "score", "suggested_label", "is_issue")
    )
    scores = collect(tables.scan("scores").filter(among & pl.col("metric").is_in(list(FLAGS))))
    bits = (
        pl.when("is_issue").then(pl.col("metric").replace_strict(FLAGS, default=0, return_dtype=pl.Int64)).otherwise(0)
    )
    flags = scores.group_by("sample_id").agg(bits.sum().alias("flags"))
    outlier = scores.filter(pl.col("metric") == "outlier").select("sample_id", pl.col("score").alias("outlier"))
    suspicion = issues.select("sample_id", "suggested_label", pl.col("score").alias("suspicion"))
    joined = rows.join(suspicion, on="sample_id", how="left").join(outlier, on="sample_id", how="left")
    joined = joined.join(flags, on="sample_id", how="left").with_columns(pl.col("flags").fill_null(0))
    return joined.sort("position", "sample_id")


def coordinates(tables: Tables, method: str, sample_ids: pl.Series) -> np.ndarray:
    """uint16 of shape (n, 2): the place of each sample in the box of all of them."""
    among = (pl.col("method") == method) & pl.col("sample_id").is_in(sample_ids.implode())
    rows = collect(tables.scan("projection").filter(among).select("sample_id", "x", "y"))
    xy = sample_ids.to_frame().join(rows, on="sample_id", how="left", maintain_order="left").select("x", "y")
    values = np.nan_to_num(xy.fill_null(0.0).to_numpy().astype(np.float64))
    low, high = (values.min(axis=0), values.max(axis=0)) if len(values) else (np.zeros(2), np.ones(2))
    span = max(float((high - low).max()), 1e-12)
    return np.round(65535 * np.clip((values - (low + high) / 2) / span + 0.5, 0, 1)).astype("<u2")


def as_codes(values: pl.Series) -> tuple[list[str], np.ndarray]:
    """Distinct values, the most frequent first, and the index of each row's; one past the end where there is none."""
    counted = values.drop_nulls().value_counts(sort=False).sort("count", values.name, descending=[True, False])
    names = counted[values.name].to_list()
    places = {name: i for i, name in enumerate(names)}
    return names, np.array([places.get(value, len(names)) for value in values], dtype=np.int64)


def as_bytes(scores: pl.Series) -> np.ndarray:
    """Scores of 0 to 1 as uint8 of 0 to 255; none as 0."""
    return np.round(255 * np.clip(np.nan_to_num(scores.fill_null(0.0).to_numpy()), 0, 1)).astype("u1")


def packed(values: np.ndarray) -> str:
    """An array's bytes in base64."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def captions(tables: Tables, points: pl.DataFrame) -> list[str]:
    """A text's beginning or a file's name for each point; the most suspicious get theirs while the budget lasts."""
    texts = read_texts(tables, points["content_hash"].to_list(), 100)
    rows = points.select("content_hash", pl.coalesce(pl.col("uri").replace("", None), "sample_id")).rows()
    out = [""] * len(points)
    spent = 0
    for i in points["suspicion"].fill_null(0.0).arg_sort(descending=True).to_list():
        content, name = rows[i]
        text = texts.get(content) or printable(name, 60, from_end=True)
        spent += len(text.encode("utf-8", "replace"))
        if spent > CAPTION_BYTES:
            break
        out[i] = text
    return out


def picture_sheet(tables: Tables, points: pl.DataFrame) -> dict[str, Any] | None:
    """One JPEG of `CELL`-pixel squares, and which point each belongs to: half flagged ones, half spread evenly."""
    if not tables.parts.get(tables.shown["facts"]) or not tables.shown["preview"] or points.is_empty():
        return None
    flagged = np.flatnonzero(points["flags"].to_numpy() & 3)[: PICTURES // 2]
    even = evenly(len(points), PICTURES - len(flagged))
    chosen = np.unique(np.concatenate([flagged, even]))
    hashes = points["content_hash"].gather(chosen).to_list()
    thumbnails = read_thumbnails(tables, set(hashes))
    there = [(int(i), thumbnails[key]) for i, key in zip(chosen, hashes, strict=True) if thumbnails.get(key)]
    if not there:
        return None
    rows = -(-len(there) // SHEET_COLUMNS)
    sheet = Image.new("RGB", (SHEET_COLUMNS * CELL, rows * CELL), (128, 128, 128))
    for cell, (_, data) in enumerate(there):
        sheet.paste(square(data), (cell % SHEET_COLUMNS * CELL, cell // SHEET_COLUMNS * CELL))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=70)
    return {
        "points": packed(np.array([i for i, _ in there], dtype="<u2")),
        "cell": CELL,
        "columns": SHEET_COLUMNS,
        "image": "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode(),
    }


def square(data: bytes) -> Image.Image:
    """The middle of a thumbnail, `CELL` pixels a side."""
    with Image.open(io.BytesIO(data)) as opened:
        opened.draft("RGB", (CELL, CELL))
        image = opened.convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.resize((CELL, CELL), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
