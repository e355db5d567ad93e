"""What the kNN graph says about the vectors: leave-one-out accuracy of a neighbour vote, and how close together all
are."""

import numpy as np


def knn_votes(labels: np.ndarray, rows: np.ndarray, similarities: np.ndarray, n_classes: int) -> np.ndarray:
    """The label that each row's labelled neighbours vote for, weighted by similarity; −1 where none is labelled.

    Args:
        labels: int (n,), −1 where unlabelled.
        rows, similarities: the graph, (n, k). Equal votes go to the lower label.
    """
    n, _k = rows.shape
    votes = np.full(n, -1, dtype=np.int64)
    for start in range(0, n if n_classes else 0, max(1, 2**24 // max(1, n_classes))):
        near = labels[rows[start : start + max(1, 2**24 // n_classes)]]
        weight = np.where(near >= 0, 1e-9 + np.maximum(similarities[start : start + len(near)], 0.0), 0.0)
        cell = np.arange(len(near))[:, None] * n_classes + np.maximum(near, 0)
        total = np.bincount(cell.ravel(), weight.ravel(), minlength=len(near) * n_classes).reshape(-1, n_classes)
        votes[start : start + len(near)] = np.where((near >= 0).any(axis=1), total.argmax(axis=1), -1)
    return votes


def knn_accuracy(labels: np.ndarray, votes: np.ndarray) -> float | None:
    """Share of the labelled rows whose vote is their label; None where no labelled row has a vote."""
    judged = (labels >= 0) & (votes >= 0)
    return float((labels[judged] == votes[judged]).mean()) if judged.any() else None


def mean_similarity(vectors: np.ndarray) -> float | None:
    """Mean cosine of all pairs of two different unit-length rows; near 1 the vectors fill only a narrow cone."""
    n = len(vectors)
    if n < 2:
        return None
    total = vectors.sum(axis=0, dtype=np.float64)
    own = float(sum(np.square(vectors[start : start + 65_536]).sum() for start in range(0, n, 65_536)))
    return float((total @ total - own) / (n * (n - 1)))
