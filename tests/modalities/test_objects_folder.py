"""Folders of boxes as people have them: odd names, odd class files, empty and unreadable ones."""

import io
import json

import pytest
from PIL import Image

from assay.contracts.errors import SourceError, UnreadableSample
from assay.modalities.objects.crops import as_ppm, crop_of, crop_reader
from assay.modalities.objects.facts import Boxed, measure_pictures
from assay.modalities.objects.yolo import read_names
from assay.sources.files import LocalSource
from assay.sources.fragments import Region, part_hash, parted
from assay.store.files import hash_bytes
from tests.clean.conftest import MemorySource, image_spec

LINE = "0 0.5 0.5 0.2 0.2\n"
VOC = (
    "<annotation><filename>{}</filename><object><name>c</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax>"
    "<ymax>4</ymax></bndbox></object></annotation>"
)


def picture(size: tuple[int, int] = (40, 20), colour: str = "red") -> bytes:
    """A PNG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def coco(**parts: object) -> str:
    """A COCO file of one picture, one class and one box, but for these parts."""
    whole = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "c"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5]}],
    }
    return json.dumps({key: value for key, value in (whole | parts).items() if value is not None})


def labels(output) -> list[str | None]:
    """Labels in the file's order."""
    return output.read("ingested").sort("position")["label"].to_list()


def told(output) -> str:
    """All that ingest says of the source."""
    return "\n".join(output.read("dataset_metrics")["note"].drop_nulls())


@pytest.mark.parametrize("name", ["C:\\Users\\me\\pictures\\a.png", "/home/me/a.png", "../up/a.png", "zzz.png", ""])
def test_xml_beside_its_picture_is_of_that_picture(ingested, name):
    """Whatever path the tool that wrote it had; no file outside is ever meant."""
    assert ingested("objects", {"a.png": picture(), "a.xml": VOC.format(name)}).read("ingested")["uri"].to_list() == [
        "a.png#xywh=1,2,2,2"
    ]


def test_xml_of_two_pictures_is_of_neither(ingested):
    """Both paths are named."""
    files = {"x/a.png": picture(), "y/a.png": picture(), "z/b.png": picture(), "ann/a.xml": VOC.format("a.png")}
    output = ingested("objects", files | {"ann/b.xml": VOC.format("b.png")})
    assert output.read("rejects")["reason"].to_list() == ["ambiguous_image"]
    assert "x/a.png and y/a.png" in output.read("rejects")["detail"][0] and labels(output) == ["c"]


def test_lists_of_image_sets_name_the_splits(ingested):
    """Those of single classes, with a number behind each name, do not."""
    files = {f"JPEGImages/{name}.png": picture() for name in "ab"}
    files |= {f"Annotations/{name}.xml": VOC.format(f"{name}.png") for name in "ab"}
    sets = {"train.txt": "a\n", "test.txt": "b\n", "cat_train.txt": "b 1\n", "trainval.txt": "a\nb\n"}
    output = ingested("objects", files | {f"ImageSets/Main/{name}": text for name, text in sets.items()})
    assert output.read("ingested").sort("position")["split"].to_list() == ["train", "test"]


@pytest.mark.parametrize(
    ("names", "label"),
    [
        ({"data.yaml": "names: [cat]\n"}, "cat"),
        ({"data.yaml": "path: x\n", "other.yml": "names: {0: cat}\n"}, "cat"),
        ({"config.yaml": 'seed: !!int ""\n', "data.yaml": "names: [cat]\n"}, "cat"),
        ({"config.yaml": "on: !!bool x\n", "labels/classes.txt": "cat\n\n"}, "cat"),
        ({"obj.names": "cat\ndog\n", "README.txt": "names: dog\n"}, "cat"),
        ({"data.yaml": "names: {1: dog}\n"}, "0"),
        ({"data.yaml": "names: [猫]\n"}, "猫"),
        ({"data.yaml": 'names: ["<b>\'; drop table"]\n'}, "<b>'; drop table"),
        ({}, "0"),
    ],
)
def test_classes_of_yolo_by_whatever_file_names_them(ingested, names, label):
    """A file that names none is passed over; a class that no file names is its number."""
    output = ingested("objects", {"images/a.png": picture(), "labels/a.txt": LINE, **names})
    assert labels(output) == [label] and ("names the classes" in told(output)) == (not names)


@pytest.mark.parametrize("text", [
    'names: !!int ""', "names: !!bool x", "names: !!timestamp x", "names: !!binary '%%%'", "names: [2024-99-99]",
    "names: !!python/object/apply:os.system [x]", "? [a]\n: b", "names: {a: 1}", "names: {-1: a}", "names: [null]",
    "names: []", "names: 3", "- a\n- b", "{", "\x00", "names: &a [*a]", "names: {0: a, 100000: b}",
])  # fmt: skip
def test_yaml_that_names_no_classes_names_none(text):
    """Whatever PyYAML makes of it, nothing is run and nothing is raised."""
    assert read_names(text.encode(), "data.yaml") is None


