"""The boxes of a picture, where a sample is one of them: what is drawn over the whole picture."""

import numpy as np
import polars as pl

from assay.reading.columns import View

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
    """All boxes of the picture that a sample's box is in, the largest first: `id`, `row`, `label`, and the box as
    shares of the picture's width and height."""
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
    names = zip(found["sample_id"], rows.tolist(), found["label"], table, strict=True)
    return [{"id": name, "row": row, "label": label, "box": box} for name, row, label, box in names]
