"""The bundled example: scikit-learn's 1,797 handwritten digits as PNG files."""

import numpy as np
from PIL import Image

from assay.contracts.modality import Sample
from assay.modalities.alterations import encode

SIDE = 64  # pixels; the originals are 8 × 8
TEST_SHARE = 0.2


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
