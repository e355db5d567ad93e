"""Groups of duplicates as stars: every member is tied to the group's medoid itself, never through a chain.

Connected components would merge a whole class through a chain of look-alikes. A star cover (Aslam, Pelekhov, Rus,
2004) takes the samples by falling degree as medoids and gives each other sample to the medoid it is most similar to.
"""

import numpy as np


def star_groups(n: int, left: np.ndarray, right: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    """The medoid of each of `n` samples, given confirmed pairs.

    Args:
        left, right: (m,) the two ends of each pair, once each, in any order.
        similarity: (m,) of the pair; higher is closer.

    Returns:
        (n,) int64: the medoid's number; a sample in no group is its own medoid. Equal degrees and similarities go to
        the lower number, so the groups do not depend on the order of the pairs.
    """
    sources = np.concatenate([left, right]).astype(np.int64)
    targets = np.concatenate([right, left]).astype(np.int64)
    strengths = np.concatenate([similarity, similarity])
    order = np.lexsort((targets, sources))
    sources, targets, strengths = sources[order], targets[order], strengths[order]
    is_medoid = _choose_medoids(n, sources, targets)
    return _join_nearest(n, sources, targets, strengths, is_medoid)


def _choose_medoids(n: int, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(n,) bool: by falling degree, each sample that no medoid before it covers."""
    degree = np.bincount(sources, minlength=n)
    starts = np.concatenate([[0], np.cumsum(degree)])
    is_covered = np.zeros(n, dtype=bool)
    is_medoid = degree == 0
    linked = np.flatnonzero(degree)
    for node in linked[np.argsort(-degree[linked], kind="stable")].tolist():
        if not is_covered[node]:
            is_medoid[node] = True
            is_covered[node] = True
            is_covered[targets[starts[node] : starts[node + 1]]] = True
    return is_medoid


def _join_nearest(
    n: int, sources: np.ndarray, targets: np.ndarray, strengths: np.ndarray, is_medoid: np.ndarray
) -> np.ndarray:
    """Each sample's most similar medoid among its pairs; a medoid is its own."""
    to_medoid = ~is_medoid[sources] & is_medoid[targets]
    sources, targets, strengths = sources[to_medoid], targets[to_medoid], strengths[to_medoid]
    order = np.lexsort((targets, -strengths, sources))
    members, first = np.unique(sources[order], return_index=True)
    medoid = np.arange(n, dtype=np.int64)
    medoid[members] = targets[order][first]
    return medoid


def first_of_equal(codes: np.ndarray) -> np.ndarray:
    """For each entry the number of the first entry with the same code; codes below 0 are equal to nothing."""
    own = np.arange(len(codes), dtype=np.int64)
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    return np.where(codes < 0, own, first[inverse])


def best_of_group(group: np.ndarray, preference: np.ndarray) -> np.ndarray:
    """For each entry the member of its group with the lowest preference; preferences differ from each other."""
    order = np.lexsort((preference, group))
    _, first, inverse = np.unique(group[order], return_index=True, return_inverse=True)
    best = np.empty(len(group), dtype=np.int64)
    best[order] = order[first][inverse]
    return best
