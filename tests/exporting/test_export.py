"""Snapshots for other tools: read back by those where they are installed, and by what reads their formats here."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

import assay
from assay.cli import main
from assay.contracts.errors import SpecError
from assay.contracts.spec import make_spec
from assay.exporting.cleanvision import cleanvision_frame
from assay.exporting.delta import arrow_of
from assay.exporting.export import export_snapshot
from assay.exporting.hugging_face import dtype_of, split_name
from assay.facts import clean
from assay.sources.ingest import ingest
from assay.store.workspace import Workspace

FAST = {"project": {"methods": ["pca"]}}


def of_digits(digits_night) -> Workspace:
    """The workspace of the shared night on digits."""
    return Workspace(digits_night.path.parents[2], "digits")


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> Workspace:
    """A home with a dataset of texts, with a further column, a split and a sample without a label."""
    home = tmp_path_factory.mktemp("texts")
    frame = pl.DataFrame(
        {
            "text": [
                f"how do I pay bill number {i}" if i % 2 else f"the weather in town {i} is fine" for i in range(80)
            ],
            "label": ["pay" if i % 2 else "weather" for i in range(79)] + [None],
            "split": ["training" if i < 60 else "hold-out" for i in range(80)],
            "stars": [i % 5 for i in range(80)],
        }
    )
    assay.run(texts=frame, name="asked", home=home, **FAST)
    return Workspace(home, "asked")


def test_cleanvisions_table_has_its_names_and_directions(digits_night):
    """A row an image; scores run the other way, and flags are ours."""
    frame = cleanvision_frame(digits_night)
    assert len(frame) == digits_night.manifest["tables"]["samples"]["rows"]
    assert {
        "image",
        "is_dark_issue",
        "dark_score",
        "is_light_issue",
        "odd_aspect_ratio_score",
        "is_near_duplicates_issue",
    } <= set(frame.columns)
    scores = digits_night.read("scores").filter(metric="dark")
    dark = frame.filter("is_dark_issue")
    assert len(dark) == scores["is_issue"].sum() > 0 and dark["dark_score"].max() < 0.6
    exact = frame.filter("is_exact_duplicates_issue")
    tiers = digits_night.read("duplicates").filter(pl.col("tier").is_in(["bytes", "pixels"]))
    assert len(exact) >= 2 and set(tiers["sample_id"]) >= set(exact["image"]) - set(tiers["group_id"])
    assert (exact["exact_duplicates_score"] == 0).all()


def test_cleanvision_is_about_images(texts, tmp_path):
    """Texts are refused, and so is a file that nobody could read."""
    with pytest.raises(SpecError, match="about images"):
        export_snapshot(texts, None, "cleanvision", tmp_path / "a.csv")


def test_a_dataset_folder_comes_back_as_it_was(digits_night, tmp_path):
    """Images inside Parquet, classes by name, a file a split: read again, they are the cleaned samples."""
    said, left_out = export_snapshot(of_digits(digits_night), None, "hugging-face", tmp_path / "hf")
    values = {"name": "again", "modality": "image", "source": {"kind": "folder", "path": "hf"}}
    spec, workspace = make_spec(values, base=tmp_path), Workspace(tmp_path / "home", "again")
    samples = clean(spec, workspace, ingest(spec, workspace)).read("samples")
    cleaned = digits_night.connect().sql("select content_hash, label, split from cleaned").pl()
    assert not left_out and said.startswith(f"{len(cleaned):,} samples")
    assert sorted(samples["content_hash"]) == sorted(cleaned["content_hash"])
    labels = dict(cleaned.select("content_hash", "label").iter_rows())
    assert all(labels[content] == label for content, label in samples.select("content_hash", "label").iter_rows())


def test_features_are_told_in_the_file_and_in_the_card(texts, tmp_path):
    """Classes with their names, further columns with their types, rows and bytes of each split."""
    export_snapshot(texts, None, "hugging-face", tmp_path / "hf")
    files = sorted((tmp_path / "hf" / "data").iterdir())
    assert [file.name for file in files] == ["test-00000-of-00001.parquet", "train-00000-of-00001.parquet"]
    table = pq.read_table(files[1])
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["label"] == {"names": ["pay", "weather"], "_type": "ClassLabel"}
    assert features["stars"] == {"dtype": "int64", "_type": "Value"} and features["text"]["dtype"] == "string"
    assert set(table["label"].to_pylist()) == {0, 1} and list(features) == table.column_names
    assert None in pq.read_table(files[0])["label"].to_pylist()
    head = yaml.safe_load((tmp_path / "hf" / "README.md").read_text().split("---")[1])
    sizes = {split["name"]: split["num_examples"] for split in head["dataset_info"]["splits"]}
    assert sizes == {"test": pq.read_metadata(files[0]).num_rows, "train": len(table)}
    with pytest.raises(SpecError, match="is not empty"):
        export_snapshot(texts, None, "hugging-face", tmp_path / "hf")


def test_hugging_face_reads_it(digits_night, texts, tmp_path, monkeypatch):
    """By its own library, where that is installed."""
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    export_snapshot(of_digits(digits_night), None, "hugging-face", tmp_path / "hf")
    found = datasets.load_dataset(str(tmp_path / "hf"), cache_dir=str(tmp_path / "cache"))
    assert set(found) == {"train", "test"} and found["train"][0]["image"].size == (64, 64)


def test_a_file_that_is_gone_is_left_out_and_named(tmp_path):
    """The others are written."""
    from tests.corpus import write_digits

    write_digits(tmp_path / "photos", seed=1, n=60)
    assay.run(images=tmp_path / "photos", home=tmp_path / "home", **FAST)
    snapshot = assay.open("photos", home=tmp_path / "home")
    gone = snapshot.clean()["uri"][0]
    (tmp_path / "photos" / gone).unlink()
    said, left_out = export_snapshot(Workspace(tmp_path / "home", "photos"), None, "hugging-face", tmp_path / "hf")
    assert list(left_out) == [gone] and "1 left out" in said


def test_labels_in_doubt_become_tasks(digits_night, tmp_path):
    """Each flagged label once, the most doubtful first, with what was given and what is suggested; and the classes."""
    export_snapshot(of_digits(digits_night), None, "label-studio", tmp_path)
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    flagged = digits_night.read("label_issues").filter("is_issue").sort("score", descending=True)
    assert sorted(task["data"]["sample_id"] for task in tasks) == sorted(flagged["sample_id"])
    assert tasks[0]["data"]["sample_id"] == flagged["sample_id"][0]
    assert tasks[0]["data"]["image"] == f"/data/local-files/?d={tasks[0]['data']['uri']}"
    said = {one["model_version"]: one["result"][0]["value"]["choices"] for one in tasks[0]["predictions"]}
    assert said == {"assay": [flagged["suggested_label"][0]], "given": [flagged["label"][0]]}
    choices = [found.get("value") for found in ElementTree.parse(tmp_path / "config.xml").iter("Choice")]
    assert choices == [str(number) for number in range(10)]


def test_a_proposed_label_is_a_task_too(texts, tmp_path):
    """Of a text without a label; there is nothing to ask of vectors."""
    export_snapshot(texts, None, "label-studio", tmp_path)
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    asked = [task for task in tasks if "label" not in task["data"]]
    assert len(asked) == 1 and asked[0]["data"]["text"].startswith("how do I pay bill number 79")
    home = tmp_path / "v"
    assay.run(vectors=np.eye(40, dtype=np.float32), name="v", home=home, **FAST)
    with pytest.raises(SpecError, match="made of images and texts"):
        export_snapshot(Workspace(home, "v"), None, "label-studio", tmp_path / "tasks")


def test_label_studio_takes_them(digits_night, texts, tmp_path):
    """By its own library, where that is installed: configuration, tasks and predictions."""
    interface = pytest.importorskip("label_studio_sdk.label_interface", reason="label-studio-sdk is not installed")
    for workspace in (of_digits(digits_night), texts):
        export_snapshot(workspace, None, "label-studio", tmp_path / workspace.dataset)
        label = interface.LabelInterface((tmp_path / workspace.dataset / "config.xml").read_text())
        label.validate()
        for task in json.loads((tmp_path / workspace.dataset / "tasks.json").read_text()):
            assert label.validate_task({"data": task["data"]})
            assert all(label.validate_prediction(one) for one in task["predictions"])


def test_vectors_are_no_dataset_of_hugging_face(tmp_path):
    """The message says what would be."""
    vectors = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    assay.run(vectors=vectors, name="v", home=tmp_path, **FAST)
    with pytest.raises(SpecError, match="holds images, sounds, videos or texts"):
        export_snapshot(Workspace(tmp_path, "v"), None, "hugging-face", tmp_path / "hf")


def test_names_of_splits():
    """Those that everybody knows, else what is left of a name in letters and digits."""
    names = ["Train2017", "valid", "hold-out", "camera 1/left", "…", None]
    assert [split_name(name) for name in names] == ["train", "validation", "test", "camera_1_left", "train", "train"]


@pytest.mark.parametrize("kind", [
    pa.date32(), pa.date64(), pa.timestamp("us", "UTC"), pa.bool_(), pa.float64(), pa.float16(), pa.int8(), pa.string(),
])  # fmt: skip
def test_types_are_called_as_hugging_face_calls_them(kind):
    """Its names are those of Arrow's own constructors: `date32`, not `date32[day]`, which it does not open."""
    name, _, inside = dtype_of(kind).partition("[")
    arguments = [part.strip().removeprefix("tz=") for part in inside.rstrip("]").split(",") if part]
    assert getattr(pa, {"bool": "bool_"}.get(name, name))(*arguments) == kind


