"""Weighted facility location on the kNN graph: samples that together stand for most of what nothing stands for yet.

A sample x is covered by the nearest chosen or labelled one c as far as ((cos(x, c) − b) ÷ (1 − b))³, where b is the
mean cosine of two samples at random. The next one chosen is that which adds most to Σ weight(x) · cover(x). One sum
thus asks for samples amid many others (typical), far from what is chosen already (diverse), and where it matters (the
weight). It is submodular, so the greedy choice is within 1 − 1/e of the best there is (Nemhauser et al. 1978), and
gains only fall: a heap of old gains finds the next (Minoux 1978).
"""

import heapq
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

LEAST_COVER = 1e-3  # below which an edge says nothing
POWER = 3
PAIRS = 5_000


@dataclass(frozen=True)
class Chosen:
    """What was chosen, in order.

    Attributes:
        rows: (m,) row numbers.
        gains: (m,) what each added to the weighted cover.
        newly: (m,) how many rows each was the first to cover by half.
    """

    rows: np.ndarray
    gains: np.ndarray
    newly: np.ndarray


def background(vectors: np.ndarray) -> float:
    """The mean cosine of two rows of unit length at random, from `PAIRS` of them."""
    if len(vectors) < 2:
        return 0.0
    left, right = np.random.default_rng(0).integers(0, len(vectors), (2, PAIRS))
    apart = left != right
    return float(np.einsum("ij,ij->i", vectors[left[apart]], vectors[right[apart]]).mean())


def covers(neighbors: np.ndarray, similarities: np.ndarray, far: float) -> csr_array:
    """(n, n) how far each row covers each other: itself whole, its neighbours and those it is a neighbour of in part.

    Args:
        neighbors, similarities: (n, k), the kNN graph; −1 where there are fewer.
        far: the cosine at which nothing is covered any more.
    """
    n = len(neighbors)
    row, at = np.nonzero(neighbors >= 0)
    column = neighbors[row, at].astype(np.int64)
    value = np.clip((similarities[row, at].astype(np.float64) - far) / max(1.0 - far, 1e-6), 0.0, 1.0) ** POWER
    kept = value > LEAST_COVER
    one_way = csr_array((value[kept], (row[kept], column[kept])), shape=(n, n))
    itself = csr_array((np.ones(n), (np.arange(n), np.arange(n))), shape=(n, n))
    return csr_array(one_way.maximum(one_way.T).maximum(itself))


def choose(cover: csr_array, weight: np.ndarray, labelled: np.ndarray, candidates: np.ndarray, count: int) -> Chosen:
    """The `count` of `candidates` that add most, one after the other; of equal ones the first.

    Args:
        cover: (n, n) from `covers`.
        weight: (n,) what it is worth to cover a row; 0 of labelled ones.
        labelled: (n,) bool, the rows that cover others from the start.
        candidates: (m,) row numbers.
    """
    covered = cover[np.flatnonzero(labelled)].max(axis=0).toarray().ravel() if labelled.any() else np.zeros(len(weight))

    def gain(row: int) -> tuple[float, np.ndarray, np.ndarray]:
        near = slice(cover.indptr[row], cover.indptr[row + 1])
        rows = cover.indices[near]
        more = np.maximum(cover.data[near] - covered[rows], 0.0)
        return float(weight[rows] @ more), rows, more

    heap = [(-gain(row)[0], row) for row in candidates.tolist()]
    heapq.heapify(heap)
    rows: list[int] = []
    gains: list[float] = []
    newly: list[int] = []
    while heap and len(rows) < count:
        _, row = heapq.heappop(heap)
        value, near, more = gain(row)
        if heap and (-value, row) > heap[0]:
            heapq.heappush(heap, (-value, row))
            continue
        newly.append(int(((covered[near] < 0.5) & (covered[near] + more >= 0.5)).sum()))
        covered[near] += more
        rows.append(row)
        gains.append(value)
    return Chosen(np.array(rows, dtype=np.int64), np.array(gains), np.array(newly, dtype=np.int64))
