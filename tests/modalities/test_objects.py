"""Boxes in pictures: read from three formats, refused row by row, cropped, measured, carried through a whole night."""

import io
import json
import time
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import assay
from assay.contracts.errors import SourceError, SpecError, UnreadableSample
from assay.contracts.spec import make_spec
from assay.exporting.annotations import ExportError
from assay.exporting.folder import write_folder
from assay.exporting.takeaway import export
from assay.modalities.contents import open_reader
from assay.modalities.objects import example
from assay.modalities.objects.annotations import Annotation, Refused
from assay.modalities.objects.coco import read_coco
from assay.modalities.objects.crops import crop_of, outside
from assay.modalities.objects.finding import Pictures, split_of
from assay.modalities.objects.masks import decoded, trace
from assay.modalities.objects.predicted import compare, overlaps
from assay.modalities.objects.voc import read_voc
from assay.modalities.objects.yolo import read_names, read_yolo
from assay.reading.columns import View
from assay.sources.fragments import Region, by_file, part_hash, parted, region_of, with_region
from assay.sources.ingest import ingest
from assay.sources.outlines import area, as_path, filled, rings_of
from assay.store.files import hash_bytes
from assay.store.predictions import keep_predictions
from assay.store.snapshots import newest_snapshot
from assay.store.workspace import Workspace
from tests.explorer.visit import client_of


def picture(seed: int = 0, size: tuple[int, int] = (120, 80)) -> bytes:
    """A JPEG of noise."""
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def coco(annotations: object, **more: object) -> bytes:
    """A COCO file of one picture and two classes."""
    whole = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "categories": [{"id": 7, "name": "cat"}, {"id": 8, "name": "dog"}],
        "annotations": annotations,
    }
    return json.dumps(whole | more).encode()


def box(**more: object) -> dict[str, object]:
    return {"image_id": 1, "category_id": 7, "bbox": [10, 20, 30, 40]} | more


def spec_of(root, **more):
    values = {"name": "boxes", "modality": "objects", "source": {"kind": "folder", "path": str(root), **more}}
    return make_spec(values, root, "the test's spec")


def test_a_region_is_told_as_a_media_fragment():
    """There and back, in pixels and percents; file names may hold any other sign."""
    for region in (Region(1, 2, 3.5, 4), Region(-2.25, 0, 10, 10), Region(12.5, 25, 50, 75.1234, True)):
        file, fragment = parted(with_region("a#b/c.jpg", region))
        assert file == "a#b/c.jpg" and region_of(fragment) == region
    assert parted("a#b.jpg") == ("a#b.jpg", "")
    assert Region(50, 50, 50, 25, True).in_pixels((200, 80)) == Region(100, 40, 100, 20)
    for broken in ("", "1,2,3", "1,2,0,4", "1,2,3,nan", "1,2,inf,4", "a,b,c,d", "percent:"):
        assert region_of(broken) is None


def test_rows_of_one_file_stand_together():
    """In the order of their files' first row; whole files stay as they are."""
    uris = ["b#xywh=1,1,1,1", "a#xywh=1,1,1,1", "b#xywh=2,2,2,2", "c", "a#xywh=3,3,3,3"]
    assert [uri[0] for uri in by_file(pl.DataFrame({"uri": uris}))["uri"]] == ["b", "b", "a", "a", "c"]
    whole = pl.DataFrame({"uri": ["b", "a", None]})
    assert by_file(whole)["uri"].to_list() == ["b", "a", None]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (box(), None),
        (box(bbox=[10.5, 20, 1e-3, 40]), None),
        (box(image_id=99), "dangling_image"),
        (box(image_id=[1]), "dangling_image"),
        (box(category_id=None), "dangling_category"),
        (box(bbox=None), "no_box"),
        (box(bbox=[1, 2, 3]), "no_box"),
        (box(bbox="1234"), "no_box"),
        (box(bbox=[1, 2, True, 4]), "no_box"),
        (box(bbox=[1, 2, float("nan"), 4]), "box_not_finite"),
        (box(bbox=[float("inf"), 2, 3, 4]), "box_not_finite"),
        (box(bbox=[10**400, 2, 3, 4]), "box_not_finite"),
        (box(bbox=[1, 2, 0, 4]), "box_empty"),
        (box(bbox=[1, 2, 3, -4]), "box_empty"),
        (box(bbox=[1e9, 2, 3, 4]), "box_out_of_range"),
        ([1], "invalid_json"),
        (None, "invalid_json"),
    ],
)
def test_a_bad_annotation_of_coco_costs_its_row(row, reason):
    """With its reason and its place; the rows beside it are read."""
    found = read_coco(coco([box(), row, box(category_id=8)]), "x.json")
    first, middle, last = found.rows
    assert (first.label, last.label) == ("cat", "dog")
    if reason:
        assert isinstance(middle, Refused) and middle.reason == reason and "x.json, annotation 1" in middle.detail
    else:
        assert isinstance(middle, Annotation)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"{}", b'{"images": 1, "annotations": []}', b"[" * 10**6])
