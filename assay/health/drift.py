"""Have the vectors moved since the last snapshot? Two samples of vectors compared: A is the older one."""

import numpy as np

from assay.knn.principal import principal

FOLDS = 5
LEADING = 64  # principal directions that the classifier sees
FEWEST = 20  # in either sample
SHRINKAGE = 0.01  # of the covariance, towards a ball


def domain_auc(a: np.ndarray, b: np.ndarray, a_hashes: list[str], b_hashes: list[str]) -> float:
    """Out-of-fold AUC of a linear classifier that tells the samples apart: 0.5 cannot, 1 always can.

    Folds go by content hash, so that a content in both samples is in one fold; otherwise its twin with the opposite
    answer would be trained on and pull the AUC below 0.5. The classifier is Fisher's discriminant with shrinkage.
    """
    if a_hashes == b_hashes and np.array_equal(a, b):  # a night on which nothing changed need not load scikit-learn
        return 0.5
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.metrics import roc_auc_score

    rows = np.vstack([a, b]).astype(np.float64)
    if rows.shape[1] > LEADING:
        found = principal(rows)
        rows = (rows - found.mean) @ found.axes[:, :LEADING]
    is_new = np.repeat([False, True], [len(a), len(b)])
    fold = np.array([int(name[:8], 16) % FOLDS for name in [*a_hashes, *b_hashes]])
    score = np.zeros(len(rows))
    for held in range(FOLDS):
        train, test = fold != held, fold == held
        if not test.any() or len(np.unique(is_new[train])) < 2:
            continue
        fisher = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE).fit(rows[train], is_new[train])
        score[test] = fisher.decision_function(rows[test])
    return float(roc_auc_score(is_new, score))


def energy_coefficient(a: np.ndarray, b: np.ndarray) -> float:
    """Energy distance (Székely and Rizzo, 2013) ÷ its largest value, in [0, 1].

    (2E|A−B| − E|A−A′| − E|B−B′|) ÷ 2E|A−B|
    """
    if np.array_equal(a, b):
        return 0.0
    across = _mean_distance(a, b)
    if not across > 0:
        return 0.0
    within = _mean_distance(a, a) + _mean_distance(b, b)
    return float(np.clip((2 * across - within) / (2 * across), 0.0, 1.0))


def mean_shift(a: np.ndarray, b: np.ndarray) -> float:
    """Distance between the means ÷ the root mean square distance of A from its own mean; 0 is no shift."""
    centre = a.mean(axis=0, dtype=np.float64)
    spread = np.sqrt(np.square(a - centre).sum(axis=1).mean())
    distance = np.linalg.norm(b.mean(axis=0, dtype=np.float64) - centre)
    return float(distance / spread) if spread > 0 else float(distance > 0)


def class_shifts(
    a: np.ndarray, b: np.ndarray, a_labels: np.ndarray, b_labels: np.ndarray, fewest: int = 5
) -> dict[str, float]:
    """1 − cosine of the class's mean vector in A and in B, for classes with `fewest` rows in both; sorted by label."""
    shifts = {}
    for label in sorted({str(name) for name in a_labels if name} & {str(name) for name in b_labels if name}):
        mine, other = a[a_labels == label], b[b_labels == label]
        if min(len(mine), len(other)) < fewest:
            continue
        one, two = mine.mean(axis=0, dtype=np.float64), other.mean(axis=0, dtype=np.float64)
        length = np.linalg.norm(one) * np.linalg.norm(two)
        shifts[label] = float(np.clip(1.0 - one @ two / length, 0.0, 2.0)) if length > 0 else 0.0
    return shifts


def _mean_distance(a: np.ndarray, b: np.ndarray) -> float:
    square = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)[None, :] - 2.0 * (a @ b.T)
    if a is b:
        np.fill_diagonal(square, 0.0)
    return float(np.sqrt(np.maximum(square, 0.0)).mean())
