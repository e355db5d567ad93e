"""Boxes against a detector's: swapped classes, bad places, and objects that nobody boxed.

After ObjectLab (Tkachenko, Thyagarajan & Mueller 2023), which compares each given box with the predicted ones and each
confident prediction with the given ones. With IoU the overlap of two boxes (intersection ÷ union):

swapped_box      o ÷ (o + s + ¼), of o and s the largest IoU · probability among predictions of other classes and of its
                 own: ½ where the others outweigh its own class by a quarter
badly_placed_box (1 − IoU) · probability, of the likeliest prediction of its class that lies nearest to this box and
                 overlaps it
missing_box      probability of the likeliest prediction that overlaps no box of the picture, for the box nearest to it;
                 times 1 − 2 · IoU with the box that it overlaps most
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.sources.fragments import parted, region_of

Floats = npt.NDArray[np.float64]
METRICS = ("swapped_box", "badly_placed_box", "missing_box")
TOUCHES = 0.1  # IoU of two boxes of one object at least
MARGIN = 0.25


def predicted_measures(inputs: Any) -> pl.DataFrame:
    """Rows of `measures` for the boxes of pictures that have predictions; none where none were brought.

    Args:
        inputs: an `assay.metrics.inputs.Inputs`. Its predictions name a part of a picture each as `sample_id`.
    """
    rows: list[tuple[str, str, float, float, None]] = []
    if inputs.predictions is not None and len(inputs.predictions):
        given = given_boxes(inputs.corpus.samples, inputs.tables["object_facts"])
        for file, told in predicted_boxes(inputs.predictions).items():
            if file in given:
                ids, boxes, labels, size = given[file]
                places, classes, sure = in_pixels(told, size)
                found = compare(boxes, labels, places, classes, sure)
                for metric, (score, value) in zip(METRICS, found, strict=True):
                    rows += [(*row, None) for row in zip(ids, [metric] * len(ids), score, value, strict=False)]
    schema = {"sample_id": pl.String, "metric": pl.String, "score": pl.Float64, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema | {"is_issue": pl.Boolean}, orient="row")


Given = tuple[list[str], Floats, list[str | None], tuple[int, int]]


def given_boxes(samples: pl.DataFrame, facts: Any) -> dict[str, Given]:
    """By file: ids, (n, 4) left, top, right, bottom in pixels, labels, and the picture's size."""
    columns = ("content_hash", "x", "y", "box_width", "box_height", "image_width", "image_height")
    frame = pl.scan_parquet(facts) if isinstance(facts, list) else facts.lazy()
    known = frame.select(columns).unique("content_hash")
    joined = samples.lazy().select("sample_id", "uri", "content_hash", "label").join(known, on="content_hash").collect()
    joined = joined.drop_nulls("uri").sort("sample_id")
    joined = joined.with_columns(file=pl.Series([parted(uri)[0] for uri in joined["uri"]], dtype=pl.String))
    found = {}
    for (file,), part in joined.group_by("file", maintain_order=True):
        size = (int(part["image_width"][0]), int(part["image_height"][0]))
        sides = part["x"], part["y"], part["x"] + part["box_width"], part["y"] + part["box_height"]
        boxes = np.stack([side.to_numpy() for side in sides], axis=1).astype(np.float64)
        found[str(file)] = (part["sample_id"].to_list(), boxes, part["label"].to_list(), size)
    return found


def predicted_boxes(predictions: pl.DataFrame) -> dict[str, list[tuple[str, str, float]]]:
    """By file: fragment, class and probability (1 where it has none) of each prediction."""
    found: dict[str, list[tuple[str, str, float]]] = {}
    for uri, name, sure in predictions.select("sample_id", "predicted", "probability").iter_rows():
        file, fragment = parted(uri)
        found.setdefault(file, []).append((fragment, name, 1.0 if sure is None else float(sure)))
    return found


def in_pixels(told: list[tuple[str, str, float]], size: tuple[int, int]) -> tuple[Floats, list[str], Floats]:
    """(m, 4) corners, classes and probabilities; a fragment that names no box is the whole picture."""
    corners, names, sure = [], [], []
    for fragment, name, probability in told:
        region = region_of(fragment)
        x, y, width, height = region.in_pixels(size)[:4] if region else (0.0, 0.0, float(size[0]), float(size[1]))
        corners.append((x, y, x + width, y + height))
        names.append(name)
        sure.append(probability)
    return np.array(corners, dtype=np.float64), names, np.array(sure, dtype=np.float64)


def overlaps(one: Floats, other: Floats) -> Floats:
    """(n, m) intersection ÷ union of boxes (n, 4) and (m, 4), left, top, right, bottom."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None).prod(axis=1) for boxes in (one, other)]
    return np.asarray(shared / np.maximum(areas[0][:, None] + areas[1][None, :] - shared, 1e-9))


def compare(
    boxes: Floats, labels: list[str | None], places: Floats, classes: list[str], sure: Floats
) -> list[tuple[list[float], list[float]]]:
    """Scores and values of `METRICS` for the given boxes of one picture, (n,) each."""
    iou = overlaps(boxes, places)
    same = np.array(labels, dtype=object)[:, None] == np.array(classes, dtype=object)[None, :]
    weighed = iou * sure
    others, own = np.where(same, 0.0, weighed).max(axis=1), np.where(same, weighed, 0.0).max(axis=1)
    swapped = others / (others + own + MARGIN)
    nearest = iou == iou.max(axis=0, keepdims=True)
    fits = same & nearest & (iou >= TOUCHES)
    best = np.where(fits, sure, 0.0).argmax(axis=1)
    rows = np.arange(len(boxes))
    placed = np.where(fits[rows, best], (1.0 - iou[rows, best]) * sure[best], 0.0)
    alone = sure * np.clip(1.0 - 2.0 * iou.max(axis=0), 0.0, 1.0)
    middle = [(corners[:, :2] + corners[:, 2:]) / 2 for corners in (boxes, places)]
    closest = np.linalg.norm(middle[0][:, None] - middle[1][None, :], axis=2).argmin(axis=0)
    missing = np.zeros(len(boxes))
    np.maximum.at(missing, closest, alone)
    return [
        (swapped.tolist(), (others - own).tolist()),
        (placed.tolist(), iou[rows, best].tolist()),
        (missing.tolist(), missing.tolist()),
    ]
