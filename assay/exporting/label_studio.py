"""Labels in doubt as a project of Label Studio, each with the given and the suggested label beside it.

config.xml     the labelling configuration, with the classes: paste it, or create the project with it
tasks.json     the tasks, the most doubtful first; both labels are predictions of theirs
"""

import json
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import polars as pl

from assay.contracts.errors import SpecError
from assay.exporting.annotations import as_label_studio, legal
from assay.exporting.takeaway import found, with_text
from assay.reading.columns import View
from assay.store.files import atomic_file

LOCAL = "/data/local-files/?d="  # how Label Studio is asked for a file of its local storage
TAGS = {"picture": "Image", "text": "Text"}  # by face


def write_label_studio(view: View, target: Path) -> int:
    """Write both files into a folder. Returns the number of tasks: samples whose label is an issue, and those without a
    label for which one is proposed.

    Raises:
        SpecError: samples are neither pictures nor texts, labels are sets, or no label is in doubt.
    """
    kind = view.face["kind"]
    if kind not in TAGS:
        raise SpecError(f"tasks are made of images and texts; these are {view.face['plural']}")
    if view.snapshot.manifest["config"]["source"].get("label_separator"):
        raise SpecError("labels that are sets: take them from the explorer, one question a class")
    rows = doubtful(view)
    if rows.is_empty():
        raise SpecError(f"no label of {view.snapshot.name} is in doubt, and none is proposed; there is nothing to ask")
    shown = "text" if kind == "text" else "image"
    tasks = json.loads(as_label_studio(rows, view))
    for task in tasks:
        if shown == "image" and "://" not in task["data"]["image"]:
            task["data"]["image"] = LOCAL + quote(task["data"]["image"])
    names = pl.concat([rows["label"], rows["suggested_label"], view.scan("samples").select("label").collect()["label"]])
    target.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("config.xml", configuration(TAGS[kind], shown, sorted(set(names.drop_nulls())))),
        ("tasks.json", json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"),
    ):
        with atomic_file(target / name) as aside:
            aside.write_text(text, encoding="utf-8", errors="replace")
    return len(tasks)


def doubtful(view: View) -> pl.DataFrame:
    """The samples to be asked about with what was found of them; the most doubtful first, unlabelled ones last."""
    asked = (
        view.scan("label_issues")
        .filter(pl.col("is_issue") | (pl.col("label").is_null() & pl.col("suggested_label").is_not_null()))
        .select("sample_id")
        .collect()["sample_id"]
    )
    frame = with_text(view, found(view, view.spread_mask(asked)))
    return frame.sort(pl.col("label").is_null(), -pl.col("label_score"), "position")


def configuration(tag: str, shown: str, classes: list[str]) -> str:
    """Label Studio's XML: the sample, and one choice among the classes."""
    root = ElementTree.Element("View")
    ElementTree.SubElement(root, tag, {"name": shown, "value": f"${shown}"})
    choices = {"name": "label", "toName": shown, "choice": "single", "showInLine": "true"}
    within = ElementTree.SubElement(root, "Choices", choices)
    for name in classes:
        ElementTree.SubElement(within, "Choice", {"value": legal(name)})
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
