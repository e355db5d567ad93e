"""Two whole nights of one folder: what a labeller does to it is told as that, and nothing else."""

import os

import numpy as np
import polars as pl
from PIL import Image

from tests.nightly import run_nightly

SPEC = 'name = "cats"\nmodality = "image"\n[source]\nkind = "folder"\npath = "archive"\n[project]\nmethods = ["pca"]\n'


def photo(seed: int) -> Image.Image:
    """A picture of its own."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    return coarse.resize((64, 48), Image.Resampling.BICUBIC)


def test_relabelled_by_moving(tmp_path):
    """Moved to another class, renamed, replaced, removed, added: one row each, in an archive with splits and litter."""
    root = tmp_path / "archive" / "pets"
    for number in range(40):
        place = root / ("train_set" if number % 4 else "test_set") / ("cat" if number < 20 else "dog")
        place.mkdir(parents=True, exist_ok=True)
        photo(number).save(place / f"{number:03d}.png")
        (place / f"{number:03d}.txt").write_text("a label of another tool")
    (root / "train_set" / "bird").mkdir()
    (root / "train_set" / "@eaDir").mkdir()
    photo(0).save(root / "train_set" / "@eaDir" / "preview.png")
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC)
    first = run_nightly(spec, tmp_path / "home")
    reading = " ".join(first.manifest["source"]["reading"])
    assert "*/split/class" in reading and "40 .txt" in reading and "bird" in reading and "@eaDir" in reading
    assert first.manifest["headline"]["n_samples"] == 40 and pl.read_parquet(first.parts("rejects")).is_empty()

    train = root / "train_set"
    for number in (1, 2, 3):
        os.rename(train / f"cat/{number:03d}.png", train / f"dog/{number:03d}.png")
    photo(1000).save(train / "cat/005.png")
    os.rename(train / "dog/030.png", train / "dog/renamed.png")
    os.remove(train / "dog/031.png")
    photo(2000).save(train / "dog/new.png")
    second = run_nightly(spec, tmp_path / "home")
    changes = pl.read_parquet(second.parts("diff")).filter(pl.col("metric") == "")
    place = "pets/train_set"
    assert changes.select("sample_id", "change", "was_id", "was_label").rows() == [
        (f"{place}/cat/005.png", "content_changed", None, None),
        *((f"{place}/dog/{n:03d}.png", "label_changed", f"{place}/cat/{n:03d}.png", "cat") for n in (1, 2, 3)),
        (f"{place}/dog/031.png", "removed", None, "dog"),
        (f"{place}/dog/new.png", "added", None, None),
        (f"{place}/dog/renamed.png", "moved", f"{place}/dog/030.png", None),
    ]
    assert second.manifest["source"]["changes"] == []
