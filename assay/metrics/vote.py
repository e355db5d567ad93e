"""The neighbours' vote: which classes the units around a unit carry, each neighbour worth exp(−distance ÷ temperature).

The same vote serves single labels and sets of labels: a row of `carried` says what share of a unit's labelled members
carries each class. Unlabelled neighbours do not vote. A unit whose own copies disagree also votes on itself, because
the copies are its nearest neighbours.
"""

import numpy as np
from scipy.sparse import csr_array, vstack

from assay.metrics import pairs
from assay.metrics.corpus import Corpus

TEMPERATURES = (0.02, 0.035, 0.05, 0.07, 0.1, 0.15, 0.25)  # in cosine distance
FLOOR = 0.02  # share of the vote spread evenly, so that no class has none
ROWS = 20_000  # units that choose a temperature
BLOCK = 20_000  # units voted on at a time


def neighbor_votes(
    corpus: Corpus,
    carried: csr_array,
    voters: np.ndarray,
    several: np.ndarray,
    temperature: float,
    rows: np.ndarray | None = None,
) -> csr_array:
    """(rows, n_classes) the share of the votes around each unit that goes to each class; columns ascending.

    Args:
        carried: (n_units, n_classes) the share of a unit's labelled members that carry each class.
        voters: (n_units,) whether a unit is labelled, be it with no class at all.
        several: (n_units,) whether its copies disagree.
        rows: the units that are voted on; all by default.
    """
    rows = np.arange(corpus.n_units) if rows is None else rows
    parts = [rows[start : start + BLOCK] for start in range(0, max(len(rows), 1), BLOCK)]
    return csr_array(vstack([_votes(corpus, carried, voters, several, temperature, part) for part in parts], "csr"))


def _votes(
    corpus: Corpus, carried: csr_array, voters: np.ndarray, several: np.ndarray, temperature: float, rows: np.ndarray
) -> csr_array:
    near = corpus.neighbors[rows]
    distance = np.maximum(1.0 - corpus.similarities[rows].astype(np.float64), 0.0)
    heard = (near >= 0) & voters[np.maximum(near, 0)]
    weight = np.where(heard, np.exp(-distance / temperature), 0.0)
    itself = several[rows].astype(np.float64)
    whole = np.maximum(weight.sum(axis=1) + itself, 1e-300)
    weight = (np.c_[weight, itself] / whole[:, None]).ravel()
    near = np.c_[np.maximum(near, 0), rows].ravel()
    at = np.repeat(np.arange(len(rows)), corpus.neighbors.shape[1] + 1)
    used = weight > 0
    weights = csr_array((weight[used], (at[used], near[used])), shape=(len(rows), corpus.n_units))
    votes = csr_array(weights @ carried)
    votes.sort_indices()
    return votes


def entries(matrix: csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(row, column, value)` of a sparse matrix's entries above 0."""
    stored = matrix.tocoo()
    kept = stored.data > 0
    return stored.row[kept].astype(np.int64), stored.col[kept].astype(np.int64), stored.data[kept]


def look_up(matrix: csr_array, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Entries of a sparse matrix; 0 where there is none."""
    stored, wide = matrix.tocoo(), matrix.shape[1]
    return pairs.look_up(pairs.keys(stored.row, stored.col, wide), stored.data, pairs.keys(row, column, wide))