def test_other_json_is_no_coco(data):
    """It is passed over, whatever it is."""
    assert read_coco(data, "x.json") is None


def test_coco_entries_that_are_none_dangle():
    """A picture without a name or a class without an id is told, and its boxes are refused."""
    images = [{"id": 1}, {"file_name": "b.jpg"}, {"id": 3, "file_name": "c.jpg"}, "x", {"id": 3, "file_name": "d.jpg"}]
    found = read_coco(coco([box(), box(image_id=3)], images=images), "x.json")
    assert [type(row) for row in found.rows] == [Refused, Annotation] and found.rows[1].image == "c.jpg"
    assert len(found.doubts) == 2
    captions = json.dumps({"images": [], "annotations": [{"caption": "x"}]}).encode()
    assert read_coco(captions, "captions.json").rows == []


VOC = """<annotation><filename>a.jpg</filename>{}</annotation>"""
CORNERS = "<xmin>{}</xmin><ymin>2</ymin><xmax>30</xmax>{}"
THING = f"<object><name>cat</name><difficult>1</difficult><bndbox>{CORNERS}</bndbox></object>"


def test_pascal_voc():
    """Corners become left, top, width, height; a bad object costs its row."""
    good = THING.format("10", "<ymax>22</ymax>")
    bad = [THING.format("ten", "<ymax>22</ymax>"), THING.format("10", ""), THING.format("40", "<ymax>22</ymax>"),
           THING.format("nan", "<ymax>22</ymax>"), "<object><name>x</name></object>", "<object/>"]  # fmt: skip
    found = read_voc(VOC.format(good + "".join(bad) + good).encode(), "a.xml")
    assert found.rows[0] == found.rows[-1]._replace(place=found.rows[0].place)
    assert found.rows[0].region == Region(10, 2, 20, 20) and found.rows[0].more["difficult"] is True
    reasons = [row.reason for row in found.rows[1:-1]]
    assert reasons == ["no_box", "no_box", "box_empty", "box_not_finite", "no_box", "missing_label"]


LAUGHS = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))


