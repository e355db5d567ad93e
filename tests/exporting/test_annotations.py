"""Annotations for other tools: every box, label and outline arrives as it was, whatever it is called."""

import json
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from assay.contracts.errors import SpecError
from assay.exporting.annotations import ExportError, as_coco, as_cvat, as_label_studio
from assay.exporting.cleanvision import cleanvision_frame, write_cleanvision
from assay.exporting.label_studio import write_label_studio
from assay.exporting.takeaway import export, found
from assay.reading.columns import View
from tests.reading.made import made_view
from tests.snapshot_builder import samples, scores

SQUARE, HOLE = "M1,1 7,1 7,5 1,5Z", "M2,2 2,4 6,4 6,2Z"  # the hole turns the other way
URIS = ["p.jpg#xywh=1,1,6,4", "p.jpg#xywh=0,0,2,2", "q&<é>.jpg#xywh=0,0,3,3"]
BOXES = {"kind": "boxes", "plural": "boxes", "facts": "object_facts", "preview": "thumbnail", "text": "",
    "whole": "image_hash",
         "outline": "mask"}  # fmt: skip
PICTURE = {"kind": "picture", "plural": "images", "facts": "image_facts", "preview": "thumbnail", "text": ""}
TEXT = {"kind": "text", "plural": "texts", "facts": "text_facts", "preview": "", "text": "text"}
CONFIG = {"source": {}}
ENDS = ("xtl", "ytl", "xbr", "ybr")


def boxes(folder, masks: list[str | None]) -> View:
    """Three boxes in two pictures, one of them without a label."""
    rows = samples(list("abc"), ["cat", None, "dog"]).with_columns(
        uri=pl.Series(URIS), mask=pl.Series(masks, dtype=pl.String)
    )
    facts = rows.select("content_hash").with_columns(
        image_hash=pl.Series(["p", "p", "q"]), x=pl.Series([1.0, 0.0, 0.0]), y=pl.Series([1.0, 0.0, 0.0]),
        box_width=pl.Series([6.0, 2.0, 3.0]), box_height=pl.Series([4.0, 2.0, 3.0]), image_width=pl.Series([9, 9, 4]),
        image_height=pl.Series([6, 6, 4]),
    )  # fmt: skip
    return made_view(folder, {"samples": rows, "object_facts": facts}, face=BOXES)


def everything(view: View) -> pl.DataFrame:
    """All samples with what was found of them."""
    return found(view, np.ones(len(view), dtype=bool))


def pixels_of(runs: dict, size: tuple[int, int]) -> np.ndarray:
    """COCO's runs as pixels: counts of zeros and ones in turn, column by column."""
    flat = np.repeat(np.arange(len(runs["counts"])) % 2, runs["counts"])
    return flat.reshape(size[1], size[0]).T.astype(bool)


def test_boxes_go_into_coco_with_their_outlines(tmp_path):
    """Polygons as they are; where there is a hole, runs of pixels that a plain reader counts the same area of."""
    view = boxes(tmp_path, [f"{SQUARE} {HOLE}", None, SQUARE])
    coco = json.loads(as_coco(everything(view), view))
    files = {one["id"]: (one["file_name"], one["width"], one["height"]) for one in coco["images"]}
    assert set(files.values()) == {("p.jpg", 9, 6), ("q&<é>.jpg", 4, 4)}
    classes = {one["id"]: one["name"] for one in coco["categories"]}
    lines = [(files[a["image_id"]][0], classes[a["category_id"]], a["bbox"]) for a in coco["annotations"]]
    assert lines == [
        ("p.jpg", "cat", [1, 1, 6, 4]), ("p.jpg", "unlabelled", [0, 0, 2, 2]), ("q&<é>.jpg", "dog", [0, 0, 3, 3]),
    ]  # fmt: skip
    ring, plain, square = coco["annotations"]
    wanted = np.zeros((6, 9), dtype=bool)
    wanted[1:5, 1:7] = True
    wanted[2:4, 2:6] = False
    assert (pixels_of(ring["segmentation"], (6, 9)) == wanted).all() and ring["area"] == wanted.sum()
    assert sum(ring["segmentation"]["counts"]) == 54 and "segmentation" not in plain and plain["area"] == 4
    assert square["segmentation"] == [[1, 1, 7, 1, 7, 5, 1, 5]] and square["area"] == 24