@pytest.mark.parametrize("name", ["data.yaml", "ImageSets/Main/train.txt"])
def test_a_file_of_names_that_cannot_be_read_is_a_doubt(ingested, monkeypatch, name):
    """The boxes are read without it."""
    read = LocalSource.read

    def fails(self, uri: str) -> bytes:
        if uri == name:
            raise UnreadableSample("too_large", "5,000 bytes")
        return read(self, uri)

    monkeypatch.setattr(LocalSource, "read", fails)
    files = {"images/a.png": picture(), name: "names: [cat]\n"}
    files |= {"labels/a.txt": LINE} if name == "data.yaml" else {"images/a.xml": VOC.format("a.png")}
    output = ingested("objects", files)
    assert len(labels(output)) == 1 and f"{name} cannot be read: too_large" in told(output)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.txt": ""}, "1 pictures, and its annotations hold no box of any (boxes in YOLO"),
        ({"i.json": coco(annotations=[])}, "hold no box of any (boxes in COCO). Wanted one box"),
        ({"i.json": coco(categories=None)}, "; i.json: it has no `categories`, so it names no classes"),
        ({"i.json": "[1, 2]", "b.xml": "<html/>"}, "files that could hold them: 1 .xml, 1 .json"),
        ({}, "files that could hold them: none"),
    ],
)
def test_pictures_without_any_box_say_why(ingested, files, said):
    """What was found and what was wanted."""
    with pytest.raises(SourceError) as raised:
        ingested("objects", {"a.png": picture(), **files})
    assert said in str(raised.value)


def test_the_same_box_again_is_a_sample_of_its_own(ingested):
    """Ids tell them apart; `same_box` finds them."""
    row = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5]}
    output = ingested("objects", {"a.png": picture(), "i.json": coco(annotations=[row, row])})
    assert output.read("ingested")["sample_id"].to_list() == ["a.png#xywh=0,0,5,5", "a.png#xywh=0,0,5,5#2"]


@pytest.mark.parametrize("bbox", [[10.5, 5, 1e-3, 4], [10.5, 5, 4, 1e-9]])
def test_a_box_of_next_to_nothing_is_a_tiny_one(ingested, bbox):
    """Rounded to no width it would be no box, and its sample the whole picture."""
    row = {"image_id": 1, "category_id": 1, "bbox": bbox}
    (uri,) = ingested("objects", {"a.png": picture(), "i.json": coco(annotations=[row])}).read("ingested")["uri"]
    (found,) = boxes_of(picture(), parted(uri)[1])
    assert found.region.width * found.region.height == pytest.approx(0.04) and found.crop.width <= 6


def boxes_of(data: bytes, *fragments: str) -> list:
    """What a worker makes of parts of one picture."""
    parts = tuple((part_hash(hash_bytes(data), fragment), fragment) for fragment in fragments)
    (found,) = measure_pictures(MemorySource({"a.png": data}), 10**6, 64, [Boxed("a.png", parts)])
    return found


def test_boxes_of_one_picture_fail_one_by_one():
    """In pixels or percents, the whole of it, one half outside, one beside it."""
    found = boxes_of(picture(), "10,5,20,10", "percent:25,25,50,50", "", "30,10,20,10", "50,0,5,5")
    assert [one.region[:4] for one in found[:4]] == [
        (10, 5, 20, 10), (10, 5, 20, 10), (0, 0, 40, 20), (30, 10, 20, 10),
    ]  # fmt: skip
    assert [round(one.outside, 2) for one in found[:4]] == [0, 0, 0, 0.5] and found[0].size == (40, 20)
    assert (found[4].reason, found[4].lasting) == ("box_out_of_frame", True)


@pytest.mark.parametrize(("data", "reason"), [(b"", "zero_bytes"), (b"no picture", "not_an_image")])
def test_a_broken_picture_costs_all_of_its_boxes(data, reason):
    """For good: reading it again is of no use."""
    found = boxes_of(data, "0,0,1,1", "1,1,2,2")
    assert [(one.reason, one.lasting) for one in found] == [(reason, True)] * 2


def test_a_picture_that_changed_is_read_another_time():
    """The boxes were of another picture."""
    parts = ((part_hash(hash_bytes(picture()), "0,0,5,5"), "0,0,5,5"),)
    source = MemorySource({"a.png": picture(colour="blue")})
    (found,) = measure_pictures(source, 10**6, 64, [Boxed("a.png", parts)])
    assert (found[0].reason, found[0].lasting) == ("changed_meanwhile", False)


def test_the_reader_gives_crops_and_whole_pictures(tmp_path):
    """From the first place that still holds the content; else it says why."""
    data, other = picture(), picture(colour="blue")
    source = MemorySource({"a.png": data, "b.png": other})
    read = crop_reader(image_spec(tmp_path), source)
    name = part_hash(hash_bytes(data), "0,0,5,5")
    crop = read(["b.png#xywh=0,0,5,5", "a.png#xywh=0,0,5,5"], name)
    with Image.open(io.BytesIO(data)) as image:
        assert crop == as_ppm(crop_of(image.convert("RGB"), Region(0, 0, 5, 5)))
    assert read(["a.png"], hash_bytes(data)) == data
    for places, wanted, reason in (
        (["b.png"], hash_bytes(data), "changed_meanwhile"),
        (["b.png#xywh=0,0,5,5"], name, "changed_meanwhile"),
        (["a.png#xywh=90,90,5,5"], part_hash(hash_bytes(data), "90,90,5,5"), "box_out_of_frame"),
        ([], name, "not_found"),
    ):
        with pytest.raises(UnreadableSample) as raised:
            read(places, wanted)
        assert raised.value.reason == reason