@pytest.mark.parametrize(
    "data",
    [
        f'<!DOCTYPE a [<!ENTITY a0 "ha">{LAUGHS}]><annotation>&a11;</annotation>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><filename>&x;</filename></annotation>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1/x.dtd"><annotation/>',
        "<annotation>" * 5_000 + "</annotation>" * 5_000,
        "<annotation><object>",
        "<annotation>\x00</annotation>",
        '<?xml version="1.0" encoding="no-such"?><annotation/>',
    ],
)
def test_xml_that_is_a_bomb_or_broken_is_one_refused_row(data):
    """At once, and nothing is fetched."""
    started = time.monotonic()
    (row,) = read_voc(data.encode(), "a.xml").rows
    assert row.reason in ("unsafe_xml", "invalid_xml") and "a.xml" in row.detail
    assert time.monotonic() - started < 2
    assert read_voc(b"<svg/>", "a.svg") is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 0.5 0.5 0.2 0.4", None),
        ("1 0.5 0.5 0.2 0.4 0.93", None),
        ("1 0.1 0.1 0.3 0.1 0.3 0.5", None),
        ("2 0.5 0.5 0.2 0.4", "class_out_of_range"),
        ("-1 0.5 0.5 0.2 0.4", "class_out_of_range"),
        ("1 320 240 20 40", "box_out_of_range"),
        ("1 0.5 0.5 1.2 0.4", "box_out_of_range"),
        ("1 -0.5 0.5 0.2 0.4", "box_out_of_range"),
        ("1 0.5 0.5 0 0.4", "box_empty"),
        ("1 0.5 nan 0.2 0.4", "box_not_finite"),
        ("1 0.5 0.5", "no_box"),
        ("1", "no_box"),
        ("cat 0.5 0.5 0.2 0.4", "not_numeric"),
        ("1.0 0.5 0.5 0.2 0.4", "not_numeric"),
    ],
)
def test_a_bad_line_of_yolo_costs_its_row(line, reason):
    """The lines beside it are read; an outline is boxed."""
    found = read_yolo(f"0 0.5 0.5 1 1\n\n{line}\n".encode(), "a.txt", "a.jpg", ["cat", "dog"])
    whole, row = found.rows
    assert whole.region == Region(0, 0, 100, 100, True) and whole.label == "cat"
    assert (row.reason if isinstance(row, Refused) else None) == reason
    if reason is None:
        assert row.label == "dog" and row.region.is_percent and row.region.height == pytest.approx(40)


def test_yolo_names():
    """A list, a map or lines; a bomb of aliases names nothing, at once."""
    assert read_names(b"names: [a, b]", "data.yaml") == ["a", "b"]
    assert read_names(b"names: {0: a, 2: c}", "data.yaml") == ["a", "1", "c"]
    assert read_names(b"a\nb\n\n", "classes.txt") == ["a", "b"]
    bomb = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}\n" for i in range(1, 40))
    for broken in (bomb, "names: 3", "names: [[a]]", "names: {a: b}", "names: {99999999: b}", "[", "\xff", ""):
        assert read_names(broken.encode("latin-1"), "data.yaml") is None
    assert read_yolo(b"\xff\xfe", "a.txt", "a.jpg", None).rows[0].reason == "invalid_unicode"
    assert read_yolo(b"41 .5 .5 .1 .1", "a.txt", "a.jpg", None).rows[0].label == "41"


def test_pictures_are_found_by_their_names():
    """Beside the annotations, below the root, or by the end of the path; never outside."""
    pictures = Pictures(["train2017/1.jpg", "val2017/1.jpg", "val2017/2.jpg", "images/train/3.png"])
    assert pictures.find("2.jpg", "annotations/instances_val2017.json") == "val2017/2.jpg"
    assert pictures.find("1.jpg", "annotations/instances_val2017.json") == "val2017/1.jpg"
    assert pictures.find("1.jpg", "train2017/_annotations.json") == "train2017/1.jpg"
    assert pictures.find(".\\val2017\\2.jpg", "x.json") == "val2017/2.jpg"
    assert pictures.beside("labels/train/3.txt") == "images/train/3.png"
    assert pictures.beside("labels/train/4.txt") is None
    for name, reason in {
        "../../etc/passwd": "outside_root", "/etc/passwd": "outside_root", "val2017/../../x": "outside_root",
        "C:\\1.jpg": "outside_root", "http://a/1.jpg": "outside_root", "9.jpg": "not_found", "": "not_found",
        "1.jpg": "ambiguous_image",
    }.items():  # fmt: skip
        with pytest.raises(UnreadableSample) as raised:
            pictures.find(name, "x.json")
        assert raised.value.reason == reason, name
    assert split_of("val2017/1.jpg", "x.json") == "val2017"
    assert split_of("images/1.jpg", "annotations/instances_val2017.json") == "val2017"
    assert split_of("images/1.jpg", "train_and_test.json") is None


