"""The boxes of a picture, where a sample is one of them, and their outlines: what is drawn over picture and crop."""

from typing import Any

import numpy as np
import polars as pl

from assay.reading.columns import View
from assay.sources.fragments import Region

MOST = 2_000  # boxes that are drawn in one picture
PLACE = ("x", "y", "box_width", "box_height", "image_width", "image_height")


def is_part(view: View) -> bool:
    """Whether samples are parts of pictures."""
    return bool(view.face.get("whole"))


def whole_of(view: View, content_hash: str) -> str | None:
    """The content hash of the picture that a part is of."""
    face = view.face
    found = view.scan(face["facts"]).filter(pl.col("content_hash") == content_hash).select(face["whole"]).head(1)
    hashes = found.collect()[face["whole"]].to_list()
    return hashes[0] if hashes else None


def boxes_beside(view: View, content_hash: str) -> list[dict[str, object]]:
    """All boxes of the picture that a sample's box is in, the largest first: `id`, `row`, `label`, the box as shares of
    the picture's width and height, and where there is an outline it, in pixels, with their `size`."""
    face = view.face
    whole = whole_of(view, content_hash)
    if whole is None:
        return []
    facts = view.scan(face["facts"]).filter(pl.col(face["whole"]) == whole).select("content_hash", *PLACE)
    samples = view.scan("samples").select("sample_id", "content_hash", "label")
    found = samples.join(facts.unique("content_hash"), on="content_hash", how="inner").collect()
    found = found.sort(-pl.col("box_width") * pl.col("box_height"), "sample_id").head(MOST)
    rows = view.rows_of(found["sample_id"])
    across, down = found["image_width"].to_numpy(), found["image_height"].to_numpy()
    shares = [found["x"] / across, found["y"] / down, found["box_width"] / across, found["box_height"] / down]
    table = np.round(np.stack([column.to_numpy() for column in shares], axis=1), 5).tolist()
    outlines = outlines_of(view)
    boxes = []
    for i, row in enumerate(rows.tolist()):
        one = {"id": found["sample_id"][i], "row": row, "label": found["label"][i], "box": table[i]}
        if outlines is not None and outlines[row]:
            one |= {"outline": outlines[row], "size": [int(across[i]), int(down[i])]}
        boxes.append(one)
    return boxes


def outlines_of(view: View) -> pl.Series | None:
    """The outline of each row, null where it has none; None where samples have no outlines."""

    def load() -> pl.Series | None:
        column, samples = view.face.get("outline"), view.scan("samples")
        if not column or samples.collect_schema().get(column) != pl.String:
            return None
        found = samples.sort("position").select(column).collect()[column]
        return found if found.null_count() < len(found) else None

    found: pl.Series | None = view.once("outlines", load)
    return found


def crops_with_outlines(view: View, rows: np.ndarray) -> list[dict[str, Any] | None]:
    """What is drawn over the crop of each row: `path`, its outline in pixels of the picture, and `crop`, the crop's
    left, top, width and height in them; None where there is nothing."""
    outlines = outlines_of(view)
    if outlines is None:
        return [None] * len(rows)
    places = np.stack([view.number(f"facts.{name}")[rows] for name in PLACE], axis=1)
    found: list[dict[str, Any] | None] = []
    for row, place in zip(rows.tolist(), places.tolist(), strict=True):
        if not outlines[row] or not np.isfinite(place).all():
            found.append(None)
            continue
        left, top, right, bottom = Region(*place[:4]).cut((int(place[4]), int(place[5])))
        found.append({"path": outlines[row], "crop": [left, top, right - left, bottom - top]})
    return found
