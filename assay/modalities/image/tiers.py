"""The tiers of pictures that need no vectors: equal pixels, and perceptual hashes that the files confirm."""

import numpy as np
import polars as pl

from assay.modalities.hamming import close_pairs
from assay.modalities.image.luminance import (
    FLAT_DIFFERENCE,
    is_flat,
    luminance_matrix,
    mean_difference,
    similarity_in_place,
)
from assay.modalities.tier import Measure, Tier, codes, confirmed, first_of_equal

LIKELY = 0.97  # similarity of small luminance below which files need not be compared
SAME_LIGHT = 10.0  # levels, mean difference of small luminance; what is relit waits for the tiers after the vectors


def image_tier(facts: pl.DataFrame, bits: int, in_place: Measure) -> Tier:
    """Pixels, then the 64-bit perceptual hash within `bits`, confirmed in colour and detail.

    Args:
        facts: a row per sample with `pixel_hash`, `perceptual_hash`, `luminance`, `colorfulness`; null without facts.
        in_place: the similarity of pairs of rows that are the same picture by every look at their files, 0 of others.
    """
    has_fact = facts["pixel_hash"].is_not_null().to_numpy()
    luminance = np.zeros((len(facts), 1024), dtype=np.uint8)
    luminance[has_fact] = luminance_matrix(facts["luminance"].drop_nulls().to_list()).reshape(-1, 1024)
    hashes = facts["perceptual_hash"].fill_null(0).to_numpy()
    colorfulness = facts["colorfulness"].fill_null(0.0).to_numpy()

    def pairs(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = rows[has_fact[rows]]
        flat = is_flat(luminance[rows])
        shown, blank = rows[~flat], rows[flat]
        left, right = close_pairs(hashes[shown], bits)
        same = first_of_equal(_shade(luminance[blank], colorfulness[blank]))
        left = np.concatenate([shown[left], blank[same[same != np.arange(len(blank))]]])
        right = np.concatenate([shown[right], blank[same != np.arange(len(blank))]])
        likely = similarity_in_place(luminance, left, right) >= LIKELY
        likely &= mean_difference(luminance, left, right) <= SAME_LIGHT
        return confirmed(left[likely], right[likely], in_place, 1e-6)

    return Tier("pixels", "perceptual", codes(facts["pixel_hash"]), pairs, in_place)


def _shade(luminance: np.ndarray, colorfulness: np.ndarray) -> np.ndarray:
    """A code for the brightness and the colour of flat pictures, whose hashes are all alike."""
    level = np.rint(luminance.mean(axis=1) / FLAT_DIFFERENCE).astype(np.int64)
    return level * 1000 + np.rint(colorfulness * 255 / FLAT_DIFFERENCE).astype(np.int64)
