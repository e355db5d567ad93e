"""Groups by the tiers that need no vectors: equal bytes, then what such data count as equal or alike.

Each tier compares one sample of each group that the tiers before it made.
"""

import numpy as np
import polars as pl

from assay.contracts.splits import split_rank
from assay.duplicates.grouping import best_of_group, star_groups
from assay.modalities.tier import Tier, first_of_equal


def exact_groups(contents: np.ndarray, tier: Tier | None, order: np.ndarray) -> np.ndarray:
    """(n,) int64: the row that each sample's group keeps, from the content codes and the tier's keys and pairs.

    Args:
        order: (n,) as `preference`; a sample tied by similarity alone is tied directly to the one that is kept.
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
    """(n,) int64 rank of each sample; of a group the lowest is kept. By the spec's policy, then by position."""
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