def test_a_crop_has_a_margin_and_ends_with_the_picture():
    """A tenth on each side; nothing of a box outside is a refusal; how much is outside is measured."""
    image = Image.new("RGB", (100, 80))
    assert crop_of(image, Region(20, 20, 40, 20)).size == (48, 24)
    assert crop_of(image, Region(-10, -10, 200, 200)).size == (100, 80)
    assert crop_of(image, Region(99.5, 79.5, 0.2, 0.2)).size == (1, 1)
    for beyond in (Region(100, 0, 5, 5), Region(-5, 0, 5, 5), Region(0, 90, 5, 5)):
        with pytest.raises(UnreadableSample):
            crop_of(image, beyond)
    assert outside(Region(90, 0, 20, 80), image.size) == pytest.approx(0.5)
    assert outside(Region(0, 0, 100, 80), image.size) == 0


def write_all(root, kind: str) -> None:
    """Three pictures, one without a box; the same two boxes in any format."""
    for name in ("a", "b", "empty"):
        place = root / ("images" if kind == "yolo" else "") / f"{name}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(picture(ord(name[0])))
    regions = {"a": (12, 8, 24, 16), "b": (60, 40, 30, 20)}
    if kind == "coco":
        images = [{"id": n, "file_name": f"{name}.jpg"} for n, name in enumerate(regions)]
        rows = [{"image_id": n, "category_id": 7 + n, "bbox": list(r)} for n, r in enumerate(regions.values())]
        (root / "x.json").write_bytes(coco([*rows, {}], images=images))
    for number, (name, (x, y, w, h)) in enumerate(regions.items()):
        if kind == "voc":
            corners = f"<xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + w}</xmax><ymax>{y + h}</ymax>"
            thing = f"<object><name>{('cat', 'dog')[number]}</name><bndbox>{corners}</bndbox></object><object/>"
            (root / f"{name}.xml").write_text(VOC.replace("a.jpg", "wrong.png").format(thing))
        if kind == "yolo":
            (root / "labels").mkdir(exist_ok=True)
            line = f"{number} {(x + w / 2) / 120} {(y + h / 2) / 80} {w / 120} {h / 80}\n9 0 0 0 0\n"
            (root / "labels" / f"{name}.txt").write_text(line)
            (root / "data.yaml").write_text("names: [cat, dog]")


@pytest.mark.parametrize("kind", ["coco", "voc", "yolo"])
def test_three_formats_give_the_same_boxes(tmp_path, kind):
    """The same labels and crops; bad rows are rejects; the picture without a box is told."""
    root = tmp_path / "data"
    write_all(root, kind)
    spec = spec_of(root)
    found = ingest(spec, Workspace(tmp_path / "home", "boxes"))
    rows = found.read("ingested").sort("uri")
    assert rows["label"].to_list() == ["cat", "dog"] and len(found.read("rejects")) in (1, 2)
    told = dict(found.read("dataset_metrics").select("metric", "value").iter_rows())
    assert told["source_images_without_boxes"] == 1 and told["source_images"] == 3
    read = open_reader(spec)
    crops = [read([uri], name) for uri, name in rows.select("uri", "content_hash").iter_rows()]
    assert [crop[:15].split()[1:3] for crop in crops] == [[b"30", b"20"], [b"36", b"24"]]
    with pytest.raises(UnreadableSample) as raised:
        read(rows["uri"].to_list(), "0" * 32)
    assert raised.value.reason == "changed_meanwhile"


def test_a_table_of_fragments(tmp_path):
    """Boxes of any other origin, whole pictures among them; what is no box is refused."""
    (tmp_path / "a.jpg").write_bytes(picture())
    uris = [
        "a.jpg#xywh=10,10,20,20",
        "a.jpg",
        "a.jpg#xywh=percent:0,0,50,50",
        "a.jpg#xywh=1,2",
        "../a.jpg#xywh=1,1,2,2",
    ]
    pl.DataFrame({"uri": uris, "label": ["x"] * 5}).write_csv(tmp_path / "t.csv")
    values = {"name": "boxes", "modality": "objects", "source": {"kind": "table", "path": "t.csv"}}
    found = ingest(make_spec(values, tmp_path, "spec"), Workspace(tmp_path / "home", "boxes"))
    rows, file_hash = found.read("ingested").sort("position"), hash_bytes(picture())
    assert rows["uri"].to_list() == uris[:3]
    assert rows["content_hash"].to_list() == [part_hash(file_hash, parted(uri)[1]) for uri in uris[:3]]
    assert set(found.read("rejects")["reason"]) == {"no_box", "outside_root"}