def test_boxes_go_into_cvat_picture_by_picture(tmp_path):
    """Their corners, in the picture that they are in; names are names."""
    root = ElementTree.fromstring(
        as_cvat(everything(boxes(tmp_path, [None] * 3)), boxes(tmp_path / "again", [None] * 3))
    )
    images = {image.get("name"): [(box.get("label"),
        *(float(box.get(end)) for end in ENDS)) for box in image.findall("box")]
              for image in root.findall("image")}  # fmt: skip
    assert images == {"p.jpg": [("cat", 1, 1, 7, 5)], "q&<é>.jpg": [("dog", 0, 0, 3, 3)]}
    assert [label.findtext("name") for label in root.iter("label")] == ["cat", "dog"]


def pictures(folder, labels: list[str | None], suggested: dict[str, str], kind: dict = PICTURE) -> View:
    """Samples of which some labels are in doubt, the later ones less."""
    ids = [f"s{i}" for i in range(len(labels))]
    rows = samples(ids, labels).with_columns(uri=pl.Series([f"a b/{name}#1.jpg" for name in ids]))
    doubt = pl.DataFrame({"sample_id": ids, "label": labels, "suggested_label": [suggested.get(name) for name in ids],
                          "confidence": [0.5] * len(ids), "score": [1 - i / 10 for i in range(len(ids))],
                          "is_issue": [name in suggested and label is not None for name,
                              label in zip(ids, labels, strict=True)]},
                         schema_overrides={"label": pl.String, "suggested_label": pl.String})  # fmt: skip
    facts = rows.select("content_hash").with_columns(text=pl.Series([f"text of {name}" for name in ids]))
    tables = {"samples": rows, "label_issues": doubt, "text_facts": facts}
    return made_view(folder, tables, face=kind, config=CONFIG)


def test_a_project_of_label_studio_asks_the_most_doubtful_first(tmp_path):
    """Those without a label last; both labels are predictions, and every class is a choice, in XML that is one."""
    labels = ["cat", None, "d\x01og", "cat", '<&>"']
    view = pictures(tmp_path / "v", labels, {"s0": "d\x01og", "s1": "cat", "s3": '<&>"'})
    assert write_label_studio(view, tmp_path / "project") == 3
    tasks = json.loads((tmp_path / "project" / "tasks.json").read_text())
    assert [task["data"]["sample_id"] for task in tasks] == ["s0", "s3", "s1"]
    assert tasks[0]["data"]["image"] == "/data/local-files/?d=a%20b/s0%231.jpg"
    told = [[(p["model_version"], p["result"][0]["value"]["choices"]) for p in task["predictions"]] for task in tasks]
    assert told == [
        [("assay", ["d\x01og"]), ("given", ["cat"])],
        [("assay", ['<&>"']), ("given", ["cat"])],
        [("assay", ["cat"])],
    ]
    config = ElementTree.parse(tmp_path / "project" / "config.xml").getroot()
    assert sorted(choice.get("value") for choice in config.iter("Choice")) == ['<&>"', "cat", "d\ufffdog"]
    assert config.find("Image").get("value") == "$image"


def test_texts_are_asked_about_by_their_words(tmp_path):
    """The task holds the text, and the configuration shows it."""
    view = pictures(tmp_path / "v", ["a", "b"], {"s1": "a"}, TEXT)
    write_label_studio(view, tmp_path / "project")
    (task,) = json.loads((tmp_path / "project" / "tasks.json").read_text())
    assert task["data"]["text"] == "text of s1"
    assert ElementTree.parse(tmp_path / "project" / "config.xml").getroot().find("Text").get("value") == "$text"


