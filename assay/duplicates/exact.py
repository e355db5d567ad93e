"""The tiers that need no vectors: bytes, pixels or normalised text, perceptual hash or MinHash.

Each tier works on one sample for each group of the tiers before it.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.contracts.splits import split_rank
from assay.duplicates.grouping import best_of_group, first_of_equal, star_groups
from assay.duplicates.hamming import close_pairs
from assay.modalities.image.luminance import (
    FLAT_DIFFERENCE,
    is_flat,
    luminance_matrix,
    mean_difference,
    similarity_in_place,
)
from assay.modalities.text.shingles import jaccard
from assay.modalities.text.texts import same_pairs

LIKELY = 0.97  # similarity of small luminance below which files need not be compared
SAME_LIGHT = 10.0  # levels, mean difference of small luminance; what is relit waits for the tiers after the vectors

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Tier:
    """What ties samples closer than bytes: a key for equal ones, and a measure for similar ones.

    Attributes:
        equal, similar: names of the tiers in the tables.
        keys: (n,) integer codes of the pixel or text hash, −1 where there is none.
        pairs: from the rows of samples to compare, the confirmed pairs `(left, right, similarity)`.
        measure: the similarity in [0, 1] of any pairs of rows.
    """

    equal: str
    similar: str
    keys: np.ndarray
    pairs: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
    measure: Measure


def codes(values: pl.Series) -> np.ndarray:
    """(n,) int64: equal values have equal codes; null is −1."""
    return values.rank("dense").cast(pl.Int64).fill_null(-1).to_numpy()


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
        return _confirmed(left[likely], right[likely], in_place, 1e-6)

    return Tier("pixels", "perceptual", codes(facts["pixel_hash"]), pairs, in_place)


def _shade(luminance: np.ndarray, colorfulness: np.ndarray) -> np.ndarray:
    """A code for the brightness and the colour of flat pictures, whose hashes are all alike."""
    level = np.rint(luminance.mean(axis=1) / FLAT_DIFFERENCE).astype(np.int64)
    return level * 1000 + np.rint(colorfulness * 255 / FLAT_DIFFERENCE).astype(np.int64)


def text_tier(facts: pl.DataFrame, threshold: float) -> Tier:
    """Normalised text, then texts that are the same word for word, of a Jaccard similarity of at least `threshold`.

    Args:
        facts: a row per sample with `normalized_hash`, `text`, `minhash`; null where there is no fact.
    """
    texts = facts["text"].fill_null("").to_list()
    pairs = functools.partial(same_pairs, texts, facts["minhash"], threshold=threshold)
    return Tier("text", "minhash", codes(facts["normalized_hash"]), pairs, functools.partial(jaccard, texts))


def _confirmed(left: np.ndarray, right: np.ndarray, measure: Measure, least: float):
    """The pairs that `measure` gives at least `least`, with what it gives."""
    similarity = measure(left, right)
    keep = similarity >= least
    return left[keep], right[keep], similarity[keep]


def exact_groups(contents: np.ndarray, tier: Tier | None, order: np.ndarray) -> np.ndarray:
    """(n,) int64: the row that each sample's group keeps, from the content codes and the tier's keys and pairs.

    Args:
        order: (n,) as `preference`; a sample that only the measure ties is tied to the kept one itself.
    """
    root = best_of_group(first_of_equal(contents), order)
    if tier is None:
        return root
    root = best_of_group(first_of_equal(np.where(tier.keys < 0, -1, tier.keys))[root], order)
    rows = np.unique(root)
    left, right, similarity = tier.pairs(rows)
    ends = np.searchsorted(rows, left), np.searchsorted(rows, right)
    star = star_groups(len(rows), *ends, similarity, order[rows])
    return rows[star][np.searchsorted(rows, root)]


def describe_pairs(
    contents: np.ndarray, tier: Tier | None, left: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The strictest tier (as text) that ties each pair of one exact group, and its similarity."""
    same_bytes = contents[left] == contents[right]
    if tier is None:
        return np.full(len(left), "bytes", dtype=object), np.ones(len(left))
    same_key = (tier.keys[left] == tier.keys[right]) & (tier.keys[left] >= 0)
    names = np.where(same_bytes, "bytes", np.where(same_key, tier.equal, tier.similar)).astype(object)
    similarity = np.ones(len(left))
    far = ~(same_bytes | same_key)
    similarity[far] = tier.measure(left[far], right[far])
    return names, similarity


def preference(samples: pl.DataFrame, largest: pl.Series, keep: str, split_order: tuple[str, ...]) -> np.ndarray:
    """(n,) int64 rank of each sample, lower is kept rather: the spec's policy, then the position in the source."""
    names = samples["split"].drop_nulls().unique().to_list()
    rank = {split: split_rank(split, split_order) for split in names}
    rules = {
        "first": pl.col("position"),
        "largest": -pl.col("largest").fill_null(0).cast(pl.Int64),
        "split_order": pl.when(pl.col("split").is_null())
        .then(len(split_order) + 1)
        .otherwise(pl.col("split").replace_strict(rank, default=len(split_order), return_dtype=pl.Int64)),
    }
    frame = samples.select("position", "split").with_columns(largest.alias("largest"))
    order = frame.with_row_index("row").sort(rules[keep], "position", "row")["row"].to_numpy()
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks
