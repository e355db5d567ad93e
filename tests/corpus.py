"""The shared test corpus: real digits with planted defects, and what is wrong with each.

truth = write_digits(folder, seed=0, n=200)     # uri, kind, of, true_label
"""

from pathlib import Path

import polars as pl

from assay.contracts.modality import Sample, find_modality
from assay.modalities.image.digits import digit_samples
from assay.modalities.image.modality import IMAGE
from assay.selftest.example import write_samples
from assay.selftest.plant import plant

DEFECTS = {name: find_modality(name).defects for name in ("image", "text", "vectors")}

__all__ = ["DEFECTS", "Sample", "digit_samples", "plant", "write_digits"]


def write_digits(folder: Path, seed: int = 0, n: int | None = None) -> pl.DataFrame:
    """Write `n` digits (all by default) and their defects as `folder/SPLIT/CLASS/NAME`; the truth."""
    return write_samples(IMAGE, digit_samples(seed, n), folder.parent, folder.name, seed)[0]
