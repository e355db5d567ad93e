"""Sets of labels made of real data at hand, and wrong ones: `MAKERS[name]() → (vectors, carried)`.

    digits-side      scikit-learn's digits, one to three side by side in one picture, by their principal components
    caltech101-sum   the vectors of one to three photographs of Caltech-101 added up
    banking77-sum    the same of one to three questions of Banking77
    cora-sum         the same of one to three papers of Cora

`carried` is bool, (samples, classes). A class that stands twice in a sample is carried once.
"""

from collections.abc import Callable

import numpy as np
from vectors import load

SAMPLES = 6_000
MEMBERS = (1, 2, 3)  # singles that a sample is made of, each as often


def unit_length(vectors: np.ndarray) -> np.ndarray:
    """Rows at length 1, float32."""
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def chosen_members(n: int, samples: int, seed: int) -> list[np.ndarray]:
    """For each sample, which singles it is made of."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, n, rng.choice(MEMBERS)) for _ in range(samples)]


def carried_of(members: list[np.ndarray], codes: np.ndarray) -> np.ndarray:
    """Which classes each sample carries."""
    carried = np.zeros((len(members), int(codes.max()) + 1), dtype=bool)
    for row, chosen in enumerate(members):
        carried[row, codes[chosen]] = True
    return carried


def summed(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of singles added up."""
    vectors, labels = load(name)
    codes = np.unique(labels, return_inverse=True)[1]
    members = chosen_members(len(codes), SAMPLES, seed=0)
    return unit_length(np.stack([vectors[chosen].sum(axis=0) for chosen in members])), carried_of(members, codes)


def side_by_side() -> tuple[np.ndarray, np.ndarray]:
    """Digits in one picture of 8 × 24 pixels, in three places at most, as 64 principal components."""
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA

    data = load_digits()
    members = chosen_members(len(data.target), SAMPLES, seed=0)
    places = np.random.default_rng(1)
    pictures = np.zeros((SAMPLES, 8, 24))
    for row, chosen in enumerate(members):
        for place, digit in zip(places.permutation(3), chosen, strict=False):
            pictures[row, :, 8 * place : 8 * place + 8] = data.images[digit]
    flat = pictures.reshape(SAMPLES, -1)
    return unit_length(PCA(64, random_state=0).fit_transform(flat)), carried_of(members, data.target)


MAKERS: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "digits-side": side_by_side,
    "caltech101-sum": lambda: summed("caltech101"),
    "banking77-sum": lambda: summed("banking77"),
    "cora-sum": lambda: summed("cora"),
}


def corrupt_sets(carried: np.ndarray, vectors: np.ndarray, rate: float, kind: str, seed: int) -> np.ndarray:
    """A copy in which round(rate · n) samples have one class dropped, added or swapped for another.

    `mixed` is any of the three; classes that are put in are drawn by their frequency. `confused` swaps a class for one
    of the two whose carriers' mean vectors are nearest to its own, three to one. A sample that carries none can only be
    added to, one that carries all only be dropped from.
    """
    rng = np.random.default_rng(seed)
    noisy, weight, near = carried.copy(), carried.mean(axis=0), nearest_classes(carried, vectors)
    for row in rng.permutation(len(carried))[: round(rate * len(carried))]:
        here, gone = np.nonzero(carried[row])[0], np.nonzero(~carried[row])[0]
        what = rng.choice(["drop", "add", "swap"]) if kind == "mixed" else kind
        what = "add" if not len(here) else "drop" if not len(gone) else what
        out = rng.choice(here) if len(here) else None
        if what in ("drop", "swap", "confused"):
            noisy[row, out] = False
        if what in ("add", "swap"):
            noisy[row, rng.choice(gone, p=weight[gone] / weight[gone].sum())] = True
        if what == "confused":
            others = [code for code in near[out] if not carried[row, code]][:2]
            noisy[row, others[int(rng.random() < 0.25) % len(others)]] = True
    return noisy


def nearest_classes(carried: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(classes, classes − 1) the other classes of each, the ones with the most similar mean vectors first."""
    means = unit_length(carried.T.astype(np.float64) @ (vectors - vectors.mean(axis=0)))
    similarity = means @ means.T
    np.fill_diagonal(similarity, -np.inf)
    return np.argsort(-similarity, axis=1, kind="stable")[:, :-1]
