"""The tier of sounds that needs no vectors: equal samples."""

import numpy as np
import polars as pl

from assay.modalities.tier import Tier, codes


def waveform_tier(facts: pl.DataFrame) -> Tier:
    """Sounds whose every sample is equal; copies that differ wait for the embedding tier.

    Args:
        facts: a row per sample with `sound_hash`, null where there is no fact.
    """
    none = np.zeros(0, dtype=np.int64)
    return Tier(
        "waveform",
        "embedding",
        codes(facts["sound_hash"]),
        lambda rows: (none, none, np.zeros(0)),
        lambda left, right: np.zeros(len(left)),
    )
