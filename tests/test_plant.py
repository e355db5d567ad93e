"""Planting defects: the truth that is returned is what was done, and the same seed does the same."""

import io

import numpy as np
import polars as pl
import pytest
from PIL import Image

from assay.modalities import alterations
from tests.corpus import DEFECTS, Sample, digit_samples, plant, write_digits


def texts(n: int) -> list[Sample]:
    """Short labelled texts in two splits."""
    return [
        Sample(f"{i:07d}", f"please tell me about order number {i} today", "ab"[i % 2], ["train", "test"][i % 3 == 0])
        for i in range(n)
    ]


def vectors(n: int) -> list[Sample]:
    """Labelled vectors without splits."""
    rng = np.random.default_rng(0)
    return [Sample(f"{i:07d}", rng.normal(size=8).astype(np.float32), "ab"[i % 2]) for i in range(n)]


MAKERS = {"image": lambda n: digit_samples(0, n), "text": texts, "vectors": vectors}


@pytest.mark.parametrize("modality", sorted(DEFECTS))
def test_the_truth_is_what_was_done(modality):
    """Copies and off-topic samples are added, damage is done in place, a flipped label remembers the true one."""
    given = MAKERS[modality](120)
    planted, truth = plant(given, dict.fromkeys(DEFECTS[modality], 3), 1, DEFECTS[modality])
    after, before = {s.name: s for s in planted}, {s.name: s for s in given}
    assert len(after) == len(planted) == len(given) + truth.filter(~pl.col("name").is_in(list(before))).height
    assert truth["name"].is_unique().all() and truth["of"].drop_nulls().is_unique().all()
    for name, kind, of, true_label in truth.iter_rows():
        if kind == "flipped_label":
            assert before[name].label == true_label != after[name].label
        elif of is not None:
            assert name not in before and after[name].label == before[of].label
            same = np.array_equal(after[name].content, before[of].content)
            assert same == (kind == "byte_duplicate") or kind == "leak"
            assert (after[name].split != before[of].split) == (kind == "leak")
        elif kind != "off_topic":
            assert not np.array_equal(after[name].content, before[name].content)
    untouched = set(before) - set(truth["name"])
    assert all(after[name] is before[name] for name in untouched)


@pytest.mark.parametrize("modality", sorted(DEFECTS))
def test_a_seed_decides_everything(modality):
    """Equal seeds give equal samples and truths; another seed picks others."""
    counts = dict.fromkeys(DEFECTS[modality], 2)
    runs = [plant(MAKERS[modality](60), counts, seed, DEFECTS[modality]) for seed in (3, 3, 4)]
    assert runs[0][1].equals(runs[1][1]) and not runs[0][1].equals(runs[2][1])
    for one, two in zip(runs[0][0], runs[1][0], strict=True):
        assert (one.name, one.label, one.split) == (two.name, two.label, two.split)
        assert np.array_equal(one.content, two.content)


def test_too_few_samples_share_what_there_is():
    """Asked for more than there are, every kind gets its share and no sample is used twice."""
    _planted, truth = plant(vectors(20), dict.fromkeys(DEFECTS["vectors"], 50), 0, DEFECTS["vectors"])
    targets = truth.filter(pl.col("kind") != "off_topic").select(pl.coalesce("of", "name"))
    assert targets.height <= 18 and targets.is_unique().all()
    assert {"nudged", "flipped_label"} <= set(truth["kind"]) and "leak" not in set(truth["kind"])


def test_labels_are_flipped_where_mistakes_are_likely():
    """A chance of 0, or none, spares a sample, and one that is nine times as likely is flipped far oftener."""
    given = vectors(200)
    mistaken = {sample.name: [0.0, 0.1, 0.9][number % 3] for number, sample in enumerate(given[:-2])}
    _, truth = plant(given, {"flipped_label": 40}, 0, DEFECTS["vectors"], mistaken=mistaken)
    flipped = [int(name) % 3 for name in truth["name"]]
    assert not {"0000198", "0000199"} & set(truth["name"])
    assert len(flipped) == 40 and 0 not in flipped and flipped.count(2) > 3 * flipped.count(1)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_any_samples(n):
    """None, one or two samples, of one class: nothing breaks."""
    given = [Sample(f"{i}", "one two three four five", "a") for i in range(n)]
    planted, truth = plant(given, dict.fromkeys(DEFECTS["text"], 2), 0, DEFECTS["text"])
    assert len(planted) >= n and "flipped_label" not in set(truth["kind"])


def test_an_unknown_kind_is_refused():
    """The message lists the kinds that there are."""
    with pytest.raises(ValueError, match="no defect .'haunted'.*byte_duplicate"):
        plant(texts(3), {"haunted": 1}, 0, DEFECTS["text"])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "CMYK", "I;16", "1"])
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 48)])
def test_every_image_defect_works_on_every_image(mode, size):
    """Any mode and size gives a decodable picture, except where it is to be corrupt."""
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, "TIFF" if mode == "CMYK" else "PNG")
    for kind, defect in DEFECTS["image"].items():
        content = defect.alter(buffer.getvalue(), np.random.default_rng(0))
        if kind != "corrupt":
            Image.open(io.BytesIO(content)).load()


def test_corrupt_files_cannot_be_decoded():
    """Whichever way a file is broken, Pillow refuses it."""
    content = digit_samples(0, 1)[0].content
    for seed in range(12):
        with pytest.raises(OSError):
            Image.open(io.BytesIO(alterations.corrupt(content, np.random.default_rng(seed)))).load()


def test_the_digits_are_written_where_the_truth_says(tmp_path):
    """Every uri of the truth is a file under split/class, and its original too."""
    truth = write_digits(tmp_path / "digits", seed=0, n=150)
    for column in ("uri", "of"):
        assert all((tmp_path / "digits" / uri).is_file() for uri in truth[column].drop_nulls())
    flipped = truth.filter(pl.col("kind") == "flipped_label")
    assert all(uri.split("/")[1] != label for uri, label in flipped.select("uri", "true_label").iter_rows())
    assert {path.name for path in (tmp_path / "digits").iterdir()} == {"train", "test"}
    assert set(truth["kind"]) == set(DEFECTS["image"])
