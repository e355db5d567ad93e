"""Random walks on a graph, all at once, and what gensim learns of them as if they were sentences."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from assay.embedders.svd import unit_rows

TRIES = 100  # draws for one biased step; a walk that none of them suits takes the last

Ints = NDArray[np.int64]


def uniform_walks(adjacency: sparse.csr_matrix, per_node: int, length: int, seed: int) -> Ints:
    """(per_node · nodes with an edge, length): each step to any neighbour alike."""
    rng = np.random.default_rng(seed)
    walks = _started(adjacency, per_node, length, rng)
    for step in range(1, length):
        walks[:, step] = _any_neighbor(adjacency, walks[:, step - 1], rng)
    return walks


def biased_walks(adjacency: sparse.csr_matrix, per_node: int, length: int, p: float, q: float, seed: int) -> Ints:
    """The same with node2vec's bias, by rejection: a step back counts 1 ÷ p, one to a neighbour of the node before 1,
    and one away from it 1 ÷ q."""
    rng = np.random.default_rng(seed)
    walks = _started(adjacency, per_node, length, rng)
    if length > 1:
        walks[:, 1] = _any_neighbor(adjacency, walks[:, 0], rng)
    n, most = adjacency.shape[0], max(1.0, 1 / p, 1 / q)
    keys = np.repeat(np.arange(n), np.diff(adjacency.indptr)) * n + adjacency.indices
    for step in range(2, length):
        before, here = walks[:, step - 2], walks[:, step - 1]
        walks[:, step] = _biased_step(adjacency, keys, before, here, (1 / p / most, 1 / most, 1 / q / most), rng)
    return walks


def _biased_step(
    adjacency: sparse.csr_matrix,
    keys: Ints,
    before: Ints,
    here: Ints,
    chances: tuple[float, float, float],
    rng: np.random.Generator,
) -> Ints:
    """One step of every walk; `keys`: `row · n + column` of all edges, ascending; chances of back, near and away."""
    n = adjacency.shape[0]
    following = np.empty(len(here), dtype=np.int64)
    open_ones = np.arange(len(here))
    for _ in range(TRIES):
        drawn = _any_neighbor(adjacency, here[open_ones], rng)
        following[open_ones] = drawn
        back = drawn == before[open_ones]
        key = before[open_ones] * n + drawn
        near = keys[np.minimum(np.searchsorted(keys, key), len(keys) - 1)] == key
        chance = np.where(back, chances[0], np.where(near, chances[1], chances[2]))
        open_ones = open_ones[rng.random(len(open_ones)) >= chance]
        if not len(open_ones):
            break
    return following


def _started(adjacency: sparse.csr_matrix, per_node: int, length: int, rng: np.random.Generator) -> Ints:
    """Walks with their first node, in a random order; nodes without an edge have none."""
    tied = np.flatnonzero(np.diff(adjacency.indptr))
    first = np.concatenate([rng.permutation(tied) for _ in range(per_node)]) if len(tied) else tied
    walks = np.empty((len(first), max(length, 1)), dtype=np.int64)
    walks[:, 0] = first
    return walks


def _any_neighbor(adjacency: sparse.csr_matrix, nodes: Ints, rng: np.random.Generator) -> Ints:
    starts, degree = adjacency.indptr[nodes], np.diff(adjacency.indptr)[nodes]
    drawn = np.minimum((rng.random(len(nodes)) * degree).astype(np.int64), degree - 1)
    return adjacency.indices[starts + drawn].astype(np.int64)


def words_of_walks(
    walks: Ints, n: int, dimension: int, window: int, epochs: int, seed: int, skip_gram: bool = True
) -> NDArray[np.float32]:
    """(n, dimension) of length 1: word2vec's vectors of the nodes that are on walks, zeros for others. One worker, so
    that two machines learn the same."""
    from gensim.models import Word2Vec

    found = np.zeros((n, dimension), dtype=np.float32)
    if len(walks):
        names = np.array([str(node) for node in range(n)], dtype=object)
        model = Word2Vec(
            names[walks].tolist(), sg=int(skip_gram), vector_size=dimension, window=window, epochs=epochs, min_count=1,
            sample=0, seed=seed, workers=1,
        )  # fmt: skip
        rows = np.array([int(name) for name in model.wv.index_to_key], dtype=np.int64)
        found[rows] = model.wv.vectors
    return unit_rows(found)
