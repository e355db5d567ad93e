"""What a modality says of copies that needs no vectors, and what its rooms share to say it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]
Pairs = tuple[np.ndarray, np.ndarray]  # (p,) each: the rows of either side


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


def union(one: Pairs, other: Pairs) -> Pairs:
    """The pairs of both, once each, sorted."""
    pairs = np.unique(np.concatenate([np.stack(one, axis=1), np.stack(other, axis=1)]), axis=0)
    return pairs[:, 0], pairs[:, 1]


def first_of_equal(codes: np.ndarray) -> np.ndarray:
    """For each entry the number of the first entry with the same code; codes below 0 are equal to nothing."""
    own = np.arange(len(codes), dtype=np.int64)
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return np.where(codes < 0, own, first[inverse])


def confirmed(
    left: np.ndarray, right: np.ndarray, measure: Measure, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pairs that `measure` gives at least `least`, with what it gives."""
    similarity = measure(left, right)
    keep = similarity >= least
    return left[keep], right[keep], similarity[keep]
