"""Label noise for benchmarks: symmetric, asymmetric (confusable classes) and instance-dependent.

What people get wrong is simulated by `annotators.py`, which needs another view of the samples.
"""

import numpy as np

KINDS = ("symmetric", "asymmetric", "instance")


def corrupt(kind: str, labels: np.ndarray, vectors: np.ndarray, rate: float, seed: int) -> np.ndarray:
    """A copy of the codes `labels` with round(rate · n) of them made wrong.

    symmetric: any other class alike. asymmetric: a class goes to the two classes whose mean vectors are nearest to
    its own, three to one. instance: see `_instance`; there the count is that only on average.
    """
    rng = np.random.default_rng(seed)
    n, count = len(labels), round(rate * len(labels))
    n_classes = int(labels.max()) + 1
    noisy = labels.copy()
    if kind == "instance":
        return _instance(labels, vectors, rate, n_classes, rng)
    rows = rng.permutation(n)[:count]
    if kind == "symmetric":
        noisy[rows] = (labels[rows] + rng.integers(1, n_classes, count)) % n_classes
        return noisy
    means = _means(labels, vectors, n_classes)
    similarity = means @ means.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argsort(-similarity, axis=1)[:, : min(2, n_classes - 1)]
    pick = (rng.random(count) < 0.25).astype(int) % nearest.shape[1]
    noisy[rows] = nearest[labels[rows], pick]
    return noisy


def _means(labels: np.ndarray, vectors: np.ndarray, n_classes: int) -> np.ndarray:
    """Unit mean vector of each class."""
    sums = np.zeros((n_classes, vectors.shape[1]))
    np.add.at(sums, labels, vectors)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


def _instance(labels: np.ndarray, vectors: np.ndarray, rate: float, n_classes: int, rng) -> np.ndarray:
    """Instance-dependent noise by the protocol of Xia et al. 2020 (part-dependent label noise), appendix.

    Each sample has a flip rate from N(rate, 0.1²) cut to [0, 1]; where it goes is drawn from the softmax of its
    standardised vector times a random matrix of its class, its own class left out.
    """
    flip = rng.normal(rate, 0.1, size=4 * len(labels))
    flip = flip[(flip >= 0) & (flip <= 1)][: len(labels)]
    flip = flip * rate / flip.mean()
    z = (vectors - vectors.mean(axis=0)) / np.maximum(vectors.std(axis=0), 1e-9)
    noisy = labels.copy()
    for label in range(n_classes):
        rows = np.nonzero(labels == label)[0]
        logits = z[rows] @ rng.normal(size=(vectors.shape[1], n_classes)) / np.sqrt(vectors.shape[1])
        logits[:, label] = -np.inf
        chance = np.exp(logits - logits.max(axis=1, keepdims=True))
        chance /= chance.sum(axis=1, keepdims=True)
        target = (rng.random(len(rows))[:, None] > np.cumsum(chance, axis=1)).sum(axis=1)
        wrong = rng.random(len(rows)) < flip[rows]
        noisy[rows[wrong]] = np.minimum(target[wrong], n_classes - 1)
    return noisy