def test_types_that_delta_has_not_become_others():
    """Unsigned numbers, arrays of fixed length, half precision; no value changes."""
    frame = pl.DataFrame(
        {
            "hash": pl.Series([2**64 - 1, 0], dtype=pl.UInt64),
            "rank": pl.Series([1, 65535], dtype=pl.UInt16),
            "vector": pl.Series([[0.5, 1.0], [2.0, -1.0]], dtype=pl.Array(pl.Float16, 2)),
            "minhash": pl.Series([[1, 2**32 - 1], None], dtype=pl.List(pl.UInt32)),
        }
    )
    table = arrow_of(frame)
    assert [str(field.type) for field in table.schema] == [
        "decimal128(20, 0)", "int32", "large_list<item: float>", "large_list<item: int64>",
    ]  # fmt: skip
    assert [int(one) for one in table["hash"].to_pylist()] == [2**64 - 1, 0]
    assert table["vector"].to_pylist() == [[0.5, 1.0], [2.0, -1.0]] and table["minhash"][0].as_py()[1] == 2**32 - 1


def test_columns_that_delta_takes_for_one_are_refused():
    """It tells names apart by more than their case; what it would say itself names neither."""
    with pytest.raises(SpecError, match="'Name' and 'name' differ in their case alone"):
        arrow_of(pl.DataFrame({"Name": [1], "other": [2], "name": [3]}))


