"""The rows of `duplicates` and `leaks` from each sample's kept member."""

from collections.abc import Callable

import numpy as np
import polars as pl

from assay.contracts.tables import TIERS

EXACT_TIERS = ["bytes", "pixels", "text", "perceptual", "minhash"]  # known before there are vectors
MAX_PAIRS = 10_000  # across splits in one group; a larger group gives each sample's closest partner in each split

Describe = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def duplicate_rows(sample_ids: np.ndarray, kept: np.ndarray, tiers: np.ndarray, similarity: np.ndarray) -> pl.DataFrame:
    """Groups of two or more in the order of their kept members, each group's kept one first.

    Args:
        sample_ids: (n,) str.
        kept: (n,) for each sample the row of its group's kept member.
        tiers, similarity: (n,) to the kept member. The kept member itself gets the strictest tier of the others. A
            sample that is `contained` in the kept one, or contains it, is not the same sample, and is kept as well.
    """
    is_kept = kept == np.arange(len(kept))
    members = np.flatnonzero(np.bincount(kept, minlength=len(kept))[kept] > 1)
    members = members[np.lexsort((members, ~is_kept[members], kept[members]))]
    order = {tier: i for i, tier in enumerate(TIERS)}
    strictness = np.array([order[tier] for tier in tiers[members]], dtype=np.int64)
    strictest = np.full(len(kept), len(TIERS))
    others = ~is_kept[members]
    np.minimum.at(strictest, kept[members][others], strictness[others])
    strictness = np.where(others, strictness, strictest[members])
    return pl.DataFrame(
        {
            "group_id": sample_ids[kept[members]].tolist(),
            "sample_id": sample_ids[members].tolist(),
            "tier": [TIERS[i] for i in strictness],
            "keep": is_kept[members] | (tiers[members] == "contained"),
            "similarity": np.clip(np.where(others, similarity[members], 1.0), 0.0, 1.0),
        },
        schema={
            "group_id": pl.String, "sample_id": pl.String, "tier": pl.String, "keep": pl.Boolean,
            "similarity": pl.Float64,
        },
    )  # fmt: skip


LEAKS = dict.fromkeys(("sample_id", "other_id", "split", "other_split", "tier"), pl.String) | {"similarity": pl.Float64}


def leak_rows(
    sample_ids: np.ndarray,
    splits: pl.Series,
    kept: np.ndarray,
    close_keys: list[np.ndarray],
    describe: Describe,
    least: float,
) -> pl.DataFrame:
    """The pairs of one group that stand in two splits, `split` before `other_split` in the alphabet.

    Every pair that is close in its own right, and not only through the kept one. A group with more than `MAX_PAIRS`
    pairs lists each sample with its closest partner in each other split: the first that shares its content, else its
    pixels or text, else its unit, else the first of the group.

    Args:
        splits: (n,) str, null where there is none; such samples leak nothing.
        kept: (n,) for each sample the row of its group's kept member.
        close_keys: codes (n,) from the strictest to the loosest; samples of one code are close, −1 is close to none.
        describe: the tier and similarity of pairs of rows.
        least: the similarity that confirms a pair of the tiers after the vectors; a pair of similarity 0 is none.
    """
    has_split = splits.is_not_null().to_numpy()
    split = splits.fill_null("").rank("dense").cast(pl.Int64).to_numpy()
    members = np.flatnonzero(has_split & (np.bincount(kept, minlength=len(kept))[kept] > 1))
    members = members[np.lexsort((members, split[members], kept[members]))]
    found, is_chosen = [np.zeros((0, 2), dtype=np.int64)], [np.zeros(0, dtype=bool)]
    for group in np.split(members, np.flatnonzero(np.diff(kept[members])) + 1):
        if len(group) > 1 and split[group[0]] != split[group[-1]]:
            pairs, chosen = _pairs_across(group, split, close_keys)
            found.append(pairs)
            is_chosen.append(np.full(len(pairs), chosen))
    left, right = np.concatenate(found).T
    tiers, similarity = describe(left, right)
    close = np.concatenate(is_chosen) | np.isin(tiers.astype(str), EXACT_TIERS) | (similarity >= least)
    close &= similarity > 0
    left, right, tiers, similarity = left[close], right[close], tiers[close], similarity[close]
    names = splits.fill_null("").to_numpy()
    return pl.DataFrame(
        {
            "sample_id": sample_ids[left].tolist(),
            "other_id": sample_ids[right].tolist(),
            "split": names[left].tolist(),
            "other_split": names[right].tolist(),
            "tier": tiers.tolist(),
            "similarity": np.clip(similarity, 0.0, 1.0),
        },
        schema=LEAKS,
    )


def _pairs_across(group: np.ndarray, split: np.ndarray, close_keys: list[np.ndarray]) -> tuple[np.ndarray, bool]:
    """(m, 2) rows of one group, which is sorted by split, the first column's split the lower one; and whether they are
    but the closest of too many."""
    sizes = np.unique(split[group], return_counts=True)[1]
    if (len(group) ** 2 - int((sizes**2).sum())) // 2 <= MAX_PAIRS:
        i, j = np.triu_indices(len(group), 1)
        across = split[group[i]] != split[group[j]]
        return np.stack([group[i[across]], group[j[across]]], axis=1), False
    pairs = {pair for part in np.unique(split[group]) for pair in _closest(group, split, part, close_keys)}
    return np.array(sorted(pairs), dtype=np.int64), True


def _closest(group: np.ndarray, split: np.ndarray, part: int, close_keys: list[np.ndarray]) -> list[tuple[int, int]]:
    """Each sample outside the split `part` with its closest partner inside it; the lower split comes first."""
    inside, outside = group[split[group] == part], group[split[group] != part]
    partner = np.full(len(outside), inside[0])
    for keys in reversed(close_keys):
        first = dict(zip(keys[inside][::-1].tolist(), inside[::-1].tolist(), strict=True))
        first.pop(-1, None)
        partner = np.array(
            [first.get(key, old) for key, old in zip(keys[outside].tolist(), partner.tolist(), strict=True)]
        )
    return [(a, b) if split[a] < split[b] else (b, a) for a, b in zip(outside.tolist(), partner.tolist(), strict=True)]
