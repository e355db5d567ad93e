"""What folders mean: the layouts of well-known archives and their siblings, and the doubts that are told."""

import pytest

from assay.contracts.splits import split_kind, split_kinds, split_rank
from assay.sources.layout import guess_layout, layout_named

LAYOUTS = {  # folders that hold files → the layout, and a folder with its (split, class, category)
    "seg_train/seg_train/forest seg_train/seg_train/sea seg_test/seg_test/sea seg_pred/seg_pred": (
        "split/*/class", "seg_test/seg_test/sea", ("seg_test", "sea", None)),
    "training_set/cats training_set/dogs test_set/cats test_set/dogs": (
        "split/class", "training_set/cats", ("training_set", "cats", None)),
    "train2017/cat val2017/cat": ("split/class", "val2017/cat", ("val2017", "cat", None)),
    "chest/train/A chest/test/A chest/val/B": ("*/split/class", "chest/val/B", ("val", "B", None)),
    "train/a train/b test/a test/b unlabeled": ("split/class", "unlabeled", ("unlabeled", None, None)),
    "train/pos train/unsup test/pos": ("split/class", "train/unsup", ("train", None, None)),
    "bottle/train/good bottle/test/good bottle/test/cut cable/train/good cable/test/bad": (
        "category/split/class", "cable/test/bad", ("test", "bad", "cable")),
    "cat/train cat/test dog/train dog/test": ("class/split", "dog/test", ("test", "dog", None)),
    "train test": ("split", "train", ("train", None, None)),
    "Train/a Test/b": ("split/class", "Train/a", ("Train", "a", None)),
    "train/a hold-out/a": ("split/class", "hold-out/a", ("hold-out", "a", None)),
    "TrainSet/a ValSet/a": ("split/class", "ValSet/a", ("ValSet", "a", None)),
    "train-clean-100/17 dev-clean/3 test-other/4 test-clean/4": (
        "split/class", "dev-clean/3", ("dev-clean", "3", None)),
    "fold1 fold2 fold10": ("split", "fold10", ("fold10", None, None)),
    "train/images/a test/images/a": ("split/*/class", "test/images/a", ("test", "a", None)),
    "train/images test/images": ("split/*", "train/images", ("train", None, None)),
    "images/train images/val": ("*/split", "images/val", ("val", None, None)),
    "images": ("*", "images", (None, None, None)),
    "archive/data/cat archive/data/dog": ("*/*/class", "archive/data/dog", (None, "dog", None)),
    "ant bee earwig/larva": ("class", "earwig/larva", (None, "earwig", None)),
    "test_tube train_station": ("class", "test_tube", (None, "test_tube", None)),
    "dev_board resistor": ("class", "dev_board", (None, "dev_board", None)),
    "train car bus": ("class", "train", (None, "train", None)),
    "train/a train/b test/a test/b background": ("split/class", "background", ("background", None, None)),
    "cat unlabeled": ("class", "unlabeled", (None, None, None)),
}  # fmt: skip


def folders_of(text: str) -> dict[tuple[str, ...], int]:
    """Twelve files in each of the named folders."""
    return {tuple(name.split("/")): 12 for name in text.split()}


@pytest.mark.parametrize("text", LAYOUTS)
def test_a_layout_is_read_from_its_names(text):
    """Splits are told from classes, and each folder is read as its archive means it."""
    name, folder, (split, label, category) = LAYOUTS[text]
    found = guess_layout(folders_of(text))
    assert found.name == name
    assert found.read(tuple(folder.split("/"))) == {"split": split, "class": label, "category": category}
    assert layout_named(name).read(tuple(folder.split("/"))) == found.read(tuple(folder.split("/")))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("train car bus", "split/class"),
        ("train/a train/b test/a test/b background", "source.exclude"),
        ("day/good day/bad night/good night/bad", "category/class"),
        ("cats", 'source.layout = "flat"'),
        ("00000 00001 00002", 'source.layout = "flat"'),
        ("cat/train/a cat/test dog/train dog/test", "category/split/class"),
    ],
)
def test_another_reading_that_fits_is_doubted_aloud(text, key):
    """With the key that chooses it."""
    (doubt,) = guess_layout(folders_of(text)).doubts
    assert key in doubt