def test_a_folder_without_annotations_says_what_is_wanted(tmp_path):
    """And what it found instead."""
    (tmp_path / "a.jpg").write_bytes(picture())
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(SourceError, match=r"1 \.txt.*COCO JSON"):
        ingest(spec_of(tmp_path), Workspace(tmp_path / "home", "boxes"))


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """`(snapshot, truth, workspace)` of a part of the example."""
    folder = tmp_path_factory.mktemp("objects")
    whole = example.make_scenes
    example.make_scenes = lambda rng: whole(rng, 420)
    try:
        truth = example.write_example(folder, 1)
    finally:
        example.make_scenes = whole
    (folder / "boxed-digits" / "train" / "broken.jpg").write_bytes(picture()[:400])
    path = folder / "boxed-digits" / "annotations.json"
    whole_file = json.loads(path.read_text())
    whole_file["images"].append({"id": 5_000, "file_name": "train/broken.jpg"})
    whole_file["annotations"] += [
        {"image_id": 5_000, "category_id": 1, "bbox": [1, 1, 9, 9]},
        {"image_id": 1, "category_id": 1, "bbox": [9_000, 1, 9, 9]},
    ]
    path.write_text(json.dumps(whole_file))
    text = 'name = "boxes"\nmodality = "objects"\n[source]\nkind = "folder"\npath = "boxed-digits"\n'
    (folder / "spec.toml").write_text(text + '[project]\nmethods = ["pca"]\n')
    assay.run(folder / "spec.toml", home=folder / "home")
    workspace = Workspace(folder / "home", "boxes")
    return newest_snapshot(workspace), truth, workspace


def flagged(snapshot, metric: str) -> set[str]:
    found = pl.read_parquet(snapshot.parts("scores")).filter(pl.col("is_issue") & (pl.col("metric") == metric))
    return set(found["sample_id"])


@pytest.mark.parametrize(
    ("kind", "metric"),
    [("tiny", "tiny_box"), ("cut_off", "cut_by_frame"), ("stretched", "odd_box_shape"), ("blown_up", "odd_box_size"),
     ("twice", "same_box"), ("two_classes", "other_class")],
)  # fmt: skip
def test_planted_boxes_are_found(night, kind, metric):
    """Each kind by its own metric."""
    snapshot, truth, _ = night
    planted = set(truth.filter(pl.col("kind") == kind)["uri"])
    assert planted and planted <= flagged(snapshot, metric)
    others = set(truth["uri"])
    assert len(flagged(snapshot, metric) - others) <= 2


def test_rejects_have_true_reasons(night):
    """Broken rows, a broken picture, and a box beside its picture."""
    reasons = pl.read_parquet(night[0].parts("rejects"))["reason"].to_list()
    assert {"box_empty", "dangling_image", "dangling_category", "box_out_of_frame"} <= set(reasons)
    assert len(reasons) == 5


def test_boxes_of_one_picture_are_no_copies(night):
    """Those in two splits are leaks."""
    snapshot, truth, _ = night
    leaks = pl.read_parquet(snapshot.parts("leaks"))
    pairs = {frozenset(row) for row in leaks.select("sample_id", "other_id").iter_rows()}
    planted = truth.filter(pl.col("kind") == "leak").select("uri", "of").iter_rows()
    assert all(frozenset(pair) in pairs for pair in planted)
    copies = pl.read_parquet(snapshot.parts("duplicates")).filter(~pl.col("tier").is_in(["bytes", "pixels"]))
    assert not any(
        parted(a)[0] == parted(b)[0] and a != b for a, b in copies.select("sample_id", "group_id").iter_rows()
    )


