"""CVAT's XML: what its own reader, Datumaro, makes of it where that is installed, and what it says by its own words."""

import io
import zipfile
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from assay.exporting.annotations import ExportError
from assay.exporting.takeaway import export
from assay.reading.columns import View
from assay.reading.samples import Raw
from assay.store.snapshots import open_snapshot
from assay.store.workspace import Workspace
from tests.explorer.make_snapshot import make_snapshot


def everything(view):
    """The mask of all samples."""
    return np.ones(len(view), dtype=bool)


@pytest.fixture(scope="module")
def digits(digits_night):
    """The view of the planted digits."""
    return View(digits_night)


def test_a_picture_carries_its_label_and_the_suggested_one(digits):
    """Every picture once, with its size; the suggestion is marked as made by a machine, and only where it differs."""
    root = ElementTree.fromstring(export(digits, everything(digits), "selection", "cvat"))
    samples = digits.scan("samples").sort("position").collect()
    issues = digits.scan("label_issues").collect().filter(pl.col("label") != pl.col("suggested_label"))
    assert root.findtext("version") == "1.1"
    assert [image.get("name") for image in root.iter("image")] == samples["uri"].to_list()
    sizes = samples.join(digits.scan("image_facts").collect(), on="content_hash", maintain_order="left")
    told = [(int(image.get("width")), int(image.get("height"))) for image in root.iter("image")]
    assert told == sizes.select("width", "height").rows()
    tags = [(image.get("name"), tag.get("source"), tag.get("label")) for image in root.iter("image") for tag in image]
    assert [label for _, source, label in tags if source == "manual"] == samples["label"].to_list()
    suggested = {name: label for name, source, label in tags if source == "auto"}
    uris = dict(samples.select("sample_id", "uri").iter_rows())
    assert suggested == {
        uris[sample]: name for sample, name in issues.select("sample_id", "suggested_label").iter_rows()
    }
    assert {label.findtext("name") for label in root.iter("label")} == set(map(str, range(10)))


def test_texts_are_nothing_for_cvat(tmp_path):
    """The message names what takes them."""
    make_snapshot(tmp_path, "texts", 60, 1, modality="text")
    view = View(open_snapshot(Workspace(tmp_path, "texts")))
    with pytest.raises(ExportError, match="CVAT holds pictures"):
        export(view, everything(view), "selection", "cvat")


def test_datumaro_reads_it(digits, tmp_path):
    """The reader that CVAT itself imports with: every picture, label and suggestion."""
    datumaro = pytest.importorskip("datumaro", reason="the package datumaro is not installed")
    (tmp_path / "annotations.xml").write_bytes(export(digits, everything(digits), "selection", "cvat"))
    for row, uri in enumerate(digits.scan("samples").sort("position").collect()["uri"]):
        (tmp_path / "images" / uri).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / uri).symlink_to(Raw(digits).path(row))
    dataset = datumaro.Dataset.import_from(str(tmp_path), "cvat")
    names = [label.name for label in dataset.categories()[datumaro.AnnotationType.label]]
    root = ElementTree.fromstring(export(digits, everything(digits), "selection", "cvat"))
    wanted = {
        image.get("name").rsplit(".", 1)[0]: sorted(tag.get("label") for tag in image) for image in root.iter("image")
    }
    found = {item.id: sorted(names[one.label] for one in item.annotations) for item in dataset}
    assert found == wanted


def test_the_page_hands_out_a_dataset_of_hugging_face(digits, tmp_path):
    """A ZIP of the folder; only the selected samples are in it."""
    from assay.exporting.hugging_face import zip_hugging_face

    mask = (digits.scan("samples").sort("position").collect()["label"] == "3").to_numpy()
    file = io.BytesIO()
    zip_hugging_face(digits, mask, file)
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path)
    labels = pl.read_parquet(tmp_path / "data" / "*.parquet", columns=["image", "label"])
    assert (tmp_path / "README.md").exists() and 0 < len(labels) <= mask.sum() and labels["label"].n_unique() == 1