@pytest.mark.parametrize("text", ["ant bee", "train/a test/a", "chest/train/A chest/test/B"])
def test_what_is_plain_is_not_doubted(text):
    """No word where nothing else fits."""
    assert guess_layout(folders_of(text)).doubts == []


def test_many_folders_of_one_file_are_doubted():
    """A folder a patient is no class."""
    found = guess_layout({(f"patient{number:03d}",): 1 for number in range(100)})
    assert "are these classes" in " ".join(found.doubts)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("train", "train"), ("Training", "train"), ("training_set", "train"), ("train2017", "train"),
        ("trainset", "train"),
        ("validation", "validation"), ("val", "validation"), ("DEV", "validation"), ("eval_images", "validation"),
        ("test", "test"), ("testImages", "test"), ("hold-out", "test"), ("held_out", "test"), ("holdout", "test"),
        ("unlabelled", "unlabelled"), ("fold3", "fold"), ("test_tube", None), ("cat", None), ("", None), (None, None),
        ("train_test", None), ("latest", None), ("restrain", None),
    ],
)  # fmt: skip
def test_one_vocabulary_of_splits(name, kind):
    """For folders, columns and policies alike."""
    assert split_kind(name) == kind


def test_siblings_are_splits_together():
    """What all or two of them share is no matter; unlabelled ones alone are no splits."""
    assert split_kinds(["seg_train", "seg_test", "seg_pred"]) == {
        "seg_train": "train", "seg_test": "test", "seg_pred": "unlabelled",
    }  # fmt: skip
    assert split_kinds(["unlabeled", "pred"]) is None and split_kinds(["train", "cat"]) is None
    assert split_kinds([]) is None


def test_the_order_of_keeping_knows_the_kinds():
    """A split is ranked by its own name, else by its kind, else after all."""
    order = ("test", "val", "train")
    assert [split_rank(name, order) for name in ("train2017", "Test", "dev", "extra", "val")] == [2, 0, 1, 3, 1]


def test_folders_become_columns(run, data, numbers):
    """Split, label and category of a whole folder; the reading is published."""
    for place in ("bottle/train/good", "bottle/test/cut", "cable/train/good", "cable/test/bad"):
        (data / place).mkdir(parents=True)
        (data / place / "1.png").write_text(place)
    output = run({"kind": "folder", "path": "."}, "image")
    frame = output.read("ingested")
    assert frame.select("split", "label", "category").rows() == [
        ("test", "cut", "bottle"), ("train", "good", "bottle"), ("test", "bad", "cable"), ("train", "good", "cable"),
    ]  # fmt: skip
    notes = dict(output.read("dataset_metrics").select("metric", "note").iter_rows())
    assert notes["source_layout"].startswith("category/split/class") and "test, train" in notes["source_layout"]
    assert numbers(output)["n_source_doubts"] == 0


def test_a_layout_can_be_named(run, data):
    """The steps of the spec stand, whatever the names look like."""
    (data / "2020" / "a").mkdir(parents=True)
    (data / "2020" / "a" / "1.png").write_text("x")
    frame = run({"kind": "folder", "path": ".", "layout": "*/split"}, "image").read("ingested")
    assert frame.select("split", "label").rows() == [("a", None)]
    frame = run({"kind": "folder", "path": ".", "layout": "category/class"}, "image").read("ingested")
    assert frame.select("category", "label").rows() == [("2020", "a")]


def test_the_reading_and_the_doubts_are_shown(run, data, capsys):
    """On standard error, each time, also where the night finds its work done."""
    for place in ("train", "car"):
        (data / place).mkdir()
        (data / place / "1.png").write_text(place)
    for _ in range(2):
        run({"kind": "folder", "path": "."}, "image")
        shown = capsys.readouterr().err
        assert "source: class: folder 1 is the label (car, train)" in shown and "doubt: train is named like" in shown