def test_the_explorer_shows_the_box_in_its_picture(night):
    """The crop is small; large is the whole picture, with all of its boxes as shares of it."""
    _snapshot, truth, workspace = night
    client = client_of(workspace)
    assert client.get("/api/1/meta").json()["face"] == "boxes"
    sample = truth.filter(pl.col("kind") == "twice")["uri"][0]
    detail = client.get("/api/1/sample", params={"id": sample}).json()
    ids = [one["id"] for one in detail["boxes"]]
    assert sample in ids and len(ids) > 3 and all(len(one["box"]) == 4 for one in detail["boxes"])
    answer = client.get("/api/1/raw", params={"row": detail["row"]})
    assert answer.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (example.WIDTH, example.HEIGHT)
    small = Image.open(io.BytesIO(client.get("/api/1/thumbnail", params={"row": detail["row"]}).content))
    assert max(small.size) < 100


def test_boxes_go_out_as_coco_and_come_back(night, tmp_path):
    """The same boxes with the same classes, in pixels."""
    view = View(night[0])
    data = json.loads(export(view, np.ones(len(view), dtype=bool), "selection", "coco"))
    assert len(data["annotations"]) == len(view)
    (tmp_path / "boxes.json").write_text(json.dumps(data))
    found = read_coco((tmp_path / "boxes.json").read_bytes(), "boxes.json")
    again = {(with_region(row.image, row.region), row.label) for row in found.rows}
    samples = night[0].read("samples").select("uri", pl.col("label").fill_null("unlabelled"))
    assert again == set(samples.filter(~pl.col("uri").str.contains("percent")).rows())


def test_boxes_go_out_to_cvat_in_their_pictures(night):
    """Of CVAT: a picture once, with all of its boxes in pixels, as COCO has them."""
    view = View(night[0])
    root = ElementTree.fromstring(export(view, np.ones(len(view), dtype=bool), "selection", "cvat"))
    coco = json.loads(export(view, np.ones(len(view), dtype=bool), "selection", "coco"))
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    wanted = sorted(
        (names[one["image_id"]], *(round(value, 2) for value in one["bbox"])) for one in coco["annotations"]
    )
    found = []
    for image in root.iter("image"):
        for box in image.iter("box"):
            if box.get("source") == "manual":
                left, top, right, bottom = (float(box.get(name)) for name in ("xtl", "ytl", "xbr", "ybr"))
                found.append((image.get("name"), left, top, round(right - left, 2), round(bottom - top, 2)))
    assert len(found) == len(wanted) > 0
    assert np.allclose([one[1:] for one in sorted(found)], [one[1:] for one in wanted], atol=0.02)


def test_pictures_do_not_go_out_as_coco(digits_night):
    """The message says what to take instead."""
    view = View(digits_night)
    with pytest.raises(ExportError, match="Parquet, CSV or JSON"):
        export(view, np.ones(len(view), dtype=bool), "selection", "coco")


def test_boxes_against_predictions():
    """Another class, another place, a box that is missing; what agrees is clean, and no prediction says nothing."""
    boxes = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [60, 0, 70, 10]], dtype=float)
    places = np.array([[0, 0, 10, 10], [20, 0, 30, 10], [45, 0, 55, 10], [80, 0, 90, 10], [60, 0, 70, 10]], dtype=float)
    sure = np.array([0.9, 0.9, 0.9, 0.8, 0.9])
    found = compare(boxes, ["a", "a", "a", None], places, ["a", "b", "a", "a", "a"], sure)
    swapped, placed, missing = (np.array(score) for score, _ in found)
    assert swapped[0] == 0 and swapped[1] == pytest.approx(0.9 / 1.15) and swapped[2] == 0
    assert placed[2] == pytest.approx(0.9 * (1 - 1 / 3)) and placed[:2].tolist() == [0, 0]
    assert missing.tolist() == pytest.approx([0, 0, 0.9 * (1 - 2 / 3), 0.8])
    same = np.array([[1.0, 1, 5, 5], [1, 1, 5, 5]])
    assert overlaps(same, same).tolist() == [[1, 1], [1, 1]]


