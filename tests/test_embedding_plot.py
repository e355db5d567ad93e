"""The small picture of the embedding plot: the right colours in the right places, within its size."""

import io

import numpy as np
import polars as pl
import pytest
from PIL import Image

from assay.report.embedding_plot import CLASSES, SIDE, embedding_plot
from assay.store.snapshots import Snapshot

WHITE, GRAY = (255, 255, 255), (0x9A, 0x9A, 0x9A)


def snapshot(folder, x, y, labels, method="pca") -> Snapshot:
    """A snapshot of nothing but samples and their places in one projection."""
    ids = [f"s{i:06d}" for i in range(len(labels))]
    samples = pl.DataFrame({"sample_id": ids, "position": range(len(ids)), "label": labels})
    projection = pl.DataFrame({"sample_id": ids, "method": method, "x": x, "y": y}).cast({"x": pl.Float32})
    tables = {}
    for name, frame in (("samples", samples), ("projection", projection.sample(fraction=1.0, shuffle=True, seed=0))):
        frame.write_parquet(folder / f"{name}.parquet")
        tables[name] = {"files": [{"path": f"{name}.parquet"}]}
    return Snapshot(1, folder, {"tables": tables})


def color(number: int) -> tuple[int, int, int]:
    return tuple(bytes.fromhex(CLASSES[number][1:]))


def test_the_largest_classes_have_colours_and_the_rest_is_gray(tmp_path):
    """Left is small x, up is large y; a sample without a label, or without a place, takes no colour."""
    x, y = [0.0, 0.0, 1.0, 1.0, np.nan], [0.0, 0.0, 1.0, 0.0, 9.0]
    data = embedding_plot(snapshot(tmp_path, x, y, ["cat", "cat", "dog", None, "dog"]))
    image = Image.open(io.BytesIO(data)).convert("RGB")
    assert image.size == (SIDE, SIDE)
    corners = [image.getpixel(place) for place in ((2, SIDE - 3), (SIDE - 3, 2), (SIDE - 3, SIDE - 3), (2, 2))]
    assert corners == [color(0), color(1), GRAY, WHITE]


def test_noise_of_more_classes_than_colours_stays_small(tmp_path):
    """The picture travels inside a URL: 64 KiB at the very most, and the same bytes every time."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 30_000))
    made = snapshot(tmp_path, x, y, [f"class {i}" for i in rng.integers(0, 40, len(x))])
    data = embedding_plot(made)
    assert len(data) < 64 * 2**10 and data == embedding_plot(made)
    assert len(Image.open(io.BytesIO(data)).convert("RGB").getcolors()) == len(CLASSES) + 2


@pytest.mark.parametrize("values", [[], [np.inf], [np.nan]])
def test_there_is_no_picture_of_nothing(tmp_path, values):
    """No sample has a place."""
    assert embedding_plot(snapshot(tmp_path, values, values, ["cat"] * len(values))) is None


def test_one_point_is_drawn(tmp_path):
    """A span of nothing is no division by zero."""
    data = embedding_plot(snapshot(tmp_path, [5.0], [5.0], ["cat"]))
    assert color(0) in {value for _, value in Image.open(io.BytesIO(data)).convert("RGB").getcolors()}