def test_delta_keeps_a_version_a_snapshot(tmp_path):
    """Exported again nothing is written; the next snapshot is the next version, and the one before is still there."""
    deltalake = pytest.importorskip("deltalake", reason="the package deltalake is not installed")
    rng = np.random.default_rng(0)
    for n in (50, 40):
        assay.run(vectors=rng.normal(size=(n, 8)).astype(np.float32), name="v", home=tmp_path, **FAST)
        workspace = Workspace(tmp_path, "v")
        first, _ = export_snapshot(workspace, None, "delta", tmp_path / "delta")
        assert export_snapshot(workspace, None, "delta", tmp_path / "delta")[0].startswith("0 tables")
        assert first == f"{len(assay.open('v', home=tmp_path).tables)} tables written"
    place = str(tmp_path / "delta" / "samples")
    assert [deltalake.DeltaTable(place, version=at).to_pyarrow_table().num_rows for at in (0, 1)] == [50, 40]
    assert deltalake.DeltaTable(place).history(1)[0]["assay.snapshot"] == "2"
    (tmp_path / "other" / "samples").mkdir(parents=True)
    (tmp_path / "other" / "samples" / "mine.txt").write_text("mine")
    with pytest.raises(SpecError, match="no Delta table"):
        export_snapshot(workspace, None, "delta", tmp_path / "other")


def test_the_command_names_what_it_wrote(texts, tmp_path):
    """The place on standard output; what cannot be is one line and status 2."""
    base = ["export", "asked", "--home", str(texts.home)]
    done = CliRunner().invoke(main, [*base, "hugging-face", str(tmp_path / "hf")])
    assert done.exit_code == 0 and Path(done.stdout.strip()) == tmp_path / "hf" and "samples written" in done.stderr
    refused = CliRunner().invoke(main, [*base, "cleanvision", str(tmp_path / "a.csv")])
    assert refused.exit_code == 2 and "CleanVision is about images" in refused.stderr