def test_brought_predictions_are_measured_in_the_next_night(night):
    """A class that a detector doubts, and a thing beside the boxes; pictures without predictions have no rows."""
    _, _, workspace = night
    samples = pl.read_parquet(newest_snapshot(workspace).parts("samples")).filter(pl.col("split") == "train")
    wanted = samples["uri"][0]
    file = parted(wanted)[0]
    here = samples.filter(pl.col("uri").str.starts_with(file + "#")).select("uri", "label")
    other = "7" if here["label"][0] != "7" else "3"
    told = here.with_columns(label=pl.when(pl.col("uri") == wanted).then(pl.lit(other)).otherwise("label"))
    beside = pl.DataFrame({"uri": [f"{file}#xywh=percent:90,90,9,9", "nowhere.jpg#xywh=1,1,2,2", "a.jpg#xywh=x"]})
    told = pl.concat([told, beside.with_columns(label=pl.lit("1"))]).with_columns(probability=pl.lit(0.95))
    keep_predictions(workspace, told.rename({"label": "predicted"}))
    try:
        assay.run(workspace.home.parent / "spec.toml", home=workspace.home)
        scores = pl.read_parquet(newest_snapshot(workspace).parts("scores"))
    finally:
        (workspace.root / "predictions.parquet").unlink()
    swapped = scores.filter(pl.col("metric") == "swapped_box")
    assert set(swapped["sample_id"]) == set(here["uri"])
    assert wanted in set(swapped.filter("is_issue")["sample_id"])


def test_boxes_are_no_folder_of_files(night, tmp_path):
    """A whole picture under the class of each of its boxes would be wrong; what to take instead is said."""
    _, _, workspace = night
    view = View(newest_snapshot(workspace))
    with pytest.raises(SpecError, match="COCO"):
        write_folder(view, np.ones(len(view), dtype=bool), tmp_path / "out")
    assert not (tmp_path / "out").exists()


SQUARE = [10, 20, 40, 20, 40, 60, 10, 60]


def counts_of(mask: np.ndarray) -> list[int]:
    """COCO's run lengths of a mask, pixel by pixel: the plain version."""
    found, last = [0], 0
    for pixel in mask.T.ravel().astype(int):
        if pixel != last:
            found.append(0)
        found[-1], last = found[-1] + 1, pixel
    return found


def as_text(counts: list[int]) -> str:
    """COCO's text of run lengths, as its own `rleToString` writes it."""
    text = ""
    for i, count in enumerate(counts):
        rest, more = count - (counts[i - 2] if i > 2 else 0), True
        while more:
            bits, rest = rest & 31, rest >> 5
            more = rest != -1 if bits & 16 else rest != 0
            text += chr((bits | (32 if more else 0)) + 48)
    return text


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 11))))
def test_a_traced_mask_encloses_its_pixels(mask):
    """Filled again it is the same mask, its signed areas add up to its pixels, and COCO's two spellings are one."""
    height, width = mask.shape
    runs = {"size": [height, width], "counts": counts_of(mask)}
    assert np.array_equal(decoded(runs), mask)
    assert np.array_equal(decoded(runs | {"counts": as_text(runs["counts"])}), mask)
    rings = trace(mask)
    assert np.array_equal(filled(rings, width, height), mask)
    assert sum(area(ring) for ring in rings) == mask.sum()
    again = rings_of(as_path(rings))
    assert len(again) == len(rings) and all(np.array_equal(a, b) for a, b in zip(again, rings, strict=True))


@pytest.mark.parametrize(
    ("segmentation", "path"),
    [
        ([SQUARE], "M10,20 40,20 40,60 10,60Z"),
        ([[10, 60, 40, 60, 40.125, 20.5]], "M40.12,20.5 40,60 10,60Z"),
        ([SQUARE, [1, 1, 2, 1, 2, 2]], "M10,20 40,20 40,60 10,60Z M1,1 2,1 2,2Z"),
        ({"size": [3, 4], "counts": [4, 1, 7]}, "M1,1 2,1 2,2 1,2Z"),
        (None, None),
        ([], None),
    ],
)
def test_masks_of_coco_become_outlines(segmentation, path):
    """Polygons and runs; what has none has none."""
    (row,) = read_coco(coco([box(segmentation=segmentation)]), "x.json").rows
    assert row.more["mask"] == path


