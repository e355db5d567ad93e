"""What it is worth to know a sample's label: how unsure the vectors are of it, and how few its class has."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.metrics.corpus import Coding, Corpus, cases_frame
from assay.metrics.labels.beliefs import believe, better_than_chance

SURE = 0.1  # part of the weight that a sample has of which the vectors are sure
FOLDS = 5


@dataclass(frozen=True)
class Unsure:
    """Of each unit: what the vectors think of its label.

    Attributes:
        margin: (n,) the belief in the best class less that in the second; 0 where nothing is known.
        best, second: (n,) their codes, −1 where there is none.
        known: whether the vectors tell labels better than chance; where not, nothing here says anything.
    """

    margin: np.ndarray
    best: np.ndarray
    second: np.ndarray
    known: bool


def unsure(corpus: Corpus, labels: Coding) -> Unsure:
    """The beliefs of a probe and of the neighbours' vote, both from the labels that there are."""
    n, nothing = corpus.n_units, np.full(corpus.n_units, -1, dtype=np.int64)
    if len(labels.names) < 2:
        return Unsure(np.zeros(n), nothing, nothing, known=False)
    believed = believe(corpus, cases_frame(corpus, labels.codes), len(labels.names), FOLDS, 0)
    pairs = pl.DataFrame({"unit": believed.unit[believed.case], "label": believed.label, "belief": believed.belief})
    by_unit = pairs.sort("unit", -pl.col("belief"), "label").group_by("unit", maintain_order=True)
    found = by_unit.agg(pl.col("label").head(2), pl.col("belief").head(2))
    unit = found["unit"].to_numpy()
    first, other = (found["belief"].list.get(at, null_on_oob=True).fill_null(0.0).to_numpy() for at in (0, 1))
    margin, best, second = np.zeros(n), nothing.copy(), nothing.copy()
    margin[unit] = first - other
    best[unit], second[unit] = (found["label"].list.get(at, null_on_oob=True).fill_null(-1).to_numpy() for at in (0, 1))
    return Unsure(margin, best, second, better_than_chance(believed))


def worth(found: Unsure, class_sizes: np.ndarray) -> np.ndarray:
    """(n,) weights: 1 less the margin, times the square root of how few labels the likeliest class has beside the mean,
    between a half and two.

    Args:
        class_sizes: (n_classes,) labelled units.
    """
    if not found.known:
        return np.ones(len(found.margin))
    rarity = np.clip(np.sqrt((class_sizes.mean() + 1) / (class_sizes + 1)), 0.5, 2.0)
    of_class = np.where(found.best >= 0, rarity[np.maximum(found.best, 0)], 1.0)
    return (SURE + (1 - SURE) * (1.0 - found.margin)) * of_class
