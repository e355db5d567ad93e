"""The tiers of texts that need no vectors: equal once normalised, and the same word for word."""

import functools

import polars as pl

from assay.modalities.text.shingles import jaccard
from assay.modalities.text.texts import same_pairs
from assay.modalities.tier import Tier, codes


def text_tier(facts: pl.DataFrame, threshold: float) -> Tier:
    """Normalised text, then texts that are the same word for word, of a Jaccard similarity of at least `threshold`.

    Args:
        facts: a row per sample with `normalized_hash`, `text`, `minhash`; null where there is no fact.
    """
    texts = facts["text"].fill_null("").to_list()
    pairs = functools.partial(same_pairs, texts, facts["minhash"], threshold=threshold)
    return Tier("text", "minhash", codes(facts["normalized_hash"]), pairs, functools.partial(jaccard, texts))