@pytest.mark.parametrize(
    "segmentation",
    [
        "x", 7, [[]], [1, 2, 3], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5, float("nan")]], [[1, 2, 3, 4, 5, 10**400]], {},
        [[0, 0, 1, 0, True, 1]], {"size": [10**6, 10**6], "counts": [10**12]}, {"size": [2, 2], "counts": [3]},
        {"size": [2, 2], "counts": [4]}, {"size": [2, 2], "counts": [5, -1]}, {"size": [2, 2], "counts": "\u00e9"},
        {"size": [2, 2], "counts": "o" * 1000}, {"size": [True, 2], "counts": [0, 2]},
        {"size": [2000, 2000], "counts": [1] * 4_000_000},
    ],
)  # fmt: skip
def test_a_bad_mask_costs_itself(segmentation):
    """The box is kept without it, and the file's words say so."""
    found = read_coco(coco([box(segmentation=segmentation), box(segmentation=[SQUARE])]), "x.json")
    assert [row.more["mask"] is None for row in found.rows] == [True, False]
    assert "1 masks are left out" in found.doubts[0] and "annotation 0" in found.doubts[0]


def write_masked(folder, apart: float) -> None:
    """Forty boxes in ten pictures, `apart` pixels from box to box; one with a polygon and one with a ring in turn."""
    ring = np.zeros((80, 120), dtype=bool)
    ring[20:60, 10:40] = True
    ring[30:50, 20:30] = False
    runs = {"size": [80, 120], "counts": as_text(counts_of(ring))}
    images = [{"id": i, "file_name": f"{i}.jpg"} for i in range(10)]
    rows = [
        box(image_id=i, bbox=[10 + j * apart, 20, 30, 40], category_id=7 + j % 2,
            segmentation=runs if j % 2 else [SQUARE], iscrowd=j % 2)
        for i in range(10) for j in range(4)
    ]  # fmt: skip
    for i in range(10):
        (folder / f"{i}.jpg").write_bytes(picture(i))
    (folder / "boxes.json").write_bytes(coco(rows, images=images))


@pytest.fixture(scope="module")
def masked_night(tmp_path_factory):
    """`(snapshot, workspace)` of boxes with masks."""
    folder = tmp_path_factory.mktemp("masks")
    write_masked(folder, apart=1.0)
    text = 'name = "boxes"\nmodality = "objects"\n[source]\nkind = "folder"\npath = "."\n[project]\nmethods = ["pca"]\n'
    (folder / "spec.toml").write_text(text)
    assay.run(folder / "spec.toml", home=folder.parent / f"{folder.name}-home")
    workspace = Workspace(folder.parent / f"{folder.name}-home", "boxes")
    return newest_snapshot(workspace), workspace


def test_outlines_are_shown_over_picture_and_crop_and_are_no_groups(masked_night):
    """The card says what to draw over its crop; the sample's page all outlines of its picture; no facet lists them."""
    snapshot, workspace = masked_night
    client = client_of(workspace)
    card = client.post("/api/1/gallery", json={"sort": "position", "descending": False}).json()["cards"][0]
    crop = card["outline"]["crop"]
    assert card["outline"]["path"].startswith("M10,20 40,20") and crop == [7, 16, 36, 48]
    detail = client.get("/api/1/sample", params={"id": card["id"]}).json()
    assert [one["size"] for one in detail["boxes"]] == [[120, 80]] * 4
    assert sum("Z M" in one["outline"] for one in detail["boxes"]) == 2
    small = Image.open(io.BytesIO(client.get("/api/1/thumbnail", params={"row": card["row"]}).content))
    assert small.size == (36, 48)
    columns = [entry["key"] for entry in client.get("/api/1/meta").json()["columns"]]
    assert "columns.crowd" in columns and not any("mask" in key for key in columns)
    assert set(snapshot.read("groups")["column"]) <= {"crowd"}


def test_masks_go_out_as_coco_and_come_back(masked_night):
    """Polygons as polygons, an outline with a hole as runs; their areas are those of the masks."""
    view = View(masked_night[0])
    data = export(view, np.ones(len(view), dtype=bool), "selection", "coco")
    found = read_coco(data, "again.json")
    samples = masked_night[0].read("samples").sort("position")
    assert not found.doubts and [row.more["mask"] for row in found.rows] == samples["mask"].to_list()
    assert {row["area"] for row in json.loads(data)["annotations"]} == {1200, 1000}