def test_what_nobody_can_be_asked_about_is_said(tmp_path):
    """Sounds, labels that are sets, and labels of which none is in doubt."""
    sound = pictures(tmp_path / "sound", ["a"], {"s0": "b"}, PICTURE | {"kind": "sound", "plural": "recordings"})
    with pytest.raises(SpecError, match="images and texts; these are recordings"):
        write_label_studio(sound, tmp_path / "out")
    sets = pictures(tmp_path / "sets", ["a"], {"s0": "b"})
    sets.snapshot.manifest["config"] = {"source": {"label_separator": ";"}}
    with pytest.raises(SpecError, match="labels that are sets"):
        write_label_studio(sets, tmp_path / "out")
    with pytest.raises(SpecError, match="no label of .* is in doubt, and none is proposed"):
        write_label_studio(pictures(tmp_path / "sure", ["a", None], {}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form, said", [("coco", "COCO holds boxes"), ("cvat", "CVAT holds pictures")])
def test_texts_are_nothing_for_tools_of_pictures(tmp_path, form, said):
    """With the formats that hold them."""
    with pytest.raises(ExportError, match=f"{said}.*CSV"):
        export(pictures(tmp_path, ["a"], {}, TEXT), np.ones(1, dtype=bool), "selection", form)


def test_a_selection_is_tasks_with_its_suggestions_and_the_cleaned_are_without(tmp_path):
    """A line a sample; nothing is a format of another name."""
    view = pictures(tmp_path, ["a", "b"], {"s1": "a"}, TEXT)
    lines = [json.loads(line) for line in export(view, np.ones(2, dtype=bool), "selection", "jsonl").splitlines()]
    assert "predictions" not in lines[0] and lines[1]["predictions"][0]["result"] == [{"value": "a"}]
    assert lines[1]["meta"] == {"issues": None, "tags": None} and lines[1]["data"]["text"] == "text of s1"
    cleaned = [json.loads(line) for line in export(view, np.arange(2) == 1, "cleaned", "jsonl").splitlines()]
    assert [list(line) for line in cleaned] == [["data"]] and cleaned[0]["data"]["sample_id"] == "s1"
    for what, form in (("selection", "xlsx"), ("everything", "csv"), ("cleaned", "zip")):
        with pytest.raises(ExportError, match="export is selection or cleaned"):
            export(view, np.ones(2, dtype=bool), what, form)


def test_a_column_of_ones_own_goes_out_whatever_it_is_called(tmp_path):
    """Of the cleaned dataset in every format; beside what was found of a selection there is no place for two."""
    rows = samples(["a"], ["x"]).with_columns(tags=pl.lit("mine"), issues=pl.lit("none"), suggested_label=pl.lit("s"))
    facts = rows.select("content_hash", text=pl.lit("words"))
    view = made_view(tmp_path, {"samples": rows, "text_facts": facts}, face=TEXT, config=CONFIG)
    (line,) = export(view, np.ones(1, dtype=bool), "cleaned", "jsonl").splitlines()
    tables = [
        json.loads(line)["data"],
        pl.read_csv(export(view, np.ones(1, dtype=bool), "cleaned", "csv")).row(0, named=True),
    ]
    for table in tables:
        assert (table["tags"], table["issues"], table["suggested_label"], table["text"]) == (
            "mine",
            "none",
            "s",
            "words",
        )


def test_tasks_of_nothing_found_have_no_predictions_but_the_given_label(tmp_path):
    """And without a label none at all."""
    view = pictures(tmp_path, ["a", None], {})
    tasks = json.loads(as_label_studio(everything(view), view))
    assert [one["result"][0]["value"] for one in tasks[0]["predictions"]] == [{"choices": ["a"]}]
    assert "predictions" not in tasks[1] and tasks[1]["data"]["image"] == "a b/s1#1.jpg"


def test_cleanvisions_table_turns_scores_around(tmp_path):
    """1 is clean there; groups of equal and of like pictures are told apart; what was not measured is clean."""
    rows = samples(list("abcd")).with_columns(uri=pl.Series(["a.jpg", None, "c.jpg", "d.jpg"]))
    copies = pl.DataFrame([("a", "a", "pixels", True), ("a", "b", "pixels", False), ("c", "c", "embedding", True),
        ("c", "d", "embedding", False)],
                          schema=["group_id", "sample_id", "tier", "keep"], orient="row")  # fmt: skip
    view = made_view(tmp_path, {
        "samples": rows, "scores": scores([("a", "dark", 0.75, True), ("b", "bright", 0.25, False), ("c", "outlier",
        1.0, True)]),
        "duplicates": copies.with_columns(similarity=pl.lit(0.9)), "image_facts": rows.select("content_hash"),
    })  # fmt: skip
    frame = cleanvision_frame(view.snapshot)
    assert frame["image"].to_list() == ["a.jpg", "b", "c.jpg", "d.jpg"]
    assert frame.select("is_dark_issue", "dark_score").rows() == [(True, 0.25), *[(False, 1.0)] * 3]
    assert frame.select("is_light_issue", "light_score").row(1) == (False, 0.75)
    assert frame["is_exact_duplicates_issue"].to_list() == [True, True, False, False]
    assert frame["near_duplicates_score"].to_list() == [1.0, 1.0, 0.0, 0.0]
    assert write_cleanvision(view.snapshot, tmp_path / "issues.csv") == 4  # of a snapshot whose manifest names no face
    assert pl.read_csv(tmp_path / "issues.csv").columns == frame.columns
    with pytest.raises(SpecError, match="CleanVision is about images, and `toy` holds texts"):
        write_cleanvision(pictures(tmp_path / "t", ["a"], {}, TEXT).snapshot, tmp_path / "x.csv")
