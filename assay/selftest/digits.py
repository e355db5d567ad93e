"""The bundled demonstration data: scikit-learn's 1,797 handwritten digits as PNG files, with planted defects."""

from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from assay.modalities.alterations import encode
from assay.modalities.image.modality import IMAGE
from assay.selftest.plant import Sample, plant

SIDE = 64  # pixels; the originals are 8 × 8
TEST_SHARE = 0.2
RATES = {"flipped_label": 0.04, "corrupt": 0.006}  # of the clean digits; any other kind has DEFAULT_RATE
DEFAULT_RATE = 0.01


def write_digits(folder: Path, seed: int = 0, n: int | None = None) -> pl.DataFrame:
    """Write `n` digits (all by default) and their defects as `folder/SPLIT/CLASS/NAME`.

    Returns:
        The truth, a row per planted sample: `uri` (relative to `folder`), `kind`, `of` (the uri of the original of a
        copy) and `true_label` (of a flipped label).
    """
    clean = digit_samples(seed, n)
    counts = {kind: max(2, round(RATES.get(kind, DEFAULT_RATE) * len(clean))) for kind in IMAGE.defects}
    samples, truth = plant(clean, counts, seed)
    uris = {sample.name: f"{sample.split}/{sample.label}/{sample.name}" for sample in samples}
    for sample in samples:
        path = Path(folder, uris[sample.name])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample.content)
    of_uri = pl.col("of").replace_strict(uris, default=None, return_dtype=pl.String)
    uri = pl.col("name").replace_strict(uris, return_dtype=pl.String)
    return truth.select(uri.alias("uri"), "kind", of_uri.alias("of"), "true_label").sort("uri")


def digit_samples(seed: int = 0, n: int | None = None) -> list[Sample]:
    """`n` digits in an order drawn by `seed`, a fifth of them in the test split."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(digits.images))[:n]
    is_test = rng.random(len(order)) < TEST_SHARE
    return [
        Sample(f"{number:07d}.png", ink(digits.images[i]), str(digits.target[i]), "test" if test else "train")
        for number, (i, test) in enumerate(zip(order, is_test, strict=True))
    ]


def ink(digit: np.ndarray) -> bytes:
    """A PNG of an 8 × 8 digit of 0 to 16: a margin, smooth enlargement, crisp dark ink."""
    enlarged = Image.fromarray(np.float32(np.pad(digit, 1))).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    darkness = 1 / (1 + np.exp(-(np.asarray(enlarged) - 7.0) / 1.2))
    return encode(Image.fromarray(np.uint8(np.round(232 - 200 * darkness))))
