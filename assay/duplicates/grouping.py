"""Groups of duplicates as stars: every member is tied directly to the group's centre, never through a chain.

Connected components would merge a whole class through a chain of look-alikes. A star cover (Aslam, Pelekhov, Rus,
2004) takes samples one after the other as centres and gives each other sample to the centre it is most similar to.
Taken by falling degree, centres are medoids. Taken by preference, each centre is the one its group keeps, so every
sample called superfluous was compared with the one that stays.
"""

import numpy as np


def star_groups(
    n: int, left: np.ndarray, right: np.ndarray, similarity: np.ndarray, preference: np.ndarray | None = None
) -> np.ndarray:
    """The centre of each of `n` samples' group, given confirmed pairs.

    Args:
        left, right: (m,) the two ends of each pair, once each, in any order.
        similarity: (m,) of the pair; higher is closer.
        preference: (n,) samples become centres by rising preference; by falling degree where there is none.

    Returns:
        (n,) int64: the centre's number; a sample in no group is its own centre. Equal degrees and similarities go to
        the lower number, so the groups do not depend on the order of the pairs.
    """
    sources = np.concatenate([left, right]).astype(np.int64)
    targets = np.concatenate([right, left]).astype(np.int64)
    strengths = np.concatenate([similarity, similarity])
    order = np.lexsort((targets, sources))
    sources, targets, strengths = sources[order], targets[order], strengths[order]
    degree = np.bincount(sources, minlength=n)
    is_centre = _choose_centres(sources, targets, degree, -degree if preference is None else preference)
    may_join = ~is_centre[sources] & is_centre[targets]
    if preference is not None:
        may_join &= preference[targets] < preference[sources]
    return _join_nearest(n, sources[may_join], targets[may_join], strengths[may_join])


def _choose_centres(sources: np.ndarray, targets: np.ndarray, degree: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(n,) bool: by rising `order`, each sample that no earlier centre covers."""
    starts = np.concatenate([[0], np.cumsum(degree)])
    is_covered = np.zeros(len(degree), dtype=bool)
    is_centre = degree == 0
    linked = np.flatnonzero(degree)
    for node in linked[np.argsort(order[linked], kind="stable")].tolist():
        if not is_covered[node]:
            is_centre[node] = True
            is_covered[node] = True
            is_covered[targets[starts[node] : starts[node + 1]]] = True
    return is_centre


def _join_nearest(n: int, sources: np.ndarray, targets: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """The most similar target of each source; a sample that is no source is its own centre."""
    order = np.lexsort((targets, -strengths, sources))
    members, first = np.unique(sources[order], return_index=True)
    centre = np.arange(n, dtype=np.int64)
    centre[members] = targets[order][first]
    return centre


def best_of_group(group: np.ndarray, preference: np.ndarray) -> np.ndarray:
    """For each entry the member of its group with the lowest preference; no two preferences are equal."""
    order = np.lexsort((preference, group))
    _, first, inverse = np.unique(group[order], return_index=True, return_inverse=True)
    best = np.empty(len(group), dtype=np.int64)
    best[order] = order[first][inverse]
    return best
