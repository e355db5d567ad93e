"""Annotations in the words of the tools that people label with: COCO, CVAT and Label Studio."""

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl

from assay.reading.boxes import PLACE
from assay.reading.columns import View
from assay.sources.fragments import parted
from assay.sources.outlines import area, filled, rings_of

ADDED = ("suggested_label", "label_confidence", "label_score", "issues", "decision", "tags")
ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # in XML 1.0
PICTURES = ("picture", "captioned", "boxes")  # faces that CVAT can show


class ExportError(ValueError):
    """Asked for something that cannot be exported."""


def as_label_studio(frame: pl.DataFrame, view: View) -> bytes:
    """A list of Label Studio's tasks with the suggestions as pre-annotations.

    They fit a labelling configuration with `<Image name="image" value="$image"/>` (or `<Text name="text"
    value="$text"/>`) and `<Choices name="label" toName="image">` (or "text").
    """
    shown = "text" if view.face["text"] else "image"
    tasks = []
    for row in frame.iter_rows(named=True):
        data = {name: value for name, value in row.items() if name not in ADDED and value is not None}
        data |= {shown: row["text"] if shown == "text" else row["uri"], "issues": row.get("issues") or ""}
        task: dict[str, Any] = {"data": data}
        for name, score in (("suggested_label", row.get("label_confidence")), ("label", None)):
            if row.get(name) is not None:
                choice = {"from_name": "label", "to_name": shown, "type": "choices", "value": {"choices": [row[name]]}}
                version = "assay" if name == "suggested_label" else "given"
                task.setdefault("predictions", []).append(
                    {"model_version": version, "score": score, "result": [choice]}
                )
        tasks.append(task)
    return json.dumps(tasks, ensure_ascii=False, default=str).encode("utf-8", "replace")


def as_cvat(frame: pl.DataFrame, view: View) -> bytes:
    """CVAT's XML "CVAT for images 1.1": a picture with its label and, as `source="auto"`, the suggested one. Both are
    tags of the picture, or rectangles in it where samples are boxes; whoever reviews deletes the wrong one.

    Raises:
        ExportError: samples are no pictures and no boxes.
    """
    if view.face["kind"] not in PICTURES:
        raise ExportError(
            f"CVAT holds pictures; these are {view.face['plural']}. Take them for Label Studio, or as CSV"
        )
    boxed = bool(view.face.get("whole"))
    size = ["image_width", "image_height", "x", "y", "box_width", "box_height"] if boxed else ["width", "height"]
    facts = view.scan(view.face["facts"]).select("content_hash", *size).unique("content_hash", keep="any").collect()
    rows = frame.join(facts, on="content_hash", how="left", maintain_order="left")
    root = ElementTree.Element("annotations")
    _written(root, "version", "1.1")
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    _written(task, "name", str(view.snapshot.manifest["dataset"]))
    labels = ElementTree.SubElement(task, "labels")
    for name in sorted({label for row in rows.iter_rows(named=True) for label, _ in _labels(row)}):
        entry = ElementTree.SubElement(labels, "label")
        _written(entry, "name", name)
        ElementTree.SubElement(entry, "attributes")
    images: dict[str, ElementTree.Element] = {}
    for row in rows.iter_rows(named=True):
        name = parted(row["uri"] or row["sample_id"])[0] if boxed else row["uri"] or row["sample_id"]
        if name not in images:
            wide, high = (str(row[key] or 0) for key in size[:2])
            given = {"id": str(len(images)), "name": legal(name), "width": wide, "height": high}
            images[name] = ElementTree.SubElement(root, "image", given)
        for label, by in _labels(row):
            ElementTree.SubElement(
                images[name], "box" if boxed else "tag", {"label": label, "source": by, **_corners(row)}
            )
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def _labels(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The given label, and the suggested one where it is another, each with who says so."""
    given, suggested = row["label"], row.get("suggested_label")
    if given is not None:
        yield legal(given), "manual"
    if suggested is not None and suggested != given:
        yield legal(suggested), "auto"


def _corners(row: dict[str, Any]) -> dict[str, str]:
    if "box_width" not in row:
        return {}
    ends = {"xtl": row["x"], "ytl": row["y"], "xbr": row["x"] + row["box_width"], "ybr": row["y"] + row["box_height"]}
    return {"occluded": "0", "z_order": "0", **{name: f"{value:.2f}" for name, value in ends.items()}}


def _written(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = legal(text)


def legal(text: str) -> str:
    """The text without the characters that XML cannot hold."""
    return ILLEGAL.sub("\ufffd", text)


def as_coco(frame: pl.DataFrame, view: View) -> bytes:
    """COCO JSON of boxes in pixels: `images`, `annotations` and `categories`, each with ids from 1; a box without a
    label has the category `unlabelled`."""
    face = view.face
    if not face.get("whole"):
        raise ExportError(
            "COCO holds boxes of pictures; these samples are none. Take them as Parquet, CSV or JSON lines"
        )
    facts = view.scan(face["facts"]).select("content_hash", *PLACE).unique("content_hash", keep="any").collect()
    outline = face.get("outline")
    masks = pl.col(outline) if outline in frame.columns else pl.lit(None)
    boxes = frame.select("uri", "label", "content_hash", mask=masks.cast(pl.String))
    boxes = boxes.join(facts, on="content_hash", maintain_order="left").drop("content_hash")
    rows = [(parted(uri)[0], label or "unlabelled", *rest) for uri, label, *rest in boxes.iter_rows()]
    images = {file: size for file, _, _, _, _, _, _, *size in rows}
    image_ids = {file: number for number, file in enumerate(sorted(images), start=1)}
    classes = {name: number for number, name in enumerate(sorted({row[1] for row in rows}), start=1)}
    whole = {
        "images": [
            {"id": number, "file_name": file, "width": images[file][0], "height": images[file][1]}
            for file, number in image_ids.items()
        ],
        "categories": [{"id": number, "name": name} for name, number in classes.items()],
        "annotations": [
            {
                "id": number, "image_id": image_ids[file], "category_id": classes[label], "bbox": [x, y, w, h],
                "area": w * h, "iscrowd": 0, **_segmentation(mask, width, height),
            }
            for number, (file, label, mask, x, y, w, h, width, height) in enumerate(rows, start=1)
        ],
    }  # fmt: skip
    return json.dumps(whole, ensure_ascii=False).encode("utf-8", "replace")


def _segmentation(mask: str | None, width: int, height: int) -> dict[str, object]:
    """What COCO says of an outline: its polygons, or where it has holes the runs of its pixels; nothing without one."""
    rings = rings_of(mask or "")
    if not rings:
        return {}
    areas = [area(ring) for ring in rings]
    if min(areas) >= 0:
        return {"segmentation": [ring.ravel().tolist() for ring in rings], "area": sum(areas)}
    pixels = filled(rings, width, height)
    column = np.concatenate([[False], pixels.T.ravel(), [False]])
    counts = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(column)), [pixels.size]]))
    return {"segmentation": {"size": [height, width], "counts": counts.tolist()}, "area": int(pixels.sum())}
