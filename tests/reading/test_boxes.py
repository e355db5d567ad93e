"""Boxes of pictures: all of a picture beside one of them, and where an outline lies in the crop that is shown."""

import numpy as np
import polars as pl

from assay.reading.boxes import boxes_beside, crops_with_outlines, is_part, outlines_of, whole_of
from assay.reading.columns import View
from tests.reading.made import labelled, made_view
from tests.snapshot_builder import samples

FACE = {"kind": "boxes", "plural": "boxes", "facts": "object_facts", "preview": "thumbnail", "text": "",
        "whole": "image_hash", "outline": "mask"}  # fmt: skip
RING = "M10,20 30,20 30,40Z"


def boxes(folder, masks: list[str | None] | None = None) -> View:
    """Four boxes, three of them in one picture of 200 × 100 pixels; stored against their order."""
    rows = samples(list("abcd"), ["cat", None, "dog", "cat"])
    if masks is not None:
        rows = rows.with_columns(mask=pl.Series(masks, dtype=pl.String))
    facts = rows.select("content_hash").with_columns(
        image_hash=pl.Series(["p", "p", "q", "p"]), x=pl.Series([10.0, -5.0, 0.0, 20.0]),
        y=pl.Series([20.0, 0.0, 0.0, 20.0]),
        box_width=pl.Series([20.0, 100.0, 9.0, 4.0]), box_height=pl.Series([20.0, 50.0, 9.0, 1.0]),
        image_width=pl.lit(200), image_height=pl.lit(100),
    )  # fmt: skip
    tables = {"samples": rows.reverse(), "object_facts": pl.concat([facts[[2, 0]], facts[[1, 3]], facts[[0]]])}
    return made_view(folder, tables, rows_a_part=2, face=FACE)


def test_a_box_is_shown_with_the_others_of_its_picture(tmp_path):
    """The largest first, as shares of the picture's sides, one that juts out of it included; no box twice."""
    view = boxes(tmp_path)
    assert is_part(view) and whole_of(view, view.hashes[0]) == "p"
    found = boxes_beside(view, view.hashes[3])
    assert [(box["id"], box["row"], box["label"]) for box in found] == [
        ("b", 1, None),
        ("a", 0, "cat"),
        ("d", 3, "cat"),
    ]
    assert [box["box"] for box in found] == [[-0.025, 0.0, 0.5, 0.5], [0.05, 0.2, 0.1, 0.2], [0.1, 0.2, 0.02, 0.01]]
    assert all("outline" not in box for box in found)
    assert boxes_beside(view, "nothing has this hash") == [] and whole_of(view, "nothing has this hash") is None


def test_an_outline_goes_with_its_box(tmp_path):
    """In pixels of the picture, with the picture's size; an empty one is none."""
    found = {
        box["id"]: box
        for box in boxes_beside(boxes(tmp_path, [RING, "", None, RING]), samples(["a"])["content_hash"][0])
    }
    assert found["a"]["outline"] == RING and found["a"]["size"] == [200, 100]
    assert "outline" not in found["b"] and found["d"]["outline"] == RING


def test_the_crop_of_an_outline_is_the_box_with_its_margin_inside_the_picture(tmp_path):
    """A tenth of the box on each side, cut at the picture's edge; rows without an outline have nothing."""
    view = boxes(tmp_path, [RING, RING, None, ""])
    first, second, third, fourth = crops_with_outlines(view, np.arange(4))
    assert first == {"path": RING, "crop": [8, 18, 24, 24]}
    assert second == {"path": RING, "crop": [0, 0, 105, 55]}
    assert third is None and fourth is None


def test_without_outlines_there_are_none(tmp_path):
    """The column is absent, null everywhere, or not of text; samples that are no boxes have none either."""
    assert outlines_of(boxes(tmp_path / "absent")) is None
    nulls = boxes(tmp_path / "nulls", [None] * 4)
    assert outlines_of(nulls) is None and crops_with_outlines(nulls, np.arange(2)) == [None, None]
    numbers = made_view(tmp_path / "n", {"samples": samples(["a"]).with_columns(mask=pl.lit(1))}, face=FACE)
    assert outlines_of(numbers) is None
    assert not is_part(labelled(tmp_path / "texts", ["a"]))
